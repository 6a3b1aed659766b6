//! The stage as a whole, on a small network that has a bit of everything.

use crate::base::CancelToken;
use crate::base::Share;
use crate::compiler::calibrate::Samples;
use crate::compiler::calibrate::Scheme;
use crate::compiler::calibrate::Watch;
use crate::compiler::error::StageError;
use crate::compiler::graph::DataType;
use crate::compiler::graph::Graph;
use crate::compiler::graph::Node;
use crate::compiler::graph::Tensor;
use crate::compiler::graph::Value;
use crate::compiler::graph::ValueId;
use crate::compiler::lower::LowerOptions;
use crate::compiler::lower::load_program;
use crate::compiler::lower::lower;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::Extension;
use crate::compiler::operators::Function;
use crate::compiler::operators::Operator;
use crate::compiler::operators::Pool;
use crate::compiler::operators::PoolKind;
use crate::compiler::operators::TransposedConvolution;
use crate::compiler::operators::movement::Continuation;
use crate::compiler::quantize::QuantizeOptions;
use crate::compiler::quantize::Quantized;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::Technique;
use crate::compiler::quantize::quantize;

/// The same numbers on every machine, between −1 and 1.
pub(crate) fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Images of noise; the label is the number of the image.
pub(crate) struct Noise {
    pub(crate) count: usize,
    pub(crate) elements: usize,
}

impl Samples for Noise {
    fn len(&self) -> usize {
        self.count
    }

    fn load(&self, index: usize) -> Result<Vec<Vec<f32>>, String> {
        Ok(vec![noise(index as u64 + 1, self.elements)])
    }

    fn label(&self, index: usize) -> Option<usize> {
        Some(index % 5)
    }
}

/// A graph that is written line by line.
pub(crate) struct Sketch(pub(crate) Graph);

impl Sketch {
    pub(crate) fn new(input: &[usize]) -> Self {
        let mut graph = Graph { name: "sketch".to_owned(), ..Graph::default() };
        let value = Value { name: "x".to_owned(), shape: input.to_vec(), data_type: DataType::F32, constant: None };
        let input = graph.add_value(value);
        graph.inputs.push(input);
        Self(graph)
    }

