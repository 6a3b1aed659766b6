//! Float nodes that are computed here rather than by rten: convolutions, whose cost is most of a network's, and what stands
//! between them, so that one run of rten's for each is saved.

use crate::compiler::calibrate::convolution::FloatConvolution;
use crate::compiler::calibrate::convolution::Scratch;
use crate::compiler::graph::Graph;
use crate::compiler::graph::Node;
use crate::compiler::graph::Tensor;
use crate::compiler::graph::ValueId;
use crate::compiler::graph::broadcast_strides;
use crate::compiler::machine::exponential;
use crate::compiler::machine::vectorized;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Extension;
use crate::compiler::operators::Function;
use crate::compiler::operators::Operator;
use crate::compiler::operators::Pool;
use crate::compiler::operators::Resize;
use crate::compiler::operators::ResizeMode;
use crate::compiler::operators::Slice;
use crate::compiler::operators::movement::integer as movement;
use crate::compiler::operators::resize::integer::FloatLinear;
use crate::compiler::operators::resize::integer::run_nearest;

/// A node that is prepared to be computed.
pub(super) enum DirectNode {
    Convolution(Box<FloatConvolution>),
    Function(Function),
    Arithmetic(Broadcast),
    Dense(FloatDense),
    /// For each input the number of its elements at and behind the axis.
    Concat(Vec<usize>),
    Reshape,
    Moved(Moved),
    /// H and W of the input and the output.
    Pool(Pool, [[usize; 2]; 2]),
    Nearest(Resize, [[usize; 2]; 2]),
    Linear(FloatLinear),
}

/// The last two sizes of `[N,C,H,W]`.
fn plane(shape: &[usize]) -> [usize; 2] {
    match *shape {
        [.., height, width] => [height, width],
        _ => [1, 1],
    }
}

impl DirectNode {
    /// Whether a node is computed here.
    pub(super) fn is(graph: &Graph, node: &Node) -> bool {
        let is_constant = |id: &ValueId| graph.value(*id).constant.is_some();
        let rest_is_constant = node.inputs.iter().skip(1).all(is_constant);
        let first_is_not = node.inputs.first().is_some_and(|first| !is_constant(first));
        match &node.operator {
            Operator::Convolution(_) | Operator::Dense => rest_is_constant && first_is_not,
            Operator::Function(function) => first_is_not && is_simple(*function),
            Operator::Arithmetic(_) => !node.inputs.iter().all(is_constant),
            Operator::Concat { .. } => !node.inputs.iter().any(is_constant),
            Operator::Reshape
            | Operator::Transpose { .. }
            | Operator::Slice(_)
            | Operator::Pad { .. }
            | Operator::Extension(_)
            | Operator::Pool(_)
            | Operator::GlobalPool(_)
            | Operator::Resize(_) => first_is_not,
            _ => false,
        }
    }

    /// Prepares a node; `None` where rten computes it.
    pub(super) fn of(graph: &Graph, node: &Node) -> Option<Self> {
        if !Self::is(graph, node) {
            return None;
        }
        let shape = |id: ValueId| graph.value(id).shape.clone();
        let (input, output) = (shape(*node.inputs.first()?), shape(node.output));
        let planes = [plane(&input), plane(&output)];
        let moved = |how| Some(Self::Moved(Moved { how, input: input.clone(), output: output.clone() }));
        match &node.operator {
            Operator::Convolution(attributes) => {
                Some(Self::Convolution(Box::new(FloatConvolution::of(graph, node, attributes)?)))
            }
            Operator::Dense => FloatDense::of(graph, node).map(Self::Dense),
            Operator::Function(function) => Some(Self::Function(*function)),
            Operator::Arithmetic(arithmetic) => {
                let other = shape(*node.inputs.get(1)?);
                Some(Self::Arithmetic(Broadcast::new(*arithmetic, [&input, &other], &output)))
            }
            Operator::Concat { axis } => {
                let size = |input: &ValueId| graph.value(*input).shape.iter().skip(*axis).product();
                Some(Self::Concat(node.inputs.iter().map(size).collect()))
            }
            Operator::Reshape => Some(Self::Reshape),
            Operator::Transpose { permutation } => moved(How::Transpose(permutation.clone())),
            Operator::Slice(slice) => moved(How::Slice(slice.clone())),
            Operator::Pad { before, value, .. } => moved(How::Pad(before.clone(), *value)),
            Operator::Extension(extension) => moved(How::Extend(extension.clone())),
            Operator::Pool(pool) => Some(Self::Pool(pool.clone(), planes)),
            Operator::GlobalPool(kind) => Some(Self::Pool(Pool::global(*kind, planes[0]), planes)),
            Operator::Resize(resize) if resize.mode == ResizeMode::Linear => {
                Some(Self::Linear(FloatLinear::new(resize, planes)))
            }
            Operator::Resize(resize) => Some(Self::Nearest(resize.clone(), planes)),
            _ => None,
        }
    }

