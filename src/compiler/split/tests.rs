//! Small networks and where they are cut, and that the parts together compute what the whole does.

use std::path::Path;
use std::path::PathBuf;

use crate::base::CancelToken;
use crate::base::fs;
use crate::compiler::StageError;
use crate::compiler::calibrate::FloatEngine;
use crate::compiler::calibrate::Samples;
use crate::compiler::calibrate::Scheme;
use crate::compiler::calibrate::Watch;
use crate::compiler::clean::clean;
use crate::compiler::graph::Graph;
use crate::compiler::onnx::ImportOptions;
use crate::compiler::onnx::NoExternalData;
use crate::compiler::onnx::OnnxFile;
use crate::compiler::onnx::export;
use crate::compiler::onnx::import;
use crate::compiler::onnx::sample::Sample;
use crate::compiler::onnx::sample::attribute;
use crate::compiler::quantize::QuantizeOptions;
use crate::compiler::quantize::quantize;
use crate::compiler::reference;
use crate::compiler::split::HostParts;
use crate::compiler::split::Measured;
use crate::compiler::split::Parts;
use crate::compiler::split::PointOperator;
use crate::compiler::split::PointSize;
use crate::compiler::split::SplitOptions;
use crate::compiler::split::SplitPoint;
use crate::compiler::split::accelerated;
use crate::compiler::split::find_point;
use crate::compiler::split::split;

const TABLE: SplitOptions = SplitOptions { cuts: true, point: None };

/// A network in lines of `output = Operator input input attribute=value`, from an image `x` and weights by name: `w` for a
/// 3×3 convolution of 4 channels to 4, `d` of 16 to 5, `e` of 16 to 16, `slopes` one a channel, `s` and `tiny` scalars. What
/// no node reads is an output, unless outputs are named behind `->`.
fn sample(input: &[usize], lines: &str) -> Sample {
    let (lines, outputs) = lines.split_once("->").unwrap_or((lines, ""));
    let mut sample = Sample::new(13)
        .input("x", input)
        .weights("w", &[4, 4, 3, 3])
        .weights("d", &[16, 5])
        .weights("e", &[16, 16])
        .weights("slopes", &[4, 1, 1])
        .floats("s", &[], &[0.5])
        .floats("zero", &[], &[0.0])
        .floats("six", &[], &[6.0])
        .floats("tiny", &[], &[0.002])
        .integers("flat", &[2], &[1, -1])
        .integers("rows", &[3], &[1, 4, -1]);
    for line in lines.split(';').map(str::trim).filter(|line| !line.is_empty()) {
        let (output, node) = line.split_once(" = ").expect("an output and a node");
        let mut words = node.split_whitespace();
        let operator = words.next().expect("an operator");
        let (attributes, inputs): (Vec<&str>, Vec<&str>) = words.partition(|word| word.contains('='));
        let attributes: Vec<_> = attributes.into_iter().map(attribute).collect();
        sample = sample.node(operator, &inputs, &[output], &attributes);
    }
    let mut named: Vec<String> = outputs.split_whitespace().map(ToOwned::to_owned).collect();
    if named.is_empty() {
        let nodes = sample.graph().node.clone();
        let read = |name: &String| nodes.iter().any(|node| node.input.contains(name));
        named.extend(nodes.iter().flat_map(|node| node.output.clone()).filter(|name| !read(name)));
    }
    named.iter().fold(sample, |sample, name| sample.output(name))
}

fn cleaned(sample: &Sample) -> Graph {
    clean(sample.import().expect("imported")).expect("cleaned").0
}

/// The graph of a file, and its parts.
fn cut(bytes: &[u8], options: &SplitOptions) -> Result<(Graph, Parts), StageError> {
    let graph = clean(import(bytes, &NoExternalData, &ImportOptions::default())?)?.0;
    let file = OnnxFile::decode(bytes)?;
    let survey = file.survey(&NoExternalData, &ImportOptions::default())?;
    let parts = split(graph.clone(), &accelerated(&survey), options)?;
    Ok((graph, parts))
}

/// The operators of the three parts: `Transpose | Conv Relu | Softmax`.
fn shown(parts: &Parts) -> String {
    let nodes = |graph: &Graph| {
        let names: Vec<&str> = graph.nodes.iter().map(|node| node.operator.name()).collect();
        names.join(" ")
    };
    let [before, after] = [&parts.preamble, &parts.postamble].map(|part| part.as_ref().map(nodes).unwrap_or_default());
    format!("{before} | {} | {after}", nodes(&parts.core)).trim().to_owned()
}

