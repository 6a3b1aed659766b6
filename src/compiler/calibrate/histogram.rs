//! What is remembered of a tensor over all calibration images: its bounds and a histogram whose bins are powers of two
//! wide. Bins that grow by doubling make the result independent of the order of images: counting in narrow bins and
//! merging pairs later gives the same counts as counting in wide bins from the start.

/// How much is remembered of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Its bounds alone.
    Bounds,
    /// Also a histogram of 256 bins for each sign: for many small tensors, such as the channels of one.
    Coarse,
    /// Also a histogram of 2048 bins for each sign. The largest magnitude lies in the upper half, so at least 1024 are in use.
    Fine,
}

impl Detail {
    /// log2 of the number of bins for each sign.
    const fn bits(self) -> Option<i32> {
        match self {
            Self::Bounds => None,
            Self::Coarse => Some(8),
            Self::Fine => Some(11),
        }
    }
}

/// The smallest exponent of a bin's width: below it, 2⁻ᵉ leaves f32.
const LEAST_EXPONENT: i32 = -110;

/// Counts of the magnitudes of non-zero values, for each sign; bin `i` holds `i·2ᵉ ≤ |x| < (i+1)·2ᵉ`. Zeros are left
/// out: int8 stands for them exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    exponent: i32,
    /// Positive values, then negative ones: as many bins each, a power of two.
    counts: Vec<u64>,
}

impl Histogram {
    /// The width of a bin, a power of two.
    #[must_use]
    pub fn width(&self) -> f64 {
        // A power of two straight from its exponent: `powi` does not promise an exact one.
        f64::from_bits(((self.exponent + 1023) as u64) << 52)
    }

    /// Counts of positive values by magnitude.
    #[must_use]
    pub fn positive(&self) -> &[u64] {
        &self.counts[..self.counts.len() / 2]
    }

    /// Counts of negative values by magnitude.
    #[must_use]
    pub fn negative(&self) -> &[u64] {
        &self.counts[self.counts.len() / 2..]
    }

    /// Doubles the width until bins are `2^exponent` wide.
    fn widen(&mut self, exponent: i32) {
        let bins = self.counts.len() / 2;
        let shift = (exponent - self.exponent).clamp(0, bins.ilog2() as i32) as usize;
        if shift == 0 {
            return;
        }
        for side in self.counts.chunks_exact_mut(bins) {
            for index in 0..bins {
                let count = std::mem::take(&mut side[index]);
                side[index >> shift] += count;
            }
        }
        self.exponent = exponent;
    }

    fn add(&mut self, exponent: i32, counts: impl Iterator<Item = u64>) {
        self.widen(exponent);
        let bins = self.counts.len() / 2;
        for (index, count) in counts.enumerate() {
            let (side, bin) = (index / bins, index % bins);
            let shift = (self.exponent - exponent).clamp(0, bins.ilog2() as i32);
            self.counts[side * bins + (bin >> shift)] += count;
        }
    }
}

/// What is known of one tensor after some images.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observation {
    /// Smallest and largest value; `None` before the first image.
    pub bounds: Option<(f32, f32)>,
    /// The histogram, where the scheme asks for one and a value was not zero.
    pub histogram: Option<Histogram>,
    /// Whether a value was infinite or not a number.
    pub not_finite: bool,
}

/// Bounds and magnitude of a tensor, in one pass that compiles to vector instructions.
struct Survey {
    min: f32,
    max: f32,
    /// Bits of the largest magnitude: bits of non-negative floats are ordered as the floats are.
    magnitude: i32,
    zeros: [u64; 2],
}

fn survey(values: &[f32]) -> Survey {
    const LANES: usize = 8;
    let first = values.first().copied().unwrap_or(0.0);
    let (mut min, mut max, mut magnitude) = ([first; LANES], [first; LANES], [0_i32; LANES]);
    let mut see = |lane: usize, x: f32| {
        min[lane] = if x < min[lane] { x } else { min[lane] };
        max[lane] = if x > max[lane] { x } else { max[lane] };
        magnitude[lane] = magnitude[lane].max((x.to_bits() & 0x7FFF_FFFF) as i32);
    };
    let chunks = values.chunks_exact(LANES);
    for (lane, &x) in chunks.remainder().iter().enumerate() {
        see(lane, x);
    }
    for chunk in chunks {
        for (lane, &x) in chunk.iter().enumerate() {
            see(lane, x);
        }
    }
    let zeros = [0, 0x8000_0000].map(|zero| values.iter().filter(|x| x.to_bits() == zero).count() as u64);
    Survey {
        min: min.into_iter().fold(first, f32::min),
        max: max.into_iter().fold(first, f32::max),
        magnitude: magnitude.into_iter().max().unwrap_or(0),
        zeros,
    }
}

