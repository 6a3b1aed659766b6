//! Softmax as a float island: dequantized, computed in f64 in a fixed order, quantized once.

use crate::compiler::quantize::contract::Encoding;

/// Softmax along an axis of `length`, whose neighbours lie `inner` elements apart.
pub fn run(from: &[i8], input: Encoding, length: usize, inner: usize, to: &mut [i8], output: Encoding) {
    let mut exponentials = vec![0.0_f64; length];
    for (from, to) in from.chunks_exact(length * inner).zip(to.chunks_exact_mut(length * inner)) {
        for column in 0..inner {
            let largest = from.iter().skip(column).step_by(inner).copied().max().unwrap_or(0);
            let largest = input.dequantize_wide(largest);
            let mut sum = 0.0;
            for (place, &q) in exponentials.iter_mut().zip(from.iter().skip(column).step_by(inner)) {
                *place = libm::exp(input.dequantize_wide(q) - largest);
                sum += *place;
            }
            for (&exponential, q) in exponentials.iter().zip(to.iter_mut().skip(column).step_by(inner)) {
                *q = output.quantize_wide(exponential / sum);
            }
        }
    }
}
