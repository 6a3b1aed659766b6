//! What is remembered of a tensor over all calibration images: its bounds and a histogram whose bins are powers of two
//! wide. Bins that grow by doubling make the result independent of the order of images: counting in narrow bins and
//! merging pairs later gives the same counts as counting in wide bins from the start.

use std::ops::Range;

use crate::compiler::calibrate::Sampling;
use crate::compiler::machine::Work;
use crate::compiler::machine::vectorized;
use crate::compiler::machine::vectorized_work;

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

/// Elements of one tensor that are counted at most, about: a part of still larger ones says what the whole would. Few would
/// not do: rare, large values decide where a range ends.
const MOST_COUNTED: usize = 1 << 20;

/// Counts of the magnitudes of non-zero values, for each sign; bin `i` holds `i·2ᵉ ≤ |x| < (i+1)·2ᵉ`. Zeros are left
/// out: int8 stands for them exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    exponent: i32,
    /// Of positive values and of negative ones; a power of two bins each, none where there was no such value.
    sides: [Vec<u32>; 2],
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
    pub fn positive(&self) -> &[u32] {
        &self.sides[0]
    }

    /// Counts of negative values by magnitude.
    #[must_use]
    pub fn negative(&self) -> &[u32] {
        &self.sides[1]
    }

    /// Doubles the width until bins are `2^exponent` wide.
    fn widen(&mut self, exponent: i32) {
        for side in &mut self.sides {
            let shift = (exponent - self.exponent).clamp(0, side.len().max(1).ilog2() as i32) as usize;
            for index in 0..if shift == 0 { 0 } else { side.len() } {
                let count = std::mem::take(&mut side[index]);
                side[index >> shift] = side[index >> shift].saturating_add(count);
            }
        }
        self.exponent = self.exponent.max(exponent);
    }

    /// Takes in the counts of both sides in bins `2^exponent` wide.
    fn add(&mut self, exponent: i32, counts: [&[u32]; 2]) {
        self.widen(exponent);
        for (own, counts) in self.sides.iter_mut().zip(counts) {
            if counts.iter().all(|&count| count == 0) {
                continue;
            }
            own.resize(counts.len(), 0);
            let shift = (self.exponent - exponent).clamp(0, counts.len().ilog2() as i32) as usize;
            if shift == 0 {
                own.iter_mut().zip(counts).for_each(|(own, &count)| *own = own.saturating_add(count));
            } else {
                for (bin, &count) in counts.iter().enumerate() {
                    own[bin >> shift] = own[bin >> shift].saturating_add(count);
                }
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
}

/// Elements that are looked at side by side.
const LANES: usize = 32;

/// What each lane saw.
#[derive(Clone, Copy)]
struct Lanes {
    min: [f32; LANES],
    max: [f32; LANES],
    magnitude: [i32; LANES],
}

impl Lanes {
    #[inline]
    fn see(&mut self, chunk: &[f32; LANES]) {
        for (lane, &x) in chunk.iter().enumerate() {
            self.min[lane] = if x < self.min[lane] { x } else { self.min[lane] };
            self.max[lane] = if x > self.max[lane] { x } else { self.max[lane] };
            self.magnitude[lane] = self.magnitude[lane].max((x.to_bits() & 0x7FFF_FFFF) as i32);
        }
    }
}

fn survey(values: &[f32]) -> Survey {
    let first = values.first().copied().unwrap_or(0.0);
    let mut lanes = Lanes { min: [first; LANES], max: [first; LANES], magnitude: [0; LANES] };
    let (chunks, rest) = values.as_chunks::<LANES>();
    vectorized(|| {
        // A copy of its own stays in registers.
        let mut own = lanes;
        for chunk in chunks {
            own.see(chunk);
        }
        lanes = own;
    });
    let (mut min, mut max) = (first, first);
    let mut magnitude = lanes.magnitude.into_iter().max().unwrap_or(0);
    for x in rest.iter().copied().chain(lanes.min).chain(lanes.max) {
        (min, max) = (if x < min { x } else { min }, if x > max { x } else { max });
    }
    for x in rest {
        magnitude = magnitude.max((x.to_bits() & 0x7FFF_FFFF) as i32);
    }
    Survey { min, max, magnitude }
}

/// Which of both sides' bins, `2^exponent` wide, a value falls into. The mantissa is shifted to where it counts bins: a
/// conversion to an integer would not become vector instructions.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
fn place(x: f32, exponent: i32) -> u16 {
    let bits = x.to_bits();
    let (own, mantissa) = ((bits >> 23 & 0xFF) as i32, bits & 0x7F_FFFF | 0x80_0000);
    // 2ᵒʷⁿ⁻¹⁵⁰ is what the mantissa counts; subnormal numbers are far below every bin.
    let shift = (150 + exponent - own).clamp(0, 31) as u32;
    (bits >> 31 << BITS | mantissa.wrapping_shr(shift) & (BINS as u32 - 1)) as u16
}

/// Neighbours often fall into one bin: each of so many counts in a table of its own, so that none waits for another.
const TABLES: usize = 4;

/// Lanes of fewer elements are multiplied first and counted together then: each for itself would cost more.
const SHORT_LANE: usize = 4096;

/// Elements that are sorted into bins at once: as many as are taken together of what is not counted whole.
const BLOCK: usize = 64;

/// What is written to while tensors are observed; kept between them.
#[derive(Debug)]
pub struct Counter {
    /// All zero between tensors.
    tables: Vec<[u32; 2 * BINS]>,
    /// Positive zeros and negative ones among what is counted; nothing between tensors.
    zeros: [u32; 2],
    counts: Vec<u32>,
    /// Values times their factors, where lanes are short.
    scaled: Vec<f32>,
}

impl Default for Counter {
    fn default() -> Self {
        Self { tables: vec![[0; 2 * BINS]; TABLES], zeros: [0; 2], counts: Vec::new(), scaled: Vec::new() }
    }
}

/// Some values times a factor that are to be counted in bins `2^exponent` wide; all lie in [`BINS`] of them.
struct Counted<'a> {
    values: &'a [f32],
    factor: f32,
    exponent: i32,
    tables: &'a mut [[u32; 2 * BINS]],
    zeros: &'a mut [u32; 2],
}

impl Work for Counted<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
    fn run(self) {
        let [a, b, c, d] = self.tables else { return };
        let (mut scaled, mut places) = ([0.0; BLOCK], [0_u16; BLOCK]);
        let (blocks, rest) = self.values.as_chunks::<BLOCK>();
        // The last ones are filled up with zeros, which are taken off with the others.
        let mut last = [0.0; BLOCK];
        last.iter_mut().zip(rest).for_each(|(to, x)| *to = *x);
        for block in blocks.iter().chain((!rest.is_empty()).then_some(&last)) {
            // Loops of their own: together they would not become vector instructions.
            scaled.iter_mut().zip(block).for_each(|(to, x)| *to = x * self.factor);
            places.iter_mut().zip(&scaled).for_each(|(to, &x)| *to = place(x, self.exponent));
            self.zeros[0] += scaled.iter().map(|x| u32::from(x.to_bits() == 0)).sum::<u32>();
            self.zeros[1] += scaled.iter().map(|x| u32::from(x.to_bits() == 0x8000_0000)).sum::<u32>();
            for &[first, second, third, fourth] in places.as_chunks::<TABLES>().0 {
                a[usize::from(first) % (2 * BINS)] += 1;
                b[usize::from(second) % (2 * BINS)] += 1;
                c[usize::from(third) % (2 * BINS)] += 1;
                d[usize::from(fourth) % (2 * BINS)] += 1;
            }
        }
    }
}

