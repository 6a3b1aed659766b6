//! The program: what `program.json` holds.

use serde::{Deserialize, Serialize};

use crate::compiler::emit::Emitted;
use crate::compiler::emit::Packing;
use crate::compiler::emit::constants::Constants;
use crate::compiler::emit::constants::Pool as ConstantPool;
use crate::compiler::emit::constants::Span;
use crate::compiler::graph::element_count;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::Extension;
use crate::compiler::operators::Function;
use crate::compiler::operators::Pool;
use crate::compiler::operators::PoolKind;
use crate::compiler::operators::Resize;
use crate::compiler::operators::Slice;
use crate::compiler::operators::TransposedConvolution;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::QuantizedValue;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::Weights;
use crate::compiler::quantize::contract::Encoding;

/// The format's name in the file.
pub(super) const FORMAT: &str = "axzoo-program";

/// The format's version; raised when a reader of the old one would misread the new one.
pub(super) const VERSION: u32 = 2;

/// The whole file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProgramFile {
    /// [`FORMAT`].
    pub(super) format: String,
    /// [`VERSION`].
    pub(super) version: u32,
    /// The network's name.
    pub(super) name: String,
    /// The file of constants, beside this one.
    pub(super) constants: String,
    /// BLAKE3 of the constants.
    pub(super) constants_digest: String,
    /// Buffers, by id.
    pub(super) buffers: Vec<Buffer>,
    /// Steps, in the order in which they run.
    pub(super) steps: Vec<Step>,
    /// Ids of the network's inputs.
    pub(super) inputs: Vec<TensorId>,
    /// Ids of the network's outputs.
    pub(super) outputs: Vec<TensorId>,
}

/// An int8 tensor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Buffer {
    name: String,
    shape: Vec<usize>,
    encoding: Encoding,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    channels: Vec<Encoding>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    constant: Option<Span>,
}

/// One operation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    name: String,
    operation: Operation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activation: Option<Function>,
    clamp: [i8; 2],
    inputs: Vec<TensorId>,
    output: TensorId,
}

/// Places of a layer's weights.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Placed {
    shape: Vec<usize>,
    /// Packed for the C code: one part, several of a transposed convolution.
    weights: Vec<Span>,
    scales: Span,
    bias: Span,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bias_name: Option<String>,
}

/// What a step computes; see [`QuantizedOperator`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Operation {
    Convolution { attributes: Convolution, weights: Placed },
    TransposedConvolution { attributes: TransposedConvolution, weights: Placed },
    Dense { weights: Placed },
    MatrixProduct,
    Arithmetic(Arithmetic),
    Table { function: Function, table: Span },
    Pool(Pool),
    GlobalPool(PoolKind),
    Requantize,
    Reshape,
    Transpose { permutation: Vec<usize> },
    Slice(Slice),
    Pad { before: Vec<usize>, after: Vec<usize>, value: i8 },
    Extension(Extension),
    Concat { axis: usize },
    Resize(Resize),
    InstanceNormalization { epsilon: f32, scale: Span, bias: Span },
    Softmax { axis: usize },
}

impl Placed {
    fn of(weights: &Weights, packed: &[Span], pool: &mut ConstantPool) -> Self {
        Self {
            shape: weights.shape.clone(),
            weights: packed.to_vec(),
            scales: pool.float32(&weights.scales),
            bias: pool.int32(&weights.bias),
            name: weights.name.clone(),
            bias_name: weights.bias_name.clone(),
        }
    }

    /// The shape, where there are as many bytes as weights of it.
    fn checked(&self, constants: Constants<'_>) -> Result<&[usize], String> {
        let lengths = self.weights.iter().map(|span| span.length.min(constants.0.len()));
        let found = lengths.fold(0, usize::saturating_add);
        match element_count(&self.shape).filter(|&count| count > 0 && count <= found) {
            Some(_) => Ok(&self.shape),
            None => Err(format!("the weights' shape {:?} does not fit their {found} bytes", self.shape)),
        }
    }

    fn read(self, packing: Option<Packing>, constants: Constants<'_>) -> Result<Weights, String> {
        let packing = packing.ok_or_else(|| format!("the weights' shape {:?} does not fit it", self.shape))?;
        let packed: Vec<Vec<i8>> = self.weights.iter().map(|&span| constants.int8(span)).collect::<Result<_, _>>()?;
        Ok(Weights {
            values: packing.unpack(&packed)?,
            scales: constants.float32(self.scales)?,
            bias: constants.int32(self.bias)?,
            shape: self.shape,
            name: self.name,
            bias_name: self.bias_name,
        })
    }
}

