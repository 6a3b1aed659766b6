//! AVX2: products of two 16-bit numbers in one instruction.

use std::arch::x86_64::{
    __m256, __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_castps_si256, _mm256_castsi256_ps, _mm256_cvtepi32_ps,
    _mm256_cvtps_epi32, _mm256_fmadd_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_max_ps, _mm256_min_ps,
    _mm256_mul_ps, _mm256_packs_epi16, _mm256_packs_epi32, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps,
    _mm256_setzero_si256, _mm256_srli_epi16, _mm256_storeu_si256, _mm256_unpackhi_epi8, _mm256_unpackhi_epi16,
    _mm256_unpacklo_epi8, _mm256_unpacklo_epi16, _mm256_xor_si256,
};

use crate::compiler::machine::COLUMNS;
use crate::compiler::machine::FloatResults;
use crate::compiler::machine::FloatRows;
use crate::compiler::machine::Panel;
use crate::compiler::machine::float;
use crate::compiler::machine::level::Work;
use crate::compiler::machine::panel::QUAD;
use crate::compiler::machine::panel::line;
use crate::compiler::machine::product::Filter;
use crate::compiler::machine::product::Left;
use crate::compiler::machine::product::ROWS;
use crate::compiler::machine::product::Row;

/// Rows whose sums of sixteen columns fit the registers.
const HALF: usize = ROWS / 2;

#[target_feature(enable = "avx2,fma")]
pub(super) fn vectorized<W: Work>(work: W) -> W::Output {
    work.run()
}

#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "a vector is loaded through a pointer")]
fn load<T: Copy, const N: usize>(from: &[T; N]) -> __m256i {
    const { assert!(size_of::<T>() * N == 32) }
    // SAFETY: the array has the 32 bytes that are read, at any alignment.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "a vector is stored through a pointer")]
fn store<T: Copy, const N: usize>(vector: __m256i, to: &mut [T; N]) {
    const { assert!(size_of::<T>() * N == 32) }
    // SAFETY: the array has the 32 bytes that are written, at any alignment, and any bytes are a value of the numbers
    // that this file stores.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), vector) }
}

/// 32 neighbouring elements as panels store them.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn stored_line(source: &[i8], at: usize) -> __m256i {
    let elements = match source.get(at..).and_then(<[i8]>::first_chunk::<COLUMNS>) {
        Some(elements) => load(elements),
        None => load(&line(source, at)),
    };
    _mm256_xor_si256(elements, _mm256_set1_epi32(i32::from_ne_bytes([0x80; 4])))
}

/// 32 columns of four rows, a column's four bytes side by side: eight columns in each vector, in the order of a panel.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn interleaved(source: &[i8], offsets: [usize; 4], base: usize) -> [__m256i; 4] {
    let [a, b, c, d] = offsets;
    let (a, b) = (stored_line(source, base + a), stored_line(source, base + b));
    let (c, d) = (stored_line(source, base + c), stored_line(source, base + d));
    let (ab, cd) = (_mm256_unpacklo_epi8(a, b), _mm256_unpacklo_epi8(c, d));
    let (ab_high, cd_high) = (_mm256_unpackhi_epi8(a, b), _mm256_unpackhi_epi8(c, d));
    [
        _mm256_unpacklo_epi16(ab, cd),
        _mm256_unpackhi_epi16(ab, cd),
        _mm256_unpacklo_epi16(ab_high, cd_high),
        _mm256_unpackhi_epi16(ab_high, cd_high),
    ]
}

/// See `Panel::pack`.
#[target_feature(enable = "avx2,fma")]
pub(super) fn pack(source: &[i8], offsets: &[[usize; 4]], base: usize, panel: &mut [[u8; QUAD]]) {
    for (to, &offsets) in panel.iter_mut().zip(offsets) {
        let vectors = interleaved(source, offsets, base);
        for (to, vector) in to.as_chunks_mut::<32>().0.iter_mut().zip(vectors) {
            store(vector, to);
        }
    }
}

/// The sums of products of each column's four bytes with a row's.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn products(bytes: __m256i, [first_third, second_fourth]: [__m256i; 2]) -> __m256i {
    let even = _mm256_and_si256(bytes, _mm256_set1_epi16(0xFF));
    let odd = _mm256_srli_epi16(bytes, 8);
    _mm256_add_epi32(_mm256_madd_epi16(even, first_third), _mm256_madd_epi16(odd, second_fourth))
}

