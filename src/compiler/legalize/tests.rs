//! Every rewrite: what it makes of a small graph, and that no output bit changes.

use crate::base::CancelToken;
use crate::compiler::legalize::LegalizeOptions;
use crate::compiler::legalize::Legalized;
use crate::compiler::legalize::legalize;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::Function;
use crate::compiler::operators::function::integer::evaluate;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::QuantizedValue;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::Weights;
use crate::compiler::quantize::contract::Encoding;
use crate::compiler::quantize::contract::function_table;
use crate::compiler::quantize::tests::network;
use crate::compiler::quantize::tests::noise;
use crate::compiler::quantize::tests::quantized;
use crate::compiler::reference::Executor;

const ALL: LegalizeOptions =
    LegalizeOptions { concat_to_addition: true, dense_to_convolution: true, simplify: true, merge_tables: true };
const NONE: LegalizeOptions =
    LegalizeOptions { concat_to_addition: false, dense_to_convolution: false, simplify: false, merge_tables: false };

/// A quantized graph that is written line by line.
pub(crate) struct Sketch(pub(crate) QuantizedGraph);

pub(crate) const fn encoding(scale: f32, zero_point: i8) -> Encoding {
    Encoding { scale, zero_point }
}

impl Sketch {
    pub(crate) fn new(shape: &[usize], encoding: Encoding) -> Self {
        let mut sketch = Self(QuantizedGraph { name: "sketch".to_owned(), ..QuantizedGraph::default() });
        let input = sketch.value("x", shape, encoding);
        sketch.0.inputs.push(input);
        sketch
    }

    pub(crate) fn value(&mut self, name: &str, shape: &[usize], encoding: Encoding) -> TensorId {
        let (name, shape) = (name.to_owned(), shape.to_vec());
        self.0.values.push(QuantizedValue { name, shape, encoding, channels: Vec::new(), constant: None });
        TensorId((self.0.values.len() - 1) as u32)
    }

    pub(crate) fn node(
        &mut self,
        name: &str,
        operator: QuantizedOperator,
        inputs: &[TensorId],
        (shape, encoding): (&[usize], Encoding),
    ) -> TensorId {
        let output = self.value(name, shape, encoding);
        let clamp = [i8::MIN, i8::MAX];
        let inputs = inputs.to_vec();
        self.0.nodes.push(QuantizedNode { name: name.to_owned(), operator, activation: None, clamp, inputs, output });
        output
    }

    pub(crate) fn function(&mut self, name: &str, function: Function, input: TensorId, to: Encoding) -> TensorId {
        let from = self.0.value(input).clone();
        let operator = QuantizedOperator::Function {
            function,
            table: function_table(from.encoding, to, |x| evaluate(function, x)).to_vec(),
        };
        self.node(name, operator, &[input], (&from.shape, to))
    }

    pub(crate) fn convolution(&mut self, name: &str, input: TensorId, outputs: usize, to: Encoding) -> TensorId {
        let shape = self.0.value(input).shape.clone();
        let values = noise(outputs as u64, outputs * shape[1]).iter().map(|x| (x * 120.0) as i8).collect();
        let weights = Weights {
            shape: vec![outputs, shape[1], 1, 1],
            values,
            scales: vec![0.01; outputs],
            bias: vec![7; outputs],
            name: format!("{name}_w"),
            bias_name: None,
        };
        let attributes = Convolution { strides: [1; 2], pads: [0; 4], dilations: [1; 2], group: 1 };
        let operator = QuantizedOperator::Convolution { attributes, weights };
        self.node(name, operator, &[input], (&[shape[0], outputs, shape[2], shape[3]], to))
    }

    pub(crate) fn finish(mut self, outputs: &[TensorId]) -> QuantizedGraph {
        self.0.outputs = outputs.to_vec();
        self.0.verify().expect("a valid sketch");
        self.0
    }
}

/// Outputs for some inputs, every int8 value among them.
fn answers(graph: &QuantizedGraph) -> Vec<Vec<Vec<i8>>> {
    let executor = Executor::new(graph).expect("prepared");
    let inputs = |seed: u64| -> Vec<Vec<i8>> {
        let input = |(place, id): (usize, &TensorId)| {
            let count = graph.value(*id).len();
            let shift = noise(seed + 10 * place as u64, count);
            (0..count).map(|place| (place as u8).wrapping_add((shift[place] * 90.0) as i8 as u8) as i8).collect()
        };
        graph.inputs.iter().enumerate().map(input).collect()
    };
    (1..6).map(|seed| executor.run_int8(&inputs(seed), &mut |_, _| ()).expect("run")).collect()
}

