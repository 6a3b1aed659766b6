//! What a technique brings, and how sure that is.

use crate::compiler::quantize::contract::Encoding;

/// The least gain in dB for which a technique is kept.
const LEAST: f64 = 0.1;

/// How many of its standard errors a gain has to exceed.
const ERRORS: f64 = 2.0;

/// The same where the best of several choices is looked at: the more there are, the likelier one of them shines by chance.
const ERRORS_OF_SEVERAL: f64 = 2.5;

/// By image, by value judged at: the squared error.
pub(super) type Noise = Vec<Vec<f64>>;

/// The squared error of elements of an int8 tensor.
pub(super) fn squared_error<'a>(float: &[f32], int8: impl Iterator<Item = &'a i8>, encoding: Encoding) -> f64 {
    float.iter().zip(int8).map(|(&x, &q)| (f64::from(x) - encoding.dequantize_wide(q)).powi(2)).sum()
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

    /// Whether more images are worth running.
    pub(super) fn is_promising(self) -> bool {
        self.whole > 0.0
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
    fn the_best_of_several_has_to_be_surer() {
        let gain = Gain { whole: 0.9, error: 0.4 };
        assert!(gain.pays() && !gain.pays_among_several() && gain.is_promising());
        assert!(!Gain { whole: -0.1, error: 0.4 }.is_promising());
    }
}
