//! The operators of the graph: one family is one folder, with its attributes, shape rule, import, export and integer
//! form together. An ONNX operator that means the same as another is imported as that one (Flatten, Squeeze and
//! Unsqueeze are reshapes; Dropout and Identity are nothing).

/// What a node computes. Input order is the ONNX order; weights are ordinary inputs that are constants.
#[derive(Debug, Clone, PartialEq)]
pub enum Operator {
    /// `x [N,C,H,W]`, weights `[O,C/group,kh,kw]`, optional bias `[O]`.
    Convolution(Convolution),
    /// `x [..,K]` times a constant `[K,N]`, optional bias `[N]` (or a broadcastable shape). From Gemm and `MatMul`; alpha, beta and
    /// transposes are folded into the constants on import.
    Dense,
    /// Element by element with ONNX (multidirectional) broadcasting; two inputs.
    Arithmetic(Arithmetic),
    /// A function of one element; one input.
    Function(Function),
    /// Windowed pooling over `[N,C,H,W]`.
    Pool(Pool),
    /// Pooling over all of H and W: `[N,C,H,W]` → `[N,C,1,1]`.
    GlobalPool(PoolKind),
    /// The same elements in the same order; the shape is the output value's.
    Reshape,
    /// Axes reordered: output axis `i` is input axis `permutation[i]`.
    Transpose {
        /// One entry an axis.
        permutation: Vec<usize>,
    },
    /// Part of the input along some axes.
    Slice(Slice),
    /// Constant padding.
    Pad {
        /// Elements added before each axis.
        before: Vec<usize>,
        /// Elements added after each axis.
        after: Vec<usize>,
        /// The value padded with.
        value: f32,
    },
    /// Inputs one after another along an axis.
    Concat {
        /// The axis, counted from the front.
        axis: usize,
    },
    /// Nearest or linear resampling of `[N,C,H,W]` to the output value's H and W.
    Resize(Resize),
    /// Softmax over one axis (opsets before 13 are imported through reshapes so that this meaning holds).
    Softmax {
        /// The axis, counted from the front.
        axis: usize,
    },
    /// `x`, scale, bias, mean, variance; folded into convolutions by the cleaner, or turned into a depth-wise one.
    BatchNormalization {
        /// Added to the variance.
        epsilon: f32,
    },
}

/// Attributes of a convolution. Two spatial axes; one-dimensional ones are refused by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convolution {
    /// Strides of H and W.
    pub strides: [usize; 2],
    /// Padding before H, before W, after H, after W (`auto_pad` is resolved on import).
    pub pads: [usize; 4],
    /// Dilations of H and W.
    pub dilations: [usize; 2],
    /// Groups.
    pub group: usize,
}

/// An element-wise function of two inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// a + b
    Add,
    /// a − b
    Subtract,
    /// a · b
    Multiply,
    /// a / b
    Divide,
}

/// A function of one element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// max(x, 0)
    Relu,
    /// x limited to `[low, high]`; an absent bound is infinite.
    Clip {
        /// Lower bound.
        low: f32,
        /// Upper bound.
        high: f32,
    },
    /// 1 / (1 + e⁻ˣ)
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// eˣ
    Exponential,
    /// x below zero times alpha.
    LeakyRelu {
        /// Slope below zero.
        alpha: f32,
    },
    /// alpha·x + beta limited to `[0, 1]`.
    HardSigmoid {
        /// Slope.
        alpha: f32,
        /// Offset.
        beta: f32,
    },
    /// x · hard sigmoid of x with 1/6 and 1/2.
    HardSwish,
    /// √x
    SquareRoot,
    /// −x
    Negate,
    /// |x|
    Absolute,
}

/// Which pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolKind {
    /// The largest element.
    Maximum,
    /// The mean.
    Average,
}

/// Attributes of windowed pooling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Which pooling.
    pub kind: PoolKind,
    /// Window of H and W.
    pub kernel: [usize; 2],
    /// Strides of H and W.
    pub strides: [usize; 2],
    /// Padding before H, before W, after H, after W (resolved from `auto_pad`; `ceil_mode` changes only the output shape).
    pub pads: [usize; 4],
    /// Dilations of H and W; 1 for average pooling.
    pub dilations: [usize; 2],
    /// Whether padding counts in the mean's divisor.
    pub count_include_pad: bool,
}

/// Part of a tensor: along each named axis, `start, start + step, …` up to before `end`. All resolved to real places:
/// `step` is not 0; for a negative step `end` may be −1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Axis, counted from the front; each at most once, ascending.
    pub axes: Vec<usize>,
    /// First element of each axis.
    pub starts: Vec<i64>,
    /// Limit of each axis, exclusive.
    pub ends: Vec<i64>,
    /// Step of each axis.
    pub steps: Vec<i64>,
}

/// How an output coordinate maps to an input coordinate (ONNX `coordinate_transformation_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coordinates {
    /// (x + 0.5)/scale − 0.5
    HalfPixel,
    /// As half pixel, but 0 where the output has one element.
    PytorchHalfPixel,
    /// x/scale
    Asymmetric,
    /// x·(in − 1)/(out − 1)
    AlignCorners,
}

/// How a resize takes its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResizeMode {
    /// Nearest, ties towards the lower coordinate (`round_prefer_floor`).
    NearestPreferFloor,
    /// Nearest, ties towards the upper coordinate (`round_prefer_ceil`).
    NearestPreferCeil,
    /// The coordinate rounded down (`floor`).
    NearestFloor,
    /// The coordinate rounded up (`ceil`).
    NearestCeil,
    /// Bilinear.
    Linear,
}

/// Attributes of a resize; scales are those of the node (or out/in where it gives sizes).
#[derive(Debug, Clone, PartialEq)]
pub struct Resize {
    /// How values are taken.
    pub mode: ResizeMode,
    /// How coordinates map.
    pub coordinates: Coordinates,
    /// Scale of H and W, as the ONNX node gives it.
    pub scales: [f32; 2],
}
