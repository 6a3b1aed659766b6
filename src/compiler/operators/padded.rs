//! Planes with their padding, laid out so that what a place of a kernel meets at neighbouring positions lies side by side.
//!
//! A padded plane is split by stride: rows that lie a stride apart, and in them columns that lie a stride apart, form a part of
//! their own. The kernel's place `(y, x)` then meets, at the output position `(row, column)`, the element
//! `offset(y, x) + row·row_length + column`: a run of positions is a run of elements, whatever strides and dilations are.

/// How planes of an input are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Padded {
    /// H and W of the input.
    source: [usize; 2],
    /// Padding before the first row and column.
    before: [usize; 2],
    strides: [usize; 2],
    /// How many parts along both axes have elements that are met.
    parts: [usize; 2],
    /// H and W of a part.
    part: [usize; 2],
}

impl Padded {
    /// For a window whose places reach over `extent` rows and columns of the input, at `output` positions.
    pub(crate) fn new(
        source: [usize; 2],
        before: [usize; 2],
        strides: [usize; 2],
        extent: [usize; 2],
        output: [usize; 2],
    ) -> Self {
        let parts = [0, 1].map(|axis: usize| strides[axis].min(extent[axis]));
        let part = [0, 1].map(|axis: usize| output[axis] + (extent[axis] - 1) / strides[axis]);
        Self { source, before, strides, parts, part }
    }

    /// Whether planes are laid out as the input has them, so that none need be written.
    pub(crate) fn is_input(&self) -> bool {
        self.before == [0, 0] && self.strides == [1, 1] && self.part == self.source
    }

    /// Elements of a plane.
    pub(crate) fn plane(&self) -> usize {
        self.parts.iter().chain(&self.part).product()
    }

    /// Elements of a plane of the input.
    pub(crate) fn source_plane(&self) -> usize {
        self.source.iter().product()
    }

    /// Elements from a row of positions to the next.
    pub(crate) fn row_length(&self) -> usize {
        self.part[1]
    }

    /// Where in a plane the first position meets what lies `y` rows and `x` columns into its window.
    pub(crate) fn offset(&self, y: usize, x: usize) -> usize {
        let [stride_y, stride_x] = self.strides;
        let part = y % stride_y * self.parts[1] + x % stride_x;
        (part * self.part[0] + y / stride_y) * self.part[1] + x / stride_x
    }

    /// Writes one plane of the input; `to` holds what padding holds already.
    pub(crate) fn fill<T: Copy>(&self, from: &[T], to: &mut [T]) {
        let [height, width] = self.source;
        let stride = self.strides[1];
        let mut rows = to.chunks_exact_mut(self.part[1]);
        for (line, column) in (0..self.parts[0]).flat_map(|line| (0..self.parts[1]).map(move |column| (line, column))) {
            // Columns of the part that lie in the padding before the first one.
            let skipped = self.before[1].saturating_sub(column).div_ceil(stride);
            let first = skipped * stride + column - self.before[1];
            for (row, to) in rows.by_ref().take(self.part[0]).enumerate() {
                let y = row * self.strides[0] + line;
                let Some(y) = y.checked_sub(self.before[0]).filter(|&y| y < height) else { continue };
                let from = &from[y * width..][..width];
                let (Some(from), Some(to)) = (from.get(first..), to.get_mut(skipped..)) else { continue };
                spaced(from, stride, to);
            }
        }
    }
}

/// Every `stride`-th element, as far as both go.
fn spaced<T: Copy>(from: &[T], stride: usize, to: &mut [T]) {
    match stride {
        1 => {
            let count = from.len().min(to.len());
            copy_run(&from[..count], &mut to[..count]);
        }
        2 => {
            // A loop of pairs becomes vector instructions.
            let (pairs, last) = from.as_chunks::<2>();
            to.iter_mut().zip(pairs).for_each(|(to, pair)| *to = pair[0]);
            if let (Some(to), Some(last)) = (to.get_mut(pairs.len()), last.first()) {
                *to = *last;
            }
        }
        _ => to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, from)| *to = *from),
    }
}

/// Copies as many elements as both have: most rows are short, and a call for each would cost more than the copy.
#[inline]
fn copy_run<T: Copy>(from: &[T], to: &mut [T]) {
    match from.len() {
        4..8 => copy_ends::<T, 4>(from, to),
        8..16 => copy_ends::<T, 8>(from, to),
        16..32 => copy_ends::<T, 16>(from, to),
        32..=64 => copy_ends::<T, 32>(from, to),
        1..4 => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
        _ => to.copy_from_slice(from),
    }
}

/// The first `N` elements and the last `N`, which may overlap.
#[inline]
fn copy_ends<T: Copy, const N: usize>(from: &[T], to: &mut [T]) {
    if let (Some(from), Some(to)) = (from.first_chunk::<N>(), to.first_chunk_mut::<N>()) {
        *to = *from;
    }
    if let (Some(from), Some(to)) = (from.last_chunk::<N>(), to.last_chunk_mut::<N>()) {
        *to = *from;
    }
}

/// Offsets as the machine's kernels take them. The last ones are filled up with some other offset: weights of none are zero.
pub(crate) fn in_fours(offsets: &[usize]) -> Vec<[usize; 4]> {
    let (fours, rest) = offsets.as_chunks::<4>();
    let rest = rest.last().map(|&last| std::array::from_fn(|place| rest.get(place).copied().unwrap_or(last)));
    fours.iter().copied().chain(rest).collect()
}

