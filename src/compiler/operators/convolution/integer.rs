//! Integer convolution: int8 in, int8 weights, exact int32 accumulators, one requantization (ONNX `QLinearConv`).

use crate::compiler::machine::COLUMNS;
use crate::compiler::machine::Filter;
use crate::compiler::machine::Left;
use crate::compiler::machine::Level;
use crate::compiler::machine::Panel;
use crate::compiler::machine::Row;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::padded::Padded;
use crate::compiler::operators::padded::Runs;
use crate::compiler::operators::padded::in_fours;
use crate::compiler::quantize::contract::Saturation;

/// What a convolution needs besides its input.
#[derive(Debug, Clone)]
pub struct IntegerConvolution {
    /// Strides, pads, dilations, group.
    pub attributes: Convolution,
    /// `[C,H,W]` of the input.
    pub input: [usize; 3],
    /// `[O,H,W]` of the output.
    pub output: [usize; 3],
    /// `[kh,kw]`.
    pub kernel: [usize; 2],
    /// `[O,C/group,kh,kw]`.
    pub weights: Vec<i8>,
    /// One for each output channel.
    pub bias: Vec<i32>,
    /// m of each output channel.
    pub multipliers: Vec<f32>,
    /// Zero point of the input; also what padding holds.
    pub input_zero_point: i8,
    /// Zero point of each input channel of a depth-wise convolution, where they differ; else empty.
    pub channel_zero_points: Vec<i8>,
    /// Zero point and bounds of the output.
    pub saturation: Saturation,
    /// The same for each output channel, where they differ; else empty.
    pub channel_saturations: Vec<Saturation>,
}

/// A convolution with its weights packed for the machine and its geometry worked out: prepared once for a network.
#[derive(Debug, Clone)]
pub struct PreparedConvolution {
    level: Level,
    /// Elements of one image's input and output.
    sizes: [usize; 2],
    padded: Padded,
    runs: Runs,
    /// Where each element that a weight meets lies, from a position on; in fours.
    offsets: Vec<[usize; 4]>,
    /// What padding of each group holds.
    zero_points: Vec<i8>,
    groups: Groups,
}

/// The weights of each group.
#[derive(Debug, Clone)]
enum Groups {
    /// Several input channels: a matrix product.
    Products(Vec<Left>),
    /// One input channel: a filter for each output channel.
    Filters(Vec<Vec<Filter>>),
}

impl IntegerConvolution {
    /// Packs the weights and works the geometry out. All sizes are those of a verified graph.
    #[must_use]
    pub fn prepare(&self, level: Level) -> PreparedConvolution {
        let group = self.attributes.group;
        let (inputs, outputs) = (self.input[0] / group, self.output[0] / group);
        let [_, height, width] = self.input;
        let [_, out_height, out_width] = self.output;
        let (strides, dilations) = (self.attributes.strides, self.attributes.dilations);
        let [top, left, ..] = self.attributes.pads;
        let extent = [0, 1].map(|axis: usize| (self.kernel[axis] - 1) * dilations[axis] + 1);
        let padded = Padded::new([height, width], [top, left], strides, extent, [out_height, out_width]);
        let mut offsets = Vec::with_capacity(inputs * self.kernel[0] * self.kernel[1]);
        for channel in 0..inputs {
            for ky in 0..self.kernel[0] {
                let place = |kx| channel * padded.plane() + padded.offset(ky * dilations[0], kx * dilations[1]);
                offsets.extend((0..self.kernel[1]).map(place));
            }
        }
        let length = offsets.len();
        let row = |channel: usize| Row {
            bias: self.bias[channel],
            multiplier: self.multipliers[channel],
            saturation: self.channel_saturations.get(channel).copied().unwrap_or(self.saturation),
        };
        // Where channels have zero points of their own, a group reads one channel.
        let zero_point = |group: usize| self.channel_zero_points.get(group).copied().unwrap_or(self.input_zero_point);
        let zero_points: Vec<i8> = (0..group).map(zero_point).collect();
        let rows: Vec<Row> = (0..self.output[0]).map(row).collect();
        let groups = self.weights.chunks_exact(outputs * length).zip(rows.chunks_exact(outputs));
        let groups = if inputs == 1 && group > 1 {
            let filters = |((weights, rows), &zero_point): ((&[i8], &[Row]), &i8)| {
                let filter = |(weights, row): (&[i8], &Row)| Filter::new(level, weights, zero_point, *row);
                weights.chunks_exact(length).zip(rows).map(filter).collect()
            };
            Groups::Filters(groups.zip(&zero_points).map(filters).collect())
        } else {
            let product = |(weights, rows)| Left::new(level, weights, length, self.input_zero_point, rows);
            Groups::Products(groups.map(product).collect())
        };
        PreparedConvolution {
            level,
            sizes: [self.input.iter().product(), self.output.iter().product()],
            runs: Runs::new([out_height, out_width], padded.row_length(), COLUMNS),
            padded,
            offsets: in_fours(&offsets),
            zero_points,
            groups,
        }
    }
}