/// See `Filter::apply`.
#[target_feature(enable = "avx2,fma")]
pub(super) fn filter(
    filter: &Filter,
    source: &[i8],
    offsets: &[[usize; 4]],
    bases: &[usize],
    to: &mut [[i8; COLUMNS]],
) {
    for (&base, to) in bases.iter().zip(to) {
        let mut sums = [_mm256_setzero_si256(); 4];
        for (&offsets, words) in offsets.iter().zip(&filter.words) {
            let words = [_mm256_set1_epi32(words[0]), _mm256_set1_epi32(words[1])];
            let vectors = interleaved(source, offsets, base);
            for (sum, bytes) in sums.iter_mut().zip(vectors) {
                *sum = _mm256_add_epi32(*sum, products(bytes, words));
            }
        }
        requantize(sums, &filter.row, to);
    }
}

/// What `Saturation::requantize` makes of each sum, brought from the order of a panel to that of the columns.
/// Conversions round to the nearest integer, ties to even, as it does; a maximum with a bound takes the bound for what is
/// not a number, as it does; packing finds every result within eight bits already.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn requantize(sums: [__m256i; 4], row: &Row, to: &mut [i8; COLUMNS]) {
    let (low, high, zero) = row.saturation.bounds();
    // A loop: a closure that is given to a function of the standard library would not be inlined with these instructions.
    let mut whole = sums;
    for sums in &mut whole {
        let biased = _mm256_add_epi32(*sums, _mm256_set1_epi32(row.bias));
        let steps = _mm256_mul_ps(_mm256_cvtepi32_ps(biased), _mm256_set1_ps(row.multiplier));
        let steps = _mm256_min_ps(_mm256_max_ps(steps, _mm256_set1_ps(low)), _mm256_set1_ps(high));
        *sums = _mm256_add_epi32(_mm256_cvtps_epi32(steps), _mm256_set1_epi32(zero));
    }
    let [a, b, c, d] = whole;
    store(_mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d)), to);
}

/// Every row by every column.
#[target_feature(enable = "avx2,fma")]
pub(super) fn multiply(left: &Left, panel: &Panel, to: &mut [[i8; COLUMNS]]) {
    let blocks = left.words.as_chunks::<2>().0.chunks_exact(left.quads * ROWS);
    for ((words, rows), to) in blocks.zip(left.rows.chunks(ROWS)).zip(to.chunks_mut(ROWS)) {
        let halves = rows.chunks(HALF).zip(to.chunks_mut(HALF));
        for (half, (rows, to)) in halves.enumerate() {
            block(words.as_chunks::<ROWS>().0, half * HALF, panel, rows, to);
        }
    }
}

/// Four of the eight rows of `words`, from `first` on: sixteen columns, then the others.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn block(words: &[[[i32; 2]; ROWS]], first: usize, panel: &Panel, rows: &[Row], to: &mut [[i8; COLUMNS]]) {
    let mut start = [_mm256_setzero_si256(); 4];
    if let Some(sums) = &panel.sums {
        for (start, sums) in start.iter_mut().zip(sums.as_chunks::<8>().0) {
            *start = load(sums);
        }
    }
    let mut sums = [start; HALF];
    for half in [0, 2] {
        let mut own = [[_mm256_setzero_si256(); 2]; HALF];
        for (quad, words) in panel.bytes.iter().zip(words) {
            let quad = quad.as_chunks::<32>().0;
            let (x, y) = (load(&quad[half]), load(&quad[half + 1]));
            for (own, words) in own.iter_mut().zip(&words[first..]) {
                let words = [_mm256_set1_epi32(words[0]), _mm256_set1_epi32(words[1])];
                own[0] = _mm256_add_epi32(own[0], products(x, words));
                own[1] = _mm256_add_epi32(own[1], products(y, words));
            }
        }
        for (own, sums) in own.into_iter().zip(&mut sums) {
            sums[half] = _mm256_add_epi32(sums[half], own[0]);
            sums[half + 1] = _mm256_add_epi32(sums[half + 1], own[1]);
        }
    }
    for ((sums, row), to) in sums.into_iter().zip(rows).zip(to) {
        requantize(sums, row, to);
    }
}

