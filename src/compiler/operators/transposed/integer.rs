//! Integer transposed convolution: int8 in, int8 weights, exact int32 accumulators, one requantization.
//!
//! Output rows that lie a stride apart meet the same kernel rows, so each such phase of rows and columns is a small
//! convolution of its own: no product with the zeros that lie between the input's elements is ever formed.

use crate::compiler::machine::COLUMNS;
use crate::compiler::machine::Left;
use crate::compiler::machine::Level;
use crate::compiler::machine::Panel;
use crate::compiler::machine::Row;
use crate::compiler::operators::TransposedConvolution;
use crate::compiler::operators::padded::Padded;
use crate::compiler::operators::padded::Runs;
use crate::compiler::operators::padded::in_fours;
use crate::compiler::quantize::contract::Saturation;

/// What a transposed convolution needs besides its input, prepared once for a network.
#[derive(Debug, Clone)]
pub struct IntegerTransposed {
    input: [usize; 3],
    output: [usize; 3],
    strides: [usize; 2],
    group: usize,
    phases: Vec<Phase>,
    bias: Vec<i32>,
    multipliers: Vec<f32>,
    input_zero_point: i8,
    saturation: Saturation,
}

/// Positions that lie a stride apart along both axes.
#[derive(Debug, Clone)]
struct Phase {
    /// The first output row and column.
    first: [usize; 2],
    /// Positions of a row.
    columns: usize,
    padded: Padded,
    runs: Runs,
    /// Where each element that a weight meets lies, from a position on; in fours.
    offsets: Vec<[usize; 4]>,
    /// For each group the kernel's elements that are met, `[O/group,C/group,rows,columns]`.
    groups: Vec<Left>,
}

/// The positions of one phase along one axis; at least one kernel place is met.
#[derive(Debug, Clone)]
pub struct Taps {
    /// The first output place; the others follow a stride apart.
    pub first: usize,
    /// How many there are.
    pub count: usize,
    /// For each kernel place that is met: it, and the input place that the first output place reads. The `n`-th reads `n` further on.
    pub places: Vec<(usize, isize)>,
}

/// What the accumulators become.
#[derive(Debug, Clone)]
pub struct Requantization {
    /// One for each output channel.
    pub bias: Vec<i32>,
    /// m of each output channel.
    pub multipliers: Vec<f32>,
    /// Zero point and bounds of the output.
    pub saturation: Saturation,
}

/// The phases along one axis whose positions meet the kernel at all.
#[must_use]
pub fn phases(attributes: &TransposedConvolution, axis: usize, kernel: usize, output: usize) -> Vec<Taps> {
    let (stride, dilation, before) =
        (attributes.strides[axis], attributes.dilations[axis] as isize, attributes.pads[axis] as isize);
    let taps = |first: usize| {
        let places = (0..kernel).filter_map(|place| {
            let distance = first as isize + before - place as isize * dilation;
            (distance % stride as isize == 0).then_some((place, distance / stride as isize))
        });
        Taps { first, count: (output - first).div_ceil(stride), places: places.collect() }
    };
    (0..stride.min(output)).map(taps).filter(|taps| !taps.places.is_empty()).collect()
}

impl IntegerTransposed {
    /// Prepares a layer of a verified graph: `input` is `[C,H,W]`, `output` `[O,H,W]`, weights are `[O,C/group,kh,kw]` with
    /// `kernel` being their H and W.
    #[must_use]
    pub fn new(
        attributes: &TransposedConvolution,
        sizes: [[usize; 3]; 2],
        (weights, kernel): (&[i8], [usize; 2]),
        input_zero_point: i8,
        requantization: Requantization,
    ) -> Self {
        let [input, output] = sizes;
        let columns = phases(attributes, 1, kernel[1], output[2]);
        let Requantization { bias, multipliers, saturation } = requantization;
        let row = |(&bias, &multiplier)| Row { bias, multiplier, saturation };
        let requantized: Vec<Row> = bias.iter().zip(&multipliers).map(row).collect();
        let mut all = Vec::new();
        for rows in phases(attributes, 0, kernel[0], output[1]) {
            for columns in &columns {
                let mut met = Vec::new();
                for plane in weights.chunks_exact(kernel[0] * kernel[1]) {
                    for &(y, _) in &rows.places {
                        met.extend(columns.places.iter().map(|&(x, _)| plane[y * kernel[1] + x]));
                    }
                }
                let group = (attributes.group, input[0] / attributes.group);
                all.push(Phase::new(input, [&rows, columns], group, (&met, &requantized), input_zero_point));
            }
        }
        let (strides, group) = (attributes.strides, attributes.group);
        Self { input, output, strides, group, phases: all, bias, multipliers, input_zero_point, saturation }
    }