    /// Takes in the function behind it, which alone reads its output; whether it could.
    pub(super) fn activated(&mut self, next: &Node) -> bool {
        match (self, &next.operator) {
            (Self::Convolution(layer), Operator::Function(function)) if is_simple(*function) => {
                layer.activate(*function);
                true
            }
            _ => false,
        }
    }

    /// How many of the node's inputs are tensors that are given to [`run`](Self::run).
    pub(super) const fn operands(&self) -> usize {
        match self {
            Self::Arithmetic(_) => 2,
            Self::Concat(sizes) => sizes.len(),
            _ => 1,
        }
    }

    /// Computes the output, all of it, from as many operands as the node has.
    pub(super) fn run(&self, inputs: &[&[f32]], scratch: &mut Scratch, output: &mut [f32]) {
        match (self, inputs) {
            (Self::Convolution(layer), [input]) => layer.run(input, scratch, output),
            (Self::Function(function), [input]) => vectorized(|| apply(*function, input, output)),
            (Self::Dense(layer), [input]) => layer.run(input, output),
            (Self::Reshape, [input]) => output.copy_from_slice(input),
            (Self::Moved(moved), [input]) => moved.run(input, output),
            (Self::Pool(pool, sizes), [input]) => pool.run_floats(*sizes, input, output),
            (Self::Nearest(resize, [from, to]), [input]) => run_nearest(resize, input, *from, output, *to),
            (Self::Linear(kernel), [input]) => kernel.run(input, output),
            (Self::Concat(sizes), parts) => {
                for (index, to) in output.chunks_exact_mut(sizes.iter().sum()).enumerate() {
                    let mut rest = to;
                    for (part, &size) in parts.iter().zip(sizes) {
                        let (to, behind) = rest.split_at_mut(size);
                        to.copy_from_slice(&part[index * size..][..size]);
                        rest = behind;
                    }
                }
            }
            (Self::Arithmetic(broadcast), [left, right]) => broadcast.run(left, right, output),
            _ => {}
        }
    }
}

