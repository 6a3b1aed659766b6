//! What the version of each step promises: these bytes for these inputs. When one of them changes, bump the step's
//! version in `VERSIONS`, so that results of older programs are not taken for those of this one, and pin the new bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Host;
use crate::base::CancelToken;
use crate::base::Digest;
use crate::base::fs;
use crate::compiler::graph::{DataType, Graph, Node, Tensor, Value};
use crate::compiler::onnx;
use crate::compiler::operators::{Convolution, Function, Operator};
use crate::imaging::ColorFormat;
use crate::imaging::Layout;
use crate::imaging::Preprocess;
use crate::plan::CleanSettings;
use crate::plan::LowerSettings;
use crate::plan::QuantizeSettings;
use crate::plan::Settings;
use crate::plan::StepKind;
use crate::toolchains::{Toolchain, Work};

/// A convolution by halves and quarters, whose float results are exact on any machine.
fn exact_model() -> Vec<u8> {
    let mut graph = Graph { name: "exact".to_owned(), ..Graph::default() };
    let value =
        |name: &str| Value { name: name.to_owned(), shape: vec![1, 1, 4, 4], data_type: DataType::F32, constant: None };
    let (input, inner, output) =
        (graph.add_value(value("image")), graph.add_value(value("inner")), graph.add_value(value("scores")));
    let weights = Tensor::from_f32(vec![1, 1, 1, 1], [0.5]).expect("one weight");
    let bias = Tensor::from_f32(vec![1], [-0.25]).expect("one bias");
    let (weights, bias) = (graph.add_constant("weights", weights), graph.add_constant("bias", bias));
    let convolution = Convolution { strides: [1, 1], pads: [0; 4], dilations: [1, 1], group: 1 };
    graph.nodes.push(Node {
        name: "convolution".to_owned(),
        operator: Operator::Convolution(convolution),
        inputs: vec![input, weights, bias],
        output: inner,
    });
    graph.nodes.push(Node {
        name: "relu".to_owned(),
        operator: Operator::Function(Function::Relu),
        inputs: vec![inner],
        output,
    });
    graph.inputs.push(input);
    graph.outputs.push(output);
    onnx::export(&graph)
}

/// Runs one step and gives the digests of what it wrote.
fn outputs(settings: &Settings, inputs: &[(String, PathBuf)], output: &Path) -> BTreeMap<String, String> {
    fs::create_folders(output).expect("created");
    let cancel = CancelToken::new();
    let progress = |_: &str, _: usize, _: usize| {};
    let work = Work { settings, inputs, output, threads: 2, cancel: &cancel, progress: &progress };
    Host.run(&work).expect("the step is done");
    let names = fs::files_below(output).expect("listed");
    let digest = |name: &String| Digest::of(&fs::read(&output.join(name)).expect("read")).short();
    names.iter().map(|name| (name.clone(), digest(name))).collect()
}

#[test]
fn a_step_writes_the_bytes_that_its_version_promises() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/digits.onnx");
    let settings = CleanSettings { input_shape: vec![1, 1, 16, 16], properties: BTreeMap::new() };
    let inputs = [("model/model.onnx".to_owned(), weights)];
    let clean = outputs(&Settings::Clean(settings), &inputs, &root.join("clean"));

    fs::write(&root.join("exact.onnx"), &exact_model()).expect("written");
    let settings = QuantizeSettings {
        preprocess: Preprocess {
            operators: Vec::new(),
            input_color: ColorFormat::Gray,
            layout: Layout::Nchw,
            shape: [1, 1, 4, 4],
        },
        random_calibration: Some(7),
        calibration_images: 4,
        labels: Vec::new(),
        class_count: 16,
        min_sqnr_db: None,
        min_top1_agreement: None,
        properties: BTreeMap::new(),
    };
    let inputs = [("model".to_owned(), root.join("exact.onnx"))];
    let quantize = outputs(&Settings::Quantize(Box::new(settings)), &inputs, &root.join("quantize"));

    let settings = LowerSettings { cores: 2, properties: BTreeMap::new() };
    let quantized = root.join("quantize/quantized_model.json");
    let inputs = [("quantized/quantized_model.json".to_owned(), quantized)];
    let lower = outputs(&Settings::Lower(settings), &inputs, &root.join("lower"));

    let pinned = [
        (StepKind::Clean, "host/clean/1", &clean, CLEAN),
        (StepKind::Quantize, "host/quantize/3", &quantize, QUANTIZE),
        (StepKind::Lower, "host/lower/1", &lower, LOWER),
    ];
    for (step, version, found, promised) in pinned {
        assert_eq!(Host.identity(step), version, "a new version: pin what it writes");
        let promised: BTreeMap<String, String> =
            promised.iter().map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned())).collect();
        assert_eq!(*found, promised, "{version} writes other bytes: bump its version in VERSIONS");
    }
}

const CLEAN: &[(&str, &str)] = &[("clean.json", "12f6c7621185"), ("model.onnx", "4f92b413280a")];
const QUANTIZE: &[(&str, &str)] = &[
    ("quantized_model.json", "34cc4c3f79c2"),
    ("quantized_model.onnx", "0f9f47bb4212"),
    ("quantized_model.txt", "b6ed84af03d2"),
    ("quantized_model_manifest.json", "03375f27e370"),
    ("report.json", "5d7167d6ed45"),
    ("report.txt", "d7c5603b3b97"),
];
const LOWER: &[(&str, &str)] = &[
    ("manifest.json", "1278778fb9e9"),
    ("model.json", "04ce1904494e"),
    ("pool_l2_const.bin", "21d5aba20d52"),
    ("program.json", "ba1f95ffa425"),
];
