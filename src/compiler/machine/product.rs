//! Exact products of int8 matrices, requantized: the left side's rows by a panel's 32 columns.

use crate::compiler::machine::COLUMNS;
use crate::compiler::machine::Level;
use crate::compiler::machine::Panel;
#[cfg(target_arch = "x86_64")]
use crate::compiler::machine::avx2;
#[cfg(target_arch = "x86_64")]
use crate::compiler::machine::avx512;
use crate::compiler::machine::level::Kind;
use crate::compiler::machine::portable;
use crate::compiler::quantize::contract::Saturation;

/// Rows that a kernel computes at once.
pub(super) const ROWS: usize = 8;

/// What becomes of the sums of a row: `saturation.requantize(sum + bias, multiplier)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Added to the sum; wraps, as sums do.
    pub bias: i32,
    /// From sums to steps of the output.
    pub multiplier: f32,
    /// Zero point and bounds of the output.
    pub saturation: Saturation,
}

impl Row {
    /// The same over elements as panels store them: what they are larger by is taken off the bias.
    fn over_stored(self, weights: &[i8], zero_point: i8) -> Self {
        let sum: i32 = weights.iter().map(|&weight| i32::from(weight)).sum();
        Self { bias: self.bias.wrapping_sub(sum.wrapping_mul(128 + i32::from(zero_point))), ..self }
    }
}

/// The left side of matrix products: rows of int8 values, packed for a level.
#[derive(Debug, Clone)]
pub struct Left {
    level: Level,
    /// Elements of a row, in fours.
    pub(super) quads: usize,
    /// Eight rows together; of each four elements a row has one word of four bytes, or two of two 16-bit numbers each: the
    /// first and third, the second and fourth.
    pub(super) words: Vec<i32>,
    pub(super) rows: Vec<Row>,
}

impl Left {
    /// Packs rows of `length` elements. A panel's elements stand for `stored − 128 − zero point`: what the difference makes
    /// of a sum is taken off the biases.
    #[must_use]
    pub fn new(level: Level, elements: &[i8], length: usize, zero_point: i8, rows: &[Row]) -> Self {
        let quads = length.div_ceil(4);
        let in_bytes = level.kind().multiplies_bytes();
        let words_each = if in_bytes { 1 } else { 2 };
        let mut words = Vec::with_capacity(rows.len().next_multiple_of(ROWS) * quads * words_each);
        for block in elements.chunks(ROWS * length.max(1)) {
            let rows: [&[i8]; ROWS] =
                std::array::from_fn(|row| block.get(row * length..(row + 1) * length).unwrap_or_default());
            for quad in 0..quads {
                for row in rows {
                    let [a, b, c, d] = four(row, 4 * quad);
                    if in_bytes {
                        words.push(i32::from_le_bytes([a, b, c, d].map(|x| x as u8)));
                    } else {
                        words.extend([pair(a, c), pair(b, d)]);
                    }
                }
            }
        }
        let elements = elements.chunks_exact(length.max(1));
        let rows = rows.iter().zip(elements).map(|(row, elements)| row.over_stored(elements, zero_point)).collect();
        Self { level, quads, words, rows }
    }

    /// Every row by every column of a panel of as many rows as this side has columns: one array for each row.
    pub fn multiply(&self, panel: &Panel, to: &mut Vec<[i8; COLUMNS]>) {
        to.resize(self.rows.len(), [0; COLUMNS]);
        match self.level.kind() {
            Kind::Portable => portable::multiply(self, panel, to),
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the level says that the machine has these instructions")]
            // SAFETY: a level is named only where every instruction set of it was detected.
            Kind::Avx2 => unsafe { avx2::multiply(self, panel, to) },
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the level says that the machine has these instructions")]
            // SAFETY: as above.
            Kind::Avx512 => unsafe { avx512::multiply(self, panel, to) },
        }
    }
}

/// One row of weights, for kernels that meet each element of their input alone.
#[derive(Debug, Clone)]
pub struct Filter {
    level: Level,
    /// Of each four weights what a level multiplies by: two words of two 16-bit numbers, or one of four bytes and nothing.
    pub(super) words: Vec<[i32; 2]>,
    pub(super) row: Row,
}

impl Filter {
    /// Packs a row; `zero_point` is of the elements that it is applied to.
    #[must_use]
    pub fn new(level: Level, weights: &[i8], zero_point: i8, row: Row) -> Self {
        let word = |quad: usize| {
            let [a, b, c, d] = four(weights, 4 * quad);
            if level.kind().multiplies_bytes() {
                [i32::from_le_bytes([a, b, c, d].map(|x| x as u8)), 0]
            } else {
                [pair(a, c), pair(b, d)]
            }
        };
        let words = (0..weights.len().div_ceil(4)).map(word).collect();
        Self { level, words, row: row.over_stored(weights, zero_point) }
    }

    /// For each of `bases` 32 neighbouring results: the sums of the elements at `base + offset` for each of `offsets`, by the
    /// weights in their order. What lies behind the end of `source` is anything.
    pub fn apply(&self, source: &[i8], offsets: &[[usize; 4]], bases: &[usize], to: &mut Vec<[i8; COLUMNS]>) {
        to.resize(bases.len(), [0; COLUMNS]);
        match self.level.kind() {
            Kind::Portable => portable::filter(self, source, offsets, bases, to),
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the level says that the machine has these instructions")]
            // SAFETY: a level is named only where every instruction set of it was detected.
            Kind::Avx2 => unsafe { avx2::filter(self, source, offsets, bases, to) },
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the level says that the machine has these instructions")]
            // SAFETY: as above.
            Kind::Avx512 => unsafe { avx512::filter(self, source, offsets, bases, to) },
        }
    }
}

/// Four elements from `at` on; zeros behind the end.
fn four(elements: &[i8], at: usize) -> [i8; 4] {
    let rest = elements.get(at..).unwrap_or_default();
    rest.first_chunk().copied().unwrap_or_else(|| std::array::from_fn(|place| rest.get(place).copied().unwrap_or(0)))
}

/// Two 16-bit numbers in one word, the first in its lower half.
fn pair(low: i8, high: i8) -> i32 {
    i32::from(low) & 0xFFFF | i32::from(high) << 16
}
