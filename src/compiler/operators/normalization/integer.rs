//! Instance normalization as a float island: exact integer sums, from which a table for each plane is made in f64.

use crate::compiler::quantize::contract::Encoding;
use crate::compiler::quantize::contract::function_table;
use crate::compiler::quantize::contract::place;

/// What an instance normalization needs besides its input.
#[derive(Debug, Clone)]
pub struct InstanceNormalization {
    /// Elements of one plane: those of one image and channel.
    pub plane: usize,
    /// Added to the variance; at least 0.
    pub epsilon: f32,
    /// One for each channel.
    pub scale: Vec<f32>,
    /// One for each channel.
    pub bias: Vec<f32>,
    /// Of the input and the output.
    pub encodings: [Encoding; 2],
}

impl InstanceNormalization {
    /// `[N,C,…]` into the same shape: (x − mean)/√(variance + ε)·scale + bias, statistics over each plane.
    pub fn run(&self, input: &[i8], output: &mut [i8]) {
        let channels = self.scale.iter().zip(&self.bias).cycle();
        let planes = input.chunks_exact(self.plane).zip(output.chunks_exact_mut(self.plane));
        for ((from, to), (&scale, &bias)) in planes.zip(channels) {
            let table = self.table(from, f64::from(scale), f64::from(bias));
            for (to, &q) in to.iter_mut().zip(from) {
                *to = table[place(q)];
            }
        }
    }

    fn table(&self, plane: &[i8], scale: f64, bias: f64) -> [i8; 256] {
        let [input, output] = self.encodings;
        let zero = i64::from(input.zero_point);
        let (mut sum, mut squares) = (0_i64, 0_i64);
        for &q in plane {
            let steps = i64::from(q) - zero;
            sum += steps;
            squares += steps * steps;
        }
        let count = plane.len() as f64;
        let step = f64::from(input.scale);
        let mean = sum as f64 / count * step;
        // n·Σq² − (Σq)² is exact and never negative.
        let spread = i128::from(squares) * plane.len() as i128 - i128::from(sum) * i128::from(sum);
        let variance = spread as f64 / (count * count) * step * step;
        let slope = scale / (variance + f64::from(self.epsilon)).sqrt();
        function_table(input, output, |x| (x - mean) * slope + bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_plane_is_normalized_by_its_own_statistics() {
        let input = Encoding { scale: 0.5, zero_point: 3 };
        let output = Encoding { scale: 0.01, zero_point: -10 };
        let layer = InstanceNormalization {
            plane: 4,
            epsilon: 1e-5,
            scale: vec![0.5, 0.25],
            bias: vec![0.0, 0.125],
            encodings: [input, output],
        };
        // The second plane is a hundred times the first: normalized they are alike but for scale and bias.
        let from = [4, 5, 6, 9, -97, 103, 3, 3];
        let mut to = [0; 8];
        layer.run(&from, &mut to);
        let real: Vec<f64> = from.iter().map(|&q| input.dequantize_wide(q)).collect();
        for (channel, (from, to)) in real.chunks(4).zip(to.chunks(4)).enumerate() {
            let mean = from.iter().sum::<f64>() / 4.0;
            let variance = from.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 4.0;
            for (x, &q) in from.iter().zip(to) {
                let normal = (x - mean) / (variance + 1e-5).sqrt();
                let expected = normal * f64::from(layer.scale[channel]) + f64::from(layer.bias[channel]);
                assert!((output.dequantize_wide(q) - expected).abs() <= 0.005 + 1e-9, "{x} became {q}");
            }
        }
    }

    #[test]
    fn a_plane_of_one_value_is_the_bias() {
        let encoding = Encoding { scale: 0.5, zero_point: 0 };
        let layer = InstanceNormalization {
            plane: 3,
            epsilon: 0.0,
            scale: vec![1.0],
            bias: vec![2.0],
            encodings: [encoding; 2],
        };
        let mut to = [0; 3];
        layer.run(&[7, 7, 7], &mut to);
        // Nothing over nothing is no number, which quantizes to the lowest value whatever the bias.
        assert_eq!(to, [i8::MIN; 3]);
        let layer = InstanceNormalization { epsilon: 1e-5, ..layer };
        layer.run(&[7, 7, 7], &mut to);
        assert_eq!(to, [4; 3]);
    }
}
