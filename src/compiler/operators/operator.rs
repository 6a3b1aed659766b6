//! What a node computes: one variant a family, with the family's attributes.

use std::fmt;

use crate::compiler::onnx::ExportedNode;
use crate::compiler::onnx::Writer;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::Extension;
use crate::compiler::operators::Function;
use crate::compiler::operators::Pool;
use crate::compiler::operators::PoolKind;
use crate::compiler::operators::Resize;
use crate::compiler::operators::Slice;
use crate::compiler::operators::TransposedConvolution;
use crate::compiler::operators::dense;
use crate::compiler::operators::movement;
use crate::compiler::operators::normalization;
use crate::compiler::operators::pooling;
use crate::compiler::operators::softmax;

/// What a node computes. Input order is the ONNX order; weights are ordinary inputs that are constants.
#[derive(Debug, Clone, PartialEq)]
pub enum Operator {
    /// `x [N,C,H,W]`, weights `[O,C/group,kh,kw]`, optional bias `[O]`.
    Convolution(Convolution),
    /// `x [N,C,H,W]`, weights `[C,O/group,kh,kw]`, optional bias `[O]`.
    TransposedConvolution(TransposedConvolution),
    /// `x [..,K]` times a constant `[K,N]`, optional bias `[N]`. From Gemm and `MatMul`; alpha, beta and transposes are
    /// folded into the constants on import.
    Dense,
    /// `[…,M,K]` times `[…,K,N]`, leading axes broadcast; at most one is a constant.
    MatrixProduct,
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
    /// Padding with the input's own elements.
    Extension(Extension),
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
    /// `x [N,C,…]`, scale, bias: each plane less its mean, over its deviation, times scale, plus bias.
    InstanceNormalization {
        /// Added to the variance.
        epsilon: f32,
    },
}

impl Operator {
    /// The family in one word, as texts and messages name it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Convolution(_) => "convolution",
            Self::TransposedConvolution(_) => "transposed-convolution",
            Self::Dense => "dense",
            Self::MatrixProduct => "matrix-product",
            Self::Arithmetic(operation) => operation.name(),
            Self::Function(function) => function.name(),
            Self::Pool(pool) => match pool.kind {
                PoolKind::Maximum => "max-pool",
                PoolKind::Average => "average-pool",
            },
            Self::GlobalPool(PoolKind::Maximum) => "global-max-pool",
            Self::GlobalPool(PoolKind::Average) => "global-average-pool",
            Self::Reshape => "reshape",
            Self::Transpose { .. } => "transpose",
            Self::Slice(_) => "slice",
            Self::Pad { .. } => "pad",
            Self::Extension(_) => "extend",
            Self::Concat { .. } => "concat",
            Self::Resize(_) => "resize",
            Self::Softmax { .. } => "softmax",
            Self::BatchNormalization { .. } => "batch-normalization",
            Self::InstanceNormalization { .. } => "instance-normalization",
        }
    }

    /// Checks that `output` is the shape that this operator makes of `inputs`; the message says what it would be.
    pub fn check_shapes(&self, inputs: &[&[usize]], output: &[usize]) -> Result<(), String> {
        let first = *inputs.first().ok_or_else(|| "it reads nothing".to_owned())?;
        let second = inputs.get(1).copied();
        let missing = || "its second input is missing".to_owned();
        let expected = match self {
            Self::Convolution(convolution) => convolution.output_shape(first, second.ok_or_else(missing)?)?,
            Self::TransposedConvolution(transposed) => transposed.output_shape(first, second.ok_or_else(missing)?)?,
            Self::Dense => dense::output_shape(first, second.ok_or_else(missing)?)?,
            Self::MatrixProduct => dense::product_shape(first, second.ok_or_else(missing)?)?,
            Self::Arithmetic(_) => Arithmetic::output_shape(first, second.ok_or_else(missing)?)?,
            Self::Pool(pool) => pool.output_shape(first)?,
            Self::GlobalPool(_) => pooling::global_output_shape(first)?,
            Self::Reshape => return movement::check_reshape(first, output),
            Self::Transpose { permutation } => movement::transposed_shape(first, permutation)?,
            Self::Slice(slice) => slice.output_shape(first)?,
            Self::Pad { before, after, .. } => movement::padded_shape(first, before, after)?,
            Self::Extension(extension) => extension.output_shape(first)?,
            Self::Concat { axis } => movement::joined_shape(inputs, *axis)?,
            Self::Resize(_) => return Resize::check_shapes(first, output),
            Self::Softmax { axis } => softmax::output_shape(first, *axis)?,
            Self::Function(_) => first.to_vec(),
            Self::BatchNormalization { .. } => normalization::output_shape(inputs)?,
            Self::InstanceNormalization { .. } => normalization::instance_output_shape(inputs)?,
        };
        if expected == output { Ok(()) } else { Err(format!("it makes {expected:?}, not {output:?}")) }
    }

    /// Writes the operator as standard ONNX (opset 17).
    pub(crate) fn export(&self, node: &ExportedNode<'_>, writer: &mut Writer) {
        match self {
            Self::Convolution(convolution) => convolution.export(node, writer),
            Self::TransposedConvolution(transposed) => transposed.export(node, writer),
            Self::Dense => dense::export(node, writer),
            Self::MatrixProduct => dense::export_product(node, writer),
            Self::Arithmetic(operation) => operation.export(node, writer),
            Self::Function(function) => function.export(node, writer),
            Self::Pool(pool) => pool.export(node, writer),
            Self::GlobalPool(kind) => pooling::export_global(*kind, node, writer),
            Self::Reshape => movement::export_reshape(node, writer),
            Self::Transpose { permutation } => movement::export_transpose(permutation, node, writer),
            Self::Slice(slice) => slice.export(node, writer),
            Self::Pad { before, after, value } => movement::export_pad(before, after, *value, node, writer),
            Self::Extension(extension) => extension.export(node, writer),
            Self::Concat { axis } => movement::export_concat(*axis, node, writer),
            Self::Resize(resize) => resize.export(node, writer),
            Self::Softmax { axis } => softmax::export(*axis, node, writer),
            Self::BatchNormalization { epsilon } => normalization::export(*epsilon, node, writer),
            Self::InstanceNormalization { epsilon } => normalization::export_instance(*epsilon, node, writer),
        }
    }
}

