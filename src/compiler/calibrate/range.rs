//! From what was observed to the range that is quantized.

use crate::compiler::calibrate::Detail;
use crate::compiler::calibrate::Histogram;
use crate::compiler::calibrate::Observation;

/// Bounds tried for each side.
const CANDIDATES: usize = 128;

/// No bound is moved below this share of the observed one: what lies beyond is signal, not an outlier.
const LEAST_SHARE: f64 = 0.25;

/// How the range of an activation is chosen from what calibration saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// The smallest and the largest value seen.
    PerTensorMinMax,
    /// The range within these that minimizes the expected squared error over the histogram of all values seen.
    PerTensorHistogram,
    /// The same, but for inputs of depth-wise convolutions, of which each channel has the smallest and the largest value
    /// seen.
    HybridPerTensorPerChannel,
}

impl Scheme {
    /// As cards write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PerTensorMinMax => "per_tensor_min_max",
            Self::PerTensorHistogram => "per_tensor_histogram",
            Self::HybridPerTensorPerChannel => "hybrid_per_tensor_per_channel",
        }
    }

    /// Whether ranges are chosen by histograms.
    #[must_use]
    pub const fn has_histograms(self) -> bool {
        matches!(self, Self::PerTensorHistogram | Self::HybridPerTensorPerChannel)
    }

    /// What has to be known of each whole tensor.
    #[must_use]
    pub const fn detail(self) -> Detail {
        if self.has_histograms() { Detail::Fine } else { Detail::Bounds }
    }

    /// What has to be known of each channel, where channels have ranges of their own: what the scheme observes, but the
    /// hybrid scheme has their bounds.
    #[must_use]
    pub const fn detail_of_channels(self) -> Detail {
        match self {
            Self::PerTensorHistogram => Detail::Coarse,
            Self::PerTensorMinMax | Self::HybridPerTensorPerChannel => Detail::Bounds,
        }
    }
}

/// The range of a tensor under a scheme; `None` when nothing was observed.
///
/// With a histogram, both bounds are searched together on a grid of bin edges. A range `[lo, hi]` costs s²/12 for each value
/// inside (s = (hi − lo)/255; rounding errors are even over a step) and the squared distance to the range for each
/// value outside, times `clipping`: more than 1 where errors of few, large values do more harm than those of many. The observed
/// bounds are among the candidates, so the choice is never worse than they are.
#[must_use]
pub fn choose_range(observation: &Observation, scheme: Scheme, clipping: f64) -> Option<(f32, f32)> {
    let (min, max) = observation.bounds?;
    let (min, max) = (min.min(0.0), max.max(0.0));
    match (&observation.histogram, scheme.has_histograms()) {
        (Some(histogram), true) if clipping.is_finite() => Some(search(histogram, min, max, clipping)),
        _ => Some((min, max)),
    }
}

/// One side of a histogram: sums over the values beyond each bin edge.
struct Side {
    width: f64,
    bound: f64,
    /// Counts, Σ|x| and Σx² of the bins from an edge on; values stand at their bin's middle.
    beyond: Vec<[f64; 3]>,
}

impl Side {
    fn new(counts: &[u32], width: f64, bound: f32) -> Self {
        let mut beyond = vec![[0.0; 3]; counts.len() + 1];
        for (bin, &count) in counts.iter().enumerate().rev() {
            let (count, middle) = (f64::from(count), (bin as f64 + 0.5) * width);
            let after = beyond[bin + 1];
            beyond[bin] = [after[0] + count, after[1] + count * middle, after[2] + count * middle * middle];
        }
        Self { width, bound: f64::from(bound), beyond }
    }

    fn total(&self) -> f64 {
        self.beyond[0][0]
    }

    /// Bounds to try, with the number of values beyond and the sum of their squared distances; the observed one first.
    fn candidates(&self) -> Vec<(f64, f64, f64)> {
        let mut candidates = vec![(self.bound, 0.0, 0.0)];
        let last = (self.bound / self.width).floor() as usize;
        let least = (last as f64 * LEAST_SHARE) as usize;
        let stride = ((last - least) / CANDIDATES).max(1);
        for edge in (least.max(1)..=last.min(self.beyond.len() - 1)).rev().step_by(stride) {
            let bound = edge as f64 * self.width;
            let [count, sum, squares] = self.beyond[edge];
            candidates.push((bound, count, squares - 2.0 * bound * sum + bound * bound * count));
        }
        candidates
    }
}

fn search(histogram: &Histogram, min: f32, max: f32, clipping: f64) -> (f32, f32) {
    let lower = Side::new(histogram.negative(), histogram.width(), -min);
    let upper = Side::new(histogram.positive(), histogram.width(), max);
    let total = lower.total() + upper.total();
    let (lows, highs) = (lower.candidates(), upper.candidates());
    let mut best = (f64::INFINITY, 0.0, 0.0);
    for &(low, below, below_error) in &lows {
        for &(high, above, above_error) in &highs {
            let step = (low + high) / 255.0;
            let error = (total - below - above) * step * step / 12.0 + clipping * (below_error + above_error);
            if error < best.0 {
                best = (error, low, high);
            }
        }
    }
    (-(best.1 as f32), best.2 as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::calibrate::Counter;

    fn observed(values: &[f32]) -> Observation {
        let mut observation = Observation::default();
        observation.observe(values, Detail::Fine, &mut Counter::default());
        observation
    }

    #[test]
    fn an_outlier_is_cut_off_and_even_values_are_not() {
        let mut values: Vec<f32> = (0..1_000_000).map(|i| i as f32 / 1_000_000.0).collect();
        let even = choose_range(&observed(&values), Scheme::PerTensorHistogram, 1.0).expect("observed");
        assert!(even.1 > 0.98, "{even:?}");
        values.push(3.5);
        let cut = choose_range(&observed(&values), Scheme::PerTensorHistogram, 1.0).expect("observed");
        assert!(cut.1 < 2.0, "{cut:?}");
        assert_eq!(choose_range(&observed(&values), Scheme::PerTensorMinMax, 1.0), Some((0.0, 3.5)));
    }

    #[test]
    fn ranges_include_zero_and_a_constant_tensor_has_one() {
        assert_eq!(choose_range(&observed(&[2.0, 2.0]), Scheme::PerTensorHistogram, 1.0), Some((0.0, 2.0)));
        assert_eq!(choose_range(&observed(&[0.0]), Scheme::PerTensorHistogram, 1.0), Some((0.0, 0.0)));
        assert_eq!(choose_range(&Observation::default(), Scheme::PerTensorHistogram, 1.0), None);
    }
}
