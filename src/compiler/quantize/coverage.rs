//! Whether the integer reference has every operator that the AIPU accelerates.

use crate::base::CancelToken;
use crate::base::Share;
use crate::compiler::aipu;
use crate::compiler::calibrate::Samples;
use crate::compiler::calibrate::Scheme;
use crate::compiler::calibrate::Watch;
use crate::compiler::clean::clean;
use crate::compiler::graph::Graph;
use crate::compiler::lower::LowerOptions;
use crate::compiler::lower::load_program;
use crate::compiler::lower::lower;
use crate::compiler::onnx::sample::Case;
use crate::compiler::quantize::QuantizeOptions;
use crate::compiler::quantize::quantize;
use crate::compiler::quantize::tests::noise;
use crate::compiler::reference;

/// Noise for every input of a network.
struct Inputs(Vec<usize>);

impl Samples for Inputs {
    fn len(&self) -> usize {
        4
    }

    fn load(&self, index: usize) -> Result<Vec<Vec<f32>>, String> {
        let input = |(place, &count): (usize, &usize)| noise((index * 10 + place + 1) as u64, count);
        Ok(self.0.iter().enumerate().map(input).collect())
    }

    fn label(&self, _index: usize) -> Option<usize> {
        None
    }
}

/// One node of each operator, and the operator that it comes to.
const NODES: [Case; 35] = [
    Case("Add-17", "x[1,4,6,6] x[1,4,6,6]", "", Ok("Add")),
    Case("AveragePool-17", "x[1,4,6,6]", "kernel_shape=[3,3] strides=[2,2]", Ok("AveragePool")),
    Case("BatchNormalization-17", "x[1,4,6,6] w[4] w[4] w[4] w[4]", "", Ok("Conv")),
    Case("Clip-17", "x[1,4,6,6] f-1.0 f1.0", "", Ok("Clip")),
    Case("Concat-17", "x[1,4,6,6] x[1,2,6,6]", "axis=1", Ok("Concat")),
    Case("Conv-17", "x[1,4,6,6] w[3,4,3,3] w[3]", "", Ok("Conv")),
    Case("ConvTranspose-17", "x[1,4,6,6] w[4,3,2,2] w[3]", "strides=[2,2]", Ok("ConvTranspose")),
    Case("Flatten-17", "x[1,4,6,6]", "", Ok("Reshape")),
    Case("Gemm-17", "x[1,24] w[24,5] w[5]", "", Ok("MatMul")),
    Case("GlobalAveragePool-17", "x[1,4,6,6]", "", Ok("GlobalAveragePool")),
    Case("GlobalMaxPool-17", "x[1,4,6,6]", "", Ok("GlobalMaxPool")),
    Case("HardSigmoid-17", "x[1,4,6,6]", "alpha=0.1666667 beta=0.5", Ok("HardSigmoid")),
    Case("HardSwish-17", "x[1,4,6,6]", "", Ok("HardSwish")),
    Case("LeakyRelu-17", "x[1,4,6,6]", "", Ok("LeakyRelu")),
    Case("MatMul-17", "x[1,4,6,5] x[1,4,5,7]", "", Ok("MatMul")),
    Case("MaxPool-17", "x[1,4,6,6]", "kernel_shape=[3,3] strides=[2,2]", Ok("MaxPool")),
    Case("Mul-17", "x[1,4,6,6] w[4,1,1]", "", Ok("Mul")),
    Case("PRelu-17", "x[1,4,6,6] w[4,1,1]", "", Ok("Add")),
    Case("Pad-17", "x[1,4,6,6] i[0,0,1,1,0,0,1,1]", "", Ok("Pad")),
    Case("Relu-17", "x[1,4,6,6]", "", Ok("Relu")),
    Case("Reshape-17", "x[1,24,1,1] i[1,24]", "", Ok("Reshape")),
    Case("Resize-17", "x[1,4,6,6] - f[1.0,1.0,2.0,2.0]", "", Ok("Resize")),
    Case("Resize-17", "x[1,4,6,6] - f[1.0,1.0,2.0,2.0]", "mode=linear", Ok("Resize")),
    Case("Upsample-9", "x[1,4,6,6] f[1.0,1.0,2.0,2.0]", "mode=linear", Ok("Resize")),
    Case("Selu-17", "x[1,4,6,6]", "alpha=1.67326 gamma=1.0507", Ok("Selu")),
    Case("Sigmoid-17", "x[1,4,6,6]", "", Ok("Sigmoid")),
    Case("Slice-17", "x[1,4,6,6] i[1] i[3] i[1]", "", Ok("Slice")),
    Case("Softmax-17", "x[1,4,6,6]", "axis=-1", Ok("Softmax")),
    Case("Split-17", "x[1,4,6,6] i[4]", "axis=1", Ok("Slice")),
    Case("Squeeze-17", "x[1,24,1,1] i[2,3]", "", Ok("Reshape")),
    Case("Sub-17", "x[1,4,6,6] w[4,1,1]", "", Ok("Sub")),
    Case("Sub-17", "x[1,4,6,6] f0.5", "", Ok("Sub")),
    Case("Tanh-17", "x[1,4,6,6]", "", Ok("Tanh")),
    Case("Transpose-17", "x[1,4,6,6]", "perm=[0,1,2,3]", Ok("Reshape")),
    Case("Transpose-17", "x[1,4,6,5]", "perm=[0,1,3,2]", Ok("Transpose")),
];

