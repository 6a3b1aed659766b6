//! A node with its weights widened, its tables computed and its shapes bound.

use crate::compiler::machine::Level;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::Extension;
use crate::compiler::operators::Pool;
use crate::compiler::operators::PoolKind;
use crate::compiler::operators::Resize;
use crate::compiler::operators::ResizeMode;
use crate::compiler::operators::Slice;
use crate::compiler::operators::TransposedConvolution;
use crate::compiler::operators::arithmetic::integer::IntegerArithmetic;
use crate::compiler::operators::convolution::integer::IntegerConvolution;
use crate::compiler::operators::convolution::integer::PreparedConvolution;
use crate::compiler::operators::convolution::integer::Scratch;
use crate::compiler::operators::dense::integer::DenseOutput;
use crate::compiler::operators::dense::integer::IntegerDense;
use crate::compiler::operators::dense::product::IntegerProduct;
use crate::compiler::operators::function;
use crate::compiler::operators::movement;
use crate::compiler::operators::normalization::integer::InstanceNormalization;
use crate::compiler::operators::pooling::integer::IntegerPool;
use crate::compiler::operators::resize;
use crate::compiler::operators::resize::integer::IntegerLinear;
use crate::compiler::operators::softmax::integer::IntegerSoftmax;
use crate::compiler::operators::transposed::integer::IntegerTransposed;
use crate::compiler::operators::transposed::integer::Requantization;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::QuantizedValue;
use crate::compiler::quantize::Weights;
use crate::compiler::quantize::clamp_behind;
use crate::compiler::quantize::contract::Encoding;
use crate::compiler::quantize::contract::Saturation;
use crate::compiler::quantize::contract::Table;
use crate::compiler::quantize::contract::concat_table;
use crate::compiler::quantize::contract::multiplier;

/// What executes one node.
#[derive(Debug)]
pub(super) enum Kernel {
    Convolution(Box<PreparedConvolution>),
    Transposed(Box<IntegerTransposed>),
    Dense(IntegerDense),
    Product(IntegerProduct),
    Arithmetic {
        kernel: IntegerArithmetic,
        left: Vec<usize>,
        right: Vec<usize>,
        output: Vec<usize>,
    },
    Function(Box<Table>),
    Pool(IntegerPool),
    /// A table for each channel, and the elements of a channel.
    Requantize(Vec<Option<Table>>, usize),
    Copy,
    Transpose {
        shape: Vec<usize>,
        permutation: Vec<usize>,
    },
    Slice {
        slice: Slice,
        shape: Vec<usize>,
        output: Vec<usize>,
    },
    Pad {
        shape: Vec<usize>,
        before: Vec<usize>,
        value: i8,
        output: Vec<usize>,
    },
    Extension {
        extension: Extension,
        shape: Vec<usize>,
    },
    InstanceNormalization(InstanceNormalization),
    /// For each input the number of its elements at and behind the axis, and its table.
    Concat(Vec<(usize, Option<Box<Table>>)>),
    Nearest {
        resize: Resize,
        sizes: [[usize; 2]; 2],
    },
    Linear(IntegerLinear),
    Softmax(Box<IntegerSoftmax>),
}

fn multipliers(weights: &Weights, input: &QuantizedValue, output: &QuantizedValue) -> Vec<f32> {
    let count = weights.scales.len();
    let of = |(channel, &scale): (usize, &f32)| {
        let from = input.encoding_of(input.channel_read_by(channel, count));
        multiplier(from.scale, scale, output.encoding_of(channel).scale)
    };
    weights.scales.iter().enumerate().map(of).collect()
}

/// The last two sizes of `[N,C,H,W]`.
fn plane(shape: &[usize]) -> [usize; 2] {
    match *shape {
        [.., height, width] => [height, width],
        _ => [1, 1],
    }
}

/// The last three sizes of `[N,C,H,W]`.
fn image(shape: &[usize]) -> [usize; 3] {
    match *shape {
        [.., channels, height, width] => [channels, height, width],
        _ => [1, 1, 1],
    }
}

