//! The kinds of constraints of the table: what each asks of a node, and how it reads.

use std::fmt;

use crate::compiler::aipu::geometry;
use crate::compiler::aipu::resampling;
use crate::compiler::graph::Data;
use crate::compiler::graph::element_count;
use crate::compiler::onnx::Operand;
use crate::compiler::onnx::SurveyedNode;

/// What two numbers of a window a constraint is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Height and width of the kernel.
    Kernel,
    /// Strides.
    Stride,
    /// Dilations.
    Dilation,
}

/// One condition on a node. `ROWS` in `table.rs` says which operator has which.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Constraint {
    /// A text attribute is absent or one of these, of which the first is its default.
    Text {
        /// Its name.
        attribute: &'static str,
        /// Its values.
        allowed: &'static [&'static str],
    },
    /// An integer attribute has one value.
    Integer {
        /// Its name.
        attribute: &'static str,
        /// The value.
        value: i64,
        /// The value of a node without it.
        default: i64,
    },
    /// An integer attribute, or every entry of one (since opset 13 of the second input), is not below a number.
    AtLeast {
        /// Its name.
        attribute: &'static str,
        /// The number.
        least: i64,
    },
    /// A float attribute is within 5·10⁻⁶ of a number.
    Near {
        /// Its name.
        attribute: &'static str,
        /// The number.
        value: f32,
        /// The value of a node without it.
        default: f32,
    },
    /// An attribute is not given.
    Absent(&'static str),
    /// Holds for nodes with one group; others must satisfy the inner one.
    WhenGrouped(&'static Self),
    /// Two numbers of the window are the same.
    Square(Side),
    /// The dilated kernel covers fewer elements.
    AreaBelow(usize),
    /// Pads are absent or four.
    FourPads,
    /// As much padding before as after, for H and for W.
    Symmetric,
    /// Padding of at most half the kernel.
    AtMostHalfKernel,
    /// Padding that is not 0 counts in the average.
    Counted,
    /// Both operands have the same shape.
    EqualShapes,
    /// Neither operand is a constant.
    BothComputed,
    /// The operands are two values.
    DifferentOperands,
    /// A tensor of four axes with a scalar or with `[1, C, 1, 1]`.
    ScalarOrChannels,
    /// Bounds are one of these pairs.
    ClipBounds(&'static [(f32, f32)]),
    /// One slope, or one for each channel.
    Slope,
    /// All inputs have so many axes.
    Ranks(usize),
    /// The axis, counted from the front or the back, is one of these.
    AxisOneOf(&'static [usize]),
    /// Padding is with the constant 0.
    ZeroPadding,
    /// The batch is not padded.
    NoBatchPadding,
    /// Channels are padded by multiples of a number.
    ChannelPaddingOf(usize),
    /// There is exactly one axis, and it is said which.
    OneAxisGiven,
    /// A step other than 1 is on channels.
    StepOnChannels,
    /// An axis other than channels needs a multiple of so many channels.
    WholeWords(usize),
    /// It is not the first operator of the network.
    NotFirst,
    /// The mode is one of these.
    ResizeMode(&'static [&'static str]),
    /// No region of interest is given.
    NoRegion,
    /// Coordinates that the hardware can compute.
    ResizeCoordinates,
    /// Factors that the hardware can compute.
    ResizeFactor,
    /// Only Gemm reads it, or it is an output of the network.
    BeforeGemmOrLast,
    /// The output has the shape of the input.
    NoOperation,
    /// `[1, N, 1, 1]` to `[1, N]`.
    ImageToVector,
    /// The permutation changes no order.
    Identity,
    /// The permutation is this one.
    Permutation(&'static [i64]),
    /// It stands in an attention block as in YOLO11.
    InAttention,
}

/// What a constraint says of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is satisfied.
    Holds,
    /// It is not; what was found.
    Fails(String),
    /// A shape or a value that it is on is not known.
    Unknown,
}

impl Verdict {
    pub(super) fn of(holds: Option<bool>, found: impl FnOnce() -> String) -> Self {
        match holds {
            Some(true) => Self::Holds,
            Some(false) => Self::Fails(found()),
            None => Self::Unknown,
        }
    }
}

/// What a constraint may have to know beyond the node.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings {
    /// Whether the node stands in an attention block.
    pub in_attention: bool,
    /// Whether it computes an output of the network, or only Gemm reads it.
    pub is_before_gemm_or_last: bool,
}

/// How far a float attribute may be from its number.
const TOLERANCE: f32 = 5e-6;

pub(super) fn shape_text(shape: Option<&[usize]>) -> String {
    shape.map_or_else(|| "unknown".to_owned(), |shape| format!("{shape:?}"))
}

/// The integers of a constant.
pub(super) fn integers(operand: &Operand) -> Option<&[i64]> {
    operand.value.as_ref().filter(|value| !value.is_unread())?.as_i64()
}

/// The only element of a constant, as a float.
pub(super) fn scalar(operand: &Operand) -> Option<f32> {
    match operand.value.as_ref()?.data() {
        Data::F32(values) if values.len() == 1 => values.first().copied(),
        Data::I64(values) if values.len() == 1 => values.first().map(|&value| value as f32),
        _ => None,
    }
}

/// Integers that are an attribute in old opsets and an input in newer ones.
pub(super) fn attribute_or_input<'a>(node: &'a SurveyedNode<'_>, attribute: &str, place: usize) -> Option<&'a [i64]> {
    node.integers(attribute).or_else(|| integers(node.input(place)?))
}

fn is_scalar(shape: &[usize]) -> bool {
    element_count(shape) == Some(1)
}

fn is_channels(shape: &[usize], image: &[usize]) -> bool {
    matches!((shape, image), (&[1, c, 1, 1], &[_, channels, ..]) if c == channels)
}

impl Constraint {
    /// Whether a node satisfies it.
    #[must_use]
    pub fn judge(&self, node: &SurveyedNode<'_>, around: Surroundings) -> Verdict {
        let shapes = || (node.input_shape(0), node.input_shape(1));
        let both = || shapes().0.zip(shapes().1);
        match *self {
            Self::Text { attribute, allowed } => {
                let found = node.text(attribute).filter(|text| !text.is_empty());
                Verdict::of(Some(found.is_none_or(|text| allowed.contains(&text))), || {
                    format!("`{attribute}` is {}", found.unwrap_or_default())
                })
            }
            Self::Integer { attribute, value, default } => {
                let found = node.integer(attribute).unwrap_or(default);
                Verdict::of(Some(found == value), || format!("`{attribute}` is {found}"))
            }
            Self::AtLeast { attribute, least } => at_least(node, attribute, least),
            Self::Near { attribute, value, default } => {
                let found = node.float(attribute).unwrap_or(default);
                Verdict::of(Some((found - value).abs() <= TOLERANCE), || format!("`{attribute}` is {found}"))
            }
            Self::Absent(attribute) => Verdict::of(Some(!node.has(attribute)), || format!("`{attribute}` is given")),
            Self::WhenGrouped(inner) if node.integer("group").unwrap_or(1) != 1 => inner.judge(node, around),
            Self::WhenGrouped(_) => Verdict::Holds,
            Self::Square(_)
            | Self::AreaBelow(_)
            | Self::FourPads
            | Self::Symmetric
            | Self::AtMostHalfKernel
            | Self::Counted => geometry::judge_window(*self, node),
            Self::ZeroPadding | Self::NoBatchPadding | Self::ChannelPaddingOf(_) => geometry::judge_pad(*self, node),
            Self::OneAxisGiven | Self::StepOnChannels | Self::WholeWords(_) => geometry::judge_slice(*self, node),
            Self::ResizeMode(_) | Self::NoRegion | Self::ResizeCoordinates | Self::ResizeFactor => {
                resampling::judge(*self, node)
            }
            Self::EqualShapes => Verdict::of(both().map(|(a, b)| a == b), || {
                format!("the shapes are {} and {}", shape_text(shapes().0), shape_text(shapes().1))
            }),
            Self::BothComputed => {
                let constant = node.inputs.iter().flatten().any(|operand| operand.is_constant);
                Verdict::of(Some(!constant), || "an operand is a constant".to_owned())
            }
            Self::DifferentOperands => {
                let identity = |place| node.input(place).and_then(|operand| operand.identity);
                let same = identity(0).zip(identity(1)).map(|(a, b)| a == b);
                Verdict::of(Some(!same.unwrap_or(false)), || "both operands are one value".to_owned())
            }
            Self::ScalarOrChannels => {
                let fits = |image: &[usize], other: &[usize]| {
                    image.len() == 4 && (is_scalar(other) || is_channels(other, image))
                };
                Verdict::of(both().map(|(a, b)| fits(a, b) || fits(b, a)), || {
                    format!("the shapes are {} and {}", shape_text(shapes().0), shape_text(shapes().1))
                })
            }
            Self::ClipBounds(pairs) => clip_bounds(node, pairs),
            Self::Slope => slope(node),
            Self::Ranks(rank) => {
                let ranks: Option<Vec<usize>> =
                    node.inputs.iter().flatten().map(|operand| operand.shape.as_ref().map(Vec::len)).collect();
                let wrong = ranks.as_ref().and_then(|ranks| ranks.iter().find(|&&found| found != rank).copied());
                Verdict::of(ranks.map(|_| wrong.is_none()), || format!("an input has {} axes", wrong.unwrap_or(0)))
            }
            Self::AxisOneOf(axes) => {
                let found = node.integer("axis").unwrap_or(1);
                let rank = node.input_shape(0).map(|shape| shape.len() as i64);
                let from_front = rank.map(|rank| if found < 0 { found.saturating_add(rank) } else { found });
                let fits = from_front.map(|found| axes.iter().any(|&axis| axis as i64 == found));
                Verdict::of(fits, || format!("`axis` is {found}"))
            }
            Self::NotFirst => {
                let producer = node.input(0).and_then(|operand| operand.producer);
                Verdict::of(Some(producer.is_some()), || "it reads the network's input".to_owned())
            }
            Self::BeforeGemmOrLast => {
                Verdict::of(Some(around.is_before_gemm_or_last), || "another operator than Gemm reads it".to_owned())
            }
            Self::NoOperation => {
                let same = node.input_shape(0).zip(node.output_shape.as_deref()).map(|(x, y)| x == y);
                Verdict::of(same, || reshape_text(node))
            }
            Self::ImageToVector => {
                let shapes = node.input_shape(0).zip(node.output_shape.as_deref());
                let fits = |(x, y): (&[usize], &[usize])| matches!((x, y), (&[1, a, 1, 1], &[1, b]) if a == b);
                Verdict::of(shapes.map(fits), || reshape_text(node))
            }
            Self::Identity => {
                let permutation = node.integers("perm");
                let is_identity = permutation.is_some_and(|axes| axes.iter().copied().eq(0..axes.len() as i64));
                Verdict::of(Some(is_identity), || permutation_text(node))
            }
            Self::Permutation(wanted) => {
                Verdict::of(Some(node.integers("perm") == Some(wanted)), || permutation_text(node))
            }
            Self::InAttention => Verdict::of(Some(around.in_attention), || "it is in no attention block".to_owned()),
        }
    }
}

fn reshape_text(node: &SurveyedNode<'_>) -> String {
    format!("{} becomes {}", shape_text(node.input_shape(0)), shape_text(node.output_shape.as_deref()))
}

fn permutation_text(node: &SurveyedNode<'_>) -> String {
    node.integers("perm").map_or_else(|| "all axes are reversed".to_owned(), |axes| format!("`perm` is {axes:?}"))
}

fn at_least(node: &SurveyedNode<'_>, attribute: &str, least: i64) -> Verdict {
    let single = node.integer(attribute);
    let several = attribute_or_input(node, attribute, 1).filter(|_| attribute == "axes");
    let lowest = single.or_else(|| several.and_then(|values| values.iter().min().copied()));
    // Without it: the first axis after the batch for Flatten, the batch for Split, whatever is 1 for Squeeze.
    let lowest = lowest.or_else(|| (node.operator == "Split").then_some(0)).unwrap_or(least);
    Verdict::of(Some(lowest >= least), || format!("`{attribute}` is {lowest}"))
}

fn clip_bounds(node: &SurveyedNode<'_>, pairs: &[(f32, f32)]) -> Verdict {
    let bound = |attribute: &str, place: usize, default: f32| match node.input(place) {
        Some(operand) => scalar(operand),
        None => Some(node.float(attribute).unwrap_or(default)),
    };
    let bounds = bound("min", 1, f32::MIN).zip(bound("max", 2, f32::MAX));
    let text = || match bounds {
        Some((f32::MIN, high)) => format!("there is only an upper bound, {high}"),
        Some((low, f32::MAX)) => format!("there is only a lower bound, {low}"),
        Some((low, high)) => format!("the bounds are ({low}, {high})"),
        None => String::new(),
    };
    Verdict::of(bounds.map(|bounds| pairs.contains(&bounds)), text)
}

fn slope(node: &SurveyedNode<'_>) -> Verdict {
    let (Some(x), Some(slope)) = (node.input_shape(0), node.input_shape(1)) else { return Verdict::Unknown };
    // The slope broadcasts to the input, so one of `[C, 1, 1]` lies on the channels.
    let missing = x.len().saturating_sub(slope.len());
    let on_channels = slope.iter().enumerate().all(|(axis, &size)| size == 1 || axis + missing == 1);
    Verdict::of(Some(on_channels), || format!("the slopes have the shape {slope:?}"))
}

impl fmt::Display for Constraint {
    /// The constraint as a phrase, as documents and messages have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { attribute, allowed } => write!(f, "`{attribute}` {}", allowed.join(" or ")),
            Self::Integer { attribute, value, .. } => write!(f, "`{attribute}` {value}"),
            Self::AtLeast { attribute, least } => write!(f, "`{attribute}` at least {least}"),
            Self::Near { attribute, value, .. } => write!(f, "`{attribute}` {value:.5} (±0.000005)"),
            Self::Absent(attribute) => write!(f, "no `{attribute}`"),
            Self::WhenGrouped(inner) => write!(f, "with groups: {inner}"),
            Self::Square(Side::Kernel) => f.write_str("a square kernel"),
            Self::Square(Side::Stride) => f.write_str("the same stride for H and W"),
            Self::Square(Side::Dilation) => f.write_str("the same dilation for H and W"),
            Self::AreaBelow(limit) => write!(f, "a dilated kernel of fewer than {limit} elements"),
            Self::FourPads => f.write_str("no pads, or four"),
            Self::Symmetric => f.write_str("the same padding before and after"),
            Self::AtMostHalfKernel => f.write_str("padding of at most half the kernel"),
            Self::Counted => f.write_str("`count_include_pad` 1 where there is padding"),
            Self::EqualShapes => f.write_str("two tensors of one shape"),
            Self::BothComputed => f.write_str("neither a constant"),
            Self::DifferentOperands => f.write_str("two different operands"),
            Self::ScalarOrChannels => f.write_str("a tensor of 4 axes with a scalar or with [1, C, 1, 1]"),
            Self::ClipBounds(pairs) => {
                let texts: Vec<String> = pairs.iter().map(|(low, high)| format!("({low}, {high})")).collect();
                write!(f, "the bounds {}", texts.join(" or "))
            }
            Self::Slope => f.write_str("one slope, or one a channel"),
            Self::Ranks(rank) => write!(f, "inputs of {rank} axes"),
            Self::AxisOneOf(axes) => write!(f, "an axis of {axes:?}"),
            Self::ZeroPadding => f.write_str("padding with the constant 0"),
            Self::NoBatchPadding => f.write_str("no padding of the batch"),
            Self::ChannelPaddingOf(word) => write!(f, "channels padded by multiples of {word}"),
            Self::OneAxisGiven => f.write_str("exactly one axis, given by number"),
            Self::StepOnChannels => f.write_str("a step other than 1 only on channels"),
            Self::WholeWords(word) => write!(f, "a multiple of {word} channels where another axis is cut"),
            Self::NotFirst => f.write_str("not the first operator of the network"),
            Self::ResizeMode(modes) => write!(f, "the mode {}", modes.join(" or ")),
            Self::NoRegion => f.write_str("no region of interest"),
            Self::ResizeCoordinates => f.write_str(
                "half_pixel or pytorch_half_pixel (nearest: round_prefer_floor or round_prefer_ceil), or asymmetric with \
                 nearest and floor",
            ),
            Self::ResizeFactor => {
                f.write_str("a whole factor, the same for H and W (nearest: whole but for one row or column)")
            }
            Self::BeforeGemmOrLast => f.write_str("before a Gemm or at the end"),
            Self::NoOperation => f.write_str("no change of shape"),
            Self::ImageToVector => f.write_str("[1, N, 1, 1] to [1, N]"),
            Self::Identity => f.write_str("the identity"),
            Self::Permutation(axes) => write!(f, "`perm` {axes:?}"),
            Self::InAttention => f.write_str("a place in an attention block as in YOLO11"),
        }
    }
}
