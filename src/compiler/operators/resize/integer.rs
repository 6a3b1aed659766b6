//! Resampling of planes: nearest copies int8 values, linear weighs four of them with whole numbers.

use crate::compiler::machine::vectorized;
use crate::compiler::operators::Coordinates;
use crate::compiler::operators::Resize;
use crate::compiler::operators::ResizeMode;
use crate::compiler::quantize::contract::Encoding;
use crate::compiler::quantize::contract::MOST_PARTS;
use crate::compiler::quantize::contract::Saturation;
use crate::compiler::quantize::contract::interpolation_multiplier;

/// Where output coordinate `x` lies in the input, in f32 as ONNX Runtime computes it.
fn source(attributes: &Resize, axis: usize, x: usize, input: usize, output: usize) -> f32 {
    let (x, scale) = (x as f32, attributes.scales[axis]);
    match attributes.coordinates {
        Coordinates::HalfPixel => (x + 0.5) / scale - 0.5,
        Coordinates::PytorchHalfPixel => {
            if output > 1 {
                (x + 0.5) / scale - 0.5
            } else {
                0.0
            }
        }
        Coordinates::Asymmetric => x / scale,
        Coordinates::AlignCorners => {
            if output > 1 {
                x * (input - 1) as f32 / (output - 1) as f32
            } else {
                0.0
            }
        }
    }
}

/// The input place of each output place along one axis, of a nearest resize.
#[must_use]
pub fn nearest(attributes: &Resize, axis: usize, input: usize, output: usize) -> Vec<usize> {
    (0..output)
        .map(|x| {
            let at = source(attributes, axis, x, input, output);
            let at = match attributes.mode {
                ResizeMode::NearestPreferFloor | ResizeMode::Linear => (at - 0.5).ceil(),
                ResizeMode::NearestPreferCeil => (at + 0.5).floor(),
                ResizeMode::NearestFloor => at.floor(),
                ResizeMode::NearestCeil => at.ceil(),
            };
            (at.max(0.0) as usize).min(input - 1)
        })
        .collect()
}

/// Planes of `input` `[H,W]` into planes of `output` `[H,W]`, copied.
pub fn run_nearest<T: Copy>(attributes: &Resize, from: &[T], input: [usize; 2], to: &mut [T], output: [usize; 2]) {
    let rows = nearest(attributes, 0, input[0], output[0]);
    let columns = nearest(attributes, 1, input[1], output[1]);
    for (from, to) in from.chunks_exact(input[0] * input[1]).zip(to.chunks_exact_mut(output[0] * output[1])) {
        for (&y, to) in rows.iter().zip(to.chunks_exact_mut(output[1])) {
            let from = &from[y * input[1]..][..input[1]];
            for (&x, to) in columns.iter().zip(to) {
                *to = from[x];
            }
        }
    }
}

/// The two input places of each output place along one axis of a linear resize, and the weight of the second; weights are
/// in parts that the two add up to.
#[derive(Debug, Clone)]
pub struct Neighbours {
    /// Of each output place.
    pub places: Vec<[usize; 2]>,
    /// Of each output place.
    pub seconds: Vec<i32>,
    /// What both weights add up to.
    pub parts: u32,
}

impl Neighbours {
    /// Along an axis (0 or 1) of so many input and output places.
    #[must_use]
    pub fn of(attributes: &Resize, axis: usize, input: usize, output: usize) -> Self {
        let sources = (0..output)
            .map(|x| source(attributes, axis, x, input, output).clamp(0.0, (input - 1) as f32))
            .collect::<Vec<f32>>();
        let shares: Vec<f64> = sources.iter().map(|&at| f64::from(at - at.floor())).collect();
        let parts = parts(attributes, axis, output);
        Self {
            places: sources.iter().map(|&at| [at as usize, (at as usize + 1).min(input - 1)]).collect(),
            seconds: shares.iter().map(|share| (share * f64::from(parts)).round_ties_even() as i32).collect(),
            parts,
        }
    }
}

