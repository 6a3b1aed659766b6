//! The operators that the AIPU accelerates and under which conditions: one row an operator, nothing else knows any.

use std::ops::RangeInclusive;

use crate::compiler::aipu::constraint::Constraint;
use crate::compiler::aipu::constraint::Constraint::{
    Absent, AreaBelow, AtLeast, AtMostHalfKernel, AxisOneOf, BeforeGemmOrLast, BothComputed, ChannelPaddingOf,
    ClipBounds, Counted, DifferentOperands, EqualShapes, FourPads, Identity, ImageToVector, InAttention, Integer, Near,
    NoBatchPadding, NoOperation, NoRegion, NotFirst, OneAxisGiven, Permutation, Ranks, ResizeCoordinates, ResizeFactor,
    ResizeMode, ScalarOrChannels, Slope, Square, StepOnChannels, Symmetric, Text, WhenGrouped, WholeWords, ZeroPadding,
};
use crate::compiler::aipu::constraint::Side;

/// Opsets that the constraints are stated for.
pub const OPSETS: RangeInclusive<i64> = 14..=17;

/// Older opsets, which are converted up where the operators' meaning allows.
pub const CONVERTED_OPSETS: RangeInclusive<i64> = 7..=13;

/// One operator of the AIPU.
#[derive(Debug)]
pub struct Row {
    /// The ONNX operator.
    pub operator: &'static str,
    /// Names that it had in older opsets.
    pub former_names: &'static [&'static str],
    /// The node is accelerated when all constraints of one of these ways hold; one way without constraints: always.
    pub ways: &'static [&'static [Constraint]],
}

const fn row_of(operator: &'static str, ways: &'static [&'static [Constraint]]) -> Row {
    Row { operator, former_names: &[], ways }
}

const ALWAYS: &[&[Constraint]] = &[&[]];

const NO_AUTO_PAD: Constraint = Text { attribute: "auto_pad", allowed: &["NOTSET"] };

/// By name.
static ROWS: &[Row] = &[
    row_of("Add", &[&[EqualShapes, BothComputed], &[ScalarOrChannels]]),
    row_of("AveragePool", &[&[NO_AUTO_PAD, FourPads, Symmetric, AtMostHalfKernel, Counted]]),
    row_of("BatchNormalization", ALWAYS),
    row_of("Clip", &[&[ClipBounds(&[(0.0, 6.0), (-1.0, 1.0)])]]),
    row_of("Concat", &[&[Ranks(4), AxisOneOf(&[1, 2, 3])]]),
    row_of(
        "Conv",
        &[&[
            NO_AUTO_PAD,
            WhenGrouped(&Square(Side::Kernel)),
            WhenGrouped(&Square(Side::Stride)),
            WhenGrouped(&Square(Side::Dilation)),
            WhenGrouped(&AreaBelow(128)),
        ]],
    ),
    row_of(
        "ConvTranspose",
        &[&[NO_AUTO_PAD, Integer { attribute: "group", value: 1, default: 1 }, Symmetric, Absent("output_shape")]],
    ),
    row_of("Flatten", &[&[BeforeGemmOrLast, AtLeast { attribute: "axis", least: 0 }]]),
    row_of("Gemm", &[&[Integer { attribute: "transA", value: 0, default: 0 }]]),
    row_of("GlobalAveragePool", ALWAYS),
    row_of("GlobalMaxPool", ALWAYS),
    row_of(
        "HardSigmoid",
        &[&[
            Near { attribute: "alpha", value: 1.0 / 6.0, default: 0.2 },
            Near { attribute: "beta", value: 0.5, default: 0.5 },
        ]],
    ),
    row_of("HardSwish", ALWAYS),
    row_of("LeakyRelu", ALWAYS),
    row_of("MatMul", &[&[InAttention]]),
    row_of("MaxPool", &[&[NO_AUTO_PAD, Integer { attribute: "storage_order", value: 0, default: 0 }]]),
    row_of("Mul", &[&[DifferentOperands, EqualShapes, BothComputed], &[DifferentOperands, ScalarOrChannels]]),
    row_of("PRelu", &[&[Slope]]),
    row_of("Pad", &[&[ZeroPadding, NoBatchPadding, ChannelPaddingOf(64)]]),
    row_of("Relu", ALWAYS),
    row_of("Reshape", &[&[NoOperation], &[ImageToVector], &[InAttention]]),
    Row {
        operator: "Resize",
        former_names: &["Upsample"],
        ways: &[&[ResizeMode(&["nearest", "linear"]), NoRegion, ResizeCoordinates, ResizeFactor]],
    },
    row_of(
        "Selu",
        &[&[
            Near { attribute: "alpha", value: 1.67326, default: 1.673_263_2 },
            Near { attribute: "gamma", value: 1.0507, default: 1.050_701 },
        ]],
    ),
    row_of("Sigmoid", ALWAYS),
    row_of("Slice", &[&[OneAxisGiven, StepOnChannels, WholeWords(64)]]),
    row_of("Softmax", &[&[InAttention]]),
    row_of("Split", &[&[AtLeast { attribute: "axis", least: 1 }, NotFirst]]),
    row_of("Squeeze", &[&[BeforeGemmOrLast, AtLeast { attribute: "axes", least: 0 }]]),
    row_of("Sub", &[&[ScalarOrChannels]]),
    row_of("Tanh", ALWAYS),
    row_of("Transpose", &[&[Identity], &[Permutation(&[0, 1, 3, 2]), InAttention]]),
];

/// All rows, by the operator's name.
#[must_use]
pub fn rows() -> &'static [Row] {
    ROWS
}

/// The row of an operator, also under a former name; `None` for one that the AIPU has not.
#[must_use]
pub fn row(operator: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.operator == operator || row.former_names.contains(&operator))
}
