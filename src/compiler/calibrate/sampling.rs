//! Which elements of a large tensor are looked at where a part of them tells as much as all.

use std::ops::Range;

/// Neighbouring elements that are taken together.
const CHUNK: usize = 64;

/// About one chunk of every `stride` of a tensor, each at a place of its own, so that no row length hides anything. Which
/// they are depends on the tensor's size alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    stride: usize,
}

impl Sampling {
    /// So that of `count` elements about `most` are taken; all where there are no more.
    #[must_use]
    pub fn of(count: usize, most: usize) -> Self {
        Self { stride: count.div_ceil(most.max(1)).max(1) }
    }

    /// The places of what is taken of `count` elements, ascending; of a tensor smaller than a chunk all of it.
    pub fn ranges(self, count: usize) -> impl Iterator<Item = Range<usize>> {
        // What is taken whole is one chunk.
        let whole = self.stride == 1 || count <= CHUNK;
        let (stride, chunk) = if whole { (1, count.max(1)) } else { (self.stride, CHUNK) };
        let groups = count.div_ceil(chunk * stride);
        (0..groups).filter_map(move |group| {
            // A multiplicative hash (Knuth): neighbouring groups take places that have nothing to do with each other.
            let place = ((group as u32).wrapping_mul(2_654_435_769) >> 8) as usize % stride;
            let start = (group * stride + place) * chunk;
            (start < count).then(|| start..count.min(start + chunk))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_as_many_are_taken_as_asked_for() {
        for (count, most) in [(0, 5), (1, 1), (63, 64), (64, 64), (65, 64), (100_000, 65_536), (3_211_264, 65_536)] {
            let taken: Vec<Range<usize>> = Sampling::of(count, most).ranges(count).collect();
            assert!(taken.windows(2).all(|pair| pair[0].end <= pair[1].start), "{count} {most}");
            assert!(taken.iter().all(|range| range.end <= count), "{count} {most}");
            let sum: usize = taken.iter().map(Range::len).sum();
            assert!(sum <= most.max(CHUNK) + CHUNK && (sum * 3 >= most.min(count)), "{count} {most}: {sum}");
            assert!(sum == count || count > most);
        }
    }
}
