//! Float convolutions with constant weights.

use crate::compiler::calibrate::direct::apply_in_place;
use crate::compiler::calibrate::winograd::Transformed;
use crate::compiler::calibrate::winograd::Winograd;
use crate::compiler::graph::Graph;
use crate::compiler::graph::Node;
use crate::compiler::graph::ValueId;
use crate::compiler::machine::COLUMNS;
use crate::compiler::machine::FloatResults;
use crate::compiler::machine::FloatRows;
use crate::compiler::machine::Level;
use crate::compiler::machine::vectorized;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::Function;
use crate::compiler::operators::padded::Padded;
use crate::compiler::operators::padded::Runs;

/// What convolutions of one thread write to besides their outputs.
#[derive(Default)]
pub(super) struct Scratch {
    padding: Vec<f32>,
    transformed: Transformed,
    results: FloatResults,
}

/// A convolution with constant weights, packed.
pub(super) struct FloatConvolution {
    method: Method,
    /// Elements of one image's input and output.
    sizes: [usize; 2],
    /// What becomes of each result.
    activation: Option<Function>,
}

/// How a convolution is computed: by whichever is likely to take less time.
enum Method {
    Tiles(Winograd),
    Sums(Sums),
}

/// Each result as the plain sum of its products.
struct Sums {
    padded: Padded,
    runs: Runs,
    /// Where each element that a weight meets lies, from a position on.
    offsets: Vec<usize>,
    groups: Vec<FloatRows>,
}

impl FloatConvolution {
    pub(super) fn of(graph: &Graph, node: &Node, attributes: &Convolution) -> Option<Self> {
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
        let weights = constant(weights)?;
        let is_plain = (strides, dilations, attributes.group) == ([1, 1], [1, 1], 1);
        let output = [out_height, out_width];
        let sizes = [channels * height * width, outputs * out_height * out_width];
        if is_plain && [kernel_height, kernel_width] == [3, 3] && Winograd::is_faster([outputs, inputs], output) {
            let tiles = Winograd::new(weights, bias, [height, width], [top, left], output);
            return Some(Self { method: Method::Tiles(tiles), sizes, activation: None });
        }
        let padded = Padded::new([height, width], [top, left], strides, extent, [out_height, out_width]);
        let mut offsets = Vec::with_capacity(inputs * kernel_height * kernel_width);
        for channel in 0..inputs {
            for ky in 0..kernel_height {
                let place = |kx| channel * padded.plane() + padded.offset(ky * dilations[0], kx * dilations[1]);
                offsets.extend((0..kernel_width).map(place));
            }
        }
        let (length, of_group) = (offsets.len(), outputs / attributes.group);
        let groups = weights.chunks_exact(of_group * length).zip(bias.chunks_exact(of_group));
        let groups = groups.map(|(weights, bias)| FloatRows::new(Level::best(), weights, length, bias)).collect();
        let runs = Runs::new([out_height, out_width], padded.row_length(), COLUMNS);
        let method = Method::Sums(Sums { padded, runs, offsets, groups });
        Some(Self { method, sizes, activation: None })
    }

    /// The same with a function behind it.
    pub(super) const fn activate(&mut self, function: Function) {
        self.activation = Some(function);
    }

    pub(super) fn run(&self, input: &[f32], scratch: &mut Scratch, output: &mut [f32]) {
        for (from, to) in input.chunks_exact(self.sizes[0]).zip(output.chunks_exact_mut(self.sizes[1])) {
            match &self.method {
                Method::Tiles(tiles) => tiles.run(from, self.activation, &mut scratch.transformed, to),
                Method::Sums(sums) => sums.run(from, self.activation, scratch, to),
            }
        }
    }
}

impl Sums {
    fn run(&self, input: &[f32], activation: Option<Function>, scratch: &mut Scratch, output: &mut [f32]) {
        let count = self.groups.len();
        let parts = input.chunks_exact(input.len() / count).zip(output.chunks_exact_mut(output.len() / count));
        for ((from, to), rows) in parts.zip(&self.groups) {
            self.run_group((rows, activation), from, scratch, to);
        }
    }

    fn run_group(
        &self,
        (rows, activation): (&FloatRows, Option<Function>),
        input: &[f32],
        scratch: &mut Scratch,
        output: &mut [f32],
    ) {
        let Scratch { padding, results, .. } = scratch;
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
            if let Some(function) = activation {
                let elements = results.as_flattened_mut();
                vectorized(|| apply_in_place(function, elements));
            }
            for (place, results) in results.iter().enumerate() {
                let (run, row) = (index * together + place / outputs, place % outputs);
                self.runs.copy(run, results, &mut output[row * plane..][..plane]);
            }
        }
    }
}
