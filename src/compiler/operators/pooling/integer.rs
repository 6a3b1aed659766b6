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
struct Span {
    inside: Vec<usize>,
    with_padding: usize,
}

fn spans(attributes: &Pool, axis: usize, input: usize, output: usize) -> Vec<Span> {
    let (before, after) = (attributes.pads[axis], attributes.pads[axis + 2]);
    (0..output)
        .map(|index| {
            let start = index * attributes.strides[axis];
            let padded = (0..attributes.kernel[axis]).map(|place| start + place * attributes.dilations[axis]);
            let padded: Vec<usize> = padded.filter(|&place| place < before + input + after).collect();
            let inside = padded.iter().filter_map(|place| place.checked_sub(before)).filter(|&place| place < input);
            Span { inside: inside.collect(), with_padding: padded.len() }
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
        for &y in &row.inside {
            for (largest, &value) in largest.iter_mut().zip(&plane[y * self.input[1]..]) {
                *largest = (*largest).max(value);
            }
        }
        for (column, to) in columns.iter().zip(output) {
            *to = column.inside.iter().fold(i8::MIN, |value, &x| value.max(largest[x]));
        }
    }

    fn average_row(&self, plane: &[i8], row: &Span, columns: &[Span], output: &mut [i8]) {
        let saturation = Saturation::full(self.output_encoding.zero_point);
        let zero = i32::from(self.input_encoding.zero_point);
        let mut sums = vec![0_i32; self.input[1]];
        for &y in &row.inside {
            for (sum, &value) in sums.iter_mut().zip(&plane[y * self.input[1]..]) {
                *sum += i32::from(value) - zero;
            }
        }
        for (column, to) in columns.iter().zip(output) {
            let sum: i32 = column.inside.iter().map(|&x| sums[x]).sum();
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
