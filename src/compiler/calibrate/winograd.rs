//! Float convolutions of 3×3 by tiles of 4×4 results: Winograd's F(4×4, 3×3), as in Lavin and Gray, "Fast Algorithms for
//! Convolutional Neural Networks" (2016). A tile's 6×6 elements and the weights are brought into a form in which each of 36
//! terms is multiplied by itself: 36 products for what takes 144 otherwise. Results differ from those of the plain sums by
//! roundings, about 10⁻⁶ of the largest element.

use crate::compiler::calibrate::direct::apply_in_place;
use crate::compiler::machine::COLUMNS;
use crate::compiler::machine::FloatRows;
use crate::compiler::machine::Level;
use crate::compiler::machine::Work;
use crate::compiler::machine::vectorized;
use crate::compiler::machine::vectorized_work;
use crate::compiler::operators::Function;

/// Results of a tile along an axis.
const TILE: usize = 4;

/// Elements that a tile's results meet along an axis, and terms that it is multiplied in.
const TERMS: usize = TILE + 2;

/// Output channels that are computed together.
const TOGETHER: usize = 8;

/// Lanes that are transformed at once: with six lines of them before and after, they fill the registers.
const LANES: usize = 16;

/// What a block costs for each input and output channel besides products, in products of lines.
const TRANSFORMS: [usize; 2] = [300, 600];

/// What becomes of the weights of a row or column: 6 numbers of 3.
const WEIGHTS: [[f64; 3]; TERMS] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// A convolution of 3×3 without strides, dilations and groups, its weights transformed.
pub(super) struct Winograd {
    /// Of each eight outputs, for each of the 36 terms: weights by input channel.
    rows: Vec<Vec<FloatRows>>,
    bias: Vec<f32>,
    /// Input channels.
    channels: usize,
    /// H and W of the input.
    source: [usize; 2],
    /// Padding before the first row and column.
    before: [usize; 2],
    /// H and W of the output.
    output: [usize; 2],
    block: Block,
    /// The first row and column of each block in the output.
    starts: Vec<[usize; 2]>,
}

/// Rows and columns of tiles that are computed together. The tile `(row, column)` is the lane `row·(columns + 1) + column`:
/// the elements of a row's last tile reach into one tile more.
#[derive(Clone, Copy)]
struct Block {
    rows: usize,
    columns: usize,
}

/// What is written to meanwhile.
#[derive(Default)]
pub(super) struct Transformed {
    /// One channel's elements of a block.
    elements: Vec<f32>,
    /// By term, by input channel: the lanes.
    terms: Vec<[f32; COLUMNS]>,
    /// By term, for each of eight outputs: the lanes.
    products: Vec<[f32; COLUMNS]>,
}

impl Block {
    /// The one that the fewest cover tiles with, and how many these are along both axes.
    fn of(tiles: [usize; 2]) -> (Self, [usize; 2]) {
        let block = |columns: usize| {
            let block = Self { rows: (COLUMNS + 1) / (columns + 1), columns };
            (block, [tiles[0].div_ceil(block.rows), tiles[1].div_ceil(columns)])
        };
        let widest = tiles[1].clamp(1, COLUMNS);
        let all = (1..widest).rev().map(block);
        all.fold(
            block(widest),
            |best, other| if other.1[0] * other.1[1] < best.1[0] * best.1[1] { other } else { best },
        )
    }

    /// Where the element of each term of the first tile lies among a block's elements: those that are four apart along both
    /// axes lie side by side.
    fn offsets(self) -> [usize; TERMS * TERMS] {
        std::array::from_fn(|term| {
            let (y, x) = (term / TERMS, term % TERMS);
            (y % TILE * TILE + x % TILE) * self.part() + y / TILE * (self.columns + 1) + x / TILE
        })
    }

    /// Elements of a part, those four apart: whole lines are written and read, also behind its last row.
    const fn part(self) -> usize {
        (self.rows + 1) * (self.columns + 1) + COLUMNS
    }
}