impl Operation {
    fn of(operator: &QuantizedOperator, packed: &[Span], pool: &mut ConstantPool) -> Self {
        match operator.clone() {
            QuantizedOperator::Convolution { attributes, weights } => {
                Self::Convolution { attributes, weights: Placed::of(&weights, packed, pool) }
            }
            QuantizedOperator::TransposedConvolution { attributes, weights } => {
                Self::TransposedConvolution { attributes, weights: Placed::of(&weights, packed, pool) }
            }
            QuantizedOperator::Dense { weights } => Self::Dense { weights: Placed::of(&weights, packed, pool) },
            QuantizedOperator::MatrixProduct => Self::MatrixProduct,
            QuantizedOperator::Arithmetic(arithmetic) => Self::Arithmetic(arithmetic),
            QuantizedOperator::Function { function, table } => Self::Table { function, table: pool.int8(&table) },
            QuantizedOperator::Pool(attributes) => Self::Pool(attributes),
            QuantizedOperator::GlobalPool(kind) => Self::GlobalPool(kind),
            QuantizedOperator::Requantize => Self::Requantize,
            QuantizedOperator::Reshape => Self::Reshape,
            QuantizedOperator::Transpose { permutation } => Self::Transpose { permutation },
            QuantizedOperator::Slice(slice) => Self::Slice(slice),
            QuantizedOperator::Pad { before, after, value } => Self::Pad { before, after, value },
            QuantizedOperator::Extension(extension) => Self::Extension(extension),
            QuantizedOperator::Concat { axis } => Self::Concat { axis },
            QuantizedOperator::Resize(resize) => Self::Resize(resize),
            QuantizedOperator::InstanceNormalization { epsilon, scale, bias } => {
                Self::InstanceNormalization { epsilon, scale: pool.float32(&scale), bias: pool.float32(&bias) }
            }
            QuantizedOperator::Softmax { axis } => Self::Softmax { axis },
        }
    }

    /// `output` is the shape of what it writes.
    fn read(self, output: &[usize], constants: Constants<'_>) -> Result<QuantizedOperator, String> {
        Ok(match self {
            Self::Convolution { attributes, weights } => {
                let packing = Packing::of_convolution(&attributes, weights.checked(constants)?);
                QuantizedOperator::Convolution { attributes, weights: weights.read(packing, constants)? }
            }
            Self::TransposedConvolution { attributes, weights } => {
                let &[.., height, width] = output else { return Err("its output has no plane".to_owned()) };
                let packing = Packing::of_transposed(&attributes, weights.checked(constants)?, [height, width]);
                QuantizedOperator::TransposedConvolution { attributes, weights: weights.read(packing, constants)? }
            }
            Self::Dense { weights } => {
                let packing = Packing::of_dense(weights.checked(constants)?);
                QuantizedOperator::Dense { weights: weights.read(packing, constants)? }
            }
            Self::MatrixProduct => QuantizedOperator::MatrixProduct,
            Self::Arithmetic(arithmetic) => QuantizedOperator::Arithmetic(arithmetic),
            Self::Table { function, table } => QuantizedOperator::Function { function, table: constants.int8(table)? },
            Self::Pool(attributes) => QuantizedOperator::Pool(attributes),
            Self::GlobalPool(kind) => QuantizedOperator::GlobalPool(kind),
            Self::Requantize => QuantizedOperator::Requantize,
            Self::Reshape => QuantizedOperator::Reshape,
            Self::Transpose { permutation } => QuantizedOperator::Transpose { permutation },
            Self::Slice(slice) => QuantizedOperator::Slice(slice),
            Self::Pad { before, after, value } => QuantizedOperator::Pad { before, after, value },
            Self::Extension(extension) => QuantizedOperator::Extension(extension),
            Self::Concat { axis } => QuantizedOperator::Concat { axis },
            Self::Resize(resize) => QuantizedOperator::Resize(resize),
            Self::InstanceNormalization { epsilon, scale, bias } => QuantizedOperator::InstanceNormalization {
                epsilon,
                scale: constants.float32(scale)?,
                bias: constants.float32(bias)?,
            },
            Self::Softmax { axis } => QuantizedOperator::Softmax { axis },
        })
    }
}

/// Buffers and steps of a graph; what the C code did not put into the pool yet goes there.
pub(super) fn steps(graph: &QuantizedGraph, code: &Emitted, pool: &mut ConstantPool) -> (Vec<Buffer>, Vec<Step>) {
    let buffers = graph.values.iter().enumerate().map(|(index, value)| Buffer {
        name: value.name.clone(),
        shape: value.shape.clone(),
        encoding: value.encoding,
        channels: value.channels.clone(),
        constant: code.constants.get(&TensorId(index as u32)).copied(),
    });
    let steps = graph.nodes.iter().zip(&code.weights).map(|(node, packed)| Step {
        name: node.name.clone(),
        operation: Operation::of(&node.operator, packed, pool),
        activation: node.activation,
        clamp: node.clamp,
        inputs: node.inputs.clone(),
        output: node.output,
    });
    (buffers.collect(), steps.collect())
}

/// The graph that a file and its constants stand for, not verified yet.
pub(super) fn graph(file: ProgramFile, constants: Constants<'_>) -> Result<QuantizedGraph, String> {
    let mut graph =
        QuantizedGraph { name: file.name, inputs: file.inputs, outputs: file.outputs, ..Default::default() };
    for Buffer { name, shape, encoding, channels, constant } in file.buffers {
        let constant = constant.map(|span| constants.int8(span)).transpose()?;
        graph.values.push(QuantizedValue { name, shape, encoding, channels, constant });
    }
    for Step { name, operation, activation, clamp, inputs, output } in file.steps {
        let shape = graph.values.get(output.index()).map(|value| value.shape.as_slice()).unwrap_or_default();
        let operator = operation.read(shape, constants).map_err(|message| format!("step `{name}`: {message}"))?;
        graph.nodes.push(QuantizedNode { name, operator, activation, clamp, inputs, output });
    }
    Ok(graph)
}
