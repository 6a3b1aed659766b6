//! The quantized graph: what the quantizer makes, and all that later stages see. It holds every number the integer
//! arithmetic needs; nothing is computed from float weights again.

use std::iter::StepBy;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::Extension;
use crate::compiler::operators::Function;
use crate::compiler::operators::Pool;
use crate::compiler::operators::PoolKind;
use crate::compiler::operators::Resize;
use crate::compiler::operators::ResizeMode;
use crate::compiler::operators::Slice;
use crate::compiler::operators::TransposedConvolution;
use crate::compiler::quantize::contract::Encoding;
use crate::compiler::quantize::contract::clamp_of;
use crate::compiler::quantize::json::bytes;
use crate::compiler::quantize::json::bytes_or_none;

/// A value of a [`QuantizedGraph`]: its place in [`QuantizedGraph::values`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TensorId(pub u32);

impl TensorId {
    /// Place in [`QuantizedGraph::values`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// An int8 tensor between nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantizedValue {
    /// The name in the float graph.
    pub name: String,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// How its int8 values stand for real ones.
    pub encoding: Encoding,
    /// The same for each channel (axis 1), where channels differ: what depth-wise convolutions read under the hybrid scheme.
    /// `encoding` is not used then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Encoding>,
    /// The contents, where the value is a constant operand.
    #[serde(with = "bytes_or_none", default, skip_serializing_if = "Option::is_none")]
    pub constant: Option<Vec<i8>>,
}

impl QuantizedValue {
    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The encoding of a channel.
    #[must_use]
    pub fn encoding_of(&self, channel: usize) -> Encoding {
        self.channels.get(channel).copied().unwrap_or(self.encoding)
    }

    /// The channel of this value that channel `output` of `outputs` of a depth-wise convolution reads.
    #[must_use]
    pub fn channel_read_by(&self, output: usize, outputs: usize) -> usize {
        output * self.channels.len() / outputs.max(1)
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Quantized weights, with one scale and one bias for each output channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// `[O,C/group,kh,kw]` of a convolution and of a transposed one, `[K,N]` of a dense layer.
    pub shape: Vec<usize>,
    /// −127…127, row-major.
    #[serde(with = "bytes")]
    pub values: Vec<i8>,
    /// `s_w` of each output channel.
    pub scales: Vec<f32>,
    /// Bias of each output channel in steps of `s_x·s_w`; zeros where the float layer has none.
    pub bias: Vec<i32>,
    /// Name of the float weights.
    pub name: String,
    /// Name of the float bias, where there is one.
    pub bias_name: Option<String>,
}

impl Weights {
    /// Weights of each output.
    pub(super) fn length(&self) -> usize {
        self.values.len() / self.bias.len().max(1)
    }

    /// Where an output's weights lie, one after another: in rows of a convolution, in columns of a matrix.
    pub(super) fn places(&self, output: usize) -> StepBy<Range<usize>> {
        let (length, outputs) = (self.length(), self.bias.len().max(1));
        if self.shape.len() == 2 {
            (output..length * outputs).step_by(outputs)
        } else {
            (output * length..(output + 1) * length).step_by(1)
        }
    }

