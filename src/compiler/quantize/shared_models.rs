//! Real networks with photographs, where the shared folder with them is (`AXZOO_SHARED`, or `../shared`).

use std::path::Path;
use std::path::PathBuf;

use image::imageops::FilterType;

use crate::base::CancelToken;
use crate::base::Share;
use crate::base::fs;
use crate::compiler::calibrate::Samples;
use crate::compiler::calibrate::Scheme;
use crate::compiler::calibrate::Watch;
use crate::compiler::clean::clean;
use crate::compiler::error::StageError;
use crate::compiler::legalize::legalize;
use crate::compiler::lower::LowerOptions;
use crate::compiler::lower::load_program;
use crate::compiler::lower::lower;
use crate::compiler::lower::tests::check_code;
use crate::compiler::memory;
use crate::compiler::onnx::ImportOptions;
use crate::compiler::onnx::NoExternalData;
use crate::compiler::onnx::import;
use crate::compiler::quantize::QuantizeOptions;
use crate::compiler::quantize::Quantized;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::quantize;
use crate::compiler::reference;

/// A model, and the SQNR in dB that it must at least reach on four photographs after calibration with eight. The floors
/// are what ONNX Runtime's `MinMax` reaches with 32, less a margin for the few images here.
struct Case {
    model: &'static str,
    sqnr_db: f64,
}

const CASES: [Case; 8] = [
    Case { model: "mnist_8", sqnr_db: 28.0 },
    Case { model: "squeezenet_fp32_from_fp16", sqnr_db: 19.0 },
    Case { model: "rw_squeezenet1_1_op17", sqnr_db: 24.0 },
    Case { model: "rw_mobilenet_v2_op17", sqnr_db: 10.0 },
    Case { model: "ultraface_rfb_320", sqnr_db: 38.0 },
    Case { model: "ultraface_slim_320", sqnr_db: 38.0 },
    Case { model: "yunet_n_320", sqnr_db: 19.0 },
    Case { model: "osf_mnv3_detection", sqnr_db: 15.0 },
];

#[expect(clippy::disallowed_methods, reason = "a test finds its data by a variable, the program does not")]
fn shared() -> Option<PathBuf> {
    let folder = std::env::var("AXZOO_SHARED")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    fs::is_folder(&folder.join("models")).then_some(folder)
}

/// Photographs in a model's preprocessing, as `models/index.json` tells it.
struct Photographs {
    files: Vec<PathBuf>,
    channels: usize,
    size: [u32; 2],
    preprocessing: serde_json::Value,
}

impl Photographs {
    fn parameter(&self, name: &str, channel: usize) -> f32 {
        let value = &self.preprocessing[name];
        let value = value.get(channel).or_else(|| value.get(0)).unwrap_or(value);
        value.as_f64().unwrap_or(0.0) as f32
    }
}

impl Samples for Photographs {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn load(&self, index: usize) -> Result<Vec<Vec<f32>>, String> {
        let path = &self.files[index];
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        let photograph = image::load_from_memory(&bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        let [height, width] = self.size;
        let pixels = image::imageops::resize(&photograph.to_rgb8(), width, height, FilterType::Triangle);
        let plane = height as usize * width as usize;
        let mut tensor = vec![0.0; self.channels * plane];
        for (place, pixel) in pixels.pixels().enumerate() {
            let [red, green, blue] = pixel.0.map(f32::from);
            let colours = match self.preprocessing["order"].as_str() {
                Some("RGB") => [red, green, blue],
                Some("BGR") => [blue, green, red],
                _ => [0.299 * red + 0.587 * green + 0.114 * blue; 3],
            };
            for channel in 0..self.channels {
                let (mean, deviation) = (self.parameter("mean", channel), self.parameter("std", channel));
                tensor[channel * plane + place] = (colours[channel] - mean) / deviation;
            }
        }
        Ok(vec![tensor])
    }