    pub(crate) fn constant(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> ValueId {
        let tensor = Tensor::from_f32(shape.to_vec(), values).expect("the shape fits");
        self.0.add_constant(name, tensor)
    }

    pub(crate) fn node(&mut self, operator: Operator, inputs: &[ValueId], name: &str, shape: &[usize]) -> ValueId {
        let value = Value { name: name.to_owned(), shape: shape.to_vec(), data_type: DataType::F32, constant: None };
        let output = self.0.add_value(value);
        self.0.nodes.push(Node { name: format!("node_{name}"), operator, inputs: inputs.to_vec(), output });
        output
    }

    pub(crate) fn convolution(
        &mut self,
        input: ValueId,
        name: &str,
        shape: [usize; 4],
        kernel: usize,
        group: usize,
    ) -> ValueId {
        let channels = self.0.value(input).shape[1];
        let [_, outputs, ..] = shape;
        let sizes = [outputs, channels / group, kernel, kernel];
        let count = sizes.iter().product();
        let weights = self.constant(&format!("{name}_w"), &sizes, noise(count as u64, count));
        let bias = self.constant(&format!("{name}_b"), &[outputs], noise(7, outputs));
        let pad = kernel / 2;
        let attributes = Convolution { strides: [1, 1], pads: [pad; 4], dilations: [1, 1], group };
        self.node(Operator::Convolution(attributes), &[input, weights, bias], name, &shape)
    }
}

/// Convolution and Clip, a depth-wise one and Relu, a residual sum, a concat of a pooled and a plain branch, a scaled and
/// shifted dense layer, softmax.
pub(crate) fn network() -> Graph {
    let mut sketch = Sketch::new(&[1, 3, 9, 8]);
    let x = ValueId(0);
    let a = sketch.convolution(x, "a", [1, 6, 9, 8], 3, 1);
    let a = sketch.node(Operator::Function(Function::Clip { low: 0.0, high: 1.5 }), &[a], "a6", &[1, 6, 9, 8]);
    let b = sketch.convolution(a, "b", [1, 6, 9, 8], 3, 6);
    let b = sketch.node(Operator::Function(Function::Relu), &[b], "b_relu", &[1, 6, 9, 8]);
    let sum = sketch.node(Operator::Arithmetic(Arithmetic::Add), &[a, b], "sum", &[1, 6, 9, 8]);
    let pool = Pool {
        kind: PoolKind::Maximum,
        kernel: [3, 3],
        strides: [1, 1],
        pads: [1; 4],
        dilations: [1, 1],
        count_include_pad: false,
    };
    let pooled = sketch.node(Operator::Pool(pool), &[sum], "pooled", &[1, 6, 9, 8]);
    let c = sketch.convolution(sum, "c", [1, 2, 9, 8], 1, 1);
    let joined = sketch.node(Operator::Concat { axis: 1 }, &[pooled, c], "joined", &[1, 8, 9, 8]);
    let mean = sketch.node(Operator::GlobalPool(PoolKind::Average), &[joined], "mean", &[1, 8, 1, 1]);
    let flat = sketch.node(Operator::Reshape, &[mean], "flat", &[1, 8]);
    let weights = sketch.constant("dense_w", &[8, 5], noise(3, 40));
    let dense = sketch.node(Operator::Dense, &[flat, weights], "dense", &[1, 5]);
    let four = sketch.constant("four", &[], vec![4.0]);
    let scaled = sketch.node(Operator::Arithmetic(Arithmetic::Divide), &[dense, four], "scaled", &[1, 5]);
    let shift = sketch.constant("shift", &[1, 5], noise(9, 5));
    let shifted = sketch.node(Operator::Arithmetic(Arithmetic::Subtract), &[scaled, shift], "shifted", &[1, 5]);
    let output = sketch.node(Operator::Softmax { axis: 1 }, &[shifted], "classes", &[1, 5]);
    sketch.0.outputs.push(output);
    sketch.0
}

pub(crate) fn quantized(graph: &Graph, threads: usize, evaluation: usize) -> Result<Quantized, StageError> {
    let elements = graph.value(graph.inputs[0]).shape.iter().product();
    let options = QuantizeOptions {
        scheme: Scheme::PerTensorHistogram,
        depthwise_channels: false,
        class_count: Some(5),
        threads,
    };
    let watch = Watch { cancel: &CancelToken::new(), progress: &|_, _, _| () };
    let calibration = Noise { count: 7, elements };
    quantize(graph, &calibration, &Noise { count: evaluation, elements }, &options, &watch)
}

/// A reflection, transposed convolutions alone and in groups, each plane by its own statistics.
fn upward() -> Graph {
    let mut sketch = Sketch::new(&[1, 2, 5, 6]);
    let around = vec![0, 0, 1, 2];
    let extension = Extension { before: around.clone(), after: around, continuation: Continuation::Reflect };
    let extended = sketch.node(Operator::Extension(extension), &[ValueId(0)], "extended", &[1, 2, 7, 10]);
    let weights = sketch.constant("a_w", &[2, 4, 3, 3], noise(5, 72));
    let bias = sketch.constant("a_b", &[4], noise(6, 4));
    let mut attributes = TransposedConvolution {
        strides: [2; 2],
        pads: [1, 1, 0, 0],
        output_padding: [0; 2],
        dilations: [1; 2],
        group: 1,
    };
    let operator = Operator::TransposedConvolution(attributes.clone());
    let a = sketch.node(operator, &[extended, weights, bias], "a", &[1, 4, 14, 20]);
    let a = sketch.node(Operator::Function(Function::Relu), &[a], "a_relu", &[1, 4, 14, 20]);
    attributes.group = 2;
    let weights = sketch.constant("b_w", &[4, 3, 2, 2], noise(8, 48));
    let b = sketch.node(Operator::TransposedConvolution(attributes), &[a, weights], "b", &[1, 6, 27, 39]);
    let (scale, shift) = (sketch.constant("scale", &[6], noise(4, 6)), sketch.constant("shift", &[6], noise(2, 6)));
    let normalization = Operator::InstanceNormalization { epsilon: 1e-5 };
    let output = sketch.node(normalization, &[b, scale, shift], "normal", &[1, 6, 27, 39]);
    sketch.0.outputs.push(output);
    sketch.0
}

#[test]
fn a_network_that_grows_its_picture_survives() {
    let graph = upward();
    let made = quantized(&graph, 2, 4).expect("quantized");
    let evaluation = made.report.evaluation.as_ref().expect("there are evaluation images");
    assert!(evaluation.sqnr_db > Some(29.0), "{}", made.report.to_text());
    insta::assert_snapshot!(structure(&made.graph), @"
    extended = Pad(x) [-128, 127]
    a_relu = ConvTranspose(extended) [-128, 127]
    b = ConvTranspose(a_relu) [-128, 127]
    normal = InstanceNormalization(b) [-128, 127]
    ");
    // 70 places of 2 channels into 4 by 9 weights, then 280 of 4 into 3 by 4.
    assert_eq!((made.report.macs, made.report.integer_macs), (70 * 2 * 4 * 9 + 280 * 4 * 3 * 4, 18_480));
    assert_eq!(QuantizedGraph::from_json(&made.graph.to_json()).as_ref(), Ok(&made.graph));
    let compiled = lower(&made.graph, &LowerOptions::new(1, Share::WHOLE)).expect("lowered");
    let program = load_program(&|name| {
        let file = compiled.files.iter().find(|file| file.0 == name);
        file.map(|file| file.1.clone()).ok_or_else(|| "there is no such file".to_owned())
    });
    let program = program.expect("loaded");
    let input = noise(77, 60);
    assert_eq!(program.run(&[&input]), crate::compiler::reference::run(&made.graph, &[&input]));
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let graph = network();
    let one = quantized(&graph, 1, 5).expect("quantized");
    for threads in [2, 5] {
        let many = quantized(&graph, threads, 5).expect("quantized");
        assert_eq!(one.graph.to_json(), many.graph.to_json());
        assert_eq!(one.graph.to_qdq_onnx(), many.graph.to_qdq_onnx());
        assert_eq!(one.report.to_json().to_string(), many.report.to_json().to_string());
    }
}

#[test]
fn the_network_survives_quantization() {
    let quantized = quantized(&network(), 2, 6).expect("quantized");
    let evaluation = quantized.report.evaluation.as_ref().expect("there are evaluation images");
    assert!(evaluation.sqnr_db > Some(30.0), "{}", quantized.report.to_text());
    let classes = evaluation.classification.as_ref().expect("it is a classifier");
    assert_eq!((classes.images, classes.labelled), (6, 6));
    assert!(quantized.report.float_islands.is_empty(), "{:?}", quantized.report.float_islands);
    insta::assert_snapshot!(structure(&quantized.graph), @"
    a6 = Conv(x) [-128, 127]
    b_relu = Conv(a6) [-128, 127]
    sum = Add(a6, b_relu) [-128, 127]
    pooled = MaxPool(sum) [-128, 127]
    c = Conv(sum) [-128, 127]
    joined = Concat(pooled, c) [-128, 127]
    mean = GlobalAveragePool(joined) [-128, 127]
    flat = Reshape(mean) [-128, 127]
    dense = MatMul(flat) [-128, 127]
    scaled = Mul(dense, four_reciprocal_9) [-128, 127]
    shifted = Sub(scaled, shift) [-128, 127]
    classes = Softmax(shifted) [-128, 127]
    ");
    let encoding = |name: &str| {
        let value = quantized.graph.values.iter().find(|value| value.name == name).expect("the value is there");
        value.encoding
    };
    assert_eq!(encoding("sum"), encoding("pooled"), "a maximum keeps its input's encoding");
    assert_eq!(encoding("c"), encoding("joined"), "what only a concat reads is made in its encoding");
    assert_eq!(encoding("mean"), encoding("flat"));
}

#[test]
fn what_a_depthwise_convolution_reads_has_an_encoding_for_each_channel_where_that_is_asked_for() {
    // `p` is read by a depth-wise convolution alone, `q` by another node too, `m` is written by no layer.
    let mut sketch = Sketch::new(&[1, 3, 6, 6]);
    let p = sketch.convolution(ValueId(0), "p", [1, 4, 6, 6], 3, 1);
    let p = sketch.node(Operator::Function(Function::Relu), &[p], "p_relu", &[1, 4, 6, 6]);
    let q = sketch.convolution(p, "q", [1, 4, 6, 6], 3, 4);
    let r = sketch.convolution(q, "r", [1, 4, 6, 6], 3, 4);
    let m = sketch.node(Operator::Arithmetic(Arithmetic::Add), &[q, r], "m", &[1, 4, 6, 6]);
    let y = sketch.convolution(m, "y", [1, 4, 6, 6], 3, 4);
    sketch.0.outputs.push(y);
    let watch = Watch { cancel: &CancelToken::new(), progress: &|_, _, _| () };
    let samples = Noise { count: 8, elements: 108 };
    for (scheme, depthwise_channels) in [
        (Scheme::HybridPerTensorPerChannel, false),
        (Scheme::PerTensorHistogram, true),
        (Scheme::PerTensorMinMax, true),
    ] {
        let options = QuantizeOptions { scheme, depthwise_channels, class_count: None, threads: 2 };
        let made = quantize(&sketch.0, &samples, &samples, &options, &watch).expect("quantized");
        let expected = "p_relu = Conv(x) [-128, 127]\n\
            q = Conv(p_relu) [-128, 127]\n\
            q/channels = Conv(p_relu) [-128, 127]\n\
            r = Conv(q/channels) [-128, 127]\n\
            m = Add(q, r) [-128, 127]\n\
            m/channels = QuantizeLinear(m) [-128, 127]\n\
            y = Conv(m/channels) [-128, 127]\n";
        assert_eq!(structure(&made.graph), expected, "{}", scheme.name());
        let split: Vec<&str> =
            made.graph.values.iter().filter(|it| !it.channels.is_empty()).map(|it| it.name.as_str()).collect();
        assert_eq!(split, ["p_relu", "q/channels", "m/channels"]);
        let evaluation = made.report.evaluation.as_ref().expect("there are evaluation images");
        assert!(evaluation.sqnr_db > Some(30.0), "{}", made.report.to_text());
        assert_eq!(QuantizedGraph::from_json(&made.graph.to_json()).as_ref(), Ok(&made.graph));
    }
}

#[test]
fn channels_of_different_ranges_are_equalized_and_a_shifted_mean_is_corrected() {
    // Two channels of a thousandth of the others' range, which the second layer reads with a thousand times their weight.
    let mut sketch = Sketch::new(&[1, 2, 8, 8]);
    let strong = |channel: usize| if channel < 2 { 1e-3 } else { 1.0 };
    let scaled = |seed, per_output: usize, scale: &dyn Fn(usize, usize) -> f32, count: usize| -> Vec<f32> {
        let weights = noise(seed, count).into_iter().enumerate();
        weights.map(|(at, x)| x * scale(at / per_output, at % per_output)).collect()
    };
    let one = sketch.constant("one", &[4, 2, 1, 1], scaled(5, 2, &|output, _| strong(output), 8));
    let two = sketch.constant("two", &[3, 4, 1, 1], scaled(6, 4, &|_, input| 1.0 / strong(input), 12));
    let attributes = Convolution { strides: [1; 2], pads: [0; 4], dilations: [1; 2], group: 1 };
    let a = sketch.node(Operator::Convolution(attributes.clone()), &[ValueId(0), one], "a", &[1, 4, 8, 8]);
    let a = sketch.node(Operator::Function(Function::Relu), &[a], "a_relu", &[1, 4, 8, 8]);
    let y = sketch.node(Operator::Convolution(attributes), &[a, two], "y", &[1, 3, 8, 8]);
    sketch.0.outputs.push(y);
    let report = quantized(&sketch.0, 2, 4).expect("quantized").report;
    let first = report.techniques.iter().find(|tried| tried.kept).expect("one pays");
    assert_eq!(first.technique, Technique::CrossLayerEqualization, "{}", report.to_text());
    assert!(first.gain_db > Some(10.0), "{}", report.to_text());
    assert!(report.evaluation.expect("measured").sqnr_db > Some(30.0));
}

/// Images of small elements, but for a large one in each of 16 windows.
struct Spikes(usize);

impl Samples for Spikes {
    fn len(&self) -> usize {
        32
    }

    fn load(&self, index: usize) -> Result<Vec<Vec<f32>>, String> {
        let seed = (self.0 + index) as u64;
        let mut image: Vec<f32> = noise(seed, 256 * 256).into_iter().map(|x| 0.02 * x).collect();
        for (window, spike) in noise(seed + 1000, 16).into_iter().enumerate() {
            image[window / 4 * 64 * 256 + window % 4 * 64] = 0.75 + spike / 4.0;
        }
        Ok(vec![image])
    }

    fn label(&self, _: usize) -> Option<usize> {
        None
    }
}

#[test]
fn large_values_are_not_cut_off_where_the_answer_is_made_of_them() {
    let mut sketch = Sketch::new(&[1, 1, 256, 256]);
    let pool = Pool {
        kind: PoolKind::Maximum,
        kernel: [64; 2],
        strides: [64; 2],
        pads: [0; 4],
        dilations: [1; 2],
        count_include_pad: false,
    };
    let y = sketch.node(Operator::Pool(pool), &[ValueId(0)], "y", &[1, 1, 4, 4]);
    sketch.0.outputs.push(y);
    let scheme = Scheme::PerTensorHistogram;
    let options = QuantizeOptions { scheme, depthwise_channels: false, class_count: None, threads: 2 };
    let watch = Watch { cancel: &CancelToken::new(), progress: &|_, _, _| () };
    let report = quantize(&sketch.0, &Spikes(1), &Spikes(100), &options, &watch).expect("quantized").report;
    let first = &report.techniques[0];
    assert!(matches!(first.technique, Technique::MilderClipping | Technique::NoClipping), "{}", report.to_text());
    assert!(first.kept && first.gain_db > Some(3.0), "{}", report.to_text());
}

fn structure(graph: &QuantizedGraph) -> String {
    let line = |node: &crate::compiler::quantize::QuantizedNode| {
        let inputs: Vec<&str> = node.inputs.iter().map(|&id| graph.value(id).name.as_str()).collect();
        let (output, operator) = (&graph.value(node.output).name, node.operator.name());
        format!("{output} = {operator}({}) {:?}\n", inputs.join(", "), node.clamp)
    };
    graph.nodes.iter().map(line).collect()
}

#[test]
fn a_clip_that_saturation_does_not_realize_keeps_its_clamp() {
    let mut sketch = Sketch::new(&[1, 2, 4, 4]);
    let a = sketch.convolution(ValueId(0), "a", [1, 3, 4, 4], 1, 1);
    let clip = Function::Clip { low: 0.125, high: 0.5 };
    let clipped = sketch.node(Operator::Function(clip), &[a], "clipped", &[1, 3, 4, 4]);
    sketch.0.outputs.push(clipped);
    let made = quantized(&sketch.0, 1, 1).expect("quantized").graph;
    // The range is [0, 0.5], so 0.125 is a quarter of 255 steps above −128.
    assert_eq!(made.nodes[0].clamp, [-64, 127]);
    let outputs = crate::compiler::reference::run(&made, &[&noise(99, 32)]).expect("it runs");
    assert!(outputs[0].iter().all(|x| (0.124..=0.5).contains(x)), "{outputs:?}");
}

#[test]
fn without_evaluation_images_the_report_says_so() {
    let quantized = quantized(&network(), 1, 0).expect("quantized");
    assert_eq!(quantized.report.evaluation, None);
    assert!(quantized.report.to_text().contains("not measured"));
}

#[test]
fn what_cannot_be_quantized_is_refused_by_name() {
    struct Case {
        sketch: fn() -> Sketch,
        node: &'static str,
        message: &'static str,
    }
    let cases = [
        Case {
            sketch: || {
                let mut sketch = Sketch::new(&[1, 70_000]);
                let weights = sketch.constant("w", &[70_000, 1], vec![1.0; 70_000]);
                let output = sketch.node(Operator::Dense, &[ValueId(0), weights], "y", &[1, 1]);
                sketch.0.outputs.push(output);
                sketch
            },
            node: "node_y",
            message: "output channel 0: the sum can reach 2266950000, more than an int32 accumulator holds (2147483647)",
        },
        Case {
            sketch: || {
                let mut sketch = Sketch::new(&[1, 4]);
                let zero = sketch.constant("zero", &[], vec![0.0]);
                let divide = Operator::Arithmetic(Arithmetic::Divide);
                // Calibration is not reached with an infinite value, so the result is divided where it is not read.
                let output = sketch.node(Operator::Function(Function::Relu), &[ValueId(0)], "y", &[1, 4]);
                sketch.node(divide, &[zero, zero], "unread", &[]);
                sketch.0.outputs.push(output);
                sketch
            },
            node: "node_unread",
            message: "`unread` becomes infinite or not a number in float on the calibration images",
        },
        Case {
            sketch: || {
                let mut sketch = Sketch::new(&[1, 1, 2, 2]);
                let pad = Operator::Pad { before: vec![0; 4], after: vec![0, 0, 1, 1], value: 50.0 };
                let output = sketch.node(pad, &[ValueId(0)], "y", &[1, 1, 3, 3]);
                sketch.0.outputs.push(output);
                sketch
            },
            node: "node_y",
            message: "pads with 50, which lies outside the range of its input",
        },
    ];
    let mut wrong = Vec::new();
    for Case { sketch, node, message } in cases {
        match quantized(&sketch().0, 1, 0) {
            Ok(_) => wrong.push(format!("expected `{message}`, it was quantized")),
            Err(error) if error.message != message || error.node.as_deref().unwrap_or_default() != node => {
                wrong.push(format!("expected `{message}` of `{node}`, found {error:?}"));
            }
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_brings_the_graph_back_and_a_damaged_one_an_error() {
    let graph = quantized(&network(), 1, 0).expect("quantized").graph;
    let text = String::from_utf8(graph.to_json()).expect("JSON is text");
    assert_eq!(QuantizedGraph::from_json(text.as_bytes()), Ok(graph));
    let damages = [
        ("\"version\": 1", "\"version\": 2"),
        ("\"zero_point\"", "\"zero\""),
        ("\"group\": 6", "\"group\": 5"),
        ("\"inputs\": [", "\"inputs\": [77,"),
        ("\"axis\": 1", "\"axis\": 9"),
        ("\"output\": 1", "\"output\": 0"),
    ];
    let mut wrong = Vec::new();
    for (from, to) in damages {
        let damaged = text.replacen(from, to, 1);
        if damaged == text || QuantizedGraph::from_json(damaged.as_bytes()).is_ok() {
            wrong.push(format!("`{from}` as `{to}` was accepted"));
        }
    }
    for cut in (0..text.len() - 2).step_by(97) {
        if QuantizedGraph::from_json(&text.as_bytes()[..cut]).is_ok() {
            wrong.push(format!("{cut} bytes were accepted"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_graph_that_asks_for_too_much_memory_is_refused() {
    struct Case(fn(&mut QuantizedGraph), &'static str);
    let depthwise = || {
        let mut sketch = Sketch::new(&[1, 2, 1, 1]);
        let weights = sketch.constant("w", &[2, 1, 1, 1], vec![0.5, -0.5]);
        let attributes = Convolution { strides: [1; 2], pads: [1; 4], dilations: [1; 2], group: 2 };
        let output = sketch.node(Operator::Convolution(attributes), &[ValueId(0), weights], "y", &[1, 2, 3, 3]);
        sketch.0.outputs.push(output);
        quantized(&sketch.0, 1, 0).expect("quantized").graph
    };
    let cases = [
        Case(|_| {}, ""),
        Case(
            |graph| {
                let QuantizedOperator::Convolution { attributes, .. } = &mut graph.nodes[0].operator else { return };
                (attributes.pads, attributes.strides) = ([60_000; 4], [60_000; 2]);
            },
            "its input with the padding [60000, 60000, 60000, 60000] has the shape [1, 2, 120001, 120001]",
        ),
        Case(
            |graph| {
                let pool = Pool {
                    kind: PoolKind::Maximum,
                    kernel: [1000; 2],
                    strides: [1; 2],
                    pads: [0; 4],
                    dilations: [1; 2],
                    count_include_pad: false,
                };
                let (input, output) = (graph.nodes[0].inputs[0], graph.nodes[0].output);
                graph.values[input.index()].shape = vec![1, 1, 16_000, 16_000];
                graph.values[output.index()].shape = vec![1, 1, 15_001, 15_001];
                graph.values[output.index()].encoding = graph.values[input.index()].encoding;
                graph.nodes[0].operator = QuantizedOperator::Pool(pool);
            },
            "a kernel of [1000, 1000] at [15001, 15001] positions reads more than",
        ),
        Case(|graph| graph.values[0].shape = vec![1 << 28, 2, 1, 1], "expected 1 to 268435456 elements"),
    ];
    let mut wrong = Vec::new();
    for Case(damage, expected) in cases {
        let mut graph = depthwise();
        damage(&mut graph);
        let message = graph.verify().err().map(|(_, message)| message).unwrap_or_default();
        if !message.contains(expected) || message.is_empty() != expected.is_empty() {
            wrong.push(format!("expected `{expected}`, found `{message}`"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_cancelled_quantization_stops() {
    let cancel = CancelToken::new();
    cancel.cancel();
    let graph = network();
    let samples = Noise { count: 3, elements: 216 };
    let options =
        QuantizeOptions { scheme: Scheme::PerTensorMinMax, depthwise_channels: false, class_count: None, threads: 2 };
    let watch = Watch { cancel: &cancel, progress: &|_, _, _| () };
    let error = quantize(&graph, &samples, &samples, &options, &watch).map(|_| ()).expect_err("cancelled");
    assert_eq!(error.message, "stopped before it was done");
}