impl Winograd {
    /// Whether a convolution of `[outputs, channels, 3, 3]` weights is likely to be faster this way than by plain sums: with
    /// few channels, or where few lanes are in use, it is not.
    pub(super) fn is_faster([outputs, channels]: [usize; 2], output: [usize; 2]) -> bool {
        let (_, [down, across]) = Block::of(output.map(|size| size.div_ceil(TILE)));
        let products = outputs.next_multiple_of(TOGETHER) * channels;
        let plainly = (output[0] * (output[1] + 2)).div_ceil(COLUMNS) * 9 * products;
        let transforms = TRANSFORMS[0] * channels + TRANSFORMS[1] * outputs;
        // A fifth more, as it was measured: the weights are four times as many.
        6 * down * across * (TERMS * TERMS * products + transforms) < 5 * plainly
    }

    /// Prepares `[outputs, channels, 3, 3]` weights; `before` is the padding before the first row and column.
    pub(super) fn new(
        weights: &[f32],
        bias: &[f32],
        source: [usize; 2],
        before: [usize; 2],
        output: [usize; 2],
    ) -> Self {
        let channels = weights.len() / 9 / bias.len().max(1);
        let (block, [down, across]) = Block::of(output.map(|size| size.div_ceil(TILE)));
        let rows = weights.chunks((TOGETHER * channels * 9).max(1)).map(|weights| rows_of(weights, channels)).collect();
        let starts = (0..down * across)
            .map(|index| [index / across * block.rows * TILE, index % across * block.columns * TILE])
            .collect();
        Self { rows, bias: bias.to_vec(), channels, source, before, output, block, starts }
    }

    /// Computes one image, and `activation` of each result.
    pub(super) fn run(
        &self,
        input: &[f32],
        activation: Option<Function>,
        transformed: &mut Transformed,
        output: &mut [f32],
    ) {
        let Transformed { elements, terms, products } = transformed;
        let (channels, offsets) = (self.channels, self.block.offsets());
        elements.resize(TILE * TILE * self.block.part(), 0.0);
        // By an odd number of lines to the next term, so that they do not all meet in one place of the cache.
        let stride = channels | 1;
        terms.resize(TERMS * TERMS * stride, [0.0; COLUMNS]);
        products.resize(TERMS * TERMS * TOGETHER, [0.0; COLUMNS]);
        let [from, plane] = [self.source, self.output].map(|sizes| sizes.iter().product());
        // Here, so that nothing is set to zero in vain.
        let mut results = [[0.0; COLUMNS]; TILE * TILE];
        let (mut half, mut sums) = ([[[0.0; LANES]; TERMS]; TERMS], [[[0.0; LANES]; TILE]; TERMS]);
        for &start in &self.starts {
            for (channel, input) in input.chunks_exact(from).enumerate() {
                self.gather(input, start, elements);
                let (rows, to) = (&mut half, &mut terms[channel..]);
                vectorized_work(Elements { source: elements, offsets: &offsets, rows, to, stride });
            }
            let outputs = output.chunks_mut(TOGETHER * plane).zip(self.bias.chunks(TOGETHER));
            for (rows, (output, bias)) in self.rows.iter().zip(outputs) {
                let of_terms = products.chunks_exact_mut(bias.len()).zip(terms.chunks_exact(stride));
                rows.iter().zip(of_terms).for_each(|(rows, (to, lines))| rows.multiply(&lines[..channels], to));
                for (row, (output, &bias)) in output.chunks_exact_mut(plane).zip(bias).enumerate() {
                    let products = &products[row..];
                    let (outputs, to) = (rows[0].count(), &mut results);
                    vectorized_work(Results { products, outputs, bias, rows: &mut sums, to });
                    if let Some(function) = activation {
                        vectorized(|| apply_in_place(function, results.as_flattened_mut()));
                    }
                    self.place(start, &results, output);
                }
            }
        }
    }

