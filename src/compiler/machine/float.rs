//! Sums of float products over shifted runs of elements, as convolutions need them. Each result is summed in the order of
//! the weights, with one rounding for each product that is added: every level that has such an instruction gives the
//! same results to the bit.

use crate::compiler::machine::COLUMNS;
use crate::compiler::machine::Level;
#[cfg(target_arch = "x86_64")]
use crate::compiler::machine::avx2;
#[cfg(target_arch = "x86_64")]
use crate::compiler::machine::avx512;
use crate::compiler::machine::level::Kind;
use crate::compiler::machine::product::ROWS;

/// Lines that are met by all rows before the next are read: they stay in the first-level cache.
pub(super) const DEPTH: usize = 192;

/// Rows of float weights, packed.
#[derive(Debug, Clone)]
pub struct FloatRows {
    level: Level,
    /// Eight rows together (one where there is but one): for each element the weights of these rows.
    pub(super) weights: Vec<f32>,
    /// Weights of a row.
    pub(super) length: usize,
    /// Added to each row's sums.
    pub(super) bias: Vec<f32>,
}

/// What sums begin with.
pub(super) fn start(bias: &[f32], to: &mut [[f32; COLUMNS]]) {
    to.iter_mut().zip(bias).for_each(|(to, &bias)| *to = [bias; COLUMNS]);
}

/// 32 neighbouring elements; zeros behind the end.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
fn line(source: &[f32], at: usize) -> [f32; COLUMNS] {
    match source.get(at..).and_then(<[f32]>::first_chunk) {
        Some(elements) => *elements,
        None => end(source, at),
    }
}

/// The same where fewer are left.
#[cold]
pub(super) fn end(source: &[f32], at: usize) -> [f32; COLUMNS] {
    std::array::from_fn(|column| source.get(at + column).copied().unwrap_or(0.0))
}

/// The lines from `base + offset` on, for each offset.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
pub(super) fn gather((source, offsets): (&[f32], &[usize]), base: usize, lines: &mut Vec<[f32; COLUMNS]>) {
    lines.resize(offsets.len(), [0.0; COLUMNS]);
    for (to, offset) in lines.iter_mut().zip(offsets) {
        *to = line(source, base + offset);
    }
}

/// What rows are applied to and what comes of it, kept between calls.
#[derive(Debug, Default)]
pub struct FloatResults {
    /// The elements that are met, where several rows meet them.
    pub(super) lines: Vec<[f32; COLUMNS]>,
    pub(super) results: Vec<[f32; COLUMNS]>,
}

impl FloatRows {
    /// Packs rows of `length` weights, one for each bias.
    #[must_use]
    pub fn new(level: Level, weights: &[f32], length: usize, bias: &[f32]) -> Self {
        let together = if bias.len() == 1 { 1 } else { ROWS };
        let mut packed = Vec::with_capacity(bias.len().next_multiple_of(together) * length);
        for block in weights.chunks(together * length.max(1)) {
            for k in 0..length {
                packed.extend((0..together).map(|row| block.get(row * length + k).copied().unwrap_or(0.0)));
            }
        }
        Self { level, weights: packed, length, bias: bias.to_vec() }
    }

    /// The number of rows.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.bias.len()
    }

    /// For each of `bases`, and for each row, 32 neighbouring results: its bias and the products of its weights with the
    /// elements at `base + offset`, for each of `offsets`. What lies behind the end of `source` is anything.
    pub fn apply<'a>(
        &self,
        source: &[f32],
        offsets: &[usize],
        bases: &[usize],
        to: &'a mut FloatResults,
    ) -> &'a mut [[f32; COLUMNS]] {
        to.results.resize(bases.len() * self.bias.len(), [0.0; COLUMNS]);
        match self.level.kind() {
            Kind::Portable => portable(self, (source, offsets), bases, to),
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the level says that the machine has these instructions")]
            // SAFETY: a level is named only where every instruction set of it was detected.
            Kind::Avx2 => unsafe { avx2::float_rows(self, (source, offsets), bases, to) },
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the level says that the machine has these instructions")]
            // SAFETY: as above.
            Kind::Avx512 => unsafe { avx512::float_rows(self, (source, offsets), bases, to) },
        }
        &mut to.results
    }

    /// For each row 32 neighbouring results: its bias and the products of its weights with as many lines.
    pub fn multiply(&self, lines: &[[f32; COLUMNS]], to: &mut [[f32; COLUMNS]]) {
        match self.level.kind() {
            Kind::Portable => plain(self, lines, to),
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the level says that the machine has these instructions")]
            // SAFETY: a level is named only where every instruction set of it was detected.
            Kind::Avx2 => unsafe { avx2::float_lines(self, lines, to) },
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the level says that the machine has these instructions")]
            // SAFETY: as above.
            Kind::Avx512 => unsafe { avx512::float_lines(self, lines, to) },
        }
    }
}

fn portable(rows: &FloatRows, from: (&[f32], &[usize]), bases: &[usize], to: &mut FloatResults) {
    let FloatResults { lines, results } = to;
    for (&base, to) in bases.iter().zip(results.chunks_exact_mut(rows.bias.len())) {
        gather(from, base, lines);
        plain(rows, lines, to);
    }
}

/// Two roundings for each product: not every machine has an instruction with one.
fn plain(rows: &FloatRows, lines: &[[f32; COLUMNS]], to: &mut [[f32; COLUMNS]]) {
    let together = if rows.bias.len() == 1 { 1 } else { ROWS };
    for (row, (to, &bias)) in to.iter_mut().zip(&rows.bias).enumerate() {
        let block = &rows.weights[row / together * together * rows.length..][..together * rows.length];
        *to = [bias; COLUMNS];
        for (&weight, line) in block.iter().skip(row % together).step_by(together).zip(lines) {
            to.iter_mut().zip(line).for_each(|(sum, element)| *sum += element * weight);
        }
    }
}

/// eˣ within two units of the last place, in operations that vectorize: the same on every machine. Beyond the range of
/// f32 it is the nearest finite result, 2⁻¹²⁶ at least; not a number stays one.
#[inline(always)]
#[must_use]
pub fn exponential(x: f32) -> f32 {
    /// 1.5·2²³, which rounds a small float to a whole number when it is added and subtracted.
    const ROUNDING: f32 = 12_582_912.0;
    let bounded = if x > 88.3 { 88.3 } else { x };
    let bounded = if bounded < -87.3 { -87.3 } else { bounded };
    let shifted = bounded * std::f32::consts::LOG2_E + ROUNDING;
    let whole = shifted - ROUNDING;
    // ln 2 in two parts, the first of few bits so that its product is exact.
    let rest = (bounded - whole * 0.693_359_4) + whole * 2.121_944_4e-4;
    let mut series = 1.987_569_2e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_6e-1, 0.5] {
        series = series * rest + coefficient;
    }
    let fraction = series * rest * rest + rest + 1.0;
    let exponent = (shifted.to_bits().wrapping_sub(ROUNDING.to_bits()).wrapping_add(127)) << 23;
    fraction * f32::from_bits(exponent)
}
