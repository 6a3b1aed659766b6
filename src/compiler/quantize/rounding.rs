//! Rounding by reconstruction: each weight is rounded up or down so that its layer's sums come out right on what the layer
//! reads, not each weight by itself. Inputs of a layer go together, so the errors of some weights can make up for those of
//! others.
//!
//! With `e` the errors of an output's weights in steps and `C` the covariance of what they are multiplied by, the squared error
//! of its sums is `e·C·e`; the mean goes into the bias. Weight by weight, the rounding is taken that lowers it, until none
//! does (coordinate descent, as in Behdin et al., `QuantEase`, 2023, but each weight stays beside its exact value). `C` is
//! measured at some positions of a few images; its blocks are limited by how many there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::compiler::calibrate::Watch;
use crate::compiler::calibrate::for_each_index;
use crate::compiler::calibrate::in_order;
use crate::compiler::error::StageError;
use crate::compiler::graph::Graph;
use crate::compiler::machine::Work;
use crate::compiler::machine::vectorized_work;
use crate::compiler::operators::Convolution;
use crate::compiler::quantize::Converted;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::QuantizedValue;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::Weights;
use crate::compiler::quantize::contract::check_accumulator;
use crate::compiler::reference::Executor;

/// The most weights of an output that are rounded together.
const MOST_TOGETHER: usize = 256;

/// Positions that are looked at for each weight of a block: with fewer a covariance is mostly chance.
const POSITIONS_EACH: usize = 4;

/// The fewest positions for which a layer is done at all.
const LEAST_POSITIONS: usize = 32;

/// What is added to the diagonal of a covariance, as a share of its mean.
const RIDGE: f32 = 0.05;

/// How often all weights of a block are gone through.
const SWEEPS: usize = 4;

/// The largest weight.
const BOUND: f32 = 127.0;

/// Rounds the weights of a converted graph anew. `graph` is the float graph that it was converted from, `executor` runs it as
/// it is, `images` are int8 inputs.
pub(super) fn round_by_reconstruction(
    converted: &mut Converted,
    graph: &Graph,
    executor: &Executor<'_>,
    images: &[Arc<Vec<Vec<i8>>>],
    threads: usize,
    watch: &Watch<'_>,
) -> Result<(), StageError> {
    let layers = layers(&converted.graph, graph, images.len());
    let mut readers: BTreeMap<TensorId, Vec<usize>> = BTreeMap::new();
    for (place, layer) in layers.iter().enumerate() {
        readers.entry(layer.input).or_default().push(place);
    }
    let read = in_order(for_each_index(images.len(), threads, Vec::new, |own, index| {
        watch.check()?;
        let mut rows: Vec<Vec<i8>> = vec![Vec::new(); layers.len()];
        let mut see = |id: TensorId, elements: &[i8]| {
            for &place in readers.get(&id).map(Vec::as_slice).unwrap_or_default() {
                rows[place] = layers[place].rows(&converted.graph, elements, index);
            }
        };
        converted.graph.inputs.iter().zip(images[index].iter()).for_each(|(&id, input)| see(id, input));
        executor.run_int8(&images[index], &mut see)?;
        own.push((index, rows));
        Ok(())
    })?);
    // The largest ones first, so that no thread is left with one of them at the end.
    let mut order: Vec<usize> = (0..layers.len()).collect();
    order.sort_by_key(|&place| std::cmp::Reverse(layers[place].floats.len() * layers[place].together));
    let rounded = for_each_index(layers.len(), threads, Vec::new, |own, number| {
        watch.check()?;
        let place = order[number];
        let rows: Vec<&[i8]> = read.iter().map(|rows| rows[place].as_slice()).collect();
        let node = &converted.graph.nodes[layers[place].node];
        if let Some(weights) = node.operator.weights() {
            own.push((
                layers[place].node,
                layers[place].rounded(weights, converted.graph.value(layers[place].input), &rows),
            ));
        }
        Ok(())
    })?;
    for (node, weights) in rounded.into_iter().flatten() {
        if let Some(own) = converted.graph.nodes[node].operator.weights_mut() {
            *own = weights;
        }
    }
    Ok(())
}

/// A layer whose weights are rounded.
struct Layer<'a> {
    node: usize,
    input: TensorId,
    /// The weights in float, as the quantized ones lie.
    floats: &'a [f32],
    /// Of a convolution its attributes, and C, H, W, kernel height and width, output height and width.
    window: Option<(&'a Convolution, [usize; 7])>,
    /// Outputs of a group, and weights of each.
    group: [usize; 2],
    groups: usize,
    /// All positions, and how many of them are looked at in an image.
    positions: [usize; 2],
    /// How many weights are rounded together.
    together: usize,
}

