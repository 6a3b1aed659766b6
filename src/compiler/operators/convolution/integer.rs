//! Integer convolution: int8 in, int8 weights, exact int32 accumulators, one requantization (ONNX `QLinearConv`).

use crate::compiler::operators::Convolution;
use crate::compiler::operators::dense::integer::dot_rows;
use crate::compiler::quantize::contract::Saturation;

/// Elements of patches that are gathered at once: 24 KiB, so that they stay in the first-level cache beside weights.
const TILE_ELEMENTS: usize = 12 * 1024;

/// What a convolution needs besides its input, prepared once for a network.
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
    /// `[O,C/group,kh,kw]`, widened so that two products are one machine instruction.
    pub weights: Vec<i16>,
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

impl IntegerConvolution {
    /// One image `[C,H,W]` into `[O,H,W]`.
    pub fn run(&self, input: &[i8], output: &mut [i8]) {
        let group = self.attributes.group;
        let (inputs, outputs) = (self.input[0] / group, self.output[0] / group);
        let (in_plane, out_plane) = (self.input[1] * self.input[2], self.output[1] * self.output[2]);
        let depthwise = inputs == 1;
        for index in 0..group {
            let input = &input[index * inputs * in_plane..][..inputs * in_plane];
            let output = &mut output[index * outputs * out_plane..][..outputs * out_plane];
            if depthwise {
                self.run_depthwise(index, index * outputs, input, output);
            } else {
                self.run_group(index * outputs, inputs, input, output);
            }
        }
    }

    fn saturation_of(&self, channel: usize) -> Saturation {
        self.channel_saturations.get(channel).copied().unwrap_or(self.saturation)
    }

    /// One input channel into one or more output channels: row by row, no patches.
    fn run_depthwise(&self, from_channel: usize, first_channel: usize, input: &[i8], output: &mut [i8]) {
        let [_, height, width] = self.input;
        let [_, out_height, out_width] = self.output;
        let [kernel_height, kernel_width] = self.kernel;
        let [stride_y, stride_x] = self.attributes.strides;
        let [dilation_y, dilation_x] = self.attributes.dilations;
        let [top, left, ..] = self.attributes.pads;
        let reach = (out_width - 1) * stride_x + (kernel_width - 1) * dilation_x + 1;
        let row_length = reach.max(left + width);
        let zero = i16::from(self.channel_zero_points.get(from_channel).copied().unwrap_or(self.input_zero_point));
        // The whole channel, padded and with the zero point taken off; padding is zero then.
        let row_count = (out_height - 1) * stride_y + (kernel_height - 1) * dilation_y + 1;
        let mut padded = vec![0_i16; row_length * row_count];
        for (y, row) in padded.chunks_exact_mut(row_length).enumerate() {
            if let Some(y) = y.checked_sub(top).filter(|&y| y < height) {
                for (to, &from) in row[left..left + width].iter_mut().zip(&input[y * width..][..width]) {
                    *to = i16::from(from) - zero;
                }
            }
        }
        let area = kernel_height * kernel_width;
        let mut sums = vec![0_i32; out_width];
        for (channel, plane) in output.chunks_exact_mut(out_height * out_width).enumerate() {
            let channel = first_channel + channel;
            let weights = &self.weights[channel * area..][..area];
            for (y, out_row) in plane.chunks_exact_mut(out_width).enumerate() {
                sums.fill(self.bias[channel]);
                for (place, &weight) in weights.iter().enumerate() {
                    let row = y * stride_y + place / kernel_width * dilation_y;
                    let row = &padded[row * row_length + place % kernel_width * dilation_x..];
                    accumulate_row(&mut sums, row, weight, stride_x);
                }
                let (multiplier, saturation) = (self.multipliers[channel], self.saturation_of(channel));
                for (to, &sum) in out_row.iter_mut().zip(&sums) {
                    *to = saturation.requantize(sum, multiplier);
                }
            }
        }
    }

