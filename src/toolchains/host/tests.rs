//! What the version of each step promises: these bytes for these inputs. When one of them changes, bump the step's
//! version in `VERSIONS`, so that results of older programs are not taken for those of this one, and pin the new bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prost::Message;

use super::Host;
use crate::base::CancelToken;
use crate::base::Digest;
use crate::base::fs;
use crate::compiler::graph::{DataType, Graph, Node, Tensor, Value};
use crate::compiler::onnx;
use crate::compiler::onnx::proto::{AttributeProto, ModelProto, ValueInfoProto, data_type};
use crate::compiler::onnx::sample::Sample;
use crate::compiler::operators::{Convolution, Function, Operator};
use crate::imaging::ColorFormat;
use crate::imaging::Layout;
use crate::imaging::Preprocess;
use crate::plan::CleanSettings;
use crate::plan::HOST_GRAPHS;
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
    let work = Work {
        settings,
        inputs,
        output,
        threads: 2,
        cancel: &cancel,
        log: &|_| (),
        progress: &progress,
        memory: &|_| (),
    };
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
        tensors: false,
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
        (StepKind::Clean, "host/clean/2", &clean, CLEAN),
        (StepKind::Quantize, "host/quantize/9", &quantize, QUANTIZE),
        (StepKind::Lower, "host/lower/6", &lower, LOWER),
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
    ("quantized_model_manifest.json", "5761add709b6"),
    ("report.json", "4585b0302258"),
    ("report.txt", "fc22f87e4b37"),
];
const LOWER: &[(&str, &str)] = &[
    ("kernel_function.c", "339cb9094510"),
    ("manifest.json", "ebb905f19407"),
    ("memory_plan.json", "881fdca959f8"),
    ("model.json", "9ebda325d4e0"),
    ("pool_l2_const.bin", "809d92d3dbf3"),
    ("program.json", "cb5950e6c3c3"),
    ("report.json", "fcae7b37b5b3"),
];

/// A detector's shape in small: an image with its channels last, a convolution, a softmax over what it finds.
fn cut_model() -> Vec<u8> {
    let permutation = |axes: [i64; 4]| vec![AttributeProto::integers("perm", axes)];
    let sample = Sample::new(13)
        .input("image", &[1, 5, 6, 2])
        .floats("weights", &[3, 2, 1, 1], &[0.5, -0.25, 0.75, 0.5, -0.5, 1.0])
        .node("Transpose", &["image"], &["planes"], &permutation([0, 3, 1, 2]))
        .node("Conv", &["planes", "weights"], &["found"], &[])
        .node("Transpose", &["found"], &["pixels"], &permutation([0, 2, 3, 1]))
        .node("Softmax", &["pixels"], &["classes"], &[AttributeProto::int("axis", 3)])
        .output("classes");
    sample.bytes()
}

fn properties(said: &[(&str, &str)]) -> BTreeMap<String, String> {
    said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Cleans, quantizes and lowers a model; gives the folders of the three steps.
fn built(root: &Path, model: &[u8], said: &[(&str, &str)]) -> [PathBuf; 3] {
    fs::write(&root.join("cut.onnx"), model).expect("written");
    let settings = CleanSettings { input_shape: vec![1, 5, 6, 2], properties: properties(said) };
    let inputs = [("model/model.onnx".to_owned(), root.join("cut.onnx"))];
    outputs(&Settings::Clean(settings), &inputs, &root.join("clean"));

    let settings = QuantizeSettings {
        preprocess: Preprocess {
            operators: Vec::new(),
            input_color: ColorFormat::Gray,
            layout: Layout::Nhwc,
            shape: [1, 5, 6, 2],
        },
        tensors: false,
        random_calibration: Some(7),
        calibration_images: 4,
        labels: Vec::new(),
        class_count: 90,
        min_sqnr_db: None,
        min_top1_agreement: None,
        properties: properties(said),
    };
    let host_graphs = |folder: &Path| {
        let present = HOST_GRAPHS.into_iter().filter(|name| fs::is_file(&folder.join(name)));
        present.map(|name| (name.to_owned(), folder.join(name))).collect::<Vec<_>>()
    };
    let mut inputs = vec![("model".to_owned(), root.join("clean/model.onnx"))];
    inputs.extend(host_graphs(&root.join("clean")));
    outputs(&Settings::Quantize(Box::new(settings)), &inputs, &root.join("quantize"));

    let settings = LowerSettings { cores: 1, properties: BTreeMap::new() };
    let mut inputs = vec![("quantized/quantized_model.json".to_owned(), root.join("quantize/quantized_model.json"))];
    inputs.extend(host_graphs(&root.join("quantize")));
    outputs(&Settings::Lower(settings), &inputs, &root.join("lower"));
    ["clean", "quantize", "lower"].map(|name| root.join(name))
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).expect("readable")).expect("JSON")
}

