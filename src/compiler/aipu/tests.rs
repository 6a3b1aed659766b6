//! A node that just fits and one that just does not for every constraint of the table, and where nodes of small networks
//! run.

use std::collections::BTreeSet;

use super::*;
use crate::compiler::aipu::placement::fault;
use crate::compiler::onnx::ImportOptions;
use crate::compiler::onnx::NoExternalData;
use crate::compiler::onnx::OnnxFile;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::onnx::sample::Sample;
use crate::compiler::onnx::sample::attribute;
use crate::compiler::onnx::sample::numbers;

/// Where the node of a case stands.
#[derive(Clone, Copy)]
enum Around {
    Nowhere,
    Attention,
    End,
}
use Around::{Attention, End, Nowhere};

/// One node: operator and opset; inputs as in [`crate::compiler::onnx::sample::Case`], with `y[1,2]` for what a Relu
/// computes and `=` for the first input again; attributes; where it stands; and a part of what is found against it, empty
/// where it is accelerated.
struct Case(&'static str, &'static str, &'static str, Around, &'static str);

const CASES: &[Case] = &[
    Case("Add-17", "x[1,3,4,4] x[1,3,4,4]", "", Nowhere, ""),
    Case("Add-17", "x[1,3,4,4] w[1,3,1,1]", "", Nowhere, ""),
    Case("Add-17", "w[1] x[1,3,4,4]", "", Nowhere, ""),
    Case("Add-17", "x[1,3] w[1]", "", Nowhere, "an operand is a constant"),
    Case("Add-17", "x[1,3,4,4] w[1,3,4,4]", "", Nowhere, "an operand is a constant; the shapes are [1, 3, 4, 4]"),
    Case("Add-17", "x[1,3,4,4] w[3,1,1]", "", Nowhere, "the shapes are [1, 3, 4, 4] and [3, 1, 1]"),
    Case("Add-17", "x[1,3,4,4] x[1,1,4,4]", "", Nowhere, "the shapes are [1, 3, 4, 4] and [1, 1, 4, 4]"),
    Case("AveragePool-17", "x[1,3,8,8]", "kernel_shape=[2,2] pads=[1,1,1,1] count_include_pad=1", Nowhere, ""),
    Case("AveragePool-17", "x[1,3,8,8]", "kernel_shape=[3,3] auto_pad=VALID", Nowhere, "`auto_pad` is VALID"),
    Case("AveragePool-17", "x[1,3,8]", "kernel_shape=[3] pads=[1,1] count_include_pad=1", Nowhere, "`pads` is [1, 1]"),
    Case(
        "AveragePool-17",
        "x[1,3,8,8]",
        "kernel_shape=[3,3] pads=[1,1,0,0] count_include_pad=1",
        Nowhere,
        "`pads` is [1, 1, 0, 0]",
    ),
    Case(
        "AveragePool-17",
        "x[1,3,8,8]",
        "kernel_shape=[3,3] pads=[2,2,2,2] count_include_pad=1",
        Nowhere,
        "with a kernel of [3, 3]",
    ),
    Case("AveragePool-17", "x[1,3,8,8]", "kernel_shape=[3,3] pads=[1,1,1,1]", Nowhere, "`count_include_pad` is not 1"),
    Case("BatchNormalization-17", "x[1,2,4,4] w[2] w[2] w[2] w[2]", "", Nowhere, ""),
    Case("Clip-17", "x[1,3] f0.0 f6.0", "", Nowhere, ""),
    Case("Clip-17", "x[1,3] f-1.0 f1.0", "", Nowhere, ""),
    Case("Clip-7", "x[1,3]", "min=0.0 max=6.0", Nowhere, ""),
    Case("Clip-17", "x[1,3] f0.0 f1.0", "", Nowhere, "the bounds are (0, 1)"),
    Case("Clip-17", "x[1,3] f0.0", "", Nowhere, "there is only a lower bound, 0"),
    Case("Concat-17", "x[1,3,4,4] x[1,3,4,4]", "axis=1", Nowhere, ""),
    Case("Concat-17", "x[1,3,4,4] x[1,3,4,4]", "axis=-1", Nowhere, ""),
    Case("Concat-17", "x[1,3,4,4] x[1,3,4,4]", "axis=0", Nowhere, "`axis` is 0"),
    Case("Concat-17", "x[1,3,4] x[1,3,4]", "axis=1", Nowhere, "an input has 3 axes"),
    Case("Conv-17", "x[1,2,9,9] w[4,2,1,3]", "strides=[2,1] dilations=[1,2]", Nowhere, ""),
    Case("Conv-17", "x[1,2,9,9] w[4,2,3,3]", "auto_pad=SAME_UPPER", Nowhere, "`auto_pad` is SAME_UPPER"),
    Case("Conv-17", "x[1,2,16,16] w[2,1,11,11]", "group=2", Nowhere, ""),
    Case("Conv-17", "x[1,2,16,16] w[2,1,12,12]", "group=2", Nowhere, "the dilated kernel has 144 elements"),
    Case("Conv-17", "x[1,2,16,16] w[2,1,3,3]", "group=2 dilations=[5,5]", Nowhere, ""),
    Case("Conv-17", "x[1,2,16,16] w[2,1,3,3]", "group=2 dilations=[6,6]", Nowhere, "has 169 elements"),
    Case("Conv-17", "x[1,2,9,9] w[2,1,1,3]", "group=2", Nowhere, "the kernel is [1, 3]"),
    Case("Conv-17", "x[1,2,9,9] w[2,1,3,3]", "group=2 strides=[2,1]", Nowhere, "`strides` is [2, 1]"),
    Case("Conv-17", "x[1,2,9,9] w[2,1,3,3]", "group=2 dilations=[1,2]", Nowhere, "`dilations` is [1, 2]"),
    Case("ConvTranspose-17", "x[1,2,4,4] w[2,3,2,2]", "strides=[2,2] pads=[1,0,1,0]", Nowhere, ""),
    Case("ConvTranspose-17", "x[1,2,4,4] w[2,3,2,2]", "auto_pad=SAME_LOWER", Nowhere, "`auto_pad` is SAME_LOWER"),
    Case("ConvTranspose-17", "x[1,2,4,4] w[2,3,2,2]", "group=2", Nowhere, "`group` is 2"),
    Case("ConvTranspose-17", "x[1,2,4,4] w[2,3,2,2]", "pads=[0,0,1,1]", Nowhere, "`pads` is [0, 0, 1, 1]"),
    Case("ConvTranspose-17", "x[1,2,4,4] w[2,3,2,2]", "output_shape=[8,8]", Nowhere, "`output_shape` is given"),
    Case("Flatten-17", "x[1,3,4,4]", "axis=0", End, ""),
    Case("Flatten-17", "x[1,3,4,4]", "axis=-3", End, "`axis` is -3"),
    Case("Flatten-17", "x[1,3,4,4]", "", Nowhere, "another operator than Gemm reads it"),
    Case("Gemm-17", "x[1,3] w[3,4]", "", Nowhere, ""),
    Case("Gemm-17", "x[3,1] w[3,4]", "transA=1", Nowhere, "`transA` is 1"),
    Case("GlobalAveragePool-17", "x[1,3,4,4]", "", Nowhere, ""),
    Case("GlobalMaxPool-17", "x[1,3,4,4]", "", Nowhere, ""),
    Case("HardSigmoid-17", "x[1,3]", "alpha=0.166670", Nowhere, ""),
    Case("HardSigmoid-17", "x[1,3]", "alpha=0.166675", Nowhere, "`alpha` is 0.166675"),
    Case("HardSigmoid-17", "x[1,3]", "", Nowhere, "`alpha` is 0.2"),
    Case("HardSigmoid-17", "x[1,3]", "alpha=0.166670 beta=0.50001", Nowhere, "`beta` is 0.50001"),
    Case("HardSwish-17", "x[1,3]", "", Nowhere, ""),
    Case("LeakyRelu-17", "x[1,3]", "alpha=0.3", Nowhere, ""),
    Case("MatMul-17", "x[1,2,3,4] x[1,2,4,3]", "", Attention, ""),
    Case("MatMul-17", "x[1,2,3,4] w[1,2,4,3]", "", Nowhere, "it is in no attention block"),
    Case("MaxPool-17", "x[1,3,8,8]", "kernel_shape=[5,3] pads=[0,1,2,1]", Nowhere, ""),
    Case("MaxPool-17", "x[1,3,8,8]", "kernel_shape=[2,2] auto_pad=VALID", Nowhere, "`auto_pad` is VALID"),
    Case("MaxPool-17", "x[1,3,8,8]", "kernel_shape=[2,2] storage_order=1", Nowhere, "`storage_order` is 1"),
    Case("Mul-17", "x[1,3,4,4] x[1,3,4,4]", "", Nowhere, ""),
    Case("Mul-17", "x[1,3,4,4] x[1,3,1,1]", "", Nowhere, ""),
    Case("Mul-17", "x[1,3,4,4] =", "", Nowhere, "both operands are one value"),
    Case("Mul-17", "x[1,3] w[3]", "", Nowhere, "the shapes are [1, 3] and [3]; an operand is a constant"),
    Case("PRelu-17", "x[1,3,4,4] w[3,1,1]", "", Nowhere, ""),
    Case("PRelu-17", "x[1,3,4,4] w[1]", "", Nowhere, ""),
    Case("PRelu-17", "x[1,3,4,4] w[3,1,4]", "", Nowhere, "the slopes have the shape [3, 1, 4]"),
    Case("Pad-17", "x[1,3,4,4] i[0,64,1,0,0,0,2,0] f0.0", "", Nowhere, ""),
    Case("Pad-7", "x[1,3,4,4]", "pads=[0,0,1,1,0,0,1,1]", Nowhere, ""),
    Case("Pad-17", "x[1,3,4,4] i[0,0,1,1,0,0,1,1] f1.0", "", Nowhere, "the value is 1"),
    Case("Pad-17", "x[1,3,4,4] i[0,0,1,1,0,0,1,1]", "mode=reflect", Nowhere, "`mode` is reflect"),
    Case("Pad-17", "x[1,3,4,4] i[1,0,0,0,0,0,0,0]", "", Nowhere, "the axis 0 is padded by 1 and 0"),
    Case("Pad-17", "x[1,3,4,4] i[0,0,0,0,0,63,0,0]", "", Nowhere, "the axis 1 is padded by 0 and 63"),
    Case("Pad-18", "x[1,3,4,4] i[1,1] - i[-3]", "", Nowhere, "the axis 1 is padded by 1 and 1"),
    Case("Relu-17", "x[1,3]", "", Nowhere, ""),
    Case("Reshape-17", "x[1,3,4,4] i[1,3,4,4]", "", Nowhere, ""),
    Case("Reshape-17", "x[1,3,1,1] i[1,-1]", "", Nowhere, ""),
    Case("Reshape-17", "x[1,3,4,4] i[1,3,16,1]", "", Attention, ""),
    Case("Reshape-17", "x[1,3,2,2] i[1,12]", "", Nowhere, "[1, 3, 2, 2] becomes [1, 12]; it is in no attention block"),
    Case("Resize-17", "x[1,3,4,4] - f[1.0,1.0,2.0,2.0]", "mode=linear", Nowhere, ""),
    Case("Resize-17", "x[1,3,4,4] - - i[1,3,9,11]", "", Nowhere, ""),
    Case("Resize-10", "x[1,3,4,4] f[1.0,1.0,2.0,3.0]", "", Nowhere, ""),
    Case("Upsample-9", "x[1,3,4,4] f[1.0,1.0,2.0,3.0]", "", Nowhere, ""),
    Case("Upsample-9", "x[1,3,4,4] f[1.0,1.0,2.0,2.0]", "mode=linear", Nowhere, "linear, asymmetric"),
    Case("Resize-17", "x[1,3,4,4] - f[1.0,1.0,2.0,2.0]", "mode=cubic", Nowhere, "the mode is cubic"),
    Case("Resize-17", "x[1,3,4,4] f[0.0,1.0] f[1.0,1.0,2.0,2.0]", "", Nowhere, "a region of interest is given"),
    Case("Resize-17", "x[1,3,4,4] - f[1.0,1.0,2.0,3.0]", "mode=linear", Nowhere, "linear from 4×4 to 8×12"),
    Case("Resize-17", "x[1,3,4,4] - - i[1,3,10,8]", "", Nowhere, "nearest from 4×4 to 10×8"),
    Case("Resize-17", "x[1,3,4,4] - f[1.0,1.0,2.0,2.0]", "nearest_mode=ceil", Nowhere, "nearest, half_pixel, ceil"),
    Case(
        "Resize-17",
        "x[1,3,4,4] - f[1.0,1.0,2.0,2.0]",
        "coordinate_transformation_mode=align_corners",
        Nowhere,
        "nearest, align_corners",
    ),
    Case("Selu-17", "x[1,3]", "", Nowhere, ""),
    Case("Selu-17", "x[1,3]", "alpha=1.6733", Nowhere, "`alpha` is 1.6733"),
    Case("Selu-17", "x[1,3]", "gamma=1.0508", Nowhere, "`gamma` is 1.0508"),
    Case("Sigmoid-17", "x[1,3]", "", Nowhere, ""),
    Case("Slice-17", "x[1,3,4,4] i[0] i[3] i[1] i[2]", "", Nowhere, ""),
    Case("Slice-17", "x[1,64,4,4] i[0] i[3] i[-1]", "", Nowhere, ""),
    Case("Slice-9", "x[1,3,4,4]", "starts=[0] ends=[2] axes=[1]", Nowhere, ""),
    Case("Slice-17", "x[1,63,4,4] i[0] i[3] i[2]", "", Nowhere, "the axis 2 of 63 channels is cut"),
    Case("Slice-17", "x[1,64,4,4] i[0] i[3] i[2] i[2]", "", Nowhere, "the steps are [2] on [2]"),
    Case("Slice-17", "x[1,64,4,4] i[0,0] i[3,3] i[2,3]", "", Nowhere, "the axes are [2, 3]"),
    Case("Slice-17", "x[1,64,4,4] i[0] i[1]", "", Nowhere, "no axes are given"),
    Case("Softmax-17", "x[1,2,3,4]", "axis=-1", Attention, ""),
    Case("Softmax-17", "x[1,2,3,4]", "axis=-1", Nowhere, "it is in no attention block"),
    Case("Split-17", "y[1,4,2,2]", "axis=1", Nowhere, ""),
    Case("Split-17", "x[1,4,2,2]", "axis=1", Nowhere, "it reads the network's input"),
    Case("Split-17", "y[2,4,2,2]", "axis=0", Nowhere, "`axis` is 0"),
    Case("Split-17", "y[2,4,2,2]", "", Nowhere, "`axis` is 0"),
    Case("Squeeze-17", "x[1,3,1,1] i[2,3]", "", End, ""),
    Case("Squeeze-7", "x[1,3,1,1]", "axes=[2,3]", End, ""),
    Case("Squeeze-17", "x[1,3,1,1] i[2,-1]", "", End, "`axes` is -1"),
    Case("Squeeze-17", "x[1,3,1,1] i[2,3]", "", Nowhere, "another operator than Gemm reads it"),
    Case("Sub-17", "x[1,3,4,4] w[1]", "", Nowhere, ""),
    Case("Sub-17", "x[1,3,4,4] x[1,3,4,4]", "", Nowhere, "the shapes are"),
    Case("Tanh-17", "x[1,3]", "", Nowhere, ""),
    Case("Transpose-17", "x[1,2,3,4]", "perm=[0,1,2,3]", Nowhere, ""),
    Case("Transpose-17", "x[1,2,3,4]", "perm=[0,1,3,2]", Attention, ""),
    Case("Transpose-17", "x[1,2,3,4]", "perm=[0,1,3,2]", Nowhere, "it is in no attention block"),
    Case("Transpose-17", "x[1,2,3,4]", "perm=[0,2,3,1]", Attention, "`perm` is [0, 2, 3, 1]"),
];