    /// An output's weights.
    pub(super) fn of_output(&self, output: usize) -> Vec<i8> {
        self.places(output).map(|at| self.values[at]).collect()
    }
}

/// What a quantized node computes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuantizedOperator {
    /// Convolution over `[N,C,H,W]`; padding holds the input's zero point.
    Convolution {
        /// Strides, pads, dilations, group.
        attributes: Convolution,
        /// `[O,C/group,kh,kw]`.
        weights: Weights,
    },
    /// Transposed convolution over `[N,C,H,W]`.
    TransposedConvolution {
        /// Strides, pads, output padding, dilations, group.
        attributes: TransposedConvolution,
        /// `[O,C/group,kh,kw]`: the axes are not those of ONNX, so that each output channel is one row.
        weights: Weights,
    },
    /// `[..,K]` times `[K,N]`.
    Dense {
        /// `[K,N]`.
        weights: Weights,
    },
    /// `[…,M,K]` times `[…,K,N]`, leading axes broadcast.
    MatrixProduct,
    /// Two operands with broadcasting. Division is a float island.
    Arithmetic(Arithmetic),
    /// A function of one element, as its table.
    Function {
        /// Which, for the QDQ export and for reading.
        function: Function,
        /// 256 int8 values; input −128 first.
        #[serde(with = "bytes")]
        table: Vec<i8>,
    },
    /// Windowed pooling over `[N,C,H,W]`.
    Pool(Pool),
    /// Pooling over H and W.
    GlobalPool(PoolKind),
    /// The same elements under another encoding: one table for each channel.
    Requantize,
    /// The same elements in the same order.
    Reshape,
    /// Axes reordered.
    Transpose {
        /// Output axis `i` is input axis `permutation[i]`.
        permutation: Vec<usize>,
    },
    /// Part of the input along some axes.
    Slice(Slice),
    /// Padding with the int8 value that stands for the padded number.
    Pad {
        /// Elements before each axis.
        before: Vec<usize>,
        /// Elements after each axis.
        after: Vec<usize>,
        /// What is padded with; the zero point for 0.
        value: i8,
    },
    /// Padding with the input's own elements.
    Extension(Extension),
    /// Inputs one after another; those of another encoding go through a table.
    Concat {
        /// The axis, counted from the front.
        axis: usize,
    },
    /// Resampling of H and W. Nearest copies.
    Resize(Resize),
    /// Each plane of `[N,C,…]` by its own statistics; a float island.
    InstanceNormalization {
        /// Added to the variance.
        epsilon: f32,
        /// One for each channel.
        scale: Vec<f32>,
        /// One for each channel.
        bias: Vec<f32>,
    },
    /// Softmax over one axis.
    Softmax {
        /// The axis, counted from the front.
        axis: usize,
    },
}

/// One quantized operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantizedNode {
    /// Name of the float node.
    pub name: String,
    /// What it computes, weights included.
    pub operator: QuantizedOperator,
    /// The `Relu` or `Clip` that is fused into it.
    pub activation: Option<Function>,
    /// Lowest and highest int8 result: narrower than −128…127 only where the fused activation needs it.
    pub clamp: [i8; 2],
    /// Activations and constant operands, in the operator's order.
    pub inputs: Vec<TensorId>,
    /// What it writes.
    pub output: TensorId,
}

/// A quantized network. Nodes are in topological order, every value has one encoding. Inputs are float outside and
/// quantized by their encoding; outputs are dequantized.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantizedGraph {
    /// The network's name.
    pub name: String,
    /// All int8 values.
    pub values: Vec<QuantizedValue>,
    /// All nodes, in topological order.
    pub nodes: Vec<QuantizedNode>,
    /// The network's inputs, in order.
    pub inputs: Vec<TensorId>,
    /// The network's outputs, in order.
    pub outputs: Vec<TensorId>,
}

impl QuantizedGraph {
    /// The value of an id of this graph.
    ///
    /// # Panics
    /// When the id is of another graph.
    #[must_use]
    pub fn value(&self, id: TensorId) -> &QuantizedValue {
        &self.values[id.index()]
    }

    /// For each node the values, network outputs left out, that nobody reads after it.
    #[must_use]
    pub fn last_uses(&self) -> Vec<Vec<TensorId>> {
        let mut last = vec![None; self.values.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for id in node.inputs.iter().chain([&node.output]) {
                last[id.index()] = Some(index);
            }
        }
        let mut last_uses = vec![Vec::new(); self.nodes.len()];
        for (value, last) in last.into_iter().enumerate() {
            let id = TensorId(value as u32);
            if let Some(node) = last.filter(|_| !self.outputs.contains(&id)) {
                last_uses[node].push(id);
            }
        }
        last_uses
    }

    /// Multiplications that one run of a layer or a matrix product needs; 0 for other operators.
    #[must_use]
    pub fn macs(&self, node: &QuantizedNode) -> u64 {
        let outputs = self.value(node.output).len() as u64;
        match &node.operator {
            QuantizedOperator::Convolution { weights, .. } => {
                outputs * weights.shape.iter().skip(1).map(|&size| size as u64).product::<u64>()
            }
            QuantizedOperator::TransposedConvolution { attributes, weights } => {
                let read: usize = node.inputs.first().map_or(0, |&input| self.value(input).len());
                let per_group = weights.scales.len() / attributes.group.max(1);
                let area: usize = weights.shape.iter().skip(2).product();
                [read, per_group, area].iter().map(|&size| size as u64).product()
            }
            QuantizedOperator::Dense { weights } => outputs * weights.shape.first().map_or(0, |&k| k as u64),
            QuantizedOperator::MatrixProduct => {
                let depth = node.inputs.first().and_then(|&input| self.value(input).shape.last());
                outputs * depth.map_or(0, |&depth| depth as u64)
            }
            _ => 0,
        }
    }
}