impl Kernel {
    /// Prepares a node of a verified graph.
    pub(super) fn of(graph: &QuantizedGraph, node: &QuantizedNode) -> Self {
        let input = graph.value(node.inputs[0]);
        let output = graph.value(node.output);
        let saturation = Saturation::between(output.encoding.zero_point, node.clamp);
        let encodings = [input.encoding, output.encoding];
        match &node.operator {
            QuantizedOperator::Convolution { attributes, weights } => {
                let layer = convolution(node, (attributes, weights), input, output);
                Self::Convolution(Box::new(layer.prepare(Level::best())))
            }
            QuantizedOperator::TransposedConvolution { attributes, weights } => {
                Self::Transposed(Box::new(transposed(attributes, weights, [input, output], saturation)))
            }
            QuantizedOperator::Dense { weights } => Self::Dense(dense(weights, input, output, saturation)),
            QuantizedOperator::MatrixProduct => {
                let other = graph.value(node.inputs[1]);
                Self::Product(IntegerProduct {
                    shapes: [input.shape.clone(), other.shape.clone(), output.shape.clone()],
                    zero_points: [input.encoding.zero_point, other.encoding.zero_point],
                    multiplier: multiplier(input.encoding.scale, other.encoding.scale, output.encoding.scale),
                    saturation,
                })
            }
            QuantizedOperator::Arithmetic(arithmetic) => {
                let other = graph.value(node.inputs[1]);
                let make = match arithmetic {
                    Arithmetic::Add => IntegerArithmetic::add,
                    Arithmetic::Subtract => IntegerArithmetic::subtract,
                    Arithmetic::Multiply => IntegerArithmetic::multiply,
                    Arithmetic::Divide => IntegerArithmetic::divide,
                };
                Self::Arithmetic {
                    kernel: make(input.encoding, other.encoding, output.encoding, node.clamp),
                    left: input.shape.clone(),
                    right: other.shape.clone(),
                    output: output.shape.clone(),
                }
            }
            QuantizedOperator::Function { table, .. } => {
                let mut fixed = Box::new([0; 256]);
                for (to, &from) in fixed.iter_mut().zip(table) {
                    *to = from;
                }
                Self::Function(fixed)
            }
            QuantizedOperator::Pool(pool) => Self::Pool(IntegerPool {
                attributes: pool.clone(),
                input: plane(&input.shape),
                output: plane(&output.shape),
                input_encoding: input.encoding,
                output_encoding: output.encoding,
            }),
            QuantizedOperator::GlobalPool(kind) => Self::Pool(global_pool(*kind, input, output)),
            QuantizedOperator::Requantize => {
                let tables = output.channels.iter().map(|&to| concat_table(input.encoding, to)).collect();
                Self::Requantize(tables, plane(&output.shape).iter().product())
            }
            QuantizedOperator::Reshape => Self::Copy,
            QuantizedOperator::Transpose { permutation } => {
                Self::Transpose { shape: input.shape.clone(), permutation: permutation.clone() }
            }
            QuantizedOperator::Slice(slice) => {
                Self::Slice { slice: slice.clone(), shape: input.shape.clone(), output: output.shape.clone() }
            }
            QuantizedOperator::Pad { before, value, .. } => Self::Pad {
                shape: input.shape.clone(),
                before: before.clone(),
                value: *value,
                output: output.shape.clone(),
            },
            QuantizedOperator::Extension(extension) => {
                Self::Extension { extension: extension.clone(), shape: input.shape.clone() }
            }
            QuantizedOperator::InstanceNormalization { epsilon, scale, bias } => {
                Self::InstanceNormalization(InstanceNormalization {
                    plane: input.shape[2..].iter().product(),
                    epsilon: *epsilon,
                    scale: scale.clone(),
                    bias: bias.clone(),
                    encodings,
                })
            }
            QuantizedOperator::Concat { axis } => {
                let one = |&id: &_| {
                    let input = graph.value(id);
                    let size = input.shape[*axis..].iter().product();
                    (size, concat_table(input.encoding, output.encoding).map(Box::new))
                };
                Self::Concat(node.inputs.iter().map(one).collect())
            }
            QuantizedOperator::Resize(resize) => Self::resize(resize, input, output),
            QuantizedOperator::Softmax { axis } => {
                let inner = input.shape[axis + 1..].iter().product();
                let kernel = IntegerSoftmax::new(input.shape[*axis], inner, input.encoding, output.encoding);
                Self::Softmax(Box::new(kernel))
            }
        }
    }

    fn resize(resize: &Resize, input: &QuantizedValue, output: &QuantizedValue) -> Self {
        let sizes = [plane(&input.shape), plane(&output.shape)];
        if resize.mode == ResizeMode::Linear {
            Self::Linear(IntegerLinear::new(resize, sizes, [input.encoding, output.encoding]))
        } else {
            Self::Nearest { resize: resize.clone(), sizes }
        }
    }