    fn label(&self, _index: usize) -> Option<usize> {
        None
    }
}

fn quantize_model(shared: &Path, model: &str) -> Result<(Quantized, Photographs), StageError> {
    let file = format!("{model}.onnx");
    let bytes = fs::read(&shared.join("models").join(&file)).expect("the model is readable");
    let index = fs::read(&shared.join("models/index.json")).expect("the index is readable");
    let index: serde_json::Value = serde_json::from_slice(&index).expect("the index is JSON");
    let entries = index["models"].as_array().expect("the index lists models");
    let entry = entries.iter().find(|entry| entry["file"] == file.as_str()).expect("the model is in the index");
    let graph = import(&bytes, &NoExternalData, &ImportOptions::default())?;
    let (graph, _) = clean(graph)?;
    let &[_, channels, height, width] = graph.value(graph.inputs[0]).shape.as_slice() else {
        panic!("the input of {model} is no image");
    };
    let files = fs::files_below(&shared.join("images")).expect("the images are readable");
    let photographs: Vec<PathBuf> = files
        .into_iter()
        .filter(|file| !file.contains('/'))
        .map(|file| shared.join("images").join(file))
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg"))
        .collect();
    let some = |skip: usize, count: usize| Photographs {
        files: photographs.iter().skip(skip).step_by(5).take(count).cloned().collect(),
        channels,
        size: [height as u32, width as u32],
        preprocessing: entry["pre"].clone(),
    };
    let options = QuantizeOptions {
        scheme: Scheme::PerTensorHistogram,
        depthwise_channels: false,
        class_count: None,
        threads: 2,
    };
    let watch = Watch { cancel: &CancelToken::new(), progress: &|_, _, _| () };
    let evaluation = some(3, 4);
    let quantized = quantize(&graph, &some(0, 8), &evaluation, &options, &watch)?;
    Ok((quantized, evaluation))
}

/// What is wrong with a quantized model, if anything is.
fn check(quantized: &Quantized, photographs: &Photographs, sqnr_db: f64) -> Result<(), String> {
    let evaluation = quantized.report.evaluation.as_ref().ok_or("it was not evaluated")?;
    if evaluation.sqnr_db < Some(sqnr_db) {
        return Err(format!("expected at least {sqnr_db} dB\n{}", quantized.report.to_text()));
    }
    if QuantizedGraph::from_json(&quantized.graph.to_json()).as_ref() != Ok(&quantized.graph) {
        return Err("its file does not bring it back".to_owned());
    }
    let options = LowerOptions::new(1, Share::eighths(2));
    let compiled = lower(&quantized.graph, &options).map_err(|error| error.to_string())?;
    check_code(&compiled)?;
    let program = load_program(&|name| {
        let file = compiled.files.iter().find(|file| file.0 == name);
        file.map(|file| file.1.clone()).ok_or_else(|| "there is no such file".to_owned())
    });
    let input = photographs.load(0)?;
    let lowered = program.and_then(|program| program.run(&[&input[0]]));
    if lowered != reference::run(&quantized.graph, &[&input[0]]) {
        return Err("the lowered program computes something else".to_owned());
    }
    check_plan(&quantized.graph, &options, &input[0])
}

/// The device's form of a graph computes the same, and its memory plan needs at most 15 % more than is alive at once.
fn check_plan(graph: &QuantizedGraph, options: &LowerOptions, input: &[f32]) -> Result<(), String> {
    let legal =
        legalize(graph.clone(), &options.legalize, &CancelToken::new()).map_err(|error| error.to_string())?.graph;
    if reference::run(&legal, &[input]) != reference::run(graph, &[input]) {
        return Err("its legal form computes something else".to_owned());
    }
    let plan = memory::plan(&legal, &options.memory, &CancelToken::new()).map_err(|error| error.to_string())?;
    memory::tests::check(&legal, &plan)?;
    match plan.pools.iter().find(|pool| pool.workspace * 100 > pool.live * 115) {
        Some(pool) => Err(format!("its memory plan is loose: {pool:?}")),
        None => Ok(()),
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn real_networks_go_through() {
    let Some(shared) = shared() else {
        eprintln!("skipped: there is no shared folder with models");
        return;
    };
    let mut wrong = Vec::new();
    for Case { model, sqnr_db } in CASES {
        let checked = quantize_model(&shared, model)
            .map_err(|error| error.to_string())
            .and_then(|(quantized, photographs)| check(&quantized, &photographs, sqnr_db));
        if let Err(message) = checked {
            wrong.push(format!("{model}: {message}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