impl fmt::Display for Operator {
    /// The name, then the attributes that say something: stable text for dumps and messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Convolution(c) => {
                write!(f, " strides={:?} pads={:?} dilations={:?} group={}", c.strides, c.pads, c.dilations, c.group)
            }
            Self::TransposedConvolution(t) => {
                write!(f, " strides={:?} pads={:?} output_padding={:?}", t.strides, t.pads, t.output_padding)?;
                write!(f, " dilations={:?} group={}", t.dilations, t.group)
            }
            Self::Function(Function::Clip { low, high }) => write!(f, " low={low:?} high={high:?}"),
            Self::Function(Function::Power { exponent }) => write!(f, " exponent={exponent:?}"),
            Self::Function(Function::Selu { alpha, gamma }) => write!(f, " alpha={alpha:?} gamma={gamma:?}"),
            Self::Function(Function::LeakyRelu { alpha } | Function::Elu { alpha }) => write!(f, " alpha={alpha:?}"),
            Self::Function(Function::HardSigmoid { alpha, beta }) => write!(f, " alpha={alpha:?} beta={beta:?}"),
            Self::Pool(p) => {
                write!(f, " kernel={:?} strides={:?} pads={:?}", p.kernel, p.strides, p.pads)?;
                write!(f, " dilations={:?} count_include_pad={}", p.dilations, p.count_include_pad)
            }
            Self::Transpose { permutation } => write!(f, " permutation={permutation:?}"),
            Self::Slice(s) => {
                write!(f, " axes={:?} starts={:?} ends={:?} steps={:?}", s.axes, s.starts, s.ends, s.steps)
            }
            Self::Pad { before, after, value } => write!(f, " before={before:?} after={after:?} value={value:?}"),
            Self::Extension(e) => {
                write!(f, " before={:?} after={:?} continuation={:?}", e.before, e.after, e.continuation)
            }
            Self::Concat { axis } | Self::Softmax { axis } => write!(f, " axis={axis}"),
            Self::Resize(r) => {
                write!(f, " mode={:?} coordinates={:?} scales={:?}", r.mode, r.coordinates, r.scales)
            }
            Self::BatchNormalization { epsilon } | Self::InstanceNormalization { epsilon } => {
                write!(f, " epsilon={epsilon:?}")
            }
            Self::Dense
            | Self::MatrixProduct
            | Self::Arithmetic(_)
            | Self::Function(_)
            | Self::GlobalPool(_)
            | Self::Reshape => Ok(()),
        }
    }
}