/// The operators of what legalization makes, and how often each rewrite applied; the outputs must be the same to the bit.
fn check(graph: &QuantizedGraph, options: LegalizeOptions) -> (Vec<&'static str>, Vec<(String, usize)>) {
    let Legalized { graph: legal, applied } =
        legalize(graph.clone(), &options, &CancelToken::new()).expect("legalized");
    assert_eq!(answers(&legal), answers(graph), "{}", legal.to_text());
    let ports = |graph: &QuantizedGraph, ids: &[TensorId]| -> Vec<QuantizedValue> {
        ids.iter().map(|&id| graph.value(id).clone()).collect()
    };
    assert_eq!(ports(&legal, &legal.inputs), ports(graph, &graph.inputs));
    assert_eq!(ports(&legal, &legal.outputs), ports(graph, &graph.outputs));
    let again = legalize(legal.clone(), &options, &CancelToken::new()).expect("legalized again");
    assert_eq!((again.graph, again.applied), (legal.clone(), Vec::new()), "a legal graph stays as it is");
    (legal.nodes.iter().map(|node| node.operator.name()).collect(), applied)
}

#[test]
fn nothing_is_rewritten_where_nothing_is_asked_for() {
    let graph = quantized(&network(), 1, 0).expect("quantized").graph;
    assert_eq!(legalize(graph.clone(), &NONE, &CancelToken::new()), Ok(Legalized { graph, applied: Vec::new() }));
}

#[test]
fn a_whole_network_keeps_its_outputs() {
    let graph = quantized(&network(), 1, 0).expect("quantized").graph;
    let (operators, applied) = check(&graph, ALL);
    let expected =
        [("concat-to-addition", 1), ("dense-to-convolution", 1), ("merge-reshapes", 1), ("remove-nothing", 1)];
    assert_eq!(applied, expected.map(|(name, times)| (name.to_owned(), times)));
    let expected = [
        "Conv",
        "Conv",
        "Add",
        "MaxPool",
        "Conv",
        "Pad",
        "Pad",
        "Add",
        "GlobalAveragePool",
        "Conv",
        "Reshape",
        "Mul",
        "Sub",
        "Softmax",
    ];
    assert_eq!(operators, expected);
}

#[test]
fn joins_become_sums_only_where_channels_do_not_begin_at_words() {
    // Channels of the inputs, the axis, and what becomes of the join.
    let cases: [(&[usize], usize, &[&str]); 6] = [
        (&[3, 5], 1, &["Pad", "Pad", "Add"]),
        (&[3, 5, 2], 1, &["Pad", "Pad", "Add", "Pad", "Add"]),
        (&[64, 5], 1, &["Concat"]),
        (&[64, 128, 7], 1, &["Concat"]),
        (&[64, 3, 64], 1, &["Pad", "Pad", "Add", "Pad", "Add"]),
        (&[3, 3], 2, &["Concat"]),
    ];
    for (channels, axis, expected) in cases {
        // Encodings far from one another, and one that is the join's own.
        let to = encoding(0.031, 17);
        let mut sketch = Sketch::new(&[1, channels[0], 4, 5], encoding(0.007, -90));
        let mut inputs = vec![TensorId(0)];
        for (place, &count) in channels.iter().enumerate().skip(1) {
            let own = if place == 1 { to } else { encoding(0.9, 127) };
            let input = sketch.value(&format!("x{place}"), &[1, count, 4, 5], own);
            sketch.0.inputs.push(input);
            inputs.push(input);
        }
        let shape = if axis == 1 { vec![1, channels.iter().sum(), 4, 5] } else { vec![1, 3, 8, 5] };
        let joined = sketch.node("joined", QuantizedOperator::Concat { axis }, &inputs, (&shape, to));
        let graph = sketch.finish(&[joined]);
        assert_eq!(check(&graph, ALL).0, expected, "{channels:?} along {axis}");
        assert_eq!(check(&graph, LegalizeOptions { concat_to_addition: false, ..ALL }).0, ["Concat"]);
    }
}

