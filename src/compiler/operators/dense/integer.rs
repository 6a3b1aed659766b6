//! Integer matrix products: exact int32 accumulators, one requantization (ONNX `QLinearMatMul`), and the dot
//! products that convolutions use too.

use crate::compiler::quantize::contract::Saturation;

/// What a dense layer needs besides its input, prepared once for a network.
#[derive(Debug, Clone)]
pub struct IntegerDense {
    /// K, the length of a row of the input.
    pub length: usize,
    /// `[N,K]`: transposed, so that a dot product reads both sides in order; widened.
    pub weights: Vec<i16>,
    /// One for each of the N outputs.
    pub bias: Vec<i32>,
    /// m of each output.
    pub multipliers: Vec<f32>,
    /// Zero point of the input.
    pub input_zero_point: i8,
    /// Zero point and bounds of the output.
    pub saturation: Saturation,
}

impl IntegerDense {
    /// Rows of K into as many rows of N.
    pub fn run(&self, input: &[i8], output: &mut [i8]) {
        let count = self.bias.len();
        let zero = i16::from(self.input_zero_point);
        let mut row = vec![0_i16; self.length];
        let mut sums = vec![0_i32; count];
        for (from, to) in input.chunks_exact(self.length).zip(output.chunks_exact_mut(count)) {
            for (wide, &value) in row.iter_mut().zip(from) {
                *wide = i16::from(value) - zero;
            }
            dot_rows(&row, &self.weights, self.length, &mut sums);
            for (index, to) in to.iter_mut().enumerate() {
                *to = self.saturation.requantize(sums[index] + self.bias[index], self.multipliers[index]);
            }
        }
    }
}

/// Dot products of every row of `left` with every row of `right`, both of `length`: `sums[l·R + r]`. Exact as long as
/// Σ|l·r| fits int32, which the contract demands of weights. The rows of `left` should fit the first-level cache: they
/// are read again for every four rows of `right`.
pub fn dot_rows(left: &[i16], right: &[i16], length: usize, sums: &mut [i32]) {
    let right_count = right.len() / length;
    let blocks = right.chunks_exact(4 * length);
    let rest = blocks.remainder();
    let first_of_rest = right_count - rest.len() / length;
    for (index, block) in blocks.enumerate() {
        for (row, sums) in left.chunks_exact(length).zip(sums.chunks_exact_mut(right_count)) {
            sums[4 * index..4 * index + 4].copy_from_slice(&dot_four(row, block));
        }
    }
    for (row, sums) in left.chunks_exact(length).zip(sums.chunks_exact_mut(right_count)) {
        for (right, sum) in rest.chunks_exact(length).zip(&mut sums[first_of_rest..]) {
            *sum = dot(row, right);
        }
    }
}

/// Four dot products at once, so that each element of `left` is loaded once for four. One plain loop with four sums is
/// what the compiler turns into multiply-and-add instructions of 16-bit pairs.
fn dot_four(left: &[i16], block: &[i16]) -> [i32; 4] {
    let length = left.len();
    let row = |index: usize| &block[index * length..][..length];
    let (a, b, c, d) = (row(0), row(1), row(2), row(3));
    let mut sums = [0_i32; 4];
    for place in 0..length {
        let x = i32::from(left[place]);
        sums[0] += x * i32::from(a[place]);
        sums[1] += x * i32::from(b[place]);
        sums[2] += x * i32::from(c[place]);
        sums[3] += x * i32::from(d[place]);
    }
    sums
}

fn dot(left: &[i16], right: &[i16]) -> i32 {
    left.iter().zip(right).map(|(&left, &right)| i32::from(left) * i32::from(right)).sum()
}
