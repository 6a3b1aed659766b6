//! Integer pooling over planes of H×W: maxima are copies, averages an int32 sum and one requantization. The same of
//! floats, for calibration.

use crate::compiler::machine::vectorized;
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

/// What windows along rows make of one line, whose ends are filled up so that every window is whole.
struct Line<'a, T> {
    attributes: &'a Pool,
    /// The elements before the first and behind the last change nothing.
    padded: Vec<T>,
    /// Places of the line in there.
    inside: std::ops::Range<usize>,
}

impl<'a, T: Copy> Line<'a, T> {
    fn new(attributes: &'a Pool, width: usize, output: usize, nothing: T) -> Self {
        let extent = (attributes.kernel[1] - 1) * attributes.dilations[1] + 1;
        let (before, reached) = (attributes.pads[1], output.saturating_sub(1) * attributes.strides[1] + extent);
        Self { attributes, padded: vec![nothing; reached.max(before + width)], inside: before..before + width }
    }

    fn line(&mut self) -> &mut [T] {
        &mut self.padded[self.inside.clone()]
    }

    /// Joins the elements of each window, one place of all windows after another.
    fn windows(&self, to: &mut [T], join: impl Fn(T, T) -> T + Copy) {
        let stride = self.attributes.strides[1];
        for place in 0..self.attributes.kernel[1] {
            let from = &self.padded[place * self.attributes.dilations[1]..];
            vectorized(|| match (place, stride) {
                (0, _) => to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, &x)| *to = x),
                (_, 1) => to.iter_mut().zip(from).for_each(|(to, &x)| *to = join(*to, x)),
                (_, 2) => {
                    // A loop of pairs becomes vector instructions; the last window may end before its pair does.
                    let (pairs, rest) = from.as_chunks::<2>();
                    to.iter_mut().zip(pairs).for_each(|(to, pair)| *to = join(*to, pair[0]));
                    if let (Some(to), [x, ..]) = (to.get_mut(pairs.len()), rest) {
                        *to = join(*to, *x);
                    }
                }
                _ => to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, &x)| *to = join(*to, x)),
            });
        }
    }
}

impl Pool {
    /// Planes `[H,W]` of floats into as many output planes.
    pub fn run_floats(&self, sizes: [[usize; 2]; 2], input: &[f32], output: &mut [f32]) {
        let [from, to] = sizes;
        let (rows, columns) = (spans(self, 0, from[0], to[0]), spans(self, 1, from[1], to[1]));
        let nothing = if self.kind == PoolKind::Maximum { f32::NEG_INFINITY } else { 0.0 };
        let mut line = Line::new(self, from[1], to[1], nothing);
        for (input, output) in input.chunks_exact(from[0] * from[1]).zip(output.chunks_exact_mut(to[0] * to[1])) {
            for (row, to) in rows.iter().zip(output.chunks_exact_mut(to[1])) {
                let joined = line.line();
                joined.fill(nothing);
                for y in row.inside.clone() {
                    let pairs = joined.iter_mut().zip(&input[y * from[1]..]);
                    if self.kind == PoolKind::Maximum {
                        vectorized(|| pairs.for_each(|(most, &x)| *most = if x > *most { x } else { *most }));
                    } else {
                        vectorized(|| pairs.for_each(|(sum, &x)| *sum += x));
                    }
                }
                if self.kind == PoolKind::Maximum {
                    line.windows(to, |most, x| if x > most { x } else { most });
                } else {
                    line.windows(to, |sum, x| sum + x);
                    for (to, column) in to.iter_mut().zip(&columns) {
                        *to /= self.divisor(row, column) as f32;
                    }
                }
            }
        }
    }

    /// Elements that a mean over a window is divided by.
    fn divisor(&self, row: &Span, column: &Span) -> u32 {
        let count = if self.count_include_pad {
            row.with_padding * column.with_padding
        } else {
            row.inside.len() * column.inside.len()
        };
        // A window that lies in padding alone has no elements; its mean is zero.
        u32::try_from(count.max(1)).unwrap_or(u32::MAX)
    }
}

impl IntegerPool {
    /// Planes `[H,W]` into as many output planes.
    pub fn run(&self, input: &[i8], output: &mut [i8]) {
        match self.attributes.kind {
            PoolKind::Maximum => self.maxima(input, output),
            PoolKind::Average => self.averages(input, output),
        }
    }

    fn maxima(&self, input: &[i8], output: &mut [i8]) {
        let rows = spans(&self.attributes, 0, self.input[0], self.output[0]);
        let mut line = Line::new(&self.attributes, self.input[1], self.output[1], i8::MIN);
        let planes = input.chunks_exact(self.input[0] * self.input[1]);
        for (from, to) in planes.zip(output.chunks_exact_mut(self.output[0] * self.output[1])) {
            for (row, to) in rows.iter().zip(to.chunks_exact_mut(self.output[1])) {
                let largest = line.line();
                largest.fill(i8::MIN);
                for y in row.inside.clone() {
                    let pairs = largest.iter_mut().zip(&from[y * self.input[1]..]);
                    vectorized(|| pairs.for_each(|(most, &value)| *most = value.max(*most)));
                }
                line.windows(to, std::cmp::Ord::max);
            }
        }
    }

    fn averages(&self, input: &[i8], output: &mut [i8]) {
        let rows = spans(&self.attributes, 0, self.input[0], self.output[0]);
        let columns = spans(&self.attributes, 1, self.input[1], self.output[1]);
        let saturation = Saturation::full(self.output_encoding.zero_point);
        let zero = i32::from(self.input_encoding.zero_point);
        let multiplier = |row: &Span, column: &Span| {
            let count = self.attributes.divisor(row, column);
            average_multiplier(self.input_encoding.scale, self.output_encoding.scale, count)
        };
        let multipliers: Vec<Vec<f32>> =
            rows.iter().map(|row| columns.iter().map(|column| multiplier(row, column)).collect()).collect();
        let mut line = Line::new(&self.attributes, self.input[1], self.output[1], 0_i32);
        let mut sums = vec![0_i32; self.output[1]];
        let planes = input.chunks_exact(self.input[0] * self.input[1]);
        for (from, to) in planes.zip(output.chunks_exact_mut(self.output[0] * self.output[1])) {
            for ((row, multipliers), to) in rows.iter().zip(&multipliers).zip(to.chunks_exact_mut(self.output[1])) {
                let joined = line.line();
                joined.fill(0);
                for y in row.inside.clone() {
                    let pairs = joined.iter_mut().zip(&from[y * self.input[1]..]);
                    vectorized(|| pairs.for_each(|(sum, &value)| *sum += i32::from(value) - zero));
                }
                line.windows(&mut sums, |sum, x| sum + x);
                let results = to.iter_mut().zip(sums.iter().zip(multipliers));
                vectorized(|| {
                    results.for_each(|(to, (&sum, &multiplier))| *to = saturation.requantize(sum, multiplier));
                });
            }
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