#[test]
fn tables_one_after_another_are_one_table() {
    let mut sketch = Sketch::new(&[1, 4, 8, 8], encoding(0.05, -3));
    let a = sketch.function("a", Function::Sigmoid, TensorId(0), encoding(1.0 / 255.0, -128));
    let b = sketch.function("b", Function::Tanh, a, encoding(0.007, 3));
    let c = sketch.function("c", Function::Absolute, b, encoding(0.004, -128));
    let graph = sketch.finish(&[c]);
    assert_eq!(check(&graph, ALL), (vec!["Abs"], vec![("merge-tables".to_owned(), 2)]));

    // What others read as well stays.
    let mut sketch = Sketch::new(&[1, 4, 8, 8], encoding(0.05, -3));
    let a = sketch.function("a", Function::Sigmoid, TensorId(0), encoding(1.0 / 255.0, -128));
    let b = sketch.function("b", Function::Tanh, a, encoding(0.007, 3));
    let graph = sketch.finish(&[a, b]);
    assert_eq!(check(&graph, ALL).0, ["Sigmoid", "Tanh"]);
}

#[test]
fn a_table_that_cuts_off_is_a_clamp_and_another_is_not() {
    let own = encoding(0.02, -10);
    // The function behind a layer, the encoding of its result, and what is left.
    let cases: [(Function, Encoding, &[&str]); 4] = [
        (Function::Relu, own, &["Conv"]),
        (Function::Clip { low: -0.5, high: 1.5 }, own, &["Conv"]),
        (Function::Relu, encoding(0.01, -128), &["Conv", "Relu"]),
        (Function::Sigmoid, own, &["Conv", "Sigmoid"]),
    ];
    for (function, to, expected) in cases {
        let mut sketch = Sketch::new(&[1, 4, 8, 8], encoding(0.05, -3));
        let a = sketch.convolution("a", TensorId(0), 6, own);
        let b = sketch.function("b", function, a, to);
        let graph = sketch.finish(&[b]);
        assert_eq!(check(&graph, ALL).0, expected, "{function:?}");
    }
    // The clamp that is there already is moved within the table's bounds.
    let mut sketch = Sketch::new(&[1, 4, 8, 8], encoding(0.05, -3));
    let a = sketch.convolution("a", TensorId(0), 6, own);
    sketch.0.nodes[0].clamp = [-100, -20];
    let b = sketch.function("b", Function::Relu, a, own);
    let graph = sketch.finish(&[b]);
    let legal = legalize(graph.clone(), &ALL, &CancelToken::new()).expect("legalized").graph;
    assert_eq!((legal.nodes.len(), legal.nodes[0].clamp), (1, [-10, -10]));
    assert_eq!(answers(&legal), answers(&graph));
}

#[test]
fn arithmetic_on_one_tensor_and_its_tables_is_one_table() {
    let (own, unit) = (encoding(0.05, -3), encoding(1.0 / 255.0, -128));
    let shape: &[usize] = &[1, 4, 8, 8];
    // The arithmetic, its operands (the input, a sigmoid of it, a number), and what is left.
    let cases: [(Arithmetic, [&str; 2], &[&str]); 7] = [
        (Arithmetic::Multiply, ["x", "f"], &["Sigmoid"]),
        (Arithmetic::Multiply, ["f", "x"], &["Sigmoid"]),
        (Arithmetic::Subtract, ["x", "f"], &["Sigmoid"]),
        (Arithmetic::Add, ["f", "n"], &["Sigmoid"]),
        (Arithmetic::Divide, ["n", "f"], &["Sigmoid"]),
        (Arithmetic::Multiply, ["x", "n"], &["Mul"]),
        (Arithmetic::Multiply, ["f", "other"], &["Sigmoid", "Mul"]),
    ];
    for (arithmetic, operands, expected) in cases {
        let mut sketch = Sketch::new(shape, own);
        let number = sketch.value("n", &[], encoding(0.01, 4));
        sketch.0.values[number.index()].constant = Some(vec![99]);
        let other = sketch.value("other", shape, encoding(0.02, 8));
        sketch.0.inputs.push(other);
        let needs = operands.contains(&"f");
        let f = if needs { sketch.function("f", Function::Sigmoid, TensorId(0), unit) } else { TensorId(0) };
        let operand = |name: &&str| match *name {
            "x" => TensorId(0),
            "n" => number,
            "other" => other,
            _ => f,
        };
        let inputs: Vec<TensorId> = operands.iter().map(operand).collect();
        let to = (shape, encoding(0.04, -70));
        let y = sketch.node("y", QuantizedOperator::Arithmetic(arithmetic), &inputs, to);
        sketch.0.nodes.last_mut().expect("there is one").clamp = [-120, 100];
        assert_eq!(check(&sketch.finish(&[y]), ALL).0, expected, "{arithmetic:?} of {operands:?}");
    }
    // A number before a function; where the product is an output too, both stay.
    for (as_output, expected) in [(false, vec!["Tanh"]), (true, vec!["Mul", "Tanh"])] {
        let mut sketch = Sketch::new(shape, own);
        let number = sketch.value("n", &[1, 1, 1, 1], encoding(0.01, 4));
        sketch.0.values[number.index()].constant = Some(vec![99]);
        let multiply = QuantizedOperator::Arithmetic(Arithmetic::Multiply);
        let scaled = sketch.node("scaled", multiply, &[TensorId(0), number], (shape, encoding(0.06, 11)));
        let y = sketch.function("y", Function::Tanh, scaled, encoding(1.0 / 127.0, 0));
        let outputs = if as_output { vec![y, scaled] } else { vec![y] };
        assert_eq!(check(&sketch.finish(&outputs), ALL).0, expected);
    }
}

