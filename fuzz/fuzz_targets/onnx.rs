//! Any bytes as an ONNX file: checked as the weights of a card, imported, cleaned, written, read again, quantized under
//! made-up ranges, lowered. No panic, no large allocation, no hang; what is accepted once is accepted again.
//! Most inputs are made by changing one thing of a decoded file, since few changed bytes leave a file that decodes.
#![no_main]

#[path = "onnx/damage.rs"]
mod damage;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use axzoo::base::Share;
use axzoo::cards::Card;
use axzoo::cards::CatalogOptions;
use axzoo::cards::read_catalog;
use axzoo::check::ModelToCheck;
use axzoo::check::check_weights;
use axzoo::compiler::clean::clean;
use axzoo::compiler::graph::Graph;
use axzoo::compiler::lower::LowerOptions;
use axzoo::compiler::lower::lower;
use axzoo::compiler::onnx::ExternalData;
use axzoo::compiler::onnx::ImportOptions;
use axzoo::compiler::onnx::NoExternalData;
use axzoo::compiler::onnx::OnnxFile;
use axzoo::compiler::onnx::export;
use axzoo::compiler::onnx::import;
use axzoo::compiler::quantize::LayerWeights;
use axzoo::compiler::quantize::QuantizedGraph;
use axzoo::compiler::quantize::Sharing;
use axzoo::compiler::quantize::convert;
use axzoo::diag::Style;
use axzoo::diag::render;
use libfuzzer_sys::fuzz_mutator;
use libfuzzer_sys::fuzz_target;

const CARD: &str = "\
axelera-model-format: 1.0.0
name: net
description: a network
pipeline:
  - read:
      model_name: reader
      input:
        type: image
      preprocess:
        - torch-totensor:
models:
  reader:
    class: AxONNXModel
    weight_path: m.onnx
    input_tensor_layout: NCHW
    input_tensor_shape: [1, 3, 8, 8]
    input_color_format: RGB
    num_classes: 10
    dataset: digits
datasets:
  digits:
    class: DataAdapter
    data_dir_name: digits
";

/// Constants larger than this are not taken further than import: the time goes into many small networks.
const ELEMENTS: usize = 1 << 18;

/// Weights beside the file, as many as are asked for within reason.
struct Beside;

impl ExternalData for Beside {
    fn read(&self, _location: &str, offset: u64, length: u64) -> Result<Vec<u8>, String> {
        match offset.checked_add(length).filter(|&end| end <= 1 << 16) {
            Some(_) => Ok((0..length).map(|place| (place % 61) as u8).collect()),
            None => Err("too short".to_owned()),
        }
    }
}

struct Zoo {
    folder: tempfile::TempDir,
    card: Card,
}

impl Zoo {
    fn new() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
        fs::write(folder.path().join("net.yaml"), CARD).expect("written");
        fs::write(folder.path().join("m.onnx"), b"").expect("written");
        let options = CatalogOptions {
            root: folder.path().to_owned(),
            card_roots: vec![PathBuf::from(".")],
            data_root: folder.path().join("data"),
            ..CatalogOptions::default()
        };
        let card = read_catalog(&options).cards.into_iter().next().expect("the card is read");
        Self { folder, card }
    }

    /// What `check` says of a file.
    fn check(&self, bytes: &[u8]) {
        fs::write(self.folder.path().join("m.onnx"), bytes).expect("written");
        for run_graph_cleaner in [true, false] {
            let models: Vec<ModelToCheck<'_>> = self
                .card
                .models
                .iter()
                .map(|model| ModelToCheck { card: &self.card, model, run_graph_cleaner })
                .collect();
            for problem in check_weights(&models) {
                let _ = render(&problem, Style::default());
            }
        }
    }
}

thread_local! {
    static ZOO: OnceCell<Zoo> = const { OnceCell::new() };
}

/// Elements of all constants and of the largest value.
fn size(graph: &Graph) -> usize {
    let elements = |shape: &[usize]| shape.iter().product::<usize>();
    let constants: usize = graph.values.iter().filter_map(|value| value.constant.as_ref()).map(|it| it.len()).sum();
    constants.max(graph.values.iter().map(|value| elements(&value.shape)).max().unwrap_or(0))
}

/// The stages behind import.
fn compile(graph: Graph) {
    if size(&graph) > ELEMENTS || graph.nodes.len() > 1000 {
        return;
    }
    let (graph, _) = clean(graph).expect("what was imported can be cleaned");
    let bytes = export(&graph);
    let again = import(&bytes, &NoExternalData, &ImportOptions::default()).expect("our own file is read");
    assert_eq!(again.inputs.len(), graph.inputs.len());
    assert_eq!(again.outputs.len(), graph.outputs.len());
    let sharing = Sharing::of(&graph);
    let range = |place: usize| (-(place as f32 % 7.0), 0.25 + place as f32 % 11.0);
    let ranges = sharing.observed(&graph).into_iter().map(|value| (value, range(value.index()))).collect();
    let Ok(layers) = LayerWeights::of(&graph, 1) else { return };
    let Ok(converted) = convert(&graph, &layers, &sharing, &ranges, &BTreeMap::new()) else { return };
    if converted.graph.verify().is_err() {
        return;
    }
    let _ = converted.graph.to_text();
    let _ = converted.graph.to_qdq_onnx();
    let json = converted.graph.to_json();
    assert!(QuantizedGraph::from_json(&json).is_ok(), "our own quantized graph is read");
    let options = LowerOptions::new(1, Share::WHOLE);
    let _ = lower(&converted.graph, &options);
}

fuzz_target!(|bytes: &[u8]| {
    ZOO.with(|zoo| zoo.get_or_init(Zoo::new).check(bytes));
    let Ok(file) = OnnxFile::decode(bytes) else {
        assert!(import(bytes, &Beside, &ImportOptions::default()).is_err());
        return;
    };
    // Open dimensions are closed, as a card would.
    let closed = |shape: Option<Vec<Option<usize>>>| match shape {
        Some(shape) => shape.iter().enumerate().map(|(axis, size)| size.unwrap_or(8.min(1 + 7 * axis))).collect(),
        None => vec![1, 3, 8, 8],
    };
    let options = ImportOptions { input_shapes: file.inputs().into_iter().map(|input| closed(input.shape)).collect() };
    if let Ok(graph) = import(bytes, &Beside, &options) {
        let _ = graph.to_text();
        compile(graph);
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    damage::damage(data, size, max_size, seed)
});
