//! Integer matrix products with constants: exact int32 accumulators, one requantization (ONNX `QLinearMatMul`).

use crate::compiler::machine::COLUMNS;
use crate::compiler::machine::Left;
use crate::compiler::machine::Level;
use crate::compiler::machine::Panel;
use crate::compiler::machine::Row;
use crate::compiler::machine::vectorized;
use crate::compiler::quantize::contract::Saturation;

/// Rows of the input from which on they are multiplied together, rather than one after another.
const TOGETHER: usize = 4;

/// What a dense layer needs besides its input, prepared once for a network.
#[derive(Debug, Clone)]
pub struct IntegerDense {
    /// K, the length of a row of the input.
    length: usize,
    /// `[N,K]`: transposed, so that a dot product reads both sides in order.
    weights: Vec<i8>,
    rows: Vec<Row>,
    input_zero_point: i8,
    /// The weights packed, where there are enough rows of the input.
    packed: Option<Left>,
}

/// What the accumulators become.
#[derive(Debug, Clone)]
pub struct DenseOutput<'a> {
    /// One for each of the N outputs.
    pub bias: &'a [i32],
    /// m of each output.
    pub multipliers: Vec<f32>,
    /// Zero point and bounds of the output.
    pub saturation: Saturation,
}

impl IntegerDense {
    /// Prepares `[K,N]` weights for `count` rows of K elements.
    #[must_use]
    pub fn new(weights: &[i8], count: usize, input_zero_point: i8, output: &DenseOutput<'_>) -> Self {
        let row = |(&bias, &multiplier)| Row { bias, multiplier, saturation: output.saturation };
        let rows: Vec<Row> = output.bias.iter().zip(&output.multipliers).map(row).collect();
        let length = weights.len() / rows.len().max(1);
        let mut transposed = vec![0; weights.len()];
        for (k, from) in weights.chunks_exact(rows.len().max(1)).enumerate() {
            for (to, &weight) in transposed.iter_mut().skip(k).step_by(length).zip(from) {
                *to = weight;
            }
        }
        let packed =
            (count >= TOGETHER).then(|| Left::new(Level::best(), &transposed, length, input_zero_point, &rows));
        Self { length, weights: transposed, rows, input_zero_point, packed }
    }

    /// Rows of K into as many rows of N.
    pub fn run(&self, input: &[i8], output: &mut [i8]) {
        let count = self.rows.len();
        if let Some(packed) = &self.packed {
            let (mut panel, mut results) = (Panel::default(), Vec::new());
            let blocks = input.chunks(self.length * COLUMNS).zip(output.chunks_mut(count * COLUMNS));
            for (from, to) in blocks {
                panel.pack_columns(from, self.length);
                packed.multiply(&panel, &mut results);
                for (column, to) in to.chunks_exact_mut(count).enumerate() {
                    for (to, results) in to.iter_mut().zip(&results) {
                        *to = results[column];
                    }
                }
            }
            return;
        }
        let zero = i16::from(self.input_zero_point);
        let mut wide = vec![0_i16; self.length];
        for (from, to) in input.chunks_exact(self.length).zip(output.chunks_exact_mut(count)) {
            for (wide, &value) in wide.iter_mut().zip(from) {
                *wide = i16::from(value) - zero;
            }
            vectorized(|| {
                for ((weights, row), to) in self.weights.chunks_exact(self.length).zip(&self.rows).zip(to) {
                    let product = |(&value, &weight): (&i16, &i8)| i32::from(value) * i32::from(i16::from(weight));
                    let sum: i32 = wide.iter().zip(weights).map(product).sum();
                    *to = row.saturation.requantize(sum + row.bias, row.multiplier);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_and_many_are_the_definition() {
        let number = |at: usize| (at * 73 + at / 5 * 11) as i8;
        for (rows, length, count) in [(1, 7, 5), (3, 64, 10), (4, 9, 3), (70, 33, 17)] {
            let input: Vec<i8> = (0..rows * length).map(number).collect();
            let weights: Vec<i8> = (0..length * count).map(|at| number(at + 3).max(-127)).collect();
            let bias: Vec<i32> = (0..count as i32).map(|at| at * 100 - 300).collect();
            let multipliers: Vec<f32> = (0..count).map(|at| 0.001 * (at + 1) as f32).collect();
            let saturation = Saturation::between(5, [-100, 90]);
            let output = DenseOutput { bias: &bias, multipliers: multipliers.clone(), saturation };
            let mut found = vec![0; rows * count];
            IntegerDense::new(&weights, rows, -9, &output).run(&input, &mut found);
            let expected = (0..rows * count).map(|at| {
                let (row, column) = (at / count, at % count);
                let product =
                    |k: usize| (i32::from(input[row * length + k]) + 9) * i32::from(weights[k * count + column]);
                saturation.requantize((0..length).map(product).sum::<i32>() + bias[column], multipliers[column])
            });
            assert_eq!(found, expected.collect::<Vec<_>>(), "{rows} rows of {length} by {count}");
        }
    }
}