fn run(graph: &Graph, inputs: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let engine = FloatEngine::new(graph, &graph.outputs).expect("the engine loads the graph");
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let mut outputs = Vec::new();
    engine.run(&inputs, &mut |_, elements| outputs.push(elements.to_vec())).expect("the engine runs the graph");
    outputs
}

/// The parts one after the other, each through the ONNX file it is written as, values found by their names.
fn run_parts(parts: &Parts, whole: &Graph, inputs: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, StageError> {
    let name = |graph: &Graph, id| graph.value(id).name.clone();
    let mut known: Vec<(String, Vec<f32>)> =
        whole.inputs.iter().map(|&id| name(whole, id)).zip(inputs.iter().cloned()).collect();
    for part in [parts.preamble.as_ref(), Some(&parts.core), parts.postamble.as_ref()].into_iter().flatten() {
        let part = import(&export(part), &NoExternalData, &ImportOptions::default())?;
        let find = |id: &crate::compiler::graph::ValueId| {
            let wanted = name(&part, *id);
            known.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone()).expect("the value is known")
        };
        let taken: Vec<Vec<f32>> = part.inputs.iter().map(find).collect();
        let outputs = run(&part, &taken);
        known.extend(part.outputs.iter().map(|&id| name(&part, id)).zip(outputs));
    }
    let last = parts.postamble.as_ref().unwrap_or(&parts.core);
    let names = last.outputs.iter().map(|&id| name(last, id));
    Ok(names.map(|wanted| known.iter().find(|(name, _)| *name == wanted).expect("made").1.clone()).collect())
}

fn picture(graph: &Graph) -> Vec<Vec<f32>> {
    let element = |place: usize| ((place * 37 % 101) as f32 - 50.0) / 64.0;
    let count = |id: &crate::compiler::graph::ValueId| graph.value(*id).shape.iter().product::<usize>();
    graph.inputs.iter().map(|id| (0..count(id)).map(element).collect()).collect()
}

