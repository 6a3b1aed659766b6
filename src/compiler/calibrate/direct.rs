//! Float nodes that are computed here rather than by rten: convolutions, whose cost is most of a network's, and what stands
//! between them, so that one run of rten's for each is saved.

use crate::compiler::graph::Graph;
use crate::compiler::graph::Node;
use crate::compiler::graph::ValueId;
use crate::compiler::machine::COLUMNS;
use crate::compiler::machine::FloatResults;
use crate::compiler::machine::FloatRows;
use crate::compiler::machine::Level;
use crate::compiler::machine::exponential;
use crate::compiler::machine::vectorized;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::Function;
use crate::compiler::operators::Operator;
use crate::compiler::operators::padded::Padded;
use crate::compiler::operators::padded::Runs;

/// A node that is prepared to be computed.
pub(super) enum DirectNode {
    Convolution(Box<FloatConvolution>),
    Function(Function),
    Arithmetic(Arithmetic),
    /// For each input the number of its elements at and behind the axis.
    Concat(Vec<usize>),
    Reshape,
}

/// What convolutions of one thread write to besides their outputs.
#[derive(Default)]
pub(super) struct Scratch {
    padding: Vec<f32>,
    results: FloatResults,
}

impl DirectNode {
    /// Whether a node is computed here.
    pub(super) fn is(graph: &Graph, node: &Node) -> bool {
        let shape = |id: &ValueId| graph.value(*id).shape.as_slice();
        let is_constant = |id: &ValueId| graph.value(*id).constant.is_some();
        match &node.operator {
            Operator::Convolution(_) => node.inputs.iter().skip(1).all(is_constant),
            Operator::Function(function) => {
                matches!(function, Function::Relu | Function::Clip { .. } | Function::Sigmoid)
            }
            Operator::Arithmetic(_) => {
                node.inputs.iter().all(|input| shape(input) == shape(&node.output) && !is_constant(input))
            }
            Operator::Concat { .. } | Operator::Reshape => !node.inputs.iter().any(is_constant),
            _ => false,
        }
    }

    /// Prepares a node; `None` where rten computes it.
    pub(super) fn of(graph: &Graph, node: &Node) -> Option<Self> {
        match &node.operator {
            _ if !Self::is(graph, node) => None,
            Operator::Convolution(attributes) => {
                Some(Self::Convolution(Box::new(FloatConvolution::of(graph, node, attributes)?)))
            }
            Operator::Function(function) => Some(Self::Function(*function)),
            Operator::Arithmetic(arithmetic) => Some(Self::Arithmetic(*arithmetic)),
            Operator::Concat { axis } => {
                let size = |input: &ValueId| graph.value(*input).shape.iter().skip(*axis).product();
                Some(Self::Concat(node.inputs.iter().map(size).collect()))
            }
            Operator::Reshape => Some(Self::Reshape),
            _ => None,
        }
    }

    /// How many of the node's inputs are tensors that are given to [`run`](Self::run).
    pub(super) const fn operands(&self) -> usize {
        match self {
            Self::Convolution(_) | Self::Function(_) | Self::Reshape => 1,
            Self::Arithmetic(_) => 2,
            Self::Concat(sizes) => sizes.len(),
        }
    }

    /// Computes the output, all of it, from as many operands as the node has.
    pub(super) fn run(&self, inputs: &[&[f32]], scratch: &mut Scratch, output: &mut [f32]) {
        match (self, inputs) {
            (Self::Convolution(layer), [input]) => layer.run(input, scratch, output),
            (Self::Function(function), [input]) => vectorized(|| apply(*function, input, output)),
            (Self::Reshape, [input]) => output.copy_from_slice(input),
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
            (Self::Arithmetic(arithmetic), [left, right]) => vectorized(|| {
                let pairs = output.iter_mut().zip(left.iter().zip(*right));
                match arithmetic {
                    Arithmetic::Add => pairs.for_each(|(to, (x, y))| *to = x + y),
                    Arithmetic::Subtract => pairs.for_each(|(to, (x, y))| *to = x - y),
                    Arithmetic::Multiply => pairs.for_each(|(to, (x, y))| *to = x * y),
                    Arithmetic::Divide => pairs.for_each(|(to, (x, y))| *to = x / y),
                }
            }),
            _ => {}
        }
    }
}