    /// Elements of one image's input and output.
    #[must_use]
    pub fn sizes(&self) -> [usize; 2] {
        [self.input.iter().product(), self.output.iter().product()]
    }

    /// One image `[C,H,W]` into `[O,H,W]`.
    pub fn run(&self, input: &[i8], output: &mut [i8]) {
        let (inputs, outputs) = (self.input[0] / self.group, self.output[0] / self.group);
        let (in_plane, out_plane) = (self.input[1] * self.input[2], self.output[1] * self.output[2]);
        for group in 0..self.group {
            let input = &input[group * inputs * in_plane..][..inputs * in_plane];
            let output = &mut output[group * outputs * out_plane..][..outputs * out_plane];
            // Positions that no phase reaches hold the bias alone.
            for (channel, plane) in output.chunks_exact_mut(out_plane).enumerate() {
                let channel = group * outputs + channel;
                plane.fill(self.saturation.requantize(self.bias[channel], self.multipliers[channel]));
            }
            for phase in &self.phases {
                self.run_phase(phase, group, input, output);
            }
        }
    }

    fn run_phase(&self, phase: &Phase, group: usize, input: &[i8], output: &mut [i8]) {
        let [_, out_height, out_width] = self.output;
        let (from_plane, plane) = (phase.padded.source_plane(), phase.padded.plane());
        let mut source = vec![self.input_zero_point; input.len() / from_plane * plane + COLUMNS];
        for (from, to) in input.chunks_exact(from_plane).zip(source.chunks_exact_mut(plane)) {
            phase.padded.fill(from, to);
        }
        let (mut panel, mut results) = (Panel::default(), Vec::new());
        for (run, &base) in phase.runs.bases.iter().enumerate() {
            panel.pack(Level::best(), &source, &phase.offsets, base);
            phase.groups[group].multiply(&panel, &mut results);
            for (results, to) in results.iter().zip(output.chunks_exact_mut(out_height * out_width)) {
                for segment in phase.runs.segments(run) {
                    let (row, column) = (segment.at as usize / phase.columns, segment.at as usize % phase.columns);
                    let y = phase.first[0] + row * self.strides[0];
                    let at = y * out_width + phase.first[1] + column * self.strides[1];
                    let places = results.iter().skip(segment.place as usize).take(segment.count as usize);
                    to[at..].iter_mut().step_by(self.strides[1]).zip(places).for_each(|(to, &result)| *to = result);
                }
            }
        }
    }
}