/// Names and element types.
type Ports = Vec<(String, i32)>;

/// Operators, inputs and outputs of an ONNX file, with the element types of these.
fn outline(path: &Path) -> (Vec<String>, Ports, Ports) {
    let model = ModelProto::decode(fs::read(path).expect("readable").as_slice()).expect("ONNX");
    let graph = model.graph.expect("a graph");
    let ports = |values: &[ValueInfoProto]| {
        let port = |value: &ValueInfoProto| {
            let tensor = value.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
            (value.name.clone(), tensor.map_or(0, |tensor| tensor.elem_type))
        };
        values.iter().map(port).collect()
    };
    let (inputs, outputs) = (ports(&graph.input), ports(&graph.output));
    (graph.node.into_iter().map(|node| node.op_type).collect(), inputs, outputs)
}

fn port(name: &str, kind: i32) -> Ports {
    vec![(name.to_owned(), kind)]
}

#[test]
fn the_ends_of_a_network_go_to_the_host_and_along_with_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [clean, quantize, lower] = built(folder.path(), &cut_model(), &[]);
    assert_eq!(outline(&clean.join("model.onnx")).0, ["Conv"]);
    assert_eq!(outline(&clean.join(HOST_GRAPHS[0])).0, ["Transpose"]);
    assert_eq!(outline(&clean.join(HOST_GRAPHS[1])).0, ["Transpose", "Softmax"]);
    for (step, manifest) in [(&quantize, "quantized_model_manifest.json"), (&lower, "manifest.json")] {
        let manifest = json(&step.join(manifest));
        for (key, name) in ["preprocess_graph", "postprocess_graph"].into_iter().zip(HOST_GRAPHS) {
            assert_eq!(manifest[key], name);
            assert_eq!(fs::read(&step.join(name)).expect("there"), fs::read(&clean.join(name)).expect("there"));
        }
        // The core's own shape, whatever the image's.
        assert_eq!(manifest["output_shapes"], serde_json::json!([[1, 5, 6, 64]]));
    }
    let pipeline = json(&lower.join("model.json"));
    let kinds: Vec<&str> =
        pipeline["stages"].as_array().expect("stages").iter().filter_map(|stage| stage["kind"].as_str()).collect();
    assert_eq!(kinds, ["host_graph", "quantize", "program", "dequantize", "host_graph"]);
    assert_eq!(pipeline["network_inputs"], serde_json::json!([{"name": "image", "shape": [1, 5, 6, 2]}]));
    assert_eq!(pipeline["network_outputs"], serde_json::json!([{"name": "classes", "shape": [1, 5, 6, 3]}]));
    // The exported model is the whole network, under its own names.
    let (operators, inputs, outputs) = outline(&quantize.join("quantized_model.onnx"));
    assert_eq!((inputs, outputs), (port("image", data_type::FLOAT), port("classes", data_type::FLOAT)));
    assert_eq!(operators.first().map(String::as_str), Some("Transpose"));
    assert_eq!(operators.last().map(String::as_str), Some("Softmax"));
    let count = |wanted: &str| operators.iter().filter(|operator| *operator == wanted).count();
    assert_eq!((count("QuantizeLinear"), count("Conv")), (2, 1));
}

#[test]
fn the_cleaners_properties_keep_the_network_whole_or_cut_it_elsewhere() {
    struct Case(&'static [(&'static str, &'static str)], &'static [&'static str]);
    let cases = [
        Case(&[("run_graph_cleaner", "false")], &["Transpose", "Conv", "Transpose", "Softmax"]),
        Case(&[("graph_cleaner_split_pre_post_processing", "false")], &["Transpose", "Conv", "Transpose", "Softmax"]),
        Case(&[("run_graph_cleaner", "true")], &["Conv"]),
    ];
    for Case(said, expected) in cases {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [clean, _, lower] = built(folder.path(), &cut_model(), said);
        assert_eq!(outline(&clean.join("model.onnx")).0, expected, "{said:?}");
        let is_whole = expected.len() == 4;
        assert_eq!(json(&lower.join("manifest.json"))["preprocess_graph"].is_null(), is_whole, "{said:?}");
    }
}

#[test]
fn a_model_without_quantization_at_its_ends_takes_and_gives_int8() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [_, quantize, _] = built(folder.path(), &cut_model(), &[("remove_io_quantization", "true")]);
    let (operators, inputs, outputs) = outline(&quantize.join("quantized_model.onnx"));
    assert_eq!(inputs, port("planes", data_type::INT8));
    assert_eq!(outputs, port("found", data_type::INT8));
    // The input, the weights, and the bias that corrects their rounding.
    assert_eq!(operators, ["DequantizeLinear", "DequantizeLinear", "DequantizeLinear", "Conv", "QuantizeLinear"]);
}
