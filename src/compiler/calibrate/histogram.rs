//! What is remembered of a tensor over all calibration images: its bounds and a histogram whose bins are powers of two
//! wide. Bins that grow by doubling make the result independent of the order of images: counting in narrow bins and
//! merging pairs later gives the same counts as counting in wide bins from the start.

use crate::compiler::machine::vectorized;

/// Bins for each sign of a fine histogram. The largest magnitude lies in the upper half, so at least 1024 are in use.
const BINS: usize = 2048;

/// log2 of [`BINS`].
const BITS: i32 = 11;

/// log2 of the bins for each sign of a coarse histogram.
const COARSE_BITS: i32 = 8;

/// How much is remembered of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Its bounds alone.
    Bounds,
    /// Also a histogram of 256 bins for each sign: for many small tensors, such as the channels of one.
    Coarse,
    /// Also a histogram of 2048 bins for each sign.
    Fine,
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

    /// Takes in the counts of both sides in bins `2^exponent` wide.
    fn add(&mut self, exponent: i32, counts: &[u64]) {
        self.widen(exponent);
        let bins = self.counts.len() / 2;
        let shift = (self.exponent - exponent).clamp(0, bins.ilog2() as i32) as usize;
        for (own, counts) in self.counts.chunks_exact_mut(bins).zip(counts.chunks_exact(bins)) {
            if shift == 0 {
                own.iter_mut().zip(counts).for_each(|(own, count)| *own += count);
            } else {
                counts.iter().enumerate().for_each(|(bin, count)| own[bin >> shift] += count);
            }
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
    /// How many values are 0 and −0.
    zeros: [u64; 2],
}

/// Elements that are looked at side by side.
const LANES: usize = 16;

/// What each lane saw.
#[derive(Clone, Copy)]
struct Lanes {
    min: [f32; LANES],
    max: [f32; LANES],
    magnitude: [i32; LANES],
    zeros: [[u32; LANES]; 2],
}

impl Lanes {
    #[inline]
    fn see(&mut self, chunk: &[f32; LANES]) {
        for (lane, &x) in chunk.iter().enumerate() {
            let bits = x.to_bits();
            self.min[lane] = if x < self.min[lane] { x } else { self.min[lane] };
            self.max[lane] = if x > self.max[lane] { x } else { self.max[lane] };
            self.magnitude[lane] = self.magnitude[lane].max((bits & 0x7FFF_FFFF) as i32);
            self.zeros[0][lane] += u32::from(bits == 0);
            self.zeros[1][lane] += u32::from(bits == 0x8000_0000);
        }
    }
}

fn survey(values: &[f32]) -> Survey {
    let first = values.first().copied().unwrap_or(0.0);
    let mut lanes = Lanes { min: [first; LANES], max: [first; LANES], magnitude: [0; LANES], zeros: [[0; LANES]; 2] };
    let (chunks, rest) = values.as_chunks::<LANES>();
    vectorized(|| {
        // A copy of its own stays in registers.
        let mut own = lanes;
        for chunk in chunks {
            own.see(chunk);
        }
        lanes = own;
    });
    let mut zeros = lanes.zeros.map(|counts| counts.into_iter().map(u64::from).sum::<u64>());
    let (mut min, mut max) = (first, first);
    let mut magnitude = lanes.magnitude.into_iter().max().unwrap_or(0);
    for x in rest.iter().copied().chain(lanes.min).chain(lanes.max) {
        (min, max) = (if x < min { x } else { min }, if x > max { x } else { max });
    }
    for x in rest {
        magnitude = magnitude.max((x.to_bits() & 0x7FFF_FFFF) as i32);
        zeros[0] += u64::from(x.to_bits() == 0);
        zeros[1] += u64::from(x.to_bits() == 0x8000_0000);
    }
    Survey { min, max, magnitude, zeros }
}

/// Which of both sides' bins a value falls into.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
fn place(x: f32, inverse: f32) -> u16 {
    let bin = (x.abs() * inverse) as i32 as u32 & (BINS as u32 - 1);
    (x.to_bits() >> 31 << BITS | bin) as u16
}

/// Counts values by `|x|·inverse` rounded down, positive ones first; all are less than [`BINS`].
fn count(values: &[f32], inverse: f32) -> Vec<u64> {
    const TABLES: usize = 4;
    const BLOCK: usize = 256;
    // Neighbours often fall into one bin: each of four counts in a table of its own, so that none waits for another.
    let mut tables = vec![[0_u32; 2 * BINS]; TABLES];
    let (blocks, rest) = values.as_chunks::<BLOCK>();
    if let [a, b, c, d] = &mut tables[..] {
        let mut places = [0_u16; BLOCK];
        for block in blocks {
            vectorized(|| places.iter_mut().zip(block).for_each(|(to, &x)| *to = place(x, inverse)));
            for &[first, second, third, fourth] in places.as_chunks::<TABLES>().0 {
                a[usize::from(first) % (2 * BINS)] += 1;
                b[usize::from(second) % (2 * BINS)] += 1;
                c[usize::from(third) % (2 * BINS)] += 1;
                d[usize::from(fourth) % (2 * BINS)] += 1;
            }
        }
        for &x in rest {
            a[usize::from(place(x, inverse)) % (2 * BINS)] += 1;
        }
    }
    let mut counts = vec![0_u64; 2 * BINS];
    for table in &tables {
        counts.iter_mut().zip(table).for_each(|(count, &own)| *count += u64::from(own));
    }
    counts
}

/// The same in few bins.
fn count_coarsely(values: &[f32], inverse: f32) -> Vec<u64> {
    let bins = 1 << COARSE_BITS;
    let mut counts = vec![0_u64; 2 * bins];
    for &x in values {
        let side = (x.to_bits() >> 31) as usize * bins;
        counts[side + ((x.abs() * inverse) as usize & (bins - 1))] += 1;
    }
    counts
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
        let bits = match detail {
            Detail::Bounds => return,
            Detail::Coarse => COARSE_BITS,
            Detail::Fine => BITS,
        };
        if survey.magnitude > 0 {
            let exponent = ((survey.magnitude >> 23) - 127 + 1 - bits).max(LEAST_EXPONENT);
            let inverse = f32::from_bits(((127 - exponent) as u32) << 23);
            let mut counts = match detail {
                Detail::Fine => count(values, inverse),
                Detail::Bounds | Detail::Coarse => count_coarsely(values, inverse),
            };
            let bins = counts.len() / 2;
            counts[0] -= survey.zeros[0];
            counts[bins] -= survey.zeros[1];
            self.histogram_at(exponent, bins).add(exponent, &counts);
        }
    }

    /// Takes in what another thread saw.
    pub fn merge(&mut self, other: &Self) {
        self.not_finite |= other.not_finite;
        if let Some(bounds) = other.bounds {
            self.join_bounds(bounds);
        }
        if let Some(histogram) = &other.histogram {
            let bins = histogram.counts.len() / 2;
            self.histogram_at(histogram.exponent, bins).add(histogram.exponent, &histogram.counts);
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
