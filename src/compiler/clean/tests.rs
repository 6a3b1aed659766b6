//! Each rewrite in the brackets that exporters write it in, what must stay as it is, and that cleaning never changes
//! what a network computes.

use std::path::Path;
use std::path::PathBuf;

use prost::Message;

use crate::base::fs;
use crate::compiler::calibrate::FloatEngine;
use crate::compiler::clean::clean;
use crate::compiler::graph::Graph;
use crate::compiler::onnx::ImportOptions;
use crate::compiler::onnx::NoExternalData;
use crate::compiler::onnx::import;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::onnx::proto::TensorProto;
use crate::compiler::onnx::sample::Sample;

/// Inputs that look like nothing in particular: between −1 and 1, smooth with jumps.
fn picture(graph: &Graph) -> Vec<Vec<f32>> {
    let element = |place: usize| ((place as f32 * 0.37).sin() + (place % 7) as f32 * 0.1 - 0.3) * 0.8;
    let count = |shape: &[usize]| shape.iter().product::<usize>();
    graph.inputs.iter().map(|&input| (0..count(&graph.value(input).shape)).map(element).collect()).collect()
}

/// The network's outputs, in order.
fn run(graph: &Graph, inputs: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let engine = FloatEngine::new(graph, &graph.outputs).expect("the engine loads our graph");
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let mut outputs = Vec::new();
    engine.run(&inputs, &mut |_, elements| outputs.push(elements.to_vec())).expect("the engine runs our graph");
    outputs
}

/// The largest difference, relative to the largest element.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "the outputs differ in size");
    let largest = a.iter().fold(1e-6_f32, |largest, element| largest.max(element.abs()));
    a.iter().zip(b).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs())) / largest
}

/// A graph, its cleaned form's operators and how far the two are apart on one picture.
fn cleaned(graph: &Graph) -> (Vec<&'static str>, f32) {
    let (clean, _) = clean(graph.clone()).expect("cleaned");
    let names = |graph: &Graph| -> Vec<String> {
        graph.outputs.iter().map(|&output| graph.value(output).name.clone()).collect()
    };
    assert_eq!(names(&clean), names(graph), "the outputs changed their names");
    let inputs = picture(graph);
    let pairs = run(graph, &inputs).into_iter().zip(run(&clean, &inputs));
    let worst = pairs.fold(0.0_f32, |worst, (before, after)| worst.max(difference(&before, &after)));
    (clean.nodes.iter().map(|node| node.operator.name()).collect(), worst)
}

fn start() -> Sample {
    Sample::new(13).input("x", &[1, 2, 6, 7]).weights("w", &[3, 2, 3, 3]).weights("c", &[3, 1, 1]).weights("v", &[3])
}