/// Operators that the AIPU does not accelerate, as above, and whether a part of them stays in float.
const OTHERS: [(Case, bool); 15] = [
    (Case("Affine-9", "x[1,4,6,6]", "alpha=2.5 beta=0.5", Ok("Add")), false),
    (Case("Crop-9", "x[1,4,6,6]", "border=[1,0,2,1]", Ok("Slice")), false),
    (Case("Elu-17", "x[1,4,6,6]", "", Ok("Elu")), false),
    (Case("Erf-17", "x[1,4,6,6]", "", Ok("Erf")), false),
    (Case("Exp-17", "x[1,4,6,6]", "", Ok("Exp")), false),
    (Case("com.microsoft.FusedConv-17", "x[1,4,6,6] w[3,4,3,3] w[3]", "activation=Relu", Ok("Conv")), false),
    (Case("ImageScaler-9", "x[1,2,6,6]", "bias=[0.5,-0.5] scale=2.0", Ok("Add")), false),
    (Case("InstanceNormalization-17", "x[1,4,6,6] w[4] w[4]", "", Ok("InstanceNormalization")), true),
    (Case("LayerNormalization-17", "x[1,6,24] w[24] w[24]", "", Ok("Add")), true),
    (Case("Pad-17", "x[1,4,6,6] i[0,0,2,1,0,0,1,2]", "mode=reflect", Ok("Pad")), false),
    (Case("Pad-17", "x[1,4,6,6] i[0,0,2,1,0,0,1,2]", "mode=edge", Ok("Pad")), false),
    (Case("Pow-17", "x[1,4,6,6] f3.0", "", Ok("Pow")), false),
    (Case("ReduceSum-17", "x[1,4,6,6] i[1]", "", Ok("Mul")), false),
    (Case("Softplus-17", "x[1,4,6,6]", "", Ok("Softplus")), false),
    (Case("Softsign-17", "x[1,4,6,6]", "", Ok("Softsign")), false),
];

/// The operators that a graph is quantized to, and whether one of them is computed in float; what is wrong where they do
/// not compute what float does.
fn quantized(graph: Graph) -> Result<(Vec<&'static str>, bool), String> {
    let (graph, _) = clean(graph).map_err(|error| error.to_string())?;
    let sizes = graph.inputs.iter().map(|&input| graph.value(input).shape.iter().product());
    let samples = Inputs(sizes.collect());
    let options =
        QuantizeOptions { scheme: Scheme::PerTensorMinMax, depthwise_channels: false, class_count: None, threads: 1 };
    let watch = Watch { cancel: &CancelToken::new(), progress: &|_, _, _| () };
    let made = quantize(&graph, &samples, &samples, &options, &watch).map_err(|error| error.to_string())?;
    let quality = made.report.evaluation.as_ref().and_then(|evaluation| evaluation.sqnr_db);
    if quality.is_none_or(|quality| quality < 30.0) {
        return Err(format!("an SQNR of {quality:?} dB"));
    }
    let inputs = samples.load(9)?;
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let options = LowerOptions::new(1, Share::WHOLE);
    let compiled = lower(&made.graph, &options).map_err(|error| error.to_string())?;
    let program = load_program(&|name| {
        let file = compiled.files.iter().find(|file| file.0 == name);
        file.map(|file| file.1.clone()).ok_or_else(|| "there is no such file".to_owned())
    });
    if program.and_then(|program| program.run(&inputs)) != reference::run(&made.graph, &inputs) {
        return Err("the lowered program computes something else".to_owned());
    }
    let names = made.graph.nodes.iter().map(|node| node.operator.name()).collect();
    Ok((names, !made.report.float_islands.is_empty()))
}

/// What is wrong with a case that must come to its operator, in float or not.
fn check(case: &Case, in_float: bool) -> Option<String> {
    let Case(operator, inputs, attributes, expected) = case;
    let found = case.graph().map_err(|error| error.to_string()).and_then(quantized);
    match (&found, expected) {
        (Ok((names, found)), Ok(expected)) if names.last() == Some(expected) && *found == in_float => None,
        _ => Some(format!("{operator} {inputs} {attributes}: {found:?}, expected {expected:?}, {in_float}")),
    }
}

#[test]
fn operators_beyond_the_aipu_run_on_integers_or_are_counted_as_float() {
    let wrong: Vec<String> = OTHERS.iter().filter_map(|(case, in_float)| check(case, *in_float)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_operator_of_the_aipu_runs_on_integers() {
    let mut wrong: Vec<String> = NODES.iter().filter_map(|case| check(case, false)).collect();
    let has = |name: &str| NODES.iter().any(|Case(operator, ..)| operator.split('-').next() == Some(name));
    for row in aipu::rows() {
        let names = row.former_names.iter().chain([&row.operator]);
        wrong.extend(names.filter(|name| !has(name)).map(|name| format!("there is no case of `{name}`")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
