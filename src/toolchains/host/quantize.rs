//! Quantize: calibrate, choose scales, round, and say how good it is.

use serde_json::json;

use super::samples::{Images, Random};
use crate::base::fs;
use crate::compiler::calibrate::Samples;
use crate::compiler::lower::Manifest;
use crate::compiler::onnx;
use crate::compiler::quantize as quantizer;
use crate::plan::QuantizeSettings;
use crate::properties::QuantizationScheme;
use crate::toolchains::{Work, WorkError};

/// Reads `model`, `calibration/NNNNN` and `evaluation/NNNNN`; writes the quantized model in all its forms and the report.
pub(super) fn quantize(work: &Work<'_>, settings: &QuantizeSettings) -> Result<(), WorkError> {
    let options = onnx::ImportOptions { input_shapes: Vec::new() };
    let graph = onnx::import(&fs::read(work.input("model")?)?, &onnx::NoExternalData, &options)?;
    let images = |prefix: &str, what, labels| Images {
        files: work.inputs_under(prefix).into_iter().map(|(_, path)| path).collect(),
        preprocess: &settings.preprocess,
        labels,
        what,
    };
    let from_images = images("calibration/", "calibration", &[]);
    let random = settings.random_calibration.map(|seed| Random {
        seed,
        count: settings.calibration_images,
        elements: graph.inputs.first().map_or(0, |input| graph.value(*input).shape.iter().product()),
    });
    let calibration: &dyn Samples = match &random {
        Some(random) => random,
        None => &from_images,
    };
    let evaluation = images("evaluation/", "held-out", &settings.labels);
    let quantize_options = quantizer::QuantizeOptions {
        scheme: scheme(settings),
        depthwise_channels: settings.depthwise_channels(),
        class_count: Some(settings.class_count),
        threads: work.threads,
    };
    let watch = quantizer::Watch { cancel: work.cancel, progress: work.progress };
    let quantized = quantizer::quantize(&graph, calibration, &evaluation, &quantize_options, &watch)?;

    let write = |name: &str, bytes: &[u8]| fs::write(&work.output.join(name), bytes);
    write("quantized_model.json", &quantized.graph.to_json())?;
    write("quantized_model.txt", quantized.graph.to_text().as_bytes())?;
    write("quantized_model.onnx", &quantized.graph.to_qdq_onnx())?;
    let mut report = quantized.report.to_json();
    if let Some(entries) = report.as_object_mut() {
        entries.insert("random_calibration".to_owned(), json!(settings.random_calibration.is_some()));
    }
    write("report.json", format!("{report:#}\n").as_bytes())?;
    let warning = match &random {
        Some(_) => "CALIBRATED ON RANDOM DATA: the ranges, and so the accuracy, mean nothing\n",
        None => "",
    };
    write("report.txt", format!("{warning}{}", quantized.report.to_text()).as_bytes())?;
    let manifest = Manifest::of_quantized(&quantized.graph, "quantized_model.json");
    write("quantized_model_manifest.json", &manifest.to_json())?;
    check_floors(&quantized.report, settings)
}

/// The property as the quantizer's scheme.
fn scheme(settings: &QuantizeSettings) -> quantizer::Scheme {
    match settings.scheme() {
        QuantizationScheme::PerTensorMinMax => quantizer::Scheme::PerTensorMinMax,
        QuantizationScheme::PerTensorHistogram => quantizer::Scheme::PerTensorHistogram,
        QuantizationScheme::HybridPerTensorPerChannel => quantizer::Scheme::HybridPerTensorPerChannel,
    }
}

/// What the card demands at least (SPEC 8): a model under its floor is no artifact.
fn check_floors(report: &quantizer::QuantizationReport, settings: &QuantizeSettings) -> Result<(), WorkError> {
    let measured = report.evaluation.as_ref();
    let under = |what: String, found: Option<f64>, floor: f64, key| {
        let found =
            found.map_or_else(|| "not measured (there are no held-out images)".to_owned(), |it| format!("{it:.3}"));
        Err(WorkError::UnderFloor { what, found, floor: floor.to_string(), key })
    };
    if let Some(floor) = settings.min_sqnr_db {
        let outputs = measured.map_or(&[][..], |measured| measured.outputs.as_slice());
        if outputs.is_empty() {
            return under("the SQNR".to_owned(), None, floor, "min_sqnr_db");
        }
        if let Some(output) = outputs.iter().find(|output| output.sqnr_db.is_some_and(|found| found < floor)) {
            return under(format!("the SQNR of `{}` in dB", output.name), output.sqnr_db, floor, "min_sqnr_db");
        }
    }
    if let Some(floor) = settings.min_top1_agreement {
        let agreement =
            measured.and_then(|measured| measured.classification.as_ref()).map(|found| found.top1_agreement);
        if agreement.is_none_or(|found| found < floor) {
            return under("top-1 agreement with float".to_owned(), agreement, floor, "min_top1_agreement");
        }
    }
    Ok(())
}