/// What is not a number stays one, so that it is noticed.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
fn apply(function: Function, input: &[f32], output: &mut [f32]) {
    let pairs = output.iter_mut().zip(input);
    match function {
        Function::Relu => pairs.for_each(|(to, &x)| *to = if x < 0.0 { 0.0 } else { x }),
        Function::Clip { low, high } => pairs.for_each(|(to, &x)| {
            let x = if x < low { low } else { x };
            *to = if x > high { high } else { x };
        }),
        _ => pairs.for_each(|(to, &x)| *to = 1.0 / (1.0 + exponential(-x))),
    }
}

/// A convolution with constant weights, packed.
pub(super) struct FloatConvolution {
    padded: Padded,
    runs: Runs,
    /// Where each element that a weight meets lies, from a position on.
    offsets: Vec<usize>,
    groups: Vec<FloatRows>,
    /// Elements of one image's input and output.
    sizes: [usize; 2],
}

impl FloatConvolution {
    fn of(graph: &Graph, node: &Node, attributes: &Convolution) -> Option<Self> {
        let constant = |id: &ValueId| graph.value(*id).constant.as_ref()?.as_f32();
        let (input, weights) = (node.inputs.first()?, node.inputs.get(1)?);
        let (&[_, channels, height, width], &[outputs, inputs, kernel_height, kernel_width]) =
            (graph.value(*input).shape.as_slice(), graph.value(*weights).shape.as_slice())
        else {
            return None;
        };
        let &[_, _, out_height, out_width] = graph.value(node.output).shape.as_slice() else { return None };
        let zeros = vec![0.0; outputs];
        let bias = match node.inputs.get(2) {
            Some(bias) => constant(bias)?,
            None => &zeros,
        };
        let (strides, dilations) = (attributes.strides, attributes.dilations);
        let [top, left, ..] = attributes.pads;
        let extent = [(kernel_height - 1) * dilations[0] + 1, (kernel_width - 1) * dilations[1] + 1];
        let padded = Padded::new([height, width], [top, left], strides, extent, [out_height, out_width]);
        let mut offsets = Vec::with_capacity(inputs * kernel_height * kernel_width);
        for channel in 0..inputs {
            for ky in 0..kernel_height {
                let place = |kx| channel * padded.plane() + padded.offset(ky * dilations[0], kx * dilations[1]);
                offsets.extend((0..kernel_width).map(place));
            }
        }
        let (length, of_group) = (offsets.len(), outputs / attributes.group);
        let groups = constant(weights)?.chunks_exact(of_group * length).zip(bias.chunks_exact(of_group));
        let groups = groups.map(|(weights, bias)| FloatRows::new(Level::best(), weights, length, bias)).collect();
        Some(Self {
            runs: Runs::new([out_height, out_width], padded.row_length(), COLUMNS),
            padded,
            offsets,
            groups,
            sizes: [channels * height * width, outputs * out_height * out_width],
        })
    }

    fn run(&self, input: &[f32], scratch: &mut Scratch, output: &mut [f32]) {
        let count = self.groups.len();
        for (from, to) in input.chunks_exact(self.sizes[0]).zip(output.chunks_exact_mut(self.sizes[1])) {
            let parts = from.chunks_exact(self.sizes[0] / count).zip(to.chunks_exact_mut(self.sizes[1] / count));
            for ((from, to), rows) in parts.zip(&self.groups) {
                self.run_group(rows, from, scratch, to);
            }
        }
    }

    fn run_group(&self, rows: &FloatRows, input: &[f32], scratch: &mut Scratch, output: &mut [f32]) {
        let Scratch { padding, results } = scratch;
        let source = if self.padded.is_input() {
            input
        } else {
            let (from, plane) = (self.padded.source_plane(), self.padded.plane());
            padding.clear();
            // Enough behind the last plane that whole runs can be read.
            padding.resize(input.len() / from * plane + COLUMNS, 0.0);
            for (from, to) in input.chunks_exact(from).zip(padding.chunks_exact_mut(plane)) {
                self.padded.fill(from, to);
            }
            padding
        };
        let (outputs, bases) = (rows.count(), &self.runs.bases);
        let plane = output.len() / outputs;
        // One row alone takes all runs at once; several share the elements of a run.
        let together = if outputs == 1 { bases.len() } else { 1 };
        for (index, bases) in bases.chunks(together).enumerate() {
            let results = rows.apply(source, &self.offsets, bases, results);
            for (place, results) in results.iter().enumerate() {
                let (run, row) = (index * together + place / outputs, place % outputs);
                self.runs.copy(run, results, &mut output[row * plane..][..plane]);
            }
        }
    }
}