/// What convolutions write to besides their outputs; kept between them.
#[derive(Debug, Default)]
pub struct Scratch {
    padding: Vec<i8>,
    panel: Panel,
    results: Vec<[i8; COLUMNS]>,
}

impl PreparedConvolution {
    /// Images `[C,H,W]` into as many `[O,H,W]`.
    pub fn run(&self, input: &[i8], output: &mut [i8], scratch: &mut Scratch) {
        for (from, to) in input.chunks_exact(self.sizes[0]).zip(output.chunks_exact_mut(self.sizes[1])) {
            match &self.groups {
                Groups::Products(groups) => self.multiply(groups, from, to, scratch),
                Groups::Filters(groups) => self.filter(groups, from, to, scratch),
            }
        }
    }

    fn multiply(&self, groups: &[Left], input: &[i8], output: &mut [i8], scratch: &mut Scratch) {
        let (in_size, out_size) = (input.len() / groups.len(), output.len() / groups.len());
        let Scratch { padding, panel, results } = scratch;
        let parts = input.chunks_exact(in_size).zip(&self.zero_points).zip(output.chunks_exact_mut(out_size));
        for (group, ((from, &zero_point), to)) in groups.iter().zip(parts) {
            let source = if self.padded.is_input() {
                from
            } else {
                self.pad(from, zero_point, padding);
                &*padding
            };
            for (run, &base) in self.runs.bases.iter().enumerate() {
                panel.pack(self.level, source, &self.offsets, base);
                group.multiply(panel, results);
                let plane = to.len() / results.len();
                for (results, to) in results.iter().zip(to.chunks_exact_mut(plane)) {
                    self.runs.copy(run, results, to);
                }
            }
        }
    }

    fn filter(&self, groups: &[Vec<Filter>], input: &[i8], output: &mut [i8], scratch: &mut Scratch) {
        let (in_size, out_size) = (input.len() / groups.len(), output.len() / groups.len());
        let Scratch { padding, results, .. } = scratch;
        let parts = input.chunks_exact(in_size).zip(&self.zero_points).zip(output.chunks_exact_mut(out_size));
        for (filters, ((from, &zero_point), to)) in groups.iter().zip(parts) {
            self.pad(from, zero_point, padding);
            for (filter, to) in filters.iter().zip(to.chunks_exact_mut(out_size / filters.len())) {
                filter.apply(padding, &self.offsets, &self.runs.bases, results);
                for (run, results) in results.iter().enumerate() {
                    self.runs.copy(run, results, to);
                }
            }
        }
    }