/// In how many parts the distance between two neighbours has to be counted so that every weight is a whole number;
/// [`MOST_PARTS`] where so many do not suffice.
fn parts(attributes: &Resize, axis: usize, output: usize) -> u32 {
    let scale = attributes.scales[axis];
    let whole = (scale.fract() == 0.0).then_some(scale as usize);
    let exact = match attributes.coordinates {
        Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => whole.and_then(|scale| scale.checked_mul(2)),
        Coordinates::Asymmetric => whole,
        Coordinates::AlignCorners => Some(output.saturating_sub(1).max(1)),
    };
    let exact = exact.and_then(|parts| u32::try_from(parts).ok());
    exact.filter(|parts| (1..=MOST_PARTS).contains(parts)).unwrap_or(MOST_PARTS)
}

/// A linear resize, prepared once for a network: whole weights, an int32 sum of four products, one requantization.
#[derive(Debug, Clone)]
pub struct IntegerLinear {
    sizes: [[usize; 2]; 2],
    rows: Neighbours,
    columns: Neighbours,
    zero_point: i8,
    multiplier: f32,
    saturation: Saturation,
}

impl IntegerLinear {
    /// `sizes` are H and W of the input and the output, `encodings` theirs.
    #[must_use]
    pub fn new(attributes: &Resize, sizes: [[usize; 2]; 2], encodings: [Encoding; 2]) -> Self {
        let [input, output] = sizes;
        let rows = Neighbours::of(attributes, 0, input[0], output[0]);
        let columns = Neighbours::of(attributes, 1, input[1], output[1]);
        let parts = [rows.parts, columns.parts];
        Self {
            sizes,
            zero_point: encodings[0].zero_point,
            multiplier: interpolation_multiplier(encodings[0].scale, encodings[1].scale, parts),
            saturation: Saturation::full(encodings[1].zero_point),
            rows,
            columns,
        }
    }

    /// Planes of the input into planes of the output.
    pub fn run(&self, from: &[i8], to: &mut [i8]) {
        let [input, output] = self.sizes;
        let zero = i32::from(self.zero_point);
        let (down_parts, across_parts) = (self.rows.parts as i32, self.columns.parts as i32);
        // Rows of the output that lie between the same two of the input share what is made of these along the row.
        let mut lines = [vec![0; output[1]], vec![0; output[1]]];
        for (from, to) in from.chunks_exact(input[0] * input[1]).zip(to.chunks_exact_mut(output[0] * output[1])) {
            let mut made = [usize::MAX; 2];
            for ((&places, &down), to) in
                self.rows.places.iter().zip(&self.rows.seconds).zip(to.chunks_exact_mut(output[1]))
            {
                if places[0] == made[1] {
                    lines.swap(0, 1);
                    made.swap(0, 1);
                }
                for ((line, made), place) in lines.iter_mut().zip(&mut made).zip(places) {
                    if *made != place {
                        *made = place;
                        let from = &from[place * input[1]..][..input[1]];
                        let columns = self.columns.places.iter().zip(&self.columns.seconds);
                        for (to, (&[left, right], &across)) in line.iter_mut().zip(columns) {
                            *to = (i32::from(from[left]) - zero) * (across_parts - across)
                                + (i32::from(from[right]) - zero) * across;
                        }
                    }
                }
                // At most 255·2048·2048, which fits.
                let (multiplier, saturation) = (self.multiplier, self.saturation);
                let pairs = to.iter_mut().zip(lines[0].iter().zip(&lines[1]));
                vectorized(|| {
                    pairs.for_each(|(to, (top, bottom))| {
                        *to = saturation.requantize(top * (down_parts - down) + bottom * down, multiplier);
                    });
                });
            }
        }
    }
}

/// The same in floats.
#[derive(Debug, Clone)]
pub struct FloatLinear {
    sizes: [[usize; 2]; 2],
    /// By axis, by output place: the two input places and the weight of the second.
    axes: [Vec<([usize; 2], f32)>; 2],
}