/// A part of a tensor, and what its values are multiplied by.
type Scaled<'a> = (&'a [f32], f32);

impl Counter {
    /// Counts samples in bins `2^exponent` wide, positive ones first; all lie in [`BINS`] of them.
    fn count<'a>(&mut self, parts: impl Iterator<Item = Scaled<'a>>, exponent: i32) {
        for (values, factor) in parts {
            let Self { tables, zeros, .. } = self;
            vectorized_work(Counted { values, factor, exponent, tables, zeros });
        }
        let [a, b, c, d] = &mut self.tables[..] else { return };
        self.counts.resize(2 * BINS, 0);
        let others = b.iter_mut().zip(c.iter_mut().zip(d.iter_mut()));
        for ((to, a), (b, (c, d))) in self.counts.iter_mut().zip(a.iter_mut()).zip(others) {
            *to = *a + *b + *c + *d;
            (*a, *b, *c, *d) = (0, 0, 0, 0);
        }
        let [positive, negative] = std::mem::take(&mut self.zeros);
        self.counts[0] -= positive;
        self.counts[BINS] -= negative;
    }

    /// The same in few bins, by `|x|·inverse` rounded down.
    fn count_coarsely<'a>(&mut self, parts: impl Iterator<Item = Scaled<'a>>, inverse: f32) {
        let bins = 1 << COARSE_BITS;
        self.counts.clear();
        self.counts.resize(2 * bins, 0);
        let values = parts.flat_map(|(values, factor)| values.iter().map(move |x| x * factor));
        for x in values.filter(|&x| x != 0.0) {
            let side = (x.to_bits() >> 31) as usize * bins;
            self.counts[side + ((x.abs() * inverse) as usize & (bins - 1))] += 1;
        }
    }
}

