//! Integer pooling over planes of H×W: maxima are copies, averages an int32 sum and one requantization.

use crate::compiler::operators::Pool;
use crate::compiler::operators::PoolKind;
use crate::compiler::quantize::contract::Encoding;
use crate::compiler::quantize::contract::Saturation;
use crate::compiler::quantize::contract::average_multiplier;

/// What pooling needs besides its input.
#[derive(Debug, Clone)]
pub struct IntegerPool {
    /// Window, strides, pads. Global pooling is a window of the whole plane.
    pub attributes: Pool,
    /// `[H,W]` of the input.
    pub input: [usize; 2],
    /// `[H,W]` of the output.
    pub output: [usize; 2],
    /// Of the input.
    pub input_encoding: Encoding,
    /// Of the output; of a maximum the input's.
    pub output_encoding: Encoding,
}

/// The places of one window along one axis: those inside the input, and how many count in a divisor that includes
/// padding (padding that `ceil_mode` invents beyond the declared one never counts).
#[derive(Debug, Clone)]
pub struct Span {
    /// Places of the input.
    pub inside: std::iter::StepBy<std::ops::Range<usize>>,
    /// Places that count where padding does.
    pub with_padding: usize,
}

/// The windows along an axis (0 or 1) of so many input and output places.
#[must_use]
pub fn spans(attributes: &Pool, axis: usize, input: usize, output: usize) -> Vec<Span> {
    let (before, after) = (attributes.pads[axis], attributes.pads[axis + 2]);
    let (stride, dilation, kernel) = (attributes.strides[axis], attributes.dilations[axis], attributes.kernel[axis]);
    (0..output)
        .map(|index| {
            // Places in the padded input; the window has one every `dilation`.
            let start = index * stride;
            let end = (start + (kernel - 1) * dilation + 1).min(before + input + after);
            let skipped = before.saturating_sub(start).div_ceil(dilation) * dilation;
            let first = (start + skipped).saturating_sub(before);
            let last = end.saturating_sub(before).min(input);
            let with_padding = end.saturating_sub(start).div_ceil(dilation);
            Span { inside: (first..last).step_by(dilation), with_padding }
        })
        .collect()
}

impl IntegerPool {
    /// Planes `[H,W]` into as many output planes.
    pub fn run(&self, input: &[i8], output: &mut [i8]) {
        let rows = spans(&self.attributes, 0, self.input[0], self.output[0]);
        let columns = spans(&self.attributes, 1, self.input[1], self.output[1]);
        let planes = input.chunks_exact(self.input[0] * self.input[1]);
        for (from, to) in planes.zip(output.chunks_exact_mut(self.output[0] * self.output[1])) {
            for (row, to) in rows.iter().zip(to.chunks_exact_mut(self.output[1])) {
                match self.attributes.kind {
                    PoolKind::Maximum => self.maximum_row(from, row, &columns, to),
                    PoolKind::Average => self.average_row(from, row, &columns, to),
                }
            }
        }
    }

    fn maximum_row(&self, plane: &[i8], row: &Span, columns: &[Span], output: &mut [i8]) {
        // The window's rows first, one whole row at a time; then its columns.
        let mut largest = vec![i8::MIN; self.input[1]];
        for y in row.inside.clone() {
            for (largest, &value) in largest.iter_mut().zip(&plane[y * self.input[1]..]) {
                *largest = (*largest).max(value);
            }
        }
        for (column, to) in columns.iter().zip(output) {
            *to = column.inside.clone().fold(i8::MIN, |value, x| value.max(largest[x]));
        }
    }

    fn average_row(&self, plane: &[i8], row: &Span, columns: &[Span], output: &mut [i8]) {
        let saturation = Saturation::full(self.output_encoding.zero_point);
        let zero = i32::from(self.input_encoding.zero_point);
        let mut sums = vec![0_i32; self.input[1]];
        for y in row.inside.clone() {
            for (sum, &value) in sums.iter_mut().zip(&plane[y * self.input[1]..]) {
                *sum += i32::from(value) - zero;
            }
        }
        for (column, to) in columns.iter().zip(output) {
            let sum: i32 = column.inside.clone().map(|x| sums[x]).sum();
            let count = if self.attributes.count_include_pad {
                row.with_padding * column.with_padding
            } else {
                row.inside.len() * column.inside.len()
            };
            // A window that lies in padding alone has no elements; its mean is zero.
            let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
            let multiplier = average_multiplier(self.input_encoding.scale, self.output_encoding.scale, count);
            *to = saturation.requantize(sum, multiplier);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_the_places_that_the_standard_gives_it() {
        struct Case([usize; 3], [usize; 2], usize, usize);
        let cases = [
            Case([3, 1, 1], [0, 0], 5, 3),
            Case([3, 2, 1], [1, 1], 8, 4),
            // The last window sticks out, as `ceil_mode` lets it.
            Case([3, 2, 1], [0, 0], 6, 3),
            Case([2, 3, 3], [2, 2], 7, 3),
            Case([3, 1, 2], [3, 3], 4, 6),
            Case([4, 1, 4], [5, 2], 2, 9),
            Case([1, 5, 1], [0, 0], 11, 3),
        ];
        for Case([kernel, stride, dilation], pads, input, output) in cases {
            let pool = Pool {
                kind: PoolKind::Average,
                kernel: [kernel; 2],
                strides: [stride; 2],
                pads: [pads[0], 0, pads[1], 0],
                dilations: [dilation; 2],
                count_include_pad: true,
            };
            for (index, span) in spans(&pool, 0, input, output).into_iter().enumerate() {
                let places = (0..kernel).map(|place| index * stride + place * dilation);
                let padded: Vec<usize> = places.filter(|&place| place < pads[0] + input + pads[1]).collect();
                let inside = padded.iter().filter_map(|place| place.checked_sub(pads[0])).filter(|&at| at < input);
                let expected: Vec<usize> = inside.collect();
                assert_eq!(span.inside.collect::<Vec<_>>(), expected, "{pool:?} over {input}: window {index}");
                assert_eq!(span.with_padding, padded.len(), "{pool:?} over {input}: window {index}");
            }
        }
    }
}