impl FloatLinear {
    /// `sizes` are H and W of the input and the output.
    #[must_use]
    pub fn new(attributes: &Resize, sizes: [[usize; 2]; 2]) -> Self {
        let axes = [0, 1].map(|axis: usize| {
            let (input, output) = (sizes[0][axis], sizes[1][axis]);
            let place = |x: usize| {
                let at = source(attributes, axis, x, input, output).clamp(0.0, (input - 1) as f32);
                ([at as usize, (at as usize + 1).min(input - 1)], at - at.floor())
            };
            (0..output).map(place).collect()
        });
        Self { sizes, axes }
    }

    /// Planes of the input into planes of the output.
    pub fn run(&self, from: &[f32], to: &mut [f32]) {
        let [input, output] = self.sizes;
        let [rows, columns] = &self.axes;
        let mut lines = [vec![0.0; output[1]], vec![0.0; output[1]]];
        for (from, to) in from.chunks_exact(input[0] * input[1]).zip(to.chunks_exact_mut(output[0] * output[1])) {
            let mut made = [usize::MAX; 2];
            for (&(places, down), to) in rows.iter().zip(to.chunks_exact_mut(output[1])) {
                if places[0] == made[1] {
                    lines.swap(0, 1);
                    made.swap(0, 1);
                }
                for ((line, made), place) in lines.iter_mut().zip(&mut made).zip(places) {
                    if *made != place {
                        *made = place;
                        let from = &from[place * input[1]..][..input[1]];
                        for (to, &([left, right], across)) in line.iter_mut().zip(columns) {
                            *to = from[left] * (1.0 - across) + from[right] * across;
                        }
                    }
                }
                let pairs = to.iter_mut().zip(lines[0].iter().zip(&lines[1]));
                vectorized(|| pairs.for_each(|(to, (top, bottom))| *to = top * (1.0 - down) + bottom * down));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolation_is_that_of_real_numbers() {
        let encodings = [Encoding { scale: 0.05, zero_point: 9 }, Encoding { scale: 0.047, zero_point: -3 }];
        let cases = [
            (Coordinates::HalfPixel, [2.0, 3.0], [10, 21], true),
            (Coordinates::PytorchHalfPixel, [4.0, 1.0], [20, 7], true),
            (Coordinates::Asymmetric, [2.0, 2.0], [10, 14], true),
            (Coordinates::AlignCorners, [1.8, 1.857_142_8], [9, 13], true),
            (Coordinates::HalfPixel, [1.8, 0.571_428_6], [9, 4], false),
        ];
        for (coordinates, scales, output, exact) in cases {
            let resize = Resize { mode: ResizeMode::Linear, coordinates, scales };
            let layer = IntegerLinear::new(&resize, [[5, 7], output], encodings);
            let from: Vec<i8> = (0..35).map(|at| ((at * 67) % 251) as u8 as i8).collect();
            let mut to = vec![0; output[0] * output[1]];
            layer.run(&from, &mut to);
            let mut apart = 0;
            for (at, &q) in to.iter().enumerate() {
                let at_axis = |axis: usize, x: usize, size: usize| {
                    let at = source(&resize, axis, x, size, output[axis]).clamp(0.0, (size - 1) as f32);
                    (at as usize, (at as usize + 1).min(size - 1), f64::from(at - at.floor()))
                };
                let (top, bottom, down) = at_axis(0, at / output[1], 5);
                let (left, right, across) = at_axis(1, at % output[1], 7);
                let real = |y: usize, x: usize| encodings[0].dequantize_wide(from[y * 7 + x]);
                let upper = real(top, left) * (1.0 - across) + real(top, right) * across;
                let lower = real(bottom, left) * (1.0 - across) + real(bottom, right) * across;
                let expected = encodings[1].quantize_wide(upper * (1.0 - down) + lower * down);
                assert!(q.abs_diff(expected) <= 1, "{coordinates:?} {at}: {q}, expected {expected}");
                apart += usize::from(q != expected);
            }
            // Coordinates are f32, so where thirds meet a tie either side may win.
            assert!(
                apart * if exact { 100 } else { 10 } <= to.len(),
                "{coordinates:?}: {apart} of {} differ",
                to.len()
            );
        }
    }
}