    /// One channel's elements of the block that starts at a row and column of the output; zeros outside of the input.
    fn gather(&self, input: &[f32], start: [usize; 2], elements: &mut [f32]) {
        let [height, width] = self.source;
        // What of a line lies in the input, and where it lies there.
        let skipped = self.before[1].saturating_sub(start[1]);
        let first = (start[1] + skipped).saturating_sub(self.before[1]);
        let count = (TILE * (self.block.columns + 1) - skipped).min(width.saturating_sub(first));
        let mut line = [0.0; TILE * (COLUMNS + 1)];
        for row in 0..TILE * self.block.rows + 2 {
            let y = (start[0] + row).checked_sub(self.before[0]).filter(|&y| y < height);
            match y.and_then(|y| input.get(y * width + first..)?.get(..count)) {
                Some(elements) => line[skipped..skipped + count].copy_from_slice(elements),
                None => line.fill(0.0),
            }
            let (part, at) = (self.block.part(), row % TILE * TILE * self.block.part());
            let to = elements.get_mut(at + row / TILE * (self.block.columns + 1)..).unwrap_or_default();
            vectorized_work(Spread { line: &line, part, to });
        }
    }

    /// Brings a block's results to the output plane.
    fn place(&self, start: [usize; 2], results: &[[f32; COLUMNS]; TILE * TILE], plane: &mut [f32]) {
        let ([height, width], block) = (self.output, self.block);
        let count = (TILE * block.columns).min(width - start[1]);
        for (y, columns) in results.as_chunks::<TILE>().0.iter().enumerate() {
            let mut line = [0.0; TILE * COLUMNS];
            vectorized(|| interleave(columns, &mut line));
            for row in (0..block.rows).take_while(|row| start[0] + row * TILE + y < height) {
                let to = (start[0] + row * TILE + y) * width + start[1];
                plane[to..to + count].copy_from_slice(&line[TILE * row * (block.columns + 1)..][..count]);
            }
        }
    }
}

/// A line whose elements are to go, by turns, into four parts.
struct Spread<'a> {
    line: &'a [f32; TILE * (COLUMNS + 1)],
    /// Elements from a part to the next.
    part: usize,
    to: &'a mut [f32],
}

impl Work for Spread<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
    fn run(self) {
        let mut parts = [[0.0; COLUMNS]; TILE];
        let (fours, last) = self.line.split_at(TILE * COLUMNS);
        for (place, four) in fours.as_chunks::<TILE>().0.iter().enumerate() {
            for (part, &element) in parts.iter_mut().zip(four) {
                part[place] = element;
            }
        }
        for (index, (part, &last)) in parts.iter().zip(last).enumerate() {
            let to = self.to.get_mut(index * self.part..).unwrap_or_default();
            if let Some((to, [next, ..])) = to.split_first_chunk_mut::<COLUMNS>() {
                (*to, *next) = (*part, last);
            }
        }
    }
}

/// The terms of the weights of some outputs.
fn rows_of(weights: &[f32], channels: usize) -> Vec<FloatRows> {
    let count = weights.len() / 9;
    let mut terms = vec![0.0; TERMS * TERMS * count];
    for (at, weights) in weights.as_chunks::<9>().0.iter().enumerate() {
        let of = |[a, b, c]: [f64; 3], by: [f64; 3]| a * by[0] + b * by[1] + c * by[2];
        let [first, second, third] = [0, 3, 6].map(|row| {
            let row = [weights[row], weights[row + 1], weights[row + 2]].map(f64::from);
            WEIGHTS.map(|across| of(row, across))
        });
        for (down, by) in WEIGHTS.into_iter().enumerate() {
            for across in 0..TERMS {
                terms[(down * TERMS + across) * count + at] =
                    of([first[across], second[across], third[across]], by) as f32;
            }
        }
    }
    let zeros = vec![0.0; count / channels.max(1)];
    let rows = |term: &[f32]| FloatRows::new(Level::best(), term, channels, &zeros);
    terms.chunks_exact(count.max(1)).map(rows).collect()
}

/// Four lines, their elements in turns.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
fn interleave([a, b, c, d]: &[[f32; COLUMNS]; TILE], to: &mut [f32; TILE * COLUMNS]) {
    for (place, to) in to.as_chunks_mut::<TILE>().0.iter_mut().enumerate() {
        *to = [a[place], b[place], c[place], d[place]];
    }
}

