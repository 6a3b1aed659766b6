//! Quantize: calibrate, choose scales, round, and say how good it is.

use std::path::Path;
use std::sync::Mutex;

use serde_json::json;

use super::samples::{Images, Random, Tensors};
use crate::base::fs;
use crate::compiler::calibrate::Samples;
use crate::compiler::graph::Graph;
use crate::compiler::lower::Manifest;
use crate::compiler::onnx;
use crate::compiler::quantize as quantizer;
use crate::compiler::split;
use crate::compiler::split::HostParts;
use crate::compiler::split::Measured;
use crate::compiler::split::Parts;
use crate::imaging::Audit;
use crate::imaging::Preprocess;
use crate::plan::HOST_GRAPHS;
use crate::plan::QuantizeSettings;
use crate::properties::QuantizationScheme;
use crate::toolchains::{Work, WorkError};

/// Reads `model`, the host's graphs round it where there are some, `calibration/NNNNN` and `evaluation/NNNNN`; writes the quantized model in all its forms and the report.
pub(super) fn quantize(work: &Work<'_>, settings: &QuantizeSettings) -> Result<(), WorkError> {
    let options = onnx::ImportOptions { input_shapes: Vec::new() };
    let import = |path: &Path| -> Result<Graph, WorkError> {
        Ok(onnx::import(&fs::read(path)?, &onnx::NoExternalData, &options)?)
    };
    let [preamble, postamble] = HOST_GRAPHS.map(|name| work.optional_input(name).map(import).transpose());
    let parts = Parts { preamble: preamble?, core: import(work.input("model")?)?, postamble: postamble? };
    let (core, first) = (&parts.core, parts.preamble.as_ref().unwrap_or(&parts.core));
    let files = |prefix: &str| work.inputs_under(prefix).into_iter().map(|(_, path)| path).collect::<Vec<_>>();
    let images = |files, what, labels| Images {
        files,
        preprocess: &settings.preprocess,
        labels,
        what,
        portraits: Mutex::default(),
    };
    let shape = first.inputs.first().map_or(&[][..], |input| first.value(*input).shape.as_slice());
    let tensors = |prefix, what| settings.tensors.then(|| Tensors { files: files(prefix), shape, what });
    let of_images = |prefix| if settings.tensors { Vec::new() } else { files(prefix) };
    let from_images = images(of_images("calibration/"), "calibration", &[]);
    let from_tensors = tensors("calibration/", "calibration");
    let random = settings.random_calibration.map(|seed| Random {
        seed,
        count: settings.calibration_images,
        elements: shape.iter().product(),
    });
    let calibration: &dyn Samples = match (&random, &from_tensors) {
        (Some(random), _) => random,
        (None, Some(tensors)) => tensors,
        (None, None) => &from_images,
    };
    let evaluation_images = images(of_images("evaluation/"), "held-out", &settings.labels);
    let evaluation_tensors = tensors("evaluation/", "held-out");
    let evaluation: &dyn Samples = match &evaluation_tensors {
        Some(tensors) => tensors,
        None => &evaluation_images,
    };
    let quantize_options = quantizer::QuantizeOptions {
        scheme: scheme(settings),
        depthwise_channels: settings.depthwise_channels(),
        class_count: Some(settings.class_count),
        threads: work.threads,
    };
    let watch = quantizer::Watch { cancel: work.cancel, progress: work.progress };
    let host = HostParts::new(&parts)?;
    let calibration = Measured::new(&host, calibration, None);
    let measured = Measured::new(&host, evaluation, Some(settings.class_count));
    let mut quantized = quantizer::quantize(core, &calibration, &measured, &quantize_options, &watch)?;
    if let Some(evaluated) = &mut quantized.report.evaluation {
        measured.correct(evaluated);
    }
    count_host(&mut quantized.report, &parts);

    let write = |name: &str, bytes: &[u8]| fs::write(&work.output.join(name), bytes);
    let graph = quantized.graph.to_json();
    write("quantized_model.json", &graph)?;
    write("quantized_model.txt", quantized.graph.to_text().as_bytes())?;
    let core = quantized.graph.to_qdq_onnx();
    let onnx = match (settings.removes_io_quantization(), &parts) {
        (true, _) => split::without_io_quantization(&core)?,
        (false, Parts { preamble: None, postamble: None, .. }) => core,
        (false, Parts { preamble, postamble, .. }) => split::whole(preamble.as_ref(), &core, postamble.as_ref())?,
    };
    write("quantized_model.onnx", &onnx)?;
    let mut beside = vec![("quantized_model.json", graph), ("quantized_model.onnx", onnx)];
    for (name, path) in HOST_GRAPHS.iter().filter_map(|name| Some((name, work.optional_input(name)?))) {
        let bytes = fs::read(path)?;
        write(name, &bytes)?;
        beside.push((name, bytes));
    }
    let audit = Audit::of(&from_images.seen(), &evaluation_images.seen(), &settings.preprocess);
    let mut report = quantized.report.to_json();
    if let Some(entries) = report.as_object_mut() {
        entries.insert("random_calibration".to_owned(), json!(settings.random_calibration.is_some()));
        for (key, part) in [("preamble_nodes", &parts.preamble), ("postamble_nodes", &parts.postamble)] {
            if let Some(part) = part {
                entries.insert(key.to_owned(), json!(part.nodes.len()));
            }
        }
        if let Some(audit) = &audit {
            entries.insert("images".to_owned(), json!(audit));
        }
    }
    write("report.json", format!("{report:#}\n").as_bytes())?;
    let warning = match &random {
        Some(_) => "CALIBRATED ON RANDOM DATA: the ranges, and so the accuracy, mean nothing\n",
        None => "",
    };
    let audited = audit.as_ref().map(Audit::to_text).unwrap_or_default();
    let text = format!("{warning}{}{}{audited}", host_text(&parts), quantized.report.to_text());
    write("report.txt", text.as_bytes())?;
    let named = HOST_GRAPHS.map(|name| work.optional_input(name).map(|_| name));
    let manifest = Manifest::of_quantized(&quantized.graph, "quantized_model.json")
        .with_random_calibration(settings.random_calibration.is_some())
        .with_host(named[0], named[1])
        .with_digests(beside.iter().map(|(name, bytes)| (*name, bytes.as_slice())))
        .with_preprocess(known_preprocess(settings))
        .with_own_digests();
    write("quantized_model_manifest.json", &manifest.to_json())?;
    check_floors(&quantized.report, settings)
}