impl Observation {
    /// Takes one image's values in, always with the same detail.
    pub fn observe(&mut self, values: &[f32], detail: Detail, counter: &mut Counter) {
        if values.is_empty() {
            return;
        }
        let sampled = Sampling::of(values.len(), MOST_COUNTED).ranges(values.len());
        self.take(&survey(values), detail, sampled.map(|range| (&values[range], 1.0)), counter);
    }

    /// The same for values times a positive factor for each lane of `plane` neighbours.
    pub fn observe_scaled(
        &mut self,
        values: &[f32],
        (factors, plane): (&[f32], usize),
        detail: Detail,
        counter: &mut Counter,
    ) {
        if plane < SHORT_LANE {
            let mut scaled = std::mem::take(&mut counter.scaled);
            scaled.clear();
            for (lane, &factor) in values.chunks_exact(plane.max(1)).zip(factors) {
                scaled.extend(lane.iter().map(|x| x * factor));
            }
            self.observe(&scaled, detail, counter);
            counter.scaled = scaled;
            return;
        }
        let mut whole: Option<Survey> = None;
        for (lane, &factor) in values.chunks_exact(plane.max(1)).zip(factors) {
            let lane = survey(lane);
            let (min, max) = (lane.min * factor, lane.max * factor);
            let magnitude = (f32::from_bits(lane.magnitude as u32) * factor).to_bits() as i32;
            whole = Some(whole.map_or(Survey { min, max, magnitude }, |whole| Survey {
                min: whole.min.min(min),
                max: whole.max.max(max),
                magnitude: whole.magnitude.max(magnitude),
            }));
        }
        let Some(whole) = whole else { return };
        let sampled = Sampling::of(values.len(), MOST_COUNTED).ranges(values.len());
        let in_lanes = sampled.flat_map(|range| by_lane(range, plane));
        let scaled = in_lanes.map(|(lane, range)| (&values[range], factors.get(lane).copied().unwrap_or(1.0)));
        self.take(&whole, detail, scaled, counter);
    }

