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

    /// Whether every element is taken.
    #[must_use]
    pub const fn is_all(self) -> bool {
        self.stride == 1
    }

    /// The places of what is taken of `count` elements, ascending; of a tensor smaller than a chunk all of it.
    pub fn ranges(self, count: usize) -> impl Iterator<Item = Range<usize>> {
        let stride = if count <= CHUNK { 1 } else { self.stride };
        let groups = count.div_ceil(CHUNK * stride);
        (0..groups).filter_map(move |group| {
            // A multiplicative hash (Knuth): neighbouring groups take places that have nothing to do with each other.
            let place = ((group as u32).wrapping_mul(2_654_435_769) >> 8) as usize % stride;
            let start = (group * stride + place) * CHUNK;
            (start < count).then(|| start..count.min(start + CHUNK))
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