/// Some lanes of a line.
type Part = [f32; LANES];

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
fn part<const N: usize>(line: &[f32; N], from: usize) -> Part {
    line.get(from..).and_then(<[f32]>::first_chunk).copied().unwrap_or([0.0; LANES])
}

/// What becomes of six elements of a row or column.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
fn terms(elements: &[Part; TERMS]) -> [Part; TERMS] {
    let mut terms = [[0.0; LANES]; TERMS];
    for lane in 0..LANES {
        let [a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5].map(|place| elements[place][lane]);
        let (even, odd) = (e - 4.0 * c, d - 4.0 * b);
        let (half, double) = (e - c, 2.0 * (d - b));
        terms[0][lane] = 4.0 * a - 5.0 * c + e;
        terms[1][lane] = even + odd;
        terms[2][lane] = even - odd;
        terms[3][lane] = half + double;
        terms[4][lane] = half - double;
        terms[5][lane] = 4.0 * b - 5.0 * d + f;
    }
    terms
}

/// The four results of a row or column from its six terms.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
fn sums(terms: &[Part; TERMS]) -> [Part; TILE] {
    let mut sums = [[0.0; LANES]; TILE];
    for lane in 0..LANES {
        let [a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5].map(|place| terms[place][lane]);
        let (plus, minus) = (b + c, b - c);
        let (wide, narrow) = (d + e, d - e);
        sums[0][lane] = a + plus + wide;
        sums[1][lane] = minus + 2.0 * narrow;
        sums[2][lane] = plus + 4.0 * wide;
        sums[3][lane] = minus + 8.0 * narrow + f;
    }
    sums
}

/// The elements of 32 tiles of one channel that are to become terms.
struct Elements<'a> {
    source: &'a [f32],
    offsets: &'a [usize],
    /// By row, the terms of its elements: written to meanwhile.
    rows: &'a mut [[Part; TERMS]; TERMS],
    /// By term, so many lines apart.
    to: &'a mut [[f32; COLUMNS]],
    stride: usize,
}

impl Work for Elements<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
    fn run(self) {
        for from in (0..COLUMNS).step_by(LANES) {
            for (row, offsets) in self.rows.iter_mut().zip(self.offsets.as_chunks::<TERMS>().0) {
                let mut elements = [[0.0; LANES]; TERMS];
                for (element, offset) in elements.iter_mut().zip(offsets) {
                    let line = self.source.get(offset + from..).and_then(<[f32]>::first_chunk);
                    *element = line.copied().unwrap_or([0.0; LANES]);
                }
                *row = terms(&elements);
            }
            for across in 0..TERMS {
                let mut column = [[0.0; LANES]; TERMS];
                for (element, row) in column.iter_mut().zip(&*self.rows) {
                    *element = row[across];
                }
                for (down, term) in terms(&column).into_iter().enumerate() {
                    let to = self.to.get_mut((down * TERMS + across) * self.stride);
                    if let Some(to) = to.and_then(|to| to.get_mut(from..)).and_then(<[f32]>::first_chunk_mut) {
                        *to = term;
                    }
                }
            }
        }
    }
}

/// The terms of 32 tiles of one output that are to become results.
struct Results<'a> {
    /// By term, so many outputs apart.
    products: &'a [[f32; COLUMNS]],
    outputs: usize,
    bias: f32,
    /// By row of terms, four sums: written to meanwhile.
    rows: &'a mut [[Part; TILE]; TERMS],
    to: &'a mut [[f32; COLUMNS]; TILE * TILE],
}