impl Phase {
    /// Of a layer with so many groups of so many input channels; the weights met of all groups are given in order.
    fn new(
        [_, height, width]: [usize; 3],
        taps: [&Taps; 2],
        (groups, inputs): (usize, usize),
        (weights, rows): (&[i8], &[Row]),
        zero_point: i8,
    ) -> Self {
        let reach = taps.map(|taps| {
            let places = || taps.places.iter().map(|&(_, place)| place);
            let before = places().min().unwrap_or(0).min(0).unsigned_abs();
            let last = places().max().unwrap_or(0);
            (before, before.saturating_add_signed(last) + 1)
        });
        let [(before_y, extent_y), (before_x, extent_x)] = reach;
        let counts = taps.map(|taps| taps.count);
        let padded = Padded::new([height, width], [before_y, before_x], [1, 1], [extent_y, extent_x], counts);
        let mut offsets = Vec::new();
        for channel in 0..inputs {
            for &(_, y) in &taps[0].places {
                offsets.extend(taps[1].places.iter().map(|&(_, x)| {
                    let (y, x) = (before_y.saturating_add_signed(y), before_x.saturating_add_signed(x));
                    channel * padded.plane() + padded.offset(y, x)
                }));
            }
        }
        let (length, outputs) = (offsets.len(), rows.len() / groups);
        let groups = weights.chunks_exact(outputs * length).zip(rows.chunks_exact(outputs));
        Self {
            first: taps.map(|taps| taps.first),
            columns: counts[1],
            runs: Runs::new(counts, padded.row_length(), COLUMNS),
            padded,
            offsets: in_fours(&offsets),
            groups: groups.map(|(weights, rows)| Left::new(Level::best(), weights, length, zero_point, rows)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::operators::transposed::by_input_channel;
    use crate::compiler::quantize::contract::Saturation;

    /// The definition, element by element: every input adds its kernel to the output.
    fn spread(
        attributes: &TransposedConvolution,
        (input, [channels, height, width]): (&[i8], [usize; 3]),
        (weights, [per_group, kernel_height, kernel_width]): (&[i8], [usize; 3]),
        output: [usize; 3],
        zero_point: i8,
    ) -> Vec<i32> {
        let mut sums = vec![0; output.iter().product()];
        for (at, &weight) in weights.iter().enumerate() {
            let (kx, ky) = (at % kernel_width, at / kernel_width % kernel_height);
            let (o, c) =
                (at / (kernel_width * kernel_height) % per_group, at / (kernel_width * kernel_height * per_group));
            let o = c / (channels / attributes.group) * per_group + o;
            for y in 0..height {
                for x in 0..width {
                    let row =
                        (y * attributes.strides[0] + ky * attributes.dilations[0]).checked_sub(attributes.pads[0]);
                    let column =
                        (x * attributes.strides[1] + kx * attributes.dilations[1]).checked_sub(attributes.pads[1]);
                    if let (Some(row), Some(column)) = (row, column)
                        && row < output[1]
                        && column < output[2]
                    {
                        let value = i32::from(input[(c * height + y) * width + x]) - i32::from(zero_point);
                        sums[(o * output[1] + row) * output[2] + column] += value * i32::from(weight);
                    }
                }
            }
        }
        sums
    }

    #[test]
    fn phases_together_are_the_definition() {
        let cases = [
            ([1, 1], [0, 0, 0, 0], [0, 0], [1, 1], 1),
            ([2, 2], [0, 0, 1, 1], [0, 0], [1, 1], 1),
            ([2, 3], [1, 2, 0, 1], [1, 2], [2, 1], 1),
            ([3, 2], [1, 0, 0, 1], [0, 1], [1, 3], 2),
            // Strides beyond the kernel leave gaps that hold the bias; padding crops whole phases away.
            ([5, 4], [2, 3, 1, 0], [4, 3], [1, 1], 2),
        ];
        for (strides, pads, output_padding, dilations, group) in cases {
            let attributes = TransposedConvolution { strides, pads, output_padding, dilations, group };
            let (input_shape, weight_shape) = ([4, 5, 3], [6 / group, 4 / group, 3, 2]);
            let rows = [6, weight_shape[1], 3, 2];
            let value = |at: usize| ((at * 37 + 11) % 255) as i32 - 127;
            let input: Vec<i8> = (0..4 * 5 * 3).map(|at| value(at) as i8).collect();
            let weights: Vec<i8> = (0..rows.iter().product()).map(|at| (value(at + 5) / 8) as i8).collect();
            let (onnx_shape, onnx) = by_input_channel(&rows, &weights, group);
            let shape = attributes.output_shape(&[1, 4, 5, 3], &onnx_shape).expect("it fits");
            let output = [shape[1], shape[2], shape[3]];
            let bias: Vec<i32> = (0..6).map(|channel| channel * 40 - 90).collect();
            let requantization =
                Requantization { bias: bias.clone(), multipliers: vec![0.01; 6], saturation: Saturation::full(-4) };
            let layer =
                IntegerTransposed::new(&attributes, [input_shape, output], (&weights, [3, 2]), 9, requantization);
            let mut found = vec![0; output.iter().product()];
            layer.run(&input, &mut found);
            let kernel = [onnx_shape[1], 3, 2];
            let sums = spread(&attributes, (&input, input_shape), (&onnx, kernel), output, 9);
            let plane = output[1] * output[2];
            let expected: Vec<i8> =
                (0..sums.len()).map(|at| Saturation::full(-4).requantize(sums[at] + bias[at / plane], 0.01)).collect();
            assert_eq!(found, expected, "{attributes:?}");
        }
    }
}