    /// One group with several input channels: patches of a tile of positions, then dot products.
    fn run_group(&self, first_channel: usize, inputs: usize, input: &[i8], output: &mut [i8]) {
        let [_, out_height, out_width] = self.output;
        let positions = out_height * out_width;
        let length = inputs * self.kernel[0] * self.kernel[1];
        let channels = output.len() / positions;
        let weights = &self.weights[first_channel * length..][..channels * length];
        let tile = (TILE_ELEMENTS / length).clamp(1, positions);
        let mut patches = vec![0_i16; tile * length];
        let mut sums = vec![0_i32; tile * channels];
        for start in (0..positions).step_by(tile) {
            let count = tile.min(positions - start);
            if self.is_pointwise() {
                self.gather_columns(input, start, &mut patches[..count * length]);
            } else {
                for (position, patch) in patches.chunks_exact_mut(length).take(count).enumerate() {
                    self.gather(input, start + position, patch);
                }
            }
            dot_rows(&patches[..count * length], weights, length, &mut sums[..count * channels]);
            for channel in 0..channels {
                let (bias, multiplier) =
                    (self.bias[first_channel + channel], self.multipliers[first_channel + channel]);
                let saturation = self.saturation_of(first_channel + channel);
                let to = &mut output[channel * positions + start..][..count];
                for (position, to) in to.iter_mut().enumerate() {
                    *to = saturation.requantize(sums[position * channels + channel] + bias, multiplier);
                }
            }
        }
    }

    /// Whether each output position reads one input position, and they lie in the same order.
    fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.attributes.pads == [0; 4] && self.attributes.strides == [1, 1]
    }

    /// The patches of neighbouring positions of a pointwise convolution: channel by channel, so that inputs are read in
    /// their order.
    fn gather_columns(&self, input: &[i8], start: usize, patches: &mut [i16]) {
        let plane = self.input[1] * self.input[2];
        let channels = input.len() / plane;
        let zero = i16::from(self.input_zero_point);
        for (place, channel) in input.chunks_exact(plane).enumerate() {
            for (to, &from) in patches[place..].iter_mut().step_by(channels).zip(&channel[start..]) {
                *to = i16::from(from) - zero;
            }
        }
    }

    /// The inputs under the kernel at one output position, zero point taken off, in the order of the weights.
    fn gather(&self, input: &[i8], position: usize, patch: &mut [i16]) {
        let [_, height, width] = self.input;
        let [kernel_height, kernel_width] = self.kernel;
        let zero = i16::from(self.input_zero_point);
        let (out_y, out_x) = (position / self.output[2], position % self.output[2]);
        let plane = height * width;
        // Coordinates before the first row or column wrap to huge ones, which are outside as well.
        let first_y = (out_y * self.attributes.strides[0]).wrapping_sub(self.attributes.pads[0]);
        let first_x = (out_x * self.attributes.strides[1]).wrapping_sub(self.attributes.pads[1]);
        let [dilation_y, dilation_x] = self.attributes.dilations;
        let mut places = patch.iter_mut();
        for channel in input.chunks_exact(plane) {
            for ky in 0..kernel_height {
                let y = first_y.wrapping_add(ky * dilation_y);
                let row = if y < height { &channel[y * width..][..width] } else { &[] };
                for (kx, to) in places.by_ref().take(kernel_width).enumerate() {
                    let x = first_x.wrapping_add(kx * dilation_x);
                    *to = row.get(x).map_or(0, |&value| i16::from(value) - zero);
                }
            }
        }
    }
}

/// Adds `weight` times every `stride`-th element. Products fit 16 bits: at most 255·127.
fn accumulate_row(sums: &mut [i32], row: &[i16], weight: i16, stride: usize) {
    if stride == 1 {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum += i32::from(value.wrapping_mul(weight));
        }
    } else {
        for (sum, &value) in sums.iter_mut().zip(row.iter().step_by(stride)) {
            *sum += i32::from(value.wrapping_mul(weight));
        }
    }
}