impl Work for Results<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
    fn run(self) {
        for from in (0..COLUMNS).step_by(LANES) {
            for (down, row) in self.rows.iter_mut().enumerate() {
                let mut elements = [[0.0; LANES]; TERMS];
                for (across, element) in elements.iter_mut().enumerate() {
                    let line = self.products.get((down * TERMS + across) * self.outputs);
                    *element = line.map_or([0.0; LANES], |line| part(line, from));
                }
                *row = sums(&elements);
            }
            for across in 0..TILE {
                let mut column = [[0.0; LANES]; TERMS];
                for (element, row) in column.iter_mut().zip(&*self.rows) {
                    *element = row[across];
                }
                for (down, mut sums) in sums(&column).into_iter().enumerate() {
                    for sum in &mut sums {
                        *sum += self.bias;
                    }
                    if let Some(to) = self.to[down * TILE + across].get_mut(from..).and_then(<[f32]>::first_chunk_mut) {
                        *to = sums;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_what_plain_sums_are() {
        // Channels, outputs, input, padding before, output.
        let cases = [
            (1, 1, [1, 1], [1, 1], [1, 1]),
            (3, 9, [7, 9], [1, 1], [7, 9]),
            (5, 8, [6, 140], [0, 2], [4, 141]),
            (2, 17, [33, 31], [2, 0], [34, 29]),
            (16, 16, [13, 13], [1, 1], [13, 13]),
            (4, 3, [40, 70], [1, 1], [39, 70]),
            (2, 2, [3, 129], [1, 1], [3, 129]),
        ];
        for (channels, outputs, source, before, output) in cases {
            let number = |at: usize| ((at * 7919 + at / 13 * 31) % 2001) as f32 / 1000.0 - 1.0;
            let weights: Vec<f32> = (0..outputs * channels * 9).map(|at| number(at + 5)).collect();
            let bias: Vec<f32> = (0..outputs).map(number).collect();
            let input: Vec<f32> = (0..channels * source[0] * source[1]).map(|at| number(3 * at)).collect();
            let mut found = vec![f32::NAN; outputs * output[0] * output[1]];
            let prepared = Winograd::new(&weights, &bias, source, before, output);
            let relu = Some(Function::Relu);
            let mut transformed = Transformed::default();
            prepared.run(&input, relu, &mut transformed, &mut found);
            for (at, &found) in found.iter().enumerate() {
                let (row, column) = (at / output[1] % output[0], at % output[1]);
                let index = at / output[1] / output[0];
                let mut sum = f64::from(bias[index]);
                for (place, weight) in weights[index * channels * 9..][..channels * 9].iter().enumerate() {
                    let y = (row + place / 3 % 3).checked_sub(before[0]).filter(|&y| y < source[0]);
                    let x = (column + place % 3).checked_sub(before[1]).filter(|&x| x < source[1]);
                    let Some((y, x)) = y.zip(x) else { continue };
                    sum += f64::from(*weight) * f64::from(input[(place / 9 * source[0] + y) * source[1] + x]);
                }
                let apart = (f64::from(found) - sum.max(0.0)).abs();
                assert!(
                    apart < 1e-6 * (9 * channels) as f64,
                    "{source:?} {output:?} {index} {row} {column}: {found}, expected {sum}"
                );
            }
            let mut again = vec![0.0; found.len()];
            prepared.run(&input, relu, &mut transformed, &mut again);
            assert!(again.iter().zip(&found).all(|(again, found)| again.to_bits() == found.to_bits()));
        }
    }

    #[test]
    fn blocks_cover_all_tiles_in_as_many_lanes_as_there_are() {
        for (tiles, blocks) in [([1, 1], 1), ([4, 4], 1), ([7, 7], 2), ([20, 20], 14), ([56, 56], 112), ([3, 100], 10)]
        {
            let (block, [down, across]) = Block::of(tiles);
            assert_eq!(down * across, blocks, "{tiles:?}");
            assert!(block.rows * down >= tiles[0] && block.columns * across >= tiles[1], "{tiles:?}");
            assert!((block.rows - 1) * (block.columns + 1) + block.columns <= COLUMNS, "{tiles:?}");
        }
    }

    #[test]
    fn few_channels_are_summed_plainly() {
        assert!(Winograd::is_faster([64, 64], [224, 224]));
        assert!(Winograd::is_faster([64, 16], [55, 55]));
        assert!(!Winograd::is_faster([32, 3], [112, 112]));
        assert!(!Winograd::is_faster([64, 64], [3, 3]));
    }
}