fn normalized(sample: Sample, from: &str, to: &str) -> Sample {
    let sample = sample.floats("mean", &[3], &[0.5, -1.0, 2.0]).floats("variance", &[3], &[0.3, 1.0, 4.0]);
    sample.node("BatchNormalization", &[from, "v", "v", "mean", "variance"], &[to], &[])
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of all patterns")]
fn patterns_become_what_the_quantizer_expects() {
    struct Case(&'static str, Sample, &'static [&'static str]);
    let pads = |sample: Sample, values: &[i64]| sample.integers("pads", &[8], values).floats("zero", &[], &[0.0]);
    let around = [0, 0, 1, 2, 0, 0, 0, 1];
    let kernel = || AttributeProto::integers("kernel_shape", [3, 3]);
    let conv = |sample: Sample| sample.node("Conv", &["x", "w"], &["t"], &[]);
    let perm = |axes: [i64; 4]| [AttributeProto::integers("perm", axes)];
    let cases = [
        Case("normalization", normalized(conv(start()), "t", "y"), &["convolution"]),
        Case(
            "bias, then normalization",
            {
                let sample = conv(start()).node("Add", &["c", "t"], &["u"], &[]);
                normalized(sample, "u", "y")
            },
            &["convolution"],
        ),
        Case(
            "normalization, then activation",
            normalized(conv(start()), "t", "u").node("Relu", &["u"], &["y"], &[]),
            &["convolution", "relu"],
        ),
        Case(
            "normalization of an output",
            normalized(conv(start()), "t", "y").output("t"),
            &["convolution", "convolution"],
        ),
        Case(
            "normalization of what others read",
            normalized(conv(start()), "t", "u").node("Add", &["t", "u"], &["y"], &[]),
            &["convolution", "convolution", "add"],
        ),
        Case("normalization alone", normalized(start().input("z", &[1, 3, 4, 4]), "z", "y"), &["convolution"]),
        Case("normalization of a vector", normalized(start().input("z", &[2, 3]), "z", "y"), &["multiply", "add"]),
        Case(
            "normalization of a transposed convolution",
            {
                let sample = start().weights("spread", &[2, 3, 2, 2]);
                normalized(sample.node("ConvTranspose", &["x", "spread", "v"], &["t"], &[]), "t", "y")
            },
            &["transposed-convolution"],
        ),
        Case(
            "normalization of a transposed convolution in groups",
            {
                let sample = start().input("z", &[1, 6, 3, 4]).weights("spread", &[6, 1, 2, 2]);
                let group = AttributeProto::int("group", 3);
                normalized(sample.node("ConvTranspose", &["z", "spread"], &["t"], &[group]), "t", "y")
            },
            &["transposed-convolution"],
        ),
        Case("product", conv(start()).node("Mul", &["t", "c"], &["y"], &[]), &["convolution"]),
        Case("quotient", conv(start()).node("Div", &["t", "c"], &["y"], &[]), &["convolution"]),
        Case("difference", conv(start()).node("Sub", &["t", "c"], &["y"], &[]), &["convolution"]),
        Case("difference from a constant", conv(start()).node("Sub", &["c", "t"], &["y"], &[]), &["convolution"]),
        Case("constant divided", conv(start()).node("Div", &["c", "t"], &["y"], &[]), &["convolution", "divide"]),
        Case(
            "sum along W",
            conv(start()).weights("row", &[5]).node("Add", &["t", "row"], &["y"], &[]),
            &["convolution", "add"],
        ),
        Case(
            "bias of a product",
            {
                let sample = Sample::new(13).input("x", &[1, 4, 3]).weights("w", &[3, 5]).weights("b", &[5]);
                sample.node("MatMul", &["x", "w"], &["t"], &[]).node("Add", &["b", "t"], &["y"], &[])
            },
            &["dense"],
        ),
        Case(
            "normalization of a dense layer",
            {
                let sample = Sample::new(13).input("x", &[2, 4]).weights("w", &[4, 3]).weights("v", &[3]);
                normalized(sample.node("MatMul", &["x", "w"], &["t"], &[]), "t", "y")
            },
            &["dense"],
        ),
        Case(
            "padding of a convolution",
            {
                let sample = pads(start(), &around).node("Pad", &["x", "pads", "zero"], &["p"], &[]);
                sample.node("Conv", &["p", "w"], &["y"], &[])
            },
            &["convolution"],
        ),
        Case(
            "padding with ones",
            {
                let sample = pads(start(), &around).floats("one", &[], &[1.0]);
                let sample = sample.node("Pad", &["x", "pads", "one"], &["p"], &[]);
                sample.node("Conv", &["p", "w"], &["y"], &[])
            },
            &["pad", "convolution"],
        ),
        Case(
            "padding of a mean",
            {
                let sample = pads(start(), &around).node("Pad", &["x", "pads"], &["p"], &[]);
                sample.node("AveragePool", &["p"], &["y"], &[kernel()])
            },
            &["average-pool"],
        ),
        Case(
            "padding of a maximum",
            {
                let sample = pads(start(), &around).node("Pad", &["x", "pads"], &["p"], &[]);
                sample.node("MaxPool", &["p"], &["y"], &[kernel()])
            },
            &["pad", "max-pool"],
        ),
        Case(
            "padding of a maximum of what is never negative",
            {
                let sample = pads(start(), &around).node("Sigmoid", &["x"], &["s"], &[]);
                let sample = sample.node("Pad", &["s", "pads"], &["p"], &[]);
                sample.node("MaxPool", &["p"], &["y"], &[kernel()])
            },
            &["sigmoid", "max-pool"],
        ),
        Case(
            "reshapes",
            {
                let sample = start().integers("flat", &[2], &[1, -1]).integers("back", &[4], &[1, 7, 6, 2]);
                let sample = sample.node("Reshape", &["x", "flat"], &["t"], &[]);
                sample.node("Reshape", &["t", "back"], &["y"], &[])
            },
            &["reshape"],
        ),
        Case(
            "transposes that cancel",
            {
                let sample = start().node("Relu", &["x"], &["r"], &[]);
                let sample = sample.node("Transpose", &["r"], &["t"], &perm([0, 2, 3, 1]));
                sample.node("Transpose", &["t"], &["y"], &perm([0, 3, 1, 2]))
            },
            &["relu"],
        ),
        Case(
            "transposes that do not",
            {
                let sample = start().node("Transpose", &["x"], &["t"], &perm([0, 2, 3, 1]));
                sample.node("Transpose", &["t"], &["y"], &perm([0, 2, 1, 3]))
            },
            &["transpose"],
        ),
        Case(
            "transpose of one channel",
            {
                let sample = Sample::new(13).input("x", &[1, 1, 6, 7]).node("Relu", &["x"], &["r"], &[]);
                sample.node("Transpose", &["r"], &["y"], &perm([0, 2, 3, 1]))
            },
            &["relu", "reshape"],
        ),
        Case(
            "nothing at all",
            {
                let sample = start().integers("same", &[4], &[0, 0, 0, 0]).floats("one", &[1], &[1.0]);
                let sample = sample.node("Relu", &["x"], &["r"], &[]).node("Reshape", &["r", "same"], &["s"], &[]);
                sample.node("Mul", &["one", "s"], &["y"], &[])
            },
            &["relu"],
        ),
        Case("an input that is an output", start().node("Identity", &["x"], &["y"], &[]), &["reshape"]),
        Case(
            "the mean of a plane",
            {
                let axes = AttributeProto::integers("axes", [2, 3]);
                start().node("ReduceMean", &["x"], &["y"], &[axes])
            },
            &["global-average-pool"],
        ),
    ];
    let mut wrong = Vec::new();
    for Case(name, sample, expected) in cases {
        let graph = sample.output("y").import().expect(name);
        let (operators, worst) = cleaned(&graph);
        if operators != expected || worst > 1e-5 {
            wrong.push(format!("{name}: {operators:?}, {worst:e} apart; expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_report_counts_what_was_done() {
    let sample = normalized(start().node("Conv", &["x", "w"], &["t"], &[]), "t", "y").output("y");
    let (graph, report) = clean(sample.import().expect("imported")).expect("cleaned");
    assert_eq!(report.applied, [("normalization-into-weights".to_owned(), 1)]);
    assert_eq!(graph.nodes[0].name, "make_t", "the merged node is not called as the convolution was");
    assert_eq!(graph.values.len(), 4, "constants that nothing reads are still there");
}

/// The folder of shared models; says that a test is skipped where there is none.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn shared() -> Option<PathBuf> {
    let given = std::env::var_os("AXZOO_SHARED").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared")).join("models");
    if !fs::is_folder(&folder) {
        eprintln!("skipped: no shared models in `{}`", folder.display());
        return None;
    }
    Some(folder)
}

/// Shapes of models that leave more than the batch open.
const OPEN: [(&str, [usize; 4]); 3] = [
    ("ppocr_cls", [1, 3, 48, 192]),
    ("rw_squeezenet1_1_dyn_op17", [1, 3, 64, 64]),
    ("yunet_n_dynamic", [1, 3, 160, 160]),
];

#[test]
fn shared_models_compute_the_same_after_cleaning() {
    let Some(folder) = shared() else { return };
    let mut wrong = Vec::new();
    for path in fs::list(&folder).expect("listed") {
        let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".onnx")) else { continue };
        let open = OPEN.iter().find(|(model, _)| *model == name).map(|(_, shape)| shape.to_vec());
        let options = ImportOptions { input_shapes: open.into_iter().collect() };
        let imported = import(&fs::read(&path).expect("read"), &NoExternalData, &options);
        match imported {
            Ok(graph) => {
                let (_, worst) = cleaned(&graph);
                if worst > 1e-4 {
                    wrong.push(format!("{name}: cleaning changed the outputs by {worst:e}"));
                }
            }
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn shipped_outputs_are_reproduced() {
    let Some(folder) = shared() else { return };
    let tensor = |path: PathBuf| -> Vec<f32> {
        let proto = TensorProto::decode(fs::read(&path).expect("read").as_slice()).expect("a tensor");
        if proto.float_data.is_empty() {
            proto.raw_data.as_chunks().0.iter().map(|&word| f32::from_le_bytes(word)).collect()
        } else {
            proto.float_data
        }
    };
    for (name, set) in [("mnist_8", 0), ("mnist_8", 1), ("mnist_8", 2), ("super_resolution_10", 0)] {
        let bytes = fs::read(&folder.join(format!("{name}.onnx"))).expect("read");
        let graph = import(&bytes, &NoExternalData, &ImportOptions::default()).expect("imported");
        let (graph, _) = clean(graph).expect("cleaned");
        let data = folder.join(format!("ref/{name}/test_data_set_{set}"));
        let outputs = run(&graph, &[tensor(data.join("input_0.pb"))]);
        let apart = difference(&tensor(data.join("output_0.pb")), &outputs[0]);
        assert!(apart < 1e-5, "{name} {set}: {apart:e} from the outputs that came with the model");
    }
}