struct Case(&'static [usize], &'static str, &'static str);

const IMAGE: &[usize] = &[1, 4, 6, 6];

const CASES: &[Case] = &[
    // Nothing to cut off.
    Case(IMAGE, "a = Conv x w; b = Relu a; y = GlobalAveragePool b", "| convolution relu global-average-pool |"),
    // Behind the core: what the table has no row for, and all that depends on it.
    Case(IMAGE, "a = Conv x w; y = Softmax a axis=1", "| convolution | softmax"),
    Case(IMAGE, "a = Conv x w; b = Softmax a axis=1; y = Relu b", "| convolution | softmax relu"),
    Case(
        IMAGE,
        "a = Conv x w; b = Transpose a perm=[0,2,3,1]; y = Reshape b flat",
        "| convolution | transpose reshape",
    ),
    // A reshape that is a Flatten at the end or before a Gemm is the core's; another is not.
    Case(IMAGE, "a = Conv x w; y = Reshape a flat", "| convolution reshape |"),
    Case(IMAGE, "a = Conv x w; y = Reshape a rows", "| convolution | reshape"),
    Case(&[1, 4, 4, 4], "a = Conv x w; b = Flatten a; y = Gemm b d", "| convolution reshape dense |"),
    // Of a node that the table takes, what cleaning makes stays in the core, whatever its form.
    Case(IMAGE, "a = Conv x w; y = PRelu a slopes", "| convolution relu clip multiply add |"),
    // Before the core.
    Case(&[1, 6, 6, 4], "a = Transpose x perm=[0,3,1,2]; y = Conv a w", "transpose | convolution |"),
    Case(
        &[1, 6, 6, 4],
        "a = Transpose x perm=[0,3,1,2]; b = Conv a w; y = Transpose b perm=[0,2,3,1]",
        "transpose | convolution | transpose",
    ),
    // An addition that the table takes is before one that it does not, so that the host runs both.
    Case(IMAGE, "a = Add x s; b = Exp a; y = Conv b w", "add exponential | convolution |"),
    // In the middle nothing is cut off, whatever the table has against it.
    Case(IMAGE, "a = Conv x w; b = Exp a; y = Conv b w", "| convolution exponential convolution |"),
    // Without a layer that the AIPU takes there is no core to cut for.
    Case(IMAGE, "a = Exp x; y = Softmax a axis=1", "| exponential softmax |"),
    // A layer that the AIPU refuses stays in the core where it is a part of the work worth speaking of.
    Case(&[1, 4, 4, 6], "a = Conv x w; y = MatMul a q", "| convolution dense |"),
    // Of two outputs one is the core's: the postamble hands it on.
    Case(IMAGE, "a = Conv x w; y = Softmax a axis=1 -> a y", "| convolution | softmax reshape"),
    // The postamble reads the network's input.
    Case(IMAGE, "a = Conv x w pads=[1,1,1,1]; b = Exp a; y = Mul b x", "| convolution | exponential multiply"),
    // The preamble's result goes to the core and past it, and so does the image itself.
    Case(
        IMAGE,
        "a = Exp x; b = Conv a w pads=[1,1,1,1]; c1 = Exp b; d1 = Mul c1 a; y = Add d1 x",
        "exponential | convolution | exponential multiply add",
    ),
    Case(
        IMAGE,
        "a = Exp x; b = Conv a w; c1 = Conv x w; d1 = Add b c1; y = Softmax d1 axis=1 -> d1 y",
        "exponential reshape | convolution convolution add | softmax reshape",
    ),
];

#[test]
fn networks_are_cut_where_the_table_says_and_compute_the_same() {
    let mut wrong = Vec::new();
    for Case(input, lines, expected) in CASES {
        let mut sample = sample(input, lines);
        if lines.contains(" q") {
            sample = sample.weights("q", &[4, 9]);
        }
        let (graph, parts) = cut(&sample.bytes(), &TABLE).expect("split");
        let found = shown(&parts);
        if found != *expected {
            wrong.push(format!("{lines}: expected {expected:?}, found {found:?}"));
            continue;
        }
        let inputs = picture(&graph);
        if run_parts(&parts, &graph, &inputs).expect("the parts are read back") != run(&graph, &inputs) {
            wrong.push(format!("{lines}: the parts compute something else"));
        }
        let names =
            |graph: &Graph| -> Vec<String> { graph.outputs.iter().map(|&id| graph.value(id).name.clone()).collect() };
        if names(parts.postamble.as_ref().unwrap_or(&parts.core)) != names(&graph) {
            wrong.push(format!("{lines}: the last part has other outputs than the network"));
        }
        let before = parts.preamble.as_ref().map(names).unwrap_or_default();
        let into: Vec<String> = parts.core.inputs.iter().map(|&id| parts.core.value(id).name.clone()).collect();
        if parts.preamble.is_some() && !before.starts_with(&into) {
            wrong.push(format!("{lines}: the core reads {into:?}, the preamble makes {before:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_not_cut_keeps_every_byte() {
    let (graph, parts) = cut(&sample(IMAGE, "a = Conv x w; y = Relu a").bytes(), &TABLE).expect("split");
    assert_eq!(parts, Parts::whole(graph));
    let without = SplitOptions { cuts: false, point: None };
    let (graph, parts) = cut(&sample(IMAGE, "a = Conv x w; y = Softmax a axis=1").bytes(), &without).expect("split");
    assert_eq!(parts, Parts::whole(graph), "nothing is to be cut off");
}

/// A network, a split point, and the cut or a part of the refusal.
struct PointCase(&'static str, PointOperator, PointSize, i64, Result<&'static str, &'static str>);

#[test]
fn a_split_point_is_the_largest_of_its_kind_and_begins_the_postamble() {
    use PointOperator::{Clip, Gemm, MatMul};
    use PointSize::{Elements, FirstDimension};
    let dense = "a = Conv x w; b = Relu a; c1 = Flatten b; d1 = Gemm c1 e; y = Gemm d1 d";
    let clips = "a = Conv x w pads=[1,1,1,1]; b = Clip a zero six; c1 = Conv b w; y = Clip c1 zero six";
    let cases = [
        PointCase(dense, Gemm, Elements, 0, Ok("| convolution relu reshape | dense dense")),
        PointCase(dense, Gemm, Elements, 256, Ok("| convolution relu reshape | dense dense")),
        PointCase(dense, Gemm, Elements, 257, Ok("| convolution relu reshape dense dense |")),
        // Both have 16 rows: the last is the one.
        PointCase(dense, Gemm, FirstDimension, 0, Ok("| convolution relu reshape dense | dense")),
        PointCase(dense, MatMul, Elements, 0, Err("has no MatMul with weights")),
        PointCase(clips, Clip, Elements, 0, Ok("| convolution clip convolution | clip")),
        PointCase(clips, Clip, Elements, 2, Ok("| convolution clip convolution clip |")),
        PointCase("a = Clip x zero six; y = Conv a w", Clip, Elements, 0, Err("leaves nothing to the core")),
    ];
    let mut wrong = Vec::new();
    for PointCase(lines, operator, size, threshold, expected) in cases {
        let sample = sample(&[1, 4, 4, 4], lines);
        let graph = cleaned(&sample);
        let file = OnnxFile::decode(&sample.bytes()).expect("decoded");
        let survey = file.survey(&NoExternalData, &ImportOptions::default()).expect("surveyed");
        let point = find_point(&survey, &graph, &SplitPoint { operator, size, threshold });
        let found =
            point.and_then(|point| split(graph.clone(), &accelerated(&survey), &SplitOptions { cuts: true, point }));
        let found = found.map(|parts| shown(&parts)).map_err(|error| error.to_string());
        let holds = match (&found, expected) {
            (Ok(found), Ok(expected)) => found == expected,
            (Err(found), Err(expected)) => found.contains(expected),
            _ => false,
        };
        if !holds {
            wrong.push(format!("{lines} {operator:?} {size:?} {threshold}: expected {expected:?}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Pictures made by number, each of the class that its number says.
struct Pictures {
    count: usize,
    elements: usize,
}

impl Samples for Pictures {
    fn len(&self) -> usize {
        self.count
    }

    fn load(&self, index: usize) -> Result<Vec<Vec<f32>>, String> {
        let element = |place: usize| ((place * (index + 3) * 29 % 97) as f32 - 48.0) / 64.0;
        Ok(vec![(0..self.elements).map(element).collect()])
    }

    fn label(&self, index: usize) -> Option<usize> {
        Some(index)
    }
}

#[test]
fn quality_is_measured_behind_the_postamble() {
    let lines =
        "a = Exp x; b = Conv a w; c1 = Mul b tiny; d1 = Softmax c1 axis=1; e1 = Mul d1 d1; y = Flatten e1 axis=1";
    let (_, parts) = cut(&sample(IMAGE, lines).bytes(), &TABLE).expect("split");
    assert_eq!(shown(&parts), "exponential | convolution | softmax multiply reshape");
    let host = HostParts::new(&parts).expect("the engine loads the host's graphs");
    let pictures = Pictures { count: 5, elements: 144 };
    let classes = 64;
    let quantized = |threads: usize| {
        let samples = Measured::new(&host, &pictures, Some(classes));
        let options = QuantizeOptions {
            scheme: Scheme::PerTensorMinMax,
            depthwise_channels: false,
            class_count: Some(classes),
            threads,
        };
        let watch = Watch { cancel: &CancelToken::new(), progress: &|_, _, _| () };
        let mut quantized = quantize(&parts.core, &samples, &samples, &options, &watch).expect("quantized");
        let evaluation = quantized.report.evaluation.as_mut().expect("evaluated");
        samples.correct(evaluation);
        (quantized.graph, evaluation.clone())
    };
    let (graph, evaluation) = quantized(1);
    assert_eq!(evaluation, quantized(3).1, "the number of threads changes the result");
    // The same again by hand: each part on its own, outputs compared as they are.
    let [before, after] = [&parts.preamble, &parts.postamble].map(|part| part.as_ref().expect("there"));
    let (mut signal, mut noise, mut same, mut right) = (0.0, 0.0, 0, 0);
    let mut floats = Vec::new();
    for index in 0..pictures.count {
        let core_input = run(before, &pictures.load(index).expect("loaded"));
        let float = run(after, &run(&parts.core, &core_input));
        let int8 = run(after, &reference::run(&graph, &[&core_input[0]]).expect("run"));
        for (&x, &y) in float[0].iter().zip(&int8[0]) {
            signal += f64::from(x).powi(2);
            noise += (f64::from(x) - f64::from(y)).powi(2);
        }
        let largest = |values: &[f32]| {
            let best = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            values.iter().position(|&value| value.to_bits() == best.to_bits())
        };
        same += usize::from(largest(&float[0]) == largest(&int8[0]));
        right += usize::from(largest(&int8[0]) == Some(index));
        floats.push(float[0].clone());
    }
    // The outputs lie far below 1, and so does what varies of them.
    let count = floats.len() as f64;
    let means = (0..floats[0].len()).map(|at| floats.iter().map(|image| f64::from(image[at])).sum::<f64>() / count);
    let varied =
        means.enumerate().map(|(at, mean)| floats.iter().map(|it| (f64::from(it[at]) - mean).powi(2)).sum::<f64>());
    let centred = 10.0 * (varied.sum::<f64>() / noise).log10();
    let [output] = evaluation.outputs.as_slice() else { panic!("one output: {:?}", evaluation.outputs) };
    assert_eq!((output.name.as_str(), output.operator.as_str(), output.integer), ("y", "reshape", false));
    let expected = 10.0 * (signal / noise).log10();
    assert!((output.sqnr_db.expect("measured") - expected).abs() < 1e-6, "{:?} is not {expected}", output.sqnr_db);
    assert_eq!(evaluation.sqnr_db, output.sqnr_db);
    let found = output.centred_sqnr_db.expect("measured");
    assert!((found - centred).abs() < 1e-6, "{found} is not {centred}");
    let found = evaluation.classification.expect("a classifier");
    assert_eq!((found.output.as_str(), found.images, found.labelled), ("y", 5, 5));
    let close = |found: f64, count: usize| (found - count as f64 / 5.0).abs() < 1e-9;
    assert!(close(found.top1_agreement, same), "{found:?}");
    assert!(close(found.int8_top1.expect("labelled"), right), "{found:?}");
    // The core's own output is among the layers.
    let core_output = &parts.core.value(parts.core.outputs[0]).name;
    assert!(evaluation.layers.iter().any(|layer| layer.name == *core_output), "{:?}", evaluation.layers);
}

#[expect(clippy::disallowed_methods, reason = "a test finds its data by a variable, the program does not")]
fn shared() -> Option<PathBuf> {
    let folder = std::env::var("AXZOO_SHARED")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    fs::is_folder(&folder.join("models")).then_some(folder)
}

/// Real models, the operators of preamble and postamble, and the host's share of the multiplications in thousandths.
struct Real(&'static str, &'static str, &'static str, u64);

const REAL: &[Real] = &[
    Real("deeplab_v3_mnv2_tf", "transpose", "resize transpose", 0),
    Real("fastestdet", "", "transpose softmax transpose concat", 0),
    Real("mnist_8", "", "", 0),
    Real(
        "mp_blazeface_front_128",
        "transpose",
        "transpose reshape transpose reshape transpose reshape transpose reshape",
        0,
    ),
    Real("mtcnn_onet", "transpose", "softmax reshape reshape", 0),
    // The last path upwards resizes as the AIPU does not, and the convolutions behind it are under a hundredth of the work.
    Real(
        "nanodet_m_320",
        "",
        "resize add reshape transpose reshape transpose reshape transpose reshape transpose convolution leaky-relu \
         convolution leaky-relu convolution leaky-relu convolution leaky-relu convolution slice slice sigmoid reshape \
         transpose reshape transpose",
        9,
    ),
    Real("osf_mnv3_detection", "", "", 0),
    Real("prisma_seg_256", "", "", 0),
    Real("rw_mobilenet_v2_op17", "", "", 0),
    Real("rw_squeezenet1_1_op17", "", "", 0),
    Real("squeezenet_fp32_from_fp16", "", "softmax", 0),
    Real("super_resolution_10", "", "reshape transpose reshape", 0),
    Real(
        "rw_yolov8n_320_op17",
        "",
        "reshape reshape reshape reshape reshape reshape concat concat reshape sigmoid transpose softmax convolution \
         reshape slice slice subtract add add subtract divide concat multiply concat",
        0,
    ),
];

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn real_networks_are_cut() {
    let Some(shared) = shared() else {
        eprintln!("skipped: there is no shared folder with models");
        return;
    };
    let mut wrong = Vec::new();
    for Real(name, before, after, thousandths) in REAL {
        let bytes = fs::read(&shared.join("models").join(format!("{name}.onnx"))).expect("readable");
        let (graph, parts) = match cut(&bytes, &TABLE) {
            Ok(found) => found,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        let text = shown(&parts);
        let found =
            (text.split('|').next().unwrap_or_default().trim(), text.rsplit('|').next().unwrap_or_default().trim());
        let share = parts.host_macs() * 1000 / graph.macs().max(1);
        if found != (*before, *after) || share != *thousandths {
            wrong.push(format!("Real({name:?}, {:?}, {:?}, {share}),", found.0, found.1));
            continue;
        }
        let inputs = picture(&graph);
        if run_parts(&parts, &graph, &inputs).expect("read back") != run(&graph, &inputs) {
            wrong.push(format!("{name}: the parts compute something else"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
