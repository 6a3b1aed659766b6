//! Softmax on integers: a table of exponentials by distance from the largest input, an int32 sum, one requantization.

use crate::compiler::quantize::contract::Encoding;
use crate::compiler::quantize::contract::Saturation;
use crate::compiler::quantize::contract::exponentials;
use crate::compiler::quantize::contract::softmax_multiplier;

/// What a softmax needs besides its input, prepared once for a network.
#[derive(Debug, Clone)]
pub struct IntegerSoftmax {
    length: usize,
    inner: usize,
    /// By how many steps an input lies below the largest.
    exponentials: [i32; 256],
    output: Encoding,
}

impl IntegerSoftmax {
    /// Along an axis of `length`, whose neighbours lie `inner` elements apart.
    #[must_use]
    pub fn new(length: usize, inner: usize, input: Encoding, output: Encoding) -> Self {
        Self { length, inner, exponentials: exponentials(input, length), output }
    }

    /// As many elements as the network's value has.
    pub fn run(&self, from: &[i8], to: &mut [i8]) {
        let block = self.length * self.inner;
        let saturation = Saturation::full(self.output.zero_point);
        for (from, to) in from.chunks_exact(block).zip(to.chunks_exact_mut(block)) {
            for column in 0..self.inner {
                let along = || from.iter().skip(column).step_by(self.inner);
                let largest = along().copied().max().unwrap_or(0);
                let exponential = |&q: &i8| self.exponentials[usize::from(largest.abs_diff(q))];
                let multiplier = softmax_multiplier(along().map(exponential).sum(), self.output.scale);
                for (q, to) in along().zip(to.iter_mut().skip(column).step_by(self.inner)) {
                    *to = saturation.requantize(exponential(q), multiplier);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_real_numbers() {
        let output = Encoding { scale: 1.0 / 256.0, zero_point: -128 };
        let mut apart = 0;
        let mut elements = 0;
        for (length, scale) in [(2, 0.3_f32), (10, 0.05), (1000, 0.02), (1000, 0.2)] {
            let input = Encoding { scale, zero_point: 17 };
            let softmax = IntegerSoftmax::new(length, 3, input, output);
            let from: Vec<i8> = (0..length * 3).map(|at| ((at * 53 + at / 7) % 256) as u8 as i8).collect();
            let mut to = vec![0; from.len()];
            softmax.run(&from, &mut to);
            for column in 0..3 {
                let real: Vec<f64> = from.iter().skip(column).step_by(3).map(|&q| input.dequantize_wide(q)).collect();
                let largest = real.iter().copied().fold(f64::MIN, f64::max);
                let sum: f64 = real.iter().map(|x| (x - largest).exp()).sum();
                for (x, &q) in real.iter().zip(to.iter().skip(column).step_by(3)) {
                    let expected = output.quantize_wide((x - largest).exp() / sum);
                    assert!(q.abs_diff(expected) <= 1, "{length} {scale}: {x} became {q}, expected {expected}");
                    apart += usize::from(q != expected);
                    elements += 1;
                }
            }
        }
        assert!(apart * 1000 <= elements, "{apart} of {elements} are a step apart");
    }

    #[test]
    fn one_element_is_all_of_it() {
        let encoding = Encoding { scale: 1.0 / 128.0, zero_point: -128 };
        let mut to = [0];
        IntegerSoftmax::new(1, 1, encoding, encoding).run(&[5], &mut to);
        assert_eq!(to, [0]);
    }
}