impl QuantizedOperator {
    /// The ONNX operator's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Convolution { .. } => "Conv",
            Self::TransposedConvolution { .. } => "ConvTranspose",
            Self::Dense { .. } | Self::MatrixProduct => "MatMul",
            Self::Arithmetic(Arithmetic::Add) => "Add",
            Self::Arithmetic(Arithmetic::Subtract) => "Sub",
            Self::Arithmetic(Arithmetic::Multiply) => "Mul",
            Self::Arithmetic(Arithmetic::Divide) => "Div",
            Self::Function { function, .. } => function_name(*function),
            Self::Pool(Pool { kind: PoolKind::Maximum, .. }) => "MaxPool",
            Self::Pool(Pool { kind: PoolKind::Average, .. }) => "AveragePool",
            Self::GlobalPool(PoolKind::Maximum) => "GlobalMaxPool",
            Self::GlobalPool(PoolKind::Average) => "GlobalAveragePool",
            Self::Requantize => "QuantizeLinear",
            Self::Reshape => "Reshape",
            Self::Transpose { .. } => "Transpose",
            Self::Slice(_) => "Slice",
            Self::Pad { .. } | Self::Extension(_) => "Pad",
            Self::Concat { .. } => "Concat",
            Self::Resize(_) => "Resize",
            Self::InstanceNormalization { .. } => "InstanceNormalization",
            Self::Softmax { .. } => "Softmax",
        }
    }

    /// Whether it runs on integers alone. What does not is a float island: dequantized, computed in f64, quantized.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        !matches!(self, Self::InstanceNormalization { .. } | Self::Arithmetic(Arithmetic::Divide))
    }

    /// Whether its results are rounded from wider ones, so that a clamp can be fused.
    #[must_use]
    pub fn requantizes(&self) -> bool {
        matches!(
            self,
            Self::Convolution { .. }
                | Self::TransposedConvolution { .. }
                | Self::Dense { .. }
                | Self::MatrixProduct
                | Self::Arithmetic(_)
        )
    }

    /// The weights of a layer.
    #[must_use]
    pub const fn weights(&self) -> Option<&Weights> {
        match self {
            Self::Convolution { weights, .. }
            | Self::TransposedConvolution { weights, .. }
            | Self::Dense { weights } => Some(weights),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(super) const fn weights_mut(&mut self) -> Option<&mut Weights> {
        match self {
            Self::Convolution { weights, .. }
            | Self::TransposedConvolution { weights, .. }
            | Self::Dense { weights } => Some(weights),
            _ => None,
        }
    }

    /// Whether it only copies int8 values, so that its output has its first input's encoding.
    #[must_use]
    pub fn is_movement(&self) -> bool {
        match self {
            Self::Pool(pool) => pool.kind == PoolKind::Maximum,
            Self::GlobalPool(kind) => *kind == PoolKind::Maximum,
            Self::Resize(resize) => resize.mode != ResizeMode::Linear,
            Self::Reshape | Self::Transpose { .. } | Self::Slice(_) | Self::Pad { .. } | Self::Extension(_) => true,
            _ => false,
        }
    }
}

/// Lowest and highest int8 result behind a fused activation.
#[must_use]
pub fn clamp_behind(encoding: Encoding, activation: Option<Function>) -> [i8; 2] {
    match activation {
        Some(Function::Relu) => clamp_of(encoding, 0.0, f32::INFINITY),
        Some(Function::Clip { low, high }) => clamp_of(encoding, low, high),
        _ => [i8::MIN, i8::MAX],
    }
}

/// The ONNX operator of a function.
#[must_use]
pub fn function_name(function: Function) -> &'static str {
    match function {
        Function::Relu => "Relu",
        Function::Clip { .. } => "Clip",
        Function::Sigmoid => "Sigmoid",
        Function::Tanh => "Tanh",
        Function::Exponential => "Exp",
        Function::LeakyRelu { .. } => "LeakyRelu",
        Function::HardSigmoid { .. } => "HardSigmoid",
        Function::HardSwish => "HardSwish",
        Function::SquareRoot => "Sqrt",
        Function::Negate => "Neg",
        Function::Absolute => "Abs",
        Function::Elu { .. } => "Elu",
        Function::Selu { .. } => "Selu",
        Function::Softplus => "Softplus",
        Function::Softsign => "Softsign",
        Function::ErrorFunction => "Erf",
        Function::Logarithm => "Log",
        Function::Power { .. } => "Pow",
    }
}