impl Case {
    /// A file whose last node is the case's.
    fn sample(&self) -> Sample {
        let Self(operator, inputs, attributes, ..) = self;
        let (operator, opset) = operator.split_once('-').expect("an operator and its opset");
        let mut sample = Sample::new(opset.parse().expect("an opset")).output("y");
        let mut names: Vec<String> = Vec::new();
        for (place, given) in inputs.split_whitespace().enumerate() {
            let (kind, value) = given.split_at(1);
            let name = format!("x{place}");
            sample = match kind {
                "x" => sample.input(&name, &numbers(value).1),
                "y" => {
                    let before = format!("before_{name}");
                    sample.input(&before, &numbers(value).1).node("Relu", &[&before], &[&name], &[])
                }
                "w" => sample.weights(&name, &numbers(value).1),
                "f" => {
                    let (shape, values) = numbers(value);
                    sample.floats(&name, &shape, &values)
                }
                "i" => {
                    let (shape, values) = numbers(value);
                    sample.integers(&name, &shape, &values)
                }
                _ => sample,
            };
            names.push(match kind {
                "-" => String::new(),
                "=" => names.first().cloned().unwrap_or_default(),
                _ => name,
            });
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let attributes: Vec<AttributeProto> = attributes.split_whitespace().map(attribute).collect();
        let outputs: &[&str] = if operator == "Split" { &["y", "rest"] } else { &["y"] };
        sample.node(operator, &names, outputs, &attributes)
    }

    fn around(&self) -> Surroundings {
        Surroundings { in_attention: matches!(self.3, Attention), is_before_gemm_or_last: matches!(self.3, End) }
    }
}

fn surveyed<T>(sample: &Sample, look: impl FnOnce(&crate::compiler::onnx::Survey<'_>) -> T) -> T {
    let file = OnnxFile::decode(&sample.bytes()).expect("an ONNX file");
    look(&file.survey(&NoExternalData, &ImportOptions::default()).expect("a survey"))
}

#[test]
fn what_fits_is_accelerated_and_what_does_not_says_why() {
    let mut wrong = Vec::new();
    for case in CASES {
        let Case(operator, inputs, attributes, _, expected) = case;
        let found = surveyed(&case.sample(), |survey| {
            let node = survey.nodes.last().expect("a node");
            fault(node, case.around()).map(|fault| fault.found)
        });
        let holds =
            found.as_ref().map_or(expected.is_empty(), |found| !expected.is_empty() && found.contains(expected));
        if !holds {
            wrong.push(format!("{operator} {inputs} {attributes}: expected {expected:?}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_constraint_of_the_table_has_a_case_that_it_refuses() {
    let mut accelerated = BTreeSet::new();
    let mut refused = BTreeSet::new();
    for case in CASES {
        surveyed(&case.sample(), |survey| {
            let node = survey.nodes.last().expect("a node");
            let row = row(&node.operator).expect("an operator of the table");
            if case.4.is_empty() {
                accelerated.insert(row.operator);
            }
            for constraint in row.ways.iter().copied().flatten() {
                if matches!(constraint.judge(node, case.around()), Verdict::Fails(_)) {
                    refused.insert((row.operator, constraint.to_string()));
                }
            }
        });
    }
    let without: Vec<&str> = rows().iter().map(|row| row.operator).filter(|it| !accelerated.contains(it)).collect();
    assert!(without.is_empty(), "no case that is accelerated: {without:?}");
    let all = rows().iter().flat_map(|row| row.ways.iter().copied().flatten().map(|it| (row.operator, it.to_string())));
    let untried: Vec<_> = all.filter(|it| !refused.contains(it)).collect();
    assert!(untried.is_empty(), "no case that the constraint refuses: {untried:#?}");
}

#[test]
fn the_table_is_in_order() {
    let names: Vec<&str> = rows().iter().map(|row| row.operator).collect();
    assert!(names.is_sorted(), "{names:?}");
}

/// Node and place, in order.
fn places(sample: &Sample, cuts: bool) -> String {
    surveyed(sample, |survey| {
        let placement = place(survey, cuts);
        let texts = placement.nodes.iter().map(|(node, place, _)| {
            let name = survey.nodes[*node].label.trim_start_matches("make_");
            let place = match place {
                Place::Preamble => "before",
                Place::Core => "core",
                Place::Postamble => "after",
                Place::Refused => "refused",
            };
            format!("{name}:{place}")
        });
        texts.collect::<Vec<_>>().join(" ")
    })
}

/// Transposed in, a convolution, transposed in between, a convolution, a softmax, a sigmoid.
fn network() -> Sample {
    Sample::new(17)
        .input("x", &[1, 8, 8, 3])
        .weights("w", &[8, 3, 3, 3])
        .weights("v", &[8, 8, 3, 3])
        .node("Relu", &["x"], &["r"], &[])
        .node("Transpose", &["r"], &["t"], &[AttributeProto::integers("perm", [0, 3, 1, 2])])
        .node("Conv", &["t", "w"], &["c"], &[])
        .node("Transpose", &["c"], &["turned"], &[AttributeProto::integers("perm", [0, 1, 3, 2])])
        .node("Identity", &["turned"], &["same"], &[])
        .node("Conv", &["same", "v"], &["d"], &[])
        .node("Softmax", &["d"], &["s"], &[AttributeProto::int("axis", 1)])
        .node("Sigmoid", &["s"], &["y"], &[])
        .output("y")
}

#[test]
fn the_core_is_between_what_the_host_can_run() {
    assert_eq!(places(&network(), true), "r:before t:before c:core turned:refused d:core s:after y:after");
    let uncut = "r:core t:refused c:core turned:refused d:core s:refused y:core";
    assert_eq!(places(&network(), false), uncut);
}

#[test]
fn a_small_layer_behind_the_last_cut_is_left_to_the_host() {
    let decoded = |channels: usize| {
        network().weights("z", &[channels, 8, 1, 1]).node("Conv", &["s", "z"], &["decoded"], &[]).output("decoded")
    };
    // 36 · 216 and 16 · 72 · 8 multiplications before it: the decoder has 16 · 8 for each channel.
    assert!(places(&decoded(1), true).ends_with("s:after y:after decoded:after"), "{}", places(&decoded(1), true));
    assert!(places(&decoded(8), true).contains("s:refused"), "{}", places(&decoded(8), true));
}

#[test]
fn attention_is_known_by_its_two_products() {
    let block = |reader: &'static str| {
        Sample::new(17)
            .input("x", &[1, 8, 4, 4])
            .weights("w", &[24, 8, 1, 1])
            .weights("v", &[8, 8, 1, 1])
            .integers("heads", &[4], &[1, 2, 12, 16])
            .integers("image", &[4], &[1, 8, 4, 4])
            .integers("sizes", &[3], &[4, 4, 4])
            .floats("scale", &[1], &[0.5])
            .node("Conv", &["x", "w"], &["c"], &[])
            .node("Reshape", &["c", "heads"], &["h"], &[])
            .node("Split", &["h", "sizes"], &["q", "k", "v_"], &[AttributeProto::int("axis", 2)])
            .node("Transpose", &["q"], &["qt"], &[AttributeProto::integers("perm", [0, 1, 3, 2])])
            .node("MatMul", &["qt", "k"], &["product"], &[])
            .node("Mul", &["product", "scale"], &["scaled"], &[])
            .node("Softmax", &["scaled"], &["soft"], &[AttributeProto::int("axis", -1)])
            .node("Transpose", &["soft"], &["st"], &[AttributeProto::integers("perm", [0, 1, 3, 2])])
            .node(reader, &["v_", "st"], &["mixed"], &[])
            .node("Reshape", &["mixed", "image"], &["i"], &[])
            .node("Conv", &["i", "v"], &["y"], &[])
            .output("y")
    };
    let mut sample = block("MatMul");
    // The embedded compiler refuses such products, so the file has to say their shapes.
    for (name, shape) in [("product", [1, 2, 16, 16]), ("mixed", [1, 2, 4, 16])] {
        let info = crate::compiler::onnx::proto::ValueInfoProto::tensor(name, 1, &shape);
        sample.graph().value_info.push(info);
    }
    let found = places(&sample, true);
    assert!(!found.contains("refused"), "{found}");
    let other = places(&block("Add"), true);
    assert!(other.contains("soft:refused") && other.contains("h:refused"), "{other}");
}

#[test]
fn a_flatten_may_stand_before_gemm_and_at_the_end() {
    let flat = |readers: &[&'static str]| {
        let mut sample = Sample::new(17)
            .input("x", &[1, 3, 2, 2])
            .weights("w", &[12, 4])
            .node("Relu", &["x"], &["r"], &[])
            .node("Flatten", &["r"], &["f"], &[])
            .output("f");
        for reader in readers {
            let inputs: &[&str] = if *reader == "Gemm" { &["f", "w"] } else { &["f"] };
            sample = sample.node(reader, inputs, &[reader], &[]).output(reader);
        }
        surveyed(&sample, |survey| place(survey, true).nodes.iter().any(|(_, _, fault)| fault.is_some()))
    };
    assert!(!flat(&[]) && !flat(&["Gemm"]) && !flat(&["Identity"]) && flat(&["Gemm", "Relu"]) && flat(&["Tanh"]));
}

#[test]
fn a_survey_of_a_skimmed_file_is_that_of_the_whole_one() {
    let sample = network().weights("dense", &[8 * 16, 200]).integers("flat", &[2], &[1, -1]);
    let sample = sample
        .node("Reshape", &["d", "flat"], &["vector"], &[])
        .node("Gemm", &["vector", "dense"], &["g"], &[])
        .output("g");
    let bytes = sample.bytes();
    let whole = OnnxFile::decode(&bytes).expect("an ONNX file");
    let skimmed = OnnxFile::skim(std::io::Cursor::new(&bytes), bytes.len() as u64).expect("an ONNX file");
    let text = |file: &OnnxFile| {
        let survey = file.survey(&NoExternalData, &ImportOptions::default()).expect("a survey");
        assert!(!survey.is_doubtful && survey.problem.is_none(), "{:?}", survey.problem);
        format!("{:?}", place(&survey, true))
    };
    assert_eq!(text(&whole), text(&skimmed));
}