    /// Takes in bounds, and samples of what lies within them.
    fn take<'a>(
        &mut self,
        survey: &Survey,
        detail: Detail,
        samples: impl Iterator<Item = Scaled<'a>>,
        counter: &mut Counter,
    ) {
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
            match detail {
                Detail::Fine => counter.count(samples, exponent),
                Detail::Bounds | Detail::Coarse => counter.count_coarsely(samples, inverse),
            }
            let (positive, negative) = counter.counts.split_at(counter.counts.len() / 2);
            self.histogram_at(exponent).add(exponent, [positive, negative]);
        }
    }

    /// Takes in what another thread saw.
    pub fn merge(&mut self, other: &Self) {
        self.not_finite |= other.not_finite;
        if let Some(bounds) = other.bounds {
            self.join_bounds(bounds);
        }
        if let Some(histogram) = &other.histogram {
            let own = self.histogram_at(histogram.exponent);
            own.add(histogram.exponent, [histogram.positive(), histogram.negative()]);
        }
    }

    /// Takes in bounds that other images are known to have.
    pub(super) fn join_bounds(&mut self, (low, high): (f32, f32)) {
        let (min, max) = self.bounds.unwrap_or((low, high));
        self.bounds = Some((min.min(low), max.max(high)));
    }

    fn histogram_at(&mut self, exponent: i32) -> &mut Histogram {
        self.histogram.get_or_insert_with(|| Histogram { exponent, sides: [Vec::new(), Vec::new()] })
    }
}

/// The parts of a range in lanes of `plane` elements: each lane's number, and what of it lies in the range.
fn by_lane(range: Range<usize>, plane: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    let mut start = range.start;
    std::iter::from_fn(move || {
        let (lane, from) = (start / plane, start);
        start = range.end.min((lane + 1) * plane);
        (from < range.end).then_some((lane, from..start))
    })
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
                images.for_each(|image| seen.observe(image, detail, &mut Counter::default()));
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
        seen.observe(&[0.0, -0.0, 1.0, -1.5, 0.0, 1.75], Detail::Fine, &mut Counter::default());
        let histogram = seen.histogram.as_ref().expect("there are values");
        assert_eq!(histogram.exponent, -10);
        assert_eq!((histogram.positive()[1024], histogram.positive()[1792], histogram.negative()[1536]), (1, 1, 1));
        assert_eq!(histogram.sides.iter().flatten().sum::<u32>(), 3);
        assert_eq!(seen.bounds, Some((-1.5, 1.75)));
    }

    #[test]
    fn bins_are_whole_numbers_of_their_width() {
        for exponent in [-110, -30, -3, 0, 20] {
            for at in 0..5000 {
                let y = at as f32 * 0.409_37;
                let x = y * f32::from_bits(((127 + exponent) as u32) << 23);
                assert_eq!(place(x, exponent), y as u16, "{y} {exponent}");
                assert_eq!(place(-x, exponent), BINS as u16 + y as u16, "{y} {exponent}");
            }
        }
    }

    #[test]
    fn scaled_lanes_are_what_scaling_them_first_would_give() {
        for plane in [2_000_000, 100_000, 1_001] {
            let values: Vec<f32> = (0..3 * plane).map(|at| ((at * 37) % 1001) as f32 - 300.0).collect();
            let factors = [0.5, 2.0, 1.0];
            let (mut scaled, mut expected) = (Observation::default(), Observation::default());
            let counter = &mut Counter::default();
            scaled.observe_scaled(&values, (&factors, plane), Detail::Fine, counter);
            let first: Vec<f32> = values.iter().enumerate().map(|(at, x)| x * factors[at / plane]).collect();
            expected.observe(&first, Detail::Fine, counter);
            assert_eq!(scaled, expected);
            assert_eq!(scaled.bounds, Some((-600.0, 1400.0)));
        }
    }

    #[test]
    fn what_is_not_finite_is_noticed() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut seen = Observation::default();
            seen.observe(&[1.0, bad], Detail::Fine, &mut Counter::default());
            assert!(seen.not_finite, "{bad}");
        }
    }
}