/// Whether a function is a few operations of floats.
const fn is_simple(function: Function) -> bool {
    matches!(
        function,
        Function::Relu
            | Function::Clip { .. }
            | Function::Sigmoid
            | Function::LeakyRelu { .. }
            | Function::HardSigmoid { .. }
            | Function::HardSwish
            | Function::Negate
            | Function::Absolute
    )
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
fn apply(function: Function, input: &[f32], output: &mut [f32]) {
    each(function, output.iter_mut().zip(input.iter().copied()));
}

/// The same where the elements stand already.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
pub(super) fn apply_in_place(function: Function, elements: &mut [f32]) {
    each(
        function,
        elements.iter_mut().map(|to| {
            let x = *to;
            (to, x)
        }),
    );
}

/// What is not a number stays one, so that it is noticed.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
fn each<'a>(function: Function, pairs: impl Iterator<Item = (&'a mut f32, f32)>) {
    match function {
        Function::Relu => pairs.for_each(|(to, x)| *to = if x < 0.0 { 0.0 } else { x }),
        Function::Clip { low, high } => pairs.for_each(|(to, x)| *to = bounded(x, low, high)),
        Function::LeakyRelu { alpha } => pairs.for_each(|(to, x)| *to = if x < 0.0 { x * alpha } else { x }),
        Function::HardSigmoid { alpha, beta } => {
            pairs.for_each(|(to, x)| *to = bounded(alpha * x + beta, 0.0, 1.0));
        }
        Function::HardSwish => pairs.for_each(|(to, x)| *to = x * bounded(x / 6.0 + 0.5, 0.0, 1.0)),
        Function::Negate => pairs.for_each(|(to, x)| *to = -x),
        Function::Absolute => pairs.for_each(|(to, x)| *to = x.abs()),
        _ => pairs.for_each(|(to, x)| *to = 1.0 / (1.0 + exponential(-x))),
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
fn bounded(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// Elements that are only moved.
pub(super) struct Moved {
    how: How,
    input: Vec<usize>,
    output: Vec<usize>,
}

enum How {
    Transpose(Vec<usize>),
    Slice(Slice),
    /// Elements before each axis, and what they are.
    Pad(Vec<usize>, f32),
    Extend(Extension),
}

impl Moved {
    fn run(&self, input: &[f32], output: &mut [f32]) {
        match &self.how {
            How::Transpose(permutation) => movement::transpose(input, &self.input, permutation, output),
            How::Slice(slice) => movement::slice(input, &self.input, slice, output, &self.output),
            How::Pad(before, value) => movement::pad(input, &self.input, before, *value, (output, &self.output)),
            How::Extend(extension) => extension.run(input, &self.input, output),
        }
    }
}

/// Arithmetic of two operands that broadcast to the output.
pub(super) struct Broadcast {
    arithmetic: Arithmetic,
    sizes: Vec<usize>,
    /// Of both operands.
    steps: [Vec<isize>; 2],
}

/// One operand of a row: its elements, or one for all.
#[derive(Clone, Copy)]
enum Operand<'a> {
    Elements(&'a [f32]),
    One(f32),
}

impl<'a> Operand<'a> {
    /// What lies at and behind an index.
    fn of(elements: &'a [f32], index: &[usize], steps: &[isize]) -> Self {
        let at: usize = index.iter().zip(steps).map(|(index, &step)| index * step as usize).sum();
        match (elements.get(at), steps.last()) {
            (Some(&one), Some(0)) => Self::One(one),
            _ => Self::Elements(elements.get(at..).unwrap_or_default()),
        }
    }
}

impl Broadcast {
    fn new(arithmetic: Arithmetic, operands: [&[usize]; 2], output: &[usize]) -> Self {
        let steps = operands.map(|shape| -> Vec<isize> {
            broadcast_strides(shape, output).into_iter().map(|step| step as isize).collect()
        });
        let (sizes, steps) = movement::collapsed(output, [&steps[0], &steps[1]]);
        Self { arithmetic, sizes, steps }
    }

    fn run(&self, left: &[f32], right: &[f32], output: &mut [f32]) {
        let Some((&inner, outer)) = self.sizes.split_last() else {
            return self.row(Operand::Elements(left), Operand::Elements(right), output);
        };
        let mut index = vec![0_usize; outer.len()];
        for to in output.chunks_exact_mut(inner) {
            let [left, right] = [(left, &self.steps[0]), (right, &self.steps[1])]
                .map(|(elements, steps)| Operand::of(elements, &index, steps));
            self.row(left, right, to);
            for axis in (0..outer.len()).rev() {
                index[axis] += 1;
                if index[axis] < outer[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
    }

    /// Neighbouring elements.
    fn row(&self, left: Operand<'_>, right: Operand<'_>, to: &mut [f32]) {
        match self.arithmetic {
            Arithmetic::Add => joined(left, right, to, |x, y| x + y),
            Arithmetic::Subtract => joined(left, right, to, |x, y| x - y),
            Arithmetic::Multiply => joined(left, right, to, |x, y| x * y),
            Arithmetic::Divide => joined(left, right, to, |x, y| x / y),
        }
    }
}

fn joined(left: Operand<'_>, right: Operand<'_>, to: &mut [f32], join: impl Fn(f32, f32) -> f32) {
    vectorized(|| match (left, right) {
        (Operand::Elements(left), Operand::Elements(right)) => {
            to.iter_mut().zip(left.iter().zip(right)).for_each(|(to, (&x, &y))| *to = join(x, y));
        }
        (Operand::Elements(left), Operand::One(y)) => to.iter_mut().zip(left).for_each(|(to, &x)| *to = join(x, y)),
        (Operand::One(x), Operand::Elements(right)) => to.iter_mut().zip(right).for_each(|(to, &y)| *to = join(x, y)),
        (Operand::One(x), Operand::One(y)) => to.fill(join(x, y)),
    });
}

/// A dense layer with constant weights.
pub(super) struct FloatDense {
    /// `[K,N]`.
    weights: Tensor,
    bias: Option<Tensor>,
    depth: usize,
}

impl FloatDense {
    fn of(graph: &Graph, node: &Node) -> Option<Self> {
        let constant = |place: usize| graph.value(*node.inputs.get(place)?).constant.clone();
        let weights = constant(1)?;
        let bias = match node.inputs.get(2) {
            Some(_) => Some(constant(2)?),
            None => None,
        };
        let depth = *weights.shape().first()?;
        weights.as_f32()?;
        Some(Self { weights, bias, depth })
    }

    fn run(&self, input: &[f32], output: &mut [f32]) {
        let Some(weights) = self.weights.as_f32() else { return };
        let columns = weights.len() / self.depth.max(1);
        let bias = self.bias.as_ref().and_then(Tensor::as_f32).unwrap_or_default();
        for (from, to) in input.chunks_exact(self.depth).zip(output.chunks_exact_mut(columns)) {
            for (column, to) in to.iter_mut().enumerate() {
                *to = bias.get(column).or(bias.first()).copied().unwrap_or(0.0);
            }
            for (&x, weights) in from.iter().zip(weights.chunks_exact(columns)) {
                vectorized(|| to.iter_mut().zip(weights).for_each(|(to, weight)| *to += x * weight));
            }
        }
    }
}