/// The layers with constant weights that have enough positions.
fn layers<'a>(quantized: &'a QuantizedGraph, graph: &'a Graph, images: usize) -> Vec<Layer<'a>> {
    let constants =
        graph.values.iter().filter_map(|value| Some((value.name.as_str(), value.constant.as_ref()?.as_f32()?)));
    let floats: BTreeMap<&str, &[f32]> = constants.collect();
    let nodes = quantized.nodes.iter().enumerate();
    nodes.filter_map(|(place, node)| Layer::of(quantized, place, node, &floats, images)).collect()
}

impl<'a> Layer<'a> {
    fn of(
        quantized: &'a QuantizedGraph,
        place: usize,
        node: &'a QuantizedNode,
        floats: &BTreeMap<&str, &'a [f32]>,
        images: usize,
    ) -> Option<Self> {
        let weights = node.operator.weights()?;
        let floats = *floats.get(weights.name.as_str()).filter(|floats| floats.len() == weights.values.len())?;
        let input = node.inputs[0];
        let outputs = weights.bias.len();
        let length = weights.length();
        let (window, groups, all) = match &node.operator {
            QuantizedOperator::Convolution { attributes, .. } => {
                let &[_, channels, height, width] = quantized.value(input).shape.as_slice() else { return None };
                let &[batch, _, rows, columns] = quantized.value(node.output).shape.as_slice() else { return None };
                let &[_, _, kernel_height, kernel_width] = weights.shape.as_slice() else { return None };
                let sizes = [channels, height, width, kernel_height, kernel_width, rows, columns];
                (Some((attributes, sizes)), attributes.group, batch * rows * columns)
            }
            QuantizedOperator::Dense { .. } => (None, 1, quantized.value(input).len() / length.max(1)),
            _ => return None,
        };
        let wanted = (POSITIONS_EACH * length.min(MOST_TOGETHER)).max(2 * LEAST_POSITIONS);
        let looked_at = all.min(wanted.div_ceil(images.max(1)));
        if length == 0 || groups == 0 || looked_at * images < LEAST_POSITIONS {
            return None;
        }
        let together = length.min(MOST_TOGETHER).min(looked_at * images / POSITIONS_EACH);
        let (group, positions) = ([outputs / groups, length], [all, looked_at]);
        Some(Self { node: place, input, floats, window, group, groups, positions, together })
    }

    /// What the weights of all groups meet at the positions that are looked at in an image: position by position.
    fn rows(&self, graph: &QuantizedGraph, elements: &[i8], image: usize) -> Vec<i8> {
        let [all, looked_at] = self.positions;
        let mut rows = Vec::with_capacity(looked_at * self.groups * self.group[1]);
        let patch = self.window.map(|(attributes, sizes)| Patch::new(graph.value(self.input), attributes, sizes));
        for number in 0..looked_at {
            let position = if looked_at == all { number } else { spread(image * looked_at + number, all) };
            match &patch {
                None => rows.extend(elements.iter().skip(position * self.group[1]).take(self.group[1])),
                Some(patch) => patch.take(elements, position, &mut rows),
            }
        }
        rows
    }

    /// The weights, rounded for what they met on all images.
    fn rounded(&self, weights: &Weights, input: &QuantizedValue, rows: &[&[i8]]) -> Weights {
        let [outputs, length] = self.group;
        let width = self.groups * length;
        let count: usize = rows.iter().map(|rows| rows.len() / width).sum();
        let mut made = weights.clone();
        for group in 0..self.groups {
            let zero_point =
                i16::from(input.encoding_of(input.channel_read_by(group * outputs, weights.bias.len())).zero_point);
            for first in (0..length).step_by(self.together.max(1)) {
                let inputs = group * length + first..group * length + length.min(first + self.together);
                let columns = columns(rows, (width, count), inputs, zero_point);
                let block = Block::of(&columns, count);
                for output in group * outputs..(group + 1) * outputs {
                    self.round(&mut made, output, first, &block);
                }
            }
        }
        // A row whose sums could leave 32 bits stays as it was.
        for output in 0..made.bias.len() {
            if check_accumulator(&made.of_output(output), made.bias[output]).is_err() {
                made.bias[output] = weights.bias[output];
                weights.places(output).for_each(|at| made.values[at] = weights.values[at]);
            }
        }
        if made.bias_name.is_none() && made.bias != weights.bias {
            made.bias_name = Some(format!("{}/bias", made.name));
        }
        made
    }