impl Observation {
    /// Takes one image's values in, always with the same detail.
    pub fn observe(&mut self, values: &[f32], detail: Detail) {
        if values.is_empty() {
            return;
        }
        let survey = survey(values);
        if survey.magnitude >= f32::INFINITY.to_bits() as i32 {
            self.not_finite = true;
            return;
        }
        self.join_bounds((survey.min, survey.max));
        if let (Some(bits), true) = (detail.bits(), survey.magnitude > 0) {
            let bins = 1 << bits;
            let exponent = ((survey.magnitude >> 23) - 127 + 1 - bits).max(LEAST_EXPONENT);
            let inverse = f32::from_bits(((127 - exponent) as u32) << 23);
            let mut counts = vec![0_u32; 2 * bins];
            for &x in values {
                let bin = (x.abs() * inverse) as usize & (bins - 1);
                let side = (x.to_bits() >> 31) as usize * bins;
                counts[side + bin] += 1;
            }
            let mut counts: Vec<u64> = counts.into_iter().map(u64::from).collect();
            counts[0] -= survey.zeros[0];
            counts[bins] -= survey.zeros[1];
            self.histogram_at(exponent, bins).add(exponent, counts.into_iter());
        }
    }

    /// Takes in what another thread saw.
    pub fn merge(&mut self, other: &Self) {
        self.not_finite |= other.not_finite;
        if let Some(bounds) = other.bounds {
            self.join_bounds(bounds);
        }
        if let Some(histogram) = &other.histogram {
            self.histogram_at(histogram.exponent, histogram.counts.len() / 2)
                .add(histogram.exponent, histogram.counts.iter().copied());
        }
    }

    fn join_bounds(&mut self, (low, high): (f32, f32)) {
        let (min, max) = self.bounds.unwrap_or((low, high));
        self.bounds = Some((min.min(low), max.max(high)));
    }

    fn histogram_at(&mut self, exponent: i32, bins: usize) -> &mut Histogram {
        self.histogram.get_or_insert_with(|| Histogram { exponent, counts: vec![0; 2 * bins] })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_order_of_images_does_not_matter(
            images in prop::collection::vec((prop::collection::vec(-1.0_f32..1.0, 1..40), -30_i32..30), 1..6),
            cut in 0_usize..6,
            detail in prop::sample::select(vec![Detail::Coarse, Detail::Fine]),
        ) {
            let images: Vec<Vec<f32>> = images
                .into_iter()
                .map(|(values, exponent)| values.into_iter().map(|x| x * 2.0_f32.powi(exponent)).collect())
                .collect();
            let all = |images: &mut dyn Iterator<Item = &Vec<f32>>| {
                let mut seen = Observation::default();
                images.for_each(|image| seen.observe(image, detail));
                seen
            };
            let forwards = all(&mut images.iter());
            prop_assert_eq!(&forwards, &all(&mut images.iter().rev()));
            let cut = cut.min(images.len());
            let mut joined = all(&mut images[cut..].iter());
            joined.merge(&all(&mut images[..cut].iter()));
            prop_assert_eq!(&forwards, &joined);
        }
    }

    #[test]
    fn zeros_are_left_out_and_bins_hold_their_magnitudes() {
        let mut seen = Observation::default();
        seen.observe(&[0.0, -0.0, 1.0, -1.5, 0.0, 1.75], Detail::Fine);
        let histogram = seen.histogram.as_ref().expect("there are values");
        assert_eq!(histogram.exponent, -10);
        assert_eq!((histogram.positive()[1024], histogram.positive()[1792], histogram.negative()[1536]), (1, 1, 1));
        assert_eq!(histogram.counts.iter().sum::<u64>(), 3);
        assert_eq!(seen.bounds, Some((-1.5, 1.75)));
    }

    #[test]
    fn what_is_not_finite_is_noticed() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut seen = Observation::default();
            seen.observe(&[1.0, bad], Detail::Fine);
            assert!(seen.not_finite, "{bad}");
        }
    }
}