/// See `FloatRows::apply`.
#[target_feature(enable = "avx2,fma")]
pub(super) fn float_rows(rows: &FloatRows, from: (&[f32], &[usize]), bases: &[usize], to: &mut FloatResults) {
    let FloatResults { lines, results } = to;
    for (&base, to) in bases.iter().zip(results.chunks_exact_mut(rows.bias.len())) {
        if let ([bias], [to]) = (&rows.bias[..], &mut *to) {
            let mut sums = [_mm256_set1_ps(*bias); 4];
            for (&weight, offset) in rows.weights.iter().zip(from.1) {
                let (at, end) = (base + offset, &mut [0.0; COLUMNS]);
                let elements = if let Some(elements) = from.0.get(at..).and_then(<[f32]>::first_chunk) {
                    elements
                } else {
                    *end = float::end(from.0, at);
                    end
                };
                let weight = _mm256_set1_ps(weight);
                for (sum, elements) in sums.iter_mut().zip(elements.as_chunks::<8>().0) {
                    *sum = _mm256_fmadd_ps(_mm256_castsi256_ps(load(elements)), weight, *sum);
                }
            }
            for (sum, to) in sums.into_iter().zip(to.as_chunks_mut::<8>().0) {
                store(_mm256_castps_si256(sum), to);
            }
            continue;
        }
        float::start(&rows.bias, to);
        for first in (0..rows.length).step_by(float::DEPTH) {
            let offsets = &from.1[first..rows.length.min(first + float::DEPTH)];
            float::gather((from.0, offsets), base, lines);
            let blocks = rows.weights.chunks_exact(rows.length * ROWS);
            for (weights, to) in blocks.zip(to.chunks_mut(ROWS)) {
                for (half, to) in to.chunks_mut(HALF).enumerate() {
                    let weights = &weights.as_chunks().0[first..];
                    float_block::<0>(weights, half * HALF, lines, to);
                    float_block::<2>(weights, half * HALF, lines, to);
                }
            }
        }
    }
}

/// See `FloatRows::multiply`.
#[target_feature(enable = "avx2,fma")]
pub(super) fn float_lines(rows: &FloatRows, lines: &[[f32; COLUMNS]], to: &mut [[f32; COLUMNS]]) {
    float::start(&rows.bias, to);
    if let ([_], [to]) = (&rows.bias[..], &mut *to) {
        let (low, high) = (floats::<0>(to), floats::<2>(to));
        let mut sums = [low[0], low[1], high[0], high[1]];
        for (&weight, line) in rows.weights.iter().zip(lines) {
            let weight = _mm256_set1_ps(weight);
            for (sum, elements) in sums.iter_mut().zip(line.as_chunks::<8>().0) {
                *sum = _mm256_fmadd_ps(_mm256_castsi256_ps(load(elements)), weight, *sum);
            }
        }
        for (sum, to) in sums.into_iter().zip(to.as_chunks_mut::<8>().0) {
            store(_mm256_castps_si256(sum), to);
        }
        return;
    }
    for (weights, to) in rows.weights.chunks_exact(rows.length * ROWS).zip(to.chunks_mut(ROWS)) {
        for (half, to) in to.chunks_mut(HALF).enumerate() {
            float_block::<0>(weights.as_chunks().0, half * HALF, lines, to);
            float_block::<2>(weights.as_chunks().0, half * HALF, lines, to);
        }
    }
}

/// Adds the products of four of eight rows' weights, from `first` on, with lines: sixteen columns, from the vector `V` on.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn float_block<const V: usize>(
    weights: &[[f32; ROWS]],
    first: usize,
    lines: &[[f32; COLUMNS]],
    to: &mut [[f32; COLUMNS]],
) {
    let mut sums = [[_mm256_set1_ps(0.0); 2]; HALF];
    // Every row, whether there is one or not: what is written in part only would not stay in registers.
    for (row, sums) in sums.iter_mut().enumerate() {
        *sums = floats::<V>(to.get(row).unwrap_or(&[0.0; COLUMNS]));
    }
    for (weights, elements) in weights.iter().zip(lines) {
        let [x, y] = floats::<V>(elements);
        let Some(weights) = weights.get(first..).and_then(<[f32]>::first_chunk::<HALF>) else { continue };
        for (sums, &weight) in sums.iter_mut().zip(weights) {
            let weight = _mm256_set1_ps(weight);
            sums[0] = _mm256_fmadd_ps(x, weight, sums[0]);
            sums[1] = _mm256_fmadd_ps(y, weight, sums[1]);
        }
    }
    for (sums, to) in sums.into_iter().zip(to) {
        let vectors = to.as_chunks_mut::<8>().0;
        store(_mm256_castps_si256(sums[0]), &mut vectors[V]);
        store(_mm256_castps_si256(sums[1]), &mut vectors[V + 1]);
    }
}

/// Sixteen columns of a line, from the vector `V` on.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn floats<const V: usize>(line: &[f32; COLUMNS]) -> [__m256; 2] {
    let vectors = line.as_chunks::<8>().0;
    [_mm256_castsi256_ps(load(&vectors[V])), _mm256_castsi256_ps(load(&vectors[V + 1]))]
}