    /// Rounds a block of an output's weights.
    fn round(&self, made: &mut Weights, output: usize, first: usize, block: &Block) {
        let size = block.means.len();
        let scale = made.scales[output];
        let places = || made.places(output).skip(first).take(size);
        let exact: Vec<f32> = places().map(|at| self.floats[at] / scale).collect();
        let mut values: Vec<f32> = places().map(|at| f32::from(made.values[at])).collect();
        vectorized_work(Descent { block, exact: &exact, values: &mut values });
        let places: Vec<usize> = places().collect();
        let mut shift = 0.0;
        for (k, at) in places.into_iter().enumerate() {
            // The bias as it is makes nothing up yet: the whole error of the block's mean is taken off.
            shift -= f64::from(values[k] - exact[k]) * block.means[k];
            made.values[at] = values[k] as i8;
        }
        let bias = (f64::from(made.bias[output]) + shift).round_ties_even();
        if bias.abs() <= f64::from(i32::MAX) {
            made.bias[output] = bias as i32;
        }
    }
}

/// Rounds some weights of an output: each is the whole number below or above its exact value.
struct Descent<'a> {
    block: &'a Block,
    exact: &'a [f32],
    values: &'a mut [f32],
}

impl Work for Descent<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
    fn run(self) {
        let size = self.values.len();
        // To the other whole number; nothing where there is none.
        let mut other = vec![0.0_f32; size];
        for ((other, &exact), &value) in other.iter_mut().zip(self.exact).zip(self.values.iter()) {
            let (low, high) = (exact.floor().max(-BOUND), exact.ceil().min(BOUND));
            let apart = (high - low).max(0.0);
            *other = if value > low { -apart } else { apart };
        }
        // Half of what the error changes by, for each step of a weight.
        let mut slope = vec![0.0_f32; size];
        let rows = self.block.covariance.chunks_exact(size.max(1));
        for ((row, value), exact) in rows.zip(self.values.iter()).zip(self.exact) {
            let error = value - exact;
            slope.iter_mut().zip(row).for_each(|(slope, c)| *slope += error * c);
        }
        for _ in 0..SWEEPS {
            let mut any = false;
            for k in 0..size {
                let (row, step) = (&self.block.covariance[k * size..][..size], other[k]);
                if step * (2.0 * slope[k] + row[k] * step) < 0.0 {
                    slope.iter_mut().zip(row).for_each(|(slope, c)| *slope += step * c);
                    self.values[k] += step;
                    other[k] = -step;
                    any = true;
                }
            }
            if !any {
                break;
            }
        }
    }
}

/// Σab over all positions, for each pair of columns of which the second does not stand behind the first.
struct Products<'a>(&'a [Vec<i16>]);

impl Work for Products<'_> {
    type Output = Vec<i64>;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
    fn run(self) -> Vec<i64> {
        let mut products = Vec::with_capacity(self.0.len() * (self.0.len() + 1) / 2);
        for (row, left) in self.0.iter().enumerate() {
            for right in &self.0[..=row] {
                // So many products of less than 2¹⁶ fit 32 bits.
                let (mut whole, parts) = (0, left.chunks(1 << 14).zip(right.chunks(1 << 14)));
                for (left, right) in parts {
                    let pairs = left.iter().zip(right);
                    whole += i64::from(pairs.map(|(&a, &b)| i32::from(a) * i32::from(b)).sum::<i32>());
                }
                products.push(whole);
            }
        }
        products
    }
}

/// How some inputs of a layer go together.
struct Block {
    /// Their means, in steps above the zero point.
    means: Vec<f64>,
    /// Row by row, in squares of steps, with the ridge.
    covariance: Vec<f32>,
}

impl Block {
    fn of(columns: &[Vec<i16>], count: usize) -> Self {
        let (size, count) = (columns.len(), count.max(1) as f64);
        let sum = |column: &Vec<i16>| column.iter().map(|&q| i64::from(q)).sum::<i64>() as f64;
        let means: Vec<f64> = columns.iter().map(|column| sum(column) / count).collect();
        let mut covariance = vec![0.0_f32; size * size];
        let pairs = (0..size).flat_map(|row| (0..=row).map(move |column| (row, column)));
        for ((row, column), products) in pairs.zip(vectorized_work(Products(columns))) {
            let value = (products as f64 / count - means[row] * means[column]) as f32;
            covariance[row * size + column] = value;
            covariance[column * size + row] = value;
        }
        let trace: f32 = (0..size).map(|k| covariance[k * size + k]).sum();
        for k in 0..size {
            covariance[k * size + k] += RIDGE * trace / size as f32;
        }
        Self { means, covariance }
    }
}