/// Runs of positions that are computed at once, and where their results go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Runs {
    /// The first position of each run.
    pub(crate) bases: Vec<usize>,
    /// By run: what of it is an output position.
    segments: Vec<Vec<Segment>>,
}

/// Neighbouring positions of a run that are neighbouring output positions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    /// Place of the first in the run.
    pub(crate) place: u32,
    /// Place of the first in the output plane.
    pub(crate) at: u32,
    /// How many there are.
    pub(crate) count: u32,
}

impl Runs {
    /// Runs of `length` positions over `output` rows and columns, whose rows lie `row_length` apart: either all positions one
    /// after another, with those between two rows computed for nothing, or each row for itself, whichever needs fewer runs.
    pub(crate) fn new([height, width]: [usize; 2], row_length: usize, length: usize) -> Self {
        let all = ((height - 1) * row_length + width).div_ceil(length);
        let by_row = height * width.div_ceil(length);
        let bases: Vec<usize> = if all <= by_row {
            (0..all).map(|run| run * length).collect()
        } else {
            (0..height).flat_map(|y| (0..width).step_by(length).map(move |x| y * row_length + x)).collect()
        };
        let ends = bases.iter().skip(1).copied().chain([usize::MAX]);
        let segments = bases.iter().zip(ends).map(|(&base, end)| {
            let (mut segments, end) = (Vec::new(), end.min(base + length));
            let mut at = base;
            while at < end && at / row_length < height {
                let (y, x) = (at / row_length, at % row_length);
                if x < width {
                    let count = (width - x).min(end - at) as u32;
                    segments.push(Segment { place: (at - base) as u32, at: (y * width + x) as u32, count });
                }
                at = (y + 1) * row_length;
            }
            segments
        });
        let segments = segments.collect();
        Self { bases, segments }
    }

    /// Brings the results of one run to the output plane.
    #[inline]
    pub(crate) fn copy<T: Copy, const N: usize>(&self, run: usize, results: &[T; N], plane: &mut [T]) {
        for segment in &self.segments[run] {
            let (place, at, count) = (segment.place as usize, segment.at as usize, segment.count as usize);
            if count == N {
                if let Some(to) = plane.get_mut(at..).and_then(<[T]>::first_chunk_mut) {
                    *to = *results;
                }
            } else {
                copy_run(&results[place..place + count], &mut plane[at..at + count]);
            }
        }
    }

    /// What of a run is an output position.
    pub(crate) fn segments(&self, run: usize) -> &[Segment] {
        &self.segments[run]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_meets_its_elements() {
        struct Case {
            source: [usize; 2],
            before: [usize; 2],
            strides: [usize; 2],
            kernel: [usize; 2],
            dilations: [usize; 2],
            output: [usize; 2],
        }
        let cases = [
            Case { source: [5, 7], before: [0, 0], strides: [1, 1], kernel: [1, 1], dilations: [1, 1], output: [5, 7] },
            Case { source: [5, 7], before: [1, 1], strides: [1, 1], kernel: [3, 3], dilations: [1, 1], output: [5, 7] },
            Case { source: [8, 9], before: [1, 0], strides: [2, 2], kernel: [3, 3], dilations: [1, 1], output: [4, 4] },
            Case { source: [9, 9], before: [0, 0], strides: [3, 2], kernel: [1, 1], dilations: [1, 1], output: [3, 5] },
            Case { source: [4, 6], before: [5, 9], strides: [2, 3], kernel: [2, 5], dilations: [3, 2], output: [6, 5] },
        ];
        for Case { source, before, strides, kernel, dilations, output } in cases {
            let extent = [0, 1].map(|axis: usize| (kernel[axis] - 1) * dilations[axis] + 1);
            let padded = Padded::new(source, before, strides, extent, output);
            let from: Vec<i32> = (1..=source.iter().product::<usize>() as i32).collect();
            let mut to = vec![0; padded.plane()];
            padded.fill(&from, &mut to);
            assert!(!padded.is_input() || from == to);
            for length in [3, 32] {
                let runs = Runs::new(output, padded.row_length(), length);
                for (ky, kx) in (0..kernel[0]).flat_map(|ky| (0..kernel[1]).map(move |kx| (ky, kx))) {
                    let offset = padded.offset(ky * dilations[0], kx * dilations[1]);
                    let mut met = vec![-1; output.iter().product()];
                    for run in 0..runs.bases.len() {
                        let element = |place| to.get(runs.bases[run] + offset + place).copied().unwrap_or(-2);
                        let results: [i32; 32] = std::array::from_fn(element);
                        runs.copy(run, &results, &mut met);
                    }
                    let expected = (0..output[0]).flat_map(|y| (0..output[1]).map(move |x| [y, x])).map(|position| {
                        let place = |axis: usize, k: usize| {
                            let place = position[axis] * strides[axis] + k * dilations[axis];
                            place.checked_sub(before[axis]).filter(|&place| place < source[axis])
                        };
                        place(0, ky).zip(place(1, kx)).map_or(0, |(y, x)| from[y * source[1] + x])
                    });
                    assert_eq!(met, expected.collect::<Vec<_>>(), "{padded:?} {ky} {kx} {length}");
                }
            }
        }
    }
}