    /// Computes the output from the operands, all of the sizes the graph says.
    pub(super) fn run(&self, inputs: &[&[i8]], output: &mut [i8], scratch: &mut Scratch) {
        let input = inputs[0];
        match self {
            Self::Convolution(kernel) => kernel.run(input, output, scratch),
            Self::Transposed(kernel) => {
                let sizes = kernel.sizes();
                for (from, to) in input.chunks_exact(sizes[0]).zip(output.chunks_exact_mut(sizes[1])) {
                    kernel.run(from, to);
                }
            }
            Self::Dense(kernel) => kernel.run(input, output),
            Self::Product(kernel) => kernel.run(input, inputs[1], output),
            Self::Arithmetic { kernel, left, right, output: shape } => {
                kernel.run((input, left), (inputs[1], right), (output, shape));
            }
            Self::Function(table) => function::integer::look_up(table, input, output),
            Self::Pool(kernel) => kernel.run(input, output),
            Self::Requantize(tables, plane) => {
                let channels = input.chunks_exact(*plane).zip(output.chunks_exact_mut(*plane));
                for ((from, to), table) in channels.zip(tables.iter().cycle()) {
                    match table {
                        Some(table) => function::integer::look_up(table, from, to),
                        None => to.copy_from_slice(from),
                    }
                }
            }
            Self::Copy => output.copy_from_slice(input),
            Self::Transpose { shape, permutation } => {
                movement::integer::transpose(input, shape, permutation, output);
            }
            Self::Slice { slice, shape, output: to } => movement::integer::slice(input, shape, slice, output, to),
            Self::Pad { shape, before, value, output: to } => {
                movement::integer::pad(input, shape, before, *value, (output, to));
            }
            Self::Extension { extension, shape } => extension.run(input, shape, output),
            Self::InstanceNormalization(kernel) => kernel.run(input, output),
            Self::Concat(parts) => {
                let parts: Vec<_> = inputs
                    .iter()
                    .zip(parts)
                    .map(|(&input, (size, table))| movement::integer::Part {
                        input,
                        size: *size,
                        table: table.as_deref(),
                    })
                    .collect();
                movement::integer::concat(&parts, output);
            }
            Self::Nearest { resize, sizes: [from, to] } => {
                resize::integer::run_nearest(resize, input, *from, output, *to);
            }
            Self::Linear(kernel) => kernel.run(input, output),
            Self::Softmax(kernel) => kernel.run(input, output),
        }
    }
}

fn convolution(
    node: &QuantizedNode,
    (attributes, weights): (&Convolution, &Weights),
    input: &QuantizedValue,
    output: &QuantizedValue,
) -> IntegerConvolution {
    let saturation =
        |&encoding: &Encoding| Saturation::between(encoding.zero_point, clamp_behind(encoding, node.activation));
    IntegerConvolution {
        attributes: attributes.clone(),
        input: image(&input.shape),
        output: image(&output.shape),
        kernel: plane(&weights.shape),
        weights: weights.values.clone(),
        bias: weights.bias.clone(),
        multipliers: multipliers(weights, input, output),
        input_zero_point: input.encoding.zero_point,
        channel_zero_points: input.channels.iter().map(|encoding| encoding.zero_point).collect(),
        saturation: Saturation::between(output.encoding.zero_point, node.clamp),
        channel_saturations: output.channels.iter().map(saturation).collect(),
    }
}

fn transposed(
    attributes: &TransposedConvolution,
    weights: &Weights,
    [input, output]: [&QuantizedValue; 2],
    saturation: Saturation,
) -> IntegerTransposed {
    let requantization =
        Requantization { bias: weights.bias.clone(), multipliers: multipliers(weights, input, output), saturation };
    IntegerTransposed::new(
        attributes,
        [image(&input.shape), image(&output.shape)],
        (&weights.values, plane(&weights.shape)),
        input.encoding.zero_point,
        requantization,
    )
}

fn global_pool(kind: PoolKind, input: &QuantizedValue, output: &QuantizedValue) -> IntegerPool {
    let kernel = plane(&input.shape);
    IntegerPool {
        attributes: Pool::global(kind, kernel),
        input: kernel,
        output: [1, 1],
        input_encoding: input.encoding,
        output_encoding: output.encoding,
    }
}

fn dense(weights: &Weights, input: &QuantizedValue, output: &QuantizedValue, saturation: Saturation) -> IntegerDense {
    let requantization =
        DenseOutput { bias: &weights.bias, multipliers: multipliers(weights, input, output), saturation };
    let rows = input.len() / weights.shape[0].max(1);
    IntegerDense::new(&weights.values, rows, input.encoding.zero_point, &requantization)
}