/// What some inputs are at all positions, in steps above the zero point; `rows` hold `width` inputs for each of so many positions.
fn columns(
    rows: &[&[i8]],
    (width, count): (usize, usize),
    inputs: std::ops::Range<usize>,
    zero_point: i16,
) -> Vec<Vec<i16>> {
    let mut columns = vec![Vec::with_capacity(count); inputs.len()];
    // Few rows at a time, which stay at hand while all columns take from them.
    for part in rows.iter().flat_map(|rows| rows.chunks(width * 32)) {
        for (column, input) in columns.iter_mut().zip(inputs.clone()) {
            column.extend(part.iter().skip(input).step_by(width).map(|&q| i16::from(q) - zero_point));
        }
    }
    columns
}

/// The `number`-th of places below `all` that are spread evenly, whatever lies in rows there (multiples of the golden ratio).
fn spread(number: usize, all: usize) -> usize {
    let share = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((u128::from(share) * all as u128) >> 64) as usize
}

/// Where a convolution's weights meet its input.
struct Patch<'a> {
    input: &'a QuantizedValue,
    attributes: &'a Convolution,
    /// C, H, W, kernel height and width, output height and width.
    sizes: [usize; 7],
    /// From the element that the first weight meets to those that the others do, the channels of all groups after another.
    places: Vec<usize>,
}

impl<'a> Patch<'a> {
    fn new(input: &'a QuantizedValue, attributes: &'a Convolution, sizes: [usize; 7]) -> Self {
        let [channels, height, width, kernel_height, kernel_width, ..] = sizes;
        let [down, right] = attributes.dilations;
        let place = |at: usize| {
            let (channel, y, x) =
                (at / (kernel_height * kernel_width), at / kernel_width % kernel_height, at % kernel_width);
            (channel * height + y * down) * width + x * right
        };
        let places = (0..channels * kernel_height * kernel_width).map(place).collect();
        Self { input, attributes, sizes, places }
    }

    /// What the weights meet at a position; padding is the zero point.
    fn take(&self, elements: &[i8], position: usize, to: &mut Vec<i8>) {
        let [channels, height, width, kernel_height, kernel_width, rows, columns] = self.sizes;
        let (batch, row, column) = (position / (rows * columns), position / columns % rows, position % columns);
        let ([top, left, ..], [down, right]) = (self.attributes.pads, self.attributes.dilations);
        let start = |at: usize, axis: usize| at * self.attributes.strides[axis];
        let image = elements.get(batch * channels * height * width..).unwrap_or_default();
        let inside = |start: usize, before: usize, kernel: usize, dilation: usize, size: usize| {
            start >= before && start - before + (kernel - 1) * dilation < size
        };
        let (y, x) = (start(row, 0), start(column, 1));
        if inside(y, top, kernel_height, down, height) && inside(x, left, kernel_width, right, width) {
            let from = image.get((y - top) * width + x - left..).unwrap_or_default();
            to.extend(self.places.iter().map(|&place| from.get(place).copied().unwrap_or_default()));
            return;
        }
        for channel in 0..channels {
            let plane = image.get(channel * height * width..).unwrap_or_default();
            let zero_point = self.input.encoding_of(channel).zero_point;
            for ky in 0..kernel_height {
                let y = (y + ky * down).checked_sub(top).filter(|&y| y < height);
                for kx in 0..kernel_width {
                    let x = (x + kx * right).checked_sub(left).filter(|&x| x < width);
                    let place = y.zip(x).map(|(y, x)| y * width + x);
                    to.push(place.and_then(|place| plane.get(place)).copied().unwrap_or(zero_point));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_inputs_that_go_together_make_up_for_each_other() {
        // Two inputs that are always the same: weights of 0.4 each are 0.8 together, so one of them is rounded up.
        let column: Vec<i16> = (0..64).map(|at| at * 7 % 32 - 16).collect();
        let block = Block::of(&[column.clone(), column], 64);
        let floats = [0.4, 0.4];
        let layer = Layer {
            node: 0,
            input: TensorId(0),
            floats: &floats,
            window: None,
            group: [1, 2],
            groups: 1,
            positions: [64, 64],
            together: 2,
        };
        let mut weights = Weights {
            shape: vec![2, 1],
            values: vec![0, 0],
            scales: vec![1.0],
            bias: vec![0],
            name: "w".to_owned(),
            bias_name: None,
        };
        layer.round(&mut weights, 0, 0, &block);
        assert_eq!(weights.values.iter().map(|&q| i32::from(q)).sum::<i32>(), 1);
    }

    #[test]
    fn positions_are_spread_over_rows_and_columns() {
        let columns: std::collections::BTreeSet<usize> =
            (0..64).map(|number| spread(number, 128 * 128) % 128).collect();
        assert!(columns.len() > 32, "{columns:?}");
        assert!((0..1000).all(|number| spread(number, 7) < 7));
    }
}