#[test]
fn a_join_of_another_encoding_takes_over_the_rounding_of_tables_before_it() {
    let to = encoding(0.013, 5);
    let mut sketch = Sketch::new(&[1, 64, 4, 4], encoding(0.05, -3));
    let a = sketch.function("a", Function::Sigmoid, TensorId(0), encoding(1.0 / 255.0, -128));
    let b = sketch.function("b", Function::Tanh, TensorId(0), encoding(1.0 / 127.0, 0));
    let joined = sketch.node("joined", QuantizedOperator::Concat { axis: 1 }, &[a, b], (&[1, 128, 4, 4], to));
    let graph = sketch.finish(&[joined]);
    let (operators, applied) = check(&graph, ALL);
    assert_eq!(operators, ["Sigmoid", "Tanh", "Concat"]);
    assert_eq!(applied, [("requantization-into-table".to_owned(), 1)]);
    let legal = legalize(graph, &ALL, &CancelToken::new()).expect("legalized").graph;
    assert!(legal.nodes[2].inputs.iter().all(|&id| legal.value(id).encoding == to));
}

#[test]
fn what_changes_nothing_goes_and_what_nobody_needs() {
    let own = encoding(0.05, -3);
    let mut sketch = Sketch::new(&[1, 4, 8, 8], own);
    let a = sketch.node("a", QuantizedOperator::Reshape, &[TensorId(0)], (&[1, 256], own));
    let b = sketch.node("b", QuantizedOperator::Reshape, &[a], (&[1, 4, 64], own));
    let same = QuantizedOperator::Transpose { permutation: vec![0, 1, 2] };
    let c = sketch.node("c", same, &[b], (&[1, 4, 64], own));
    sketch.node("unread", QuantizedOperator::Arithmetic(Arithmetic::Add), &[c, c], (&[1, 4, 64], own));
    let graph = sketch.finish(&[c]);
    assert_eq!(check(&graph, ALL).0, ["Reshape"]);
    assert_eq!(check(&graph, NONE).0, ["Reshape", "Reshape", "Transpose"]);
    // A network that hands its input on keeps the node: input and output are two names.
    let mut sketch = Sketch::new(&[1, 4], own);
    let a = sketch.node("a", QuantizedOperator::Reshape, &[TensorId(0)], (&[1, 4], own));
    assert_eq!(check(&sketch.finish(&[a]), ALL).0, ["Reshape"]);
}

#[test]
fn only_layers_over_vectors_become_convolutions() {
    for (shape, expected) in [(vec![3, 6], vec!["Reshape", "Conv", "Reshape"]), (vec![1, 3, 6], vec!["MatMul"])] {
        let mut sketch = Sketch::new(&shape, encoding(0.05, -3));
        let values = noise(5, 24).iter().map(|x| (x * 120.0) as i8).collect();
        let (scales, bias) = (vec![0.01, 0.02, 0.005, 0.03], vec![7, -900, 30, 0]);
        let (name, bias_name) = ("w".to_owned(), None);
        let weights = Weights { shape: vec![6, 4], values, scales, bias, name, bias_name };
        let output = [&shape[..shape.len() - 1], &[4]].concat();
        let operator = QuantizedOperator::Dense { weights };
        let y = sketch.node("y", operator, &[TensorId(0)], (&output, encoding(0.04, 9)));
        sketch.0.nodes[0].clamp = [-100, 90];
        assert_eq!(check(&sketch.finish(&[y]), ALL).0, expected, "{shape:?}");
    }
}