/// How images become the input: not known where a user's Python makes tensors, or where random numbers stand for them.
fn known_preprocess(settings: &QuantizeSettings) -> Option<Preprocess> {
    let is_said = !settings.tensors && !settings.preprocess.operators.is_empty();
    is_said.then(|| settings.preprocess.clone())
}

/// What the host computes is float, and counts as that.
fn count_host(report: &mut quantizer::QuantizationReport, parts: &Parts) {
    let macs = parts.host_macs();
    if macs > 0 {
        report.macs = report.macs.saturating_add(macs);
        report.integer_mac_share = report.integer_macs as f64 / report.macs as f64;
    }
}

/// A line for each of the host's graphs.
fn host_text(parts: &Parts) -> String {
    let sides = [(&parts.preamble, "before", HOST_GRAPHS[0]), (&parts.postamble, "after", HOST_GRAPHS[1])];
    let lines = sides.into_iter().filter_map(|(part, word, file)| {
        let nodes = part.as_ref()?.nodes.len();
        let noun = if nodes == 1 { "node" } else { "nodes" };
        Some(format!("the host runs {nodes} {noun} {word} the core, in float: {file}\n"))
    });
    lines.collect()
}

/// The property as the quantizer's scheme.
fn scheme(settings: &QuantizeSettings) -> quantizer::Scheme {
    match settings.scheme() {
        QuantizationScheme::PerTensorMinMax => quantizer::Scheme::PerTensorMinMax,
        QuantizationScheme::PerTensorHistogram => quantizer::Scheme::PerTensorHistogram,
        QuantizationScheme::HybridPerTensorPerChannel => quantizer::Scheme::HybridPerTensorPerChannel,
    }
}

/// Layers that the failure names.
const WORST_TOLD: usize = 3;

/// What the card demands at least (SPEC 8): a model under its floor is no artifact.
fn check_floors(report: &quantizer::QuantizationReport, settings: &QuantizeSettings) -> Result<(), WorkError> {
    let measured = report.evaluation.as_ref();
    let worst = measured.map_or(&[][..], |measured| measured.layers.as_slice()).iter().take(WORST_TOLD);
    let worst: Vec<String> = worst
        .filter_map(|layer| Some(format!("`{}` ({}) {:.1} dB", layer.name, layer.operator, layer.sqnr_db?)))
        .collect();
    let under = |what, found, floor: f64, key| WorkError::UnderFloor {
        what,
        found,
        floor: floor.to_string(),
        key,
        worst: worst.join(", "),
    };
    let unmeasured = || "not measured (there are no held-out images)".to_owned();
    if let Some(floor) = settings.min_sqnr_db {
        let outputs = measured.map_or(&[][..], |measured| measured.outputs.as_slice());
        if outputs.is_empty() {
            return Err(under("the SQNR".to_owned(), unmeasured(), floor, "min_sqnr_db"));
        }
        // Without noise there is no SQNR, but a cosine; without both, float or int8 is nothing.
        let is_under = |output: &quantizer::ValueQuality| match output.sqnr_db {
            Some(found) => found < floor,
            None => output.cosine.is_none(),
        };
        if let Some(output) = outputs.iter().find(|output| is_under(output)) {
            let what = format!("the SQNR of `{}` in dB", output.name);
            let found = output.sqnr_db.map_or_else(|| "no number".to_owned(), |found| format!("{found:.3}"));
            return Err(under(what, found, floor, "min_sqnr_db"));
        }
    }
    if let Some(floor) = settings.min_top1_agreement {
        let agreement =
            measured.and_then(|measured| measured.classification.as_ref()).map(|found| found.top1_agreement);
        if agreement.is_none_or(|found| found < floor) {
            let found = match (agreement, measured) {
                (Some(found), _) => format!("{found:.3}"),
                (None, None) => unmeasured(),
                (None, Some(_)) => "not measured (no output has one number for each of `num_classes`)".to_owned(),
            };
            return Err(under("top-1 agreement with float".to_owned(), found, floor, "min_top1_agreement"));
        }
    }
    Ok(())
}