    /// Lays planes out, with enough behind them that whole runs can be read.
    fn pad(&self, planes: &[i8], zero_point: i8, to: &mut Vec<i8>) {
        let (from, plane) = (self.padded.source_plane(), self.padded.plane());
        to.clear();
        to.resize(planes.len() / from * plane + COLUMNS, zero_point);
        for (from, to) in planes.chunks_exact(from).zip(to.chunks_exact_mut(plane)) {
            self.padded.fill(from, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, element by element.
    fn expected(layer: &IntegerConvolution, input: &[i8]) -> Vec<i8> {
        let Convolution { strides, pads, dilations, group, .. } = layer.attributes;
        let ([channels, height, width], [outputs, out_height, out_width]) = (layer.input, layer.output);
        let (inputs, [kh, kw]) = (channels / group, layer.kernel);
        let mut output = Vec::new();
        for (o, y, x) in (0..outputs * out_height * out_width)
            .map(|at| (at / (out_height * out_width), at / out_width % out_height, at % out_width))
        {
            let mut sum = layer.bias[o];
            for (c, ky, kx) in (0..inputs * kh * kw).map(|at| (at / (kh * kw), at / kw % kh, at % kw)) {
                let row = (y * strides[0] + ky * dilations[0]).checked_sub(pads[0]).filter(|&row| row < height);
                let column = (x * strides[1] + kx * dilations[1]).checked_sub(pads[1]).filter(|&at| at < width);
                if let (Some(row), Some(column)) = (row, column) {
                    let c_in = o / (outputs / group) * inputs + c;
                    let element = input[(c_in * height + row) * width + column];
                    let weight = layer.weights[((o * inputs + c) * kh + ky) * kw + kx];
                    let zero = layer.channel_zero_points.get(c_in).copied().unwrap_or(layer.input_zero_point);
                    sum += (i32::from(element) - i32::from(zero)) * i32::from(weight);
                }
            }
            let saturation = layer.channel_saturations.get(o).copied().unwrap_or(layer.saturation);
            output.push(saturation.requantize(sum, layer.multipliers[o]));
        }
        output
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn every_level_is_the_definition(
            ((inputs, outputs, group), seed) in ((1_usize..6, 1_usize..12, 1_usize..4), any::<u32>()),
            (size, kernel) in ([1_usize..40, 1_usize..40], [1_usize..5, 1_usize..5]),
            (strides, dilations) in ([1_usize..4, 1_usize..4], [1_usize..4, 1_usize..4]),
            pads in [0_usize..4, 0_usize..4, 0_usize..4, 0_usize..4],
            zero_points in [any::<i8>(), any::<i8>()],
            by_channel in any::<bool>(),
        ) {
            let span = |axis: usize| {
                (size[axis] + pads[axis] + pads[axis + 2]).checked_sub((kernel[axis] - 1) * dilations[axis] + 1)
            };
            prop_assume!(span(0).is_some() && span(1).is_some());
            let out = [0, 1].map(|axis| span(axis).unwrap_or(0) / strides[axis] + 1);
            let number = |at: usize| (at as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 13;
            let area = kernel[0] * kernel[1];
            let layer = IntegerConvolution {
                attributes: Convolution { strides, pads, dilations, group },
                input: [inputs * group, size[0], size[1]],
                output: [outputs * group, out[0], out[1]],
                kernel,
                weights: (0..outputs * group * inputs * area).map(|at| (number(at) as i8).max(-127)).collect(),
                bias: (0..outputs * group).map(|at| number(at + 9) as i32 % 5000).collect(),
                multipliers: (0..outputs * group).map(|at| (number(at) % 100) as f32 * 1e-5).collect(),
                input_zero_point: zero_points[0],
                channel_zero_points: (0..group)
                    .filter(|_| by_channel && inputs == 1 && group > 1)
                    .map(|channel| number(channel + 5) as i8)
                    .collect(),
                saturation: Saturation::full(zero_points[1]),
                channel_saturations: (0..outputs * group)
                    .filter(|_| by_channel)
                    .map(|channel| Saturation::full(number(channel + 3) as i8))
                    .collect(),
            };
            let input: Vec<i8> = (0..2 * inputs * group * size[0] * size[1]).map(|at| number(at + 77) as i8).collect();
            let wanted: Vec<i8> =
                input.chunks_exact(input.len() / 2).flat_map(|image| expected(&layer, image)).collect();
            for level in Level::all() {
                let mut found = vec![0; wanted.len()];
                layer.prepare(level).run(&input, &mut found, &mut Scratch::default());
                prop_assert_eq!(&found, &wanted, "{:?}", level);
            }
        }
    }
}
