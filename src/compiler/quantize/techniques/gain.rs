//! What a technique brings, and how sure that is.

use crate::compiler::machine::vectorized;
use crate::compiler::quantize::contract::Encoding;

/// The least gain in dB for which a technique is kept.
const LEAST: f64 = 0.1;

/// How many of its standard errors a gain has to exceed.
const ERRORS: f64 = 2.0;

/// The same where the best of several choices is looked at: the more there are, the likelier one of them shines by chance.
const ERRORS_OF_SEVERAL: f64 = 2.5;

/// How many of its standard errors a gain has to exceed on a few images to be judged on more.
const PROMISING: f64 = 0.75;

/// By image, by value judged at: the squared error.
pub(super) type Noise = Vec<Vec<f64>>;

/// Elements that are compared side by side.
const LANES: usize = 16;

/// Elements whose sum is held in f32: few enough that it is as good as exact.
const BLOCK: usize = 64 * LANES;

/// The squared error of elements of an int8 tensor.
pub(super) fn squared_error(float: &[f32], int8: &[i8], encoding: Encoding) -> f64 {
    let (scale, zero_point) = (encoding.scale, i32::from(encoding.zero_point));
    let square = |x: f32, q: i8| {
        let error = x - (i32::from(q) - zero_point) as f32 * scale;
        error * error
    };
    let mut whole = 0.0;
    for (float, int8) in float.chunks(BLOCK).zip(int8.chunks(BLOCK)) {
        let mut sums = [0.0_f32; LANES];
        let ((floats, rest), (answers, last)) = (float.as_chunks::<LANES>(), int8.as_chunks::<LANES>());
        vectorized(|| {
            let mut own = sums;
            for (floats, answers) in floats.iter().zip(answers) {
                for lane in 0..LANES {
                    own[lane] += square(floats[lane], answers[lane]);
                }
            }
            sums = own;
        });
        whole += sums.into_iter().map(f64::from).sum::<f64>();
        whole += rest.iter().zip(last).map(|(&x, &q)| f64::from(square(x, q))).sum::<f64>();
    }
    whole
}

/// What a technique brings on the images that it is judged on, in dB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Gain {
    /// By how much the noise of all images falls, on average over the values' elements.
    pub(super) whole: f64,
    /// Its standard error, by leaving out each image in turn.
    pub(super) error: f64,
}

impl Gain {
    /// Of what nothing is known yet.
    pub(super) const NONE: Self = Self { whole: 0.0, error: 0.0 };

    /// From the noise before and after, by image; `sizes` are the values' elements.
    pub(super) fn of(before: &[Vec<f64>], after: &[Vec<f64>], sizes: &[usize]) -> Self {
        let all: usize = sizes.iter().sum();
        let without = |left_out: Option<usize>| -> f64 {
            let sum = |noise: &[Vec<f64>], value: usize| -> f64 {
                let images = noise.iter().enumerate().filter(|&(image, _)| Some(image) != left_out);
                images.map(|(_, values)| values[value]).sum::<f64>().max(f64::MIN_POSITIVE)
            };
            let gain = |(value, &size): (usize, &usize)| {
                10.0 * libm::log10(sum(before, value) / sum(after, value)) * size as f64 / all as f64
            };
            sizes.iter().enumerate().map(gain).sum()
        };
        let count = before.len() as f64;
        let others: Vec<f64> = (0..before.len()).map(|image| without(Some(image))).collect();
        let mean = others.iter().sum::<f64>() / count;
        let squares: f64 = others.iter().map(|other| (other - mean) * (other - mean)).sum();
        Self { whole: without(None), error: (squares * (count - 1.0) / count).sqrt() }
    }

    /// Whether the gain is worth it and not likely chance: several techniques are tried, on few images.
    pub(super) fn pays(self) -> bool {
        self.exceeds(ERRORS)
    }

    /// Whether that can be said of one of several choices.
    pub(super) fn pays_among_several(self) -> bool {
        self.exceeds(ERRORS_OF_SEVERAL)
    }

    /// Whether more images are worth running: three times as many make the error about 1.7 times smaller.
    pub(super) fn is_promising(self) -> bool {
        self.whole > PROMISING * self.error
    }

    /// Whether it is surely none, by a few images.
    pub(super) fn is_hopeless(self) -> bool {
        self.whole + self.error < 0.0
    }

    fn exceeds(self, errors: f64) -> bool {
        self.whole > LEAST && self.whole > errors * self.error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_one_image_alone_does_not_pay() {
        let noise = |of: [f64; 4]| -> Noise { of.iter().map(|&noise| vec![noise]).collect() };
        let pays = |after| Gain::of(&noise([1.0, 2.0, 3.0, 4.0]), &noise(after), &[7]).pays();
        assert!(pays([0.8, 1.6, 2.5, 3.3]));
        assert!(!pays([1.1, 2.1, 3.0, 1.0]), "one image is much better");
        assert!(!pays([1.0, 2.0, 3.0, 4.0]));
    }

    #[test]
    fn errors_are_those_of_the_numbers_that_int8_stands_for() {
        let encoding = Encoding { scale: 0.5, zero_point: -3 };
        let float: Vec<f32> = (0..2500).map(|at| (at % 97) as f32 * 0.3 - 9.0).collect();
        let int8: Vec<i8> = float.iter().map(|&x| encoding.quantize(x)).collect();
        let pairs = float.iter().zip(&int8);
        let expected: f64 = pairs.map(|(&x, &q)| (f64::from(x) - encoding.dequantize_wide(q)).powi(2)).sum();
        let found = squared_error(&float, &int8, encoding);
        assert!((found / expected - 1.0).abs() < 1e-4, "{found}, expected {expected}");
    }

    #[test]
    fn the_best_of_several_has_to_be_surer() {
        let gain = Gain { whole: 0.9, error: 0.4 };
        assert!(gain.pays() && !gain.pays_among_several() && gain.is_promising());
        assert!(!Gain { whole: 0.2, error: 0.4 }.is_promising());
        assert!(Gain { whole: -0.5, error: 0.4 }.is_hopeless() && !Gain { whole: -0.1, error: 0.4 }.is_hopeless());
    }
}
