//! AVX-512 with its instructions for neural networks: products of four bytes in one instruction.

use std::arch::x86_64::{
    __m512, __m512i, _mm_setzero_si128, _mm256_dpbusd_epi32, _mm256_permutevar8x32_epi32, _mm256_set_m128i,
    _mm256_set1_epi32, _mm256_setr_epi32, _mm256_setzero_si256, _mm256_storeu_si256, _mm512_add_epi32,
    _mm512_cvtepi32_epi8, _mm512_cvtepi32_ps, _mm512_cvtps_epi32, _mm512_dpbusd_epi32, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_blend_epi8, _mm512_max_ps, _mm512_min_ps, _mm512_movepi8_mask,
    _mm512_mul_ps, _mm512_permutex2var_epi8, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_si512, _mm512_storeu_ps,
    _mm512_storeu_si512,
};

use crate::compiler::machine::COLUMNS;
use crate::compiler::machine::FloatResults;
use crate::compiler::machine::FloatRows;
use crate::compiler::machine::Panel;
use crate::compiler::machine::avx2;
use crate::compiler::machine::float::DEPTH;
use crate::compiler::machine::float::end;
use crate::compiler::machine::float::gather;
use crate::compiler::machine::float::start;
use crate::compiler::machine::level::Work;
use crate::compiler::machine::product::Filter;
use crate::compiler::machine::product::Left;
use crate::compiler::machine::product::ROWS;
use crate::compiler::machine::product::Row;
use crate::compiler::machine::table::one_by_one;

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn vectorized<W: Work>(work: W) -> W::Output {
    work.run()
}

#[inline]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "a vector is loaded through a pointer")]
fn load<T: Copy, const N: usize>(from: &[T; N]) -> __m512i {
    const { assert!(size_of::<T>() * N == 64) }
    // SAFETY: the array has the 64 bytes that are read, at any alignment.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

/// See `Filter::apply`.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn filter(
    filter: &Filter,
    source: &[i8],
    offsets: &[[usize; 4]],
    bases: &[usize],
    to: &mut [[i8; COLUMNS]],
) {
    for (&base, to) in bases.iter().zip(to) {
        let mut sums = [_mm256_setzero_si256(); 4];
        for (&offsets, &[word, _]) in offsets.iter().zip(&filter.words) {
            let word = _mm256_set1_epi32(word);
            let vectors = avx2::interleaved(source, offsets, base);
            for (sum, bytes) in sums.iter_mut().zip(vectors) {
                *sum = _mm256_dpbusd_epi32(*sum, bytes, word);
            }
        }
        avx2::requantize(sums, &filter.row, to);
    }
}

/// Every row by every column.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn multiply(left: &Left, panel: &Panel, to: &mut [[i8; COLUMNS]]) {
    let blocks = left.words.chunks_exact(left.quads * ROWS);
    for ((words, rows), to) in blocks.zip(left.rows.chunks(ROWS)).zip(to.chunks_mut(ROWS)) {
        let words = words.as_chunks::<ROWS>().0;
        if rows.len() > ROWS / 2 {
            block::<ROWS>(words, panel, rows, to);
        } else {
            block::<{ ROWS / 2 }>(words, panel, rows, to);
        }
    }
}

/// The first `R` of eight rows.
#[inline]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
fn block<const R: usize>(words: &[[i32; ROWS]], panel: &Panel, rows: &[Row], to: &mut [[i8; COLUMNS]]) {
    let mut sums = [[_mm512_setzero_si512(); 2]; R];
    for (quad, words) in panel.bytes.iter().zip(words) {
        let [x, y] = quad.as_chunks::<64>().0 else { continue };
        let (x, y) = (load(x), load(y));
        for (sums, &word) in sums.iter_mut().zip(words) {
            let word = _mm512_set1_epi32(word);
            sums[0] = _mm512_dpbusd_epi32(sums[0], x, word);
            sums[1] = _mm512_dpbusd_epi32(sums[1], y, word);
        }
    }
    let mut start = [_mm512_setzero_si512(); 2];
    if let Some(sums) = &panel.sums {
        for (start, sums) in start.iter_mut().zip(sums.as_chunks::<16>().0) {
            *start = load(sums);
        }
    }
    for ((sums, row), to) in sums.into_iter().zip(rows).zip(to) {
        requantize([_mm512_add_epi32(sums[0], start[0]), _mm512_add_epi32(sums[1], start[1])], row, to);
    }
}

/// What `Saturation::requantize` makes of each sum, brought from the order of a panel to that of the columns.
/// Conversions round to the nearest integer, ties to even, as it does; a maximum with a bound takes the bound for what is
/// not a number, as it does.
#[inline]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "a vector is stored through a pointer")]
fn requantize(sums: [__m512i; 2], row: &Row, to: &mut [i8; COLUMNS]) {
    let (low, high, zero) = row.saturation.bounds();
    let mut narrow = [_mm_setzero_si128(); 2];
    // A loop: a closure that is given to a function of the standard library would not be inlined with these instructions.
    for (sums, narrow) in sums.into_iter().zip(&mut narrow) {
        let sums = _mm512_add_epi32(sums, _mm512_set1_epi32(row.bias));
        let steps = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_set1_ps(row.multiplier));
        let steps = _mm512_min_ps(_mm512_max_ps(steps, _mm512_set1_ps(low)), _mm512_set1_ps(high));
        let whole = _mm512_add_epi32(_mm512_cvtps_epi32(steps), _mm512_set1_epi32(zero));
        *narrow = _mm512_cvtepi32_epi8(whole);
    }
    // Four neighbours stay together: the words of a panel are those of the columns 0, 16, 4, 20, ….
    let order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    let ordered = _mm256_permutevar8x32_epi32(_mm256_set_m128i(narrow[1], narrow[0]), order);
    // SAFETY: the array has the 32 bytes that are written, at any alignment.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), ordered) }
}

/// See `table::look_up`.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
#[expect(unsafe_code, reason = "vectors are loaded and stored through pointers")]
pub(super) fn look_up(table: &[i8; 256], input: &[i8], output: &mut [i8]) {
    let [a, b, c, d] = table.as_chunks::<64>().0 else { return };
    // SAFETY: the arrays have the 64 bytes that are read, at any alignment.
    let [a, b, c, d] = unsafe { [a, b, c, d].map(|part| _mm512_loadu_si512(part.as_ptr().cast())) };
    let (inputs, rest) = input.as_chunks::<64>();
    for (from, to) in inputs.iter().zip(output.as_chunks_mut::<64>().0) {
        // SAFETY: as above.
        let from = unsafe { _mm512_loadu_si512(from.as_ptr().cast()) };
        // The lower seven bits are the place in one half of the table; the sign says which half.
        let negative = _mm512_permutex2var_epi8(a, from, b);
        let positive = _mm512_permutex2var_epi8(c, from, d);
        let found = _mm512_mask_blend_epi8(_mm512_movepi8_mask(from), positive, negative);
        // SAFETY: the array has the 64 bytes that are written, at any alignment.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), found) };
    }
    let done = inputs.len() * 64;
    one_by_one(table, rest, output.get_mut(done..).unwrap_or_default());
}

/// See `FloatRows::apply`.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn float_rows(rows: &FloatRows, from: (&[f32], &[usize]), bases: &[usize], to: &mut FloatResults) {
    let FloatResults { lines, results } = to;
    for (&base, to) in bases.iter().zip(results.chunks_exact_mut(rows.bias.len())) {
        if let ([bias], [to]) = (&rows.bias[..], &mut *to) {
            let mut sums = [_mm512_set1_ps(*bias); 2];
            for (&weight, offset) in rows.weights.iter().zip(from.1) {
                let at = base + offset;
                let [x, y] = match from.0.get(at..).and_then(<[f32]>::first_chunk) {
                    Some(elements) => floats(elements),
                    None => floats(&end(from.0, at)),
                };
                let weight = _mm512_set1_ps(weight);
                sums = [_mm512_fmadd_ps(x, weight, sums[0]), _mm512_fmadd_ps(y, weight, sums[1])];
            }
            store_floats(sums, to);
            continue;
        }
        start(&rows.bias, to);
        for first in (0..rows.length).step_by(DEPTH) {
            gather((from.0, &from.1[first..rows.length.min(first + DEPTH)]), base, lines);
            let blocks = rows.weights.chunks_exact(rows.length * ROWS);
            for (weights, to) in blocks.zip(to.chunks_mut(ROWS)) {
                float_block(&weights.as_chunks().0[first..], lines, to);
            }
        }
    }
}

/// See `FloatRows::multiply`.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn float_lines(rows: &FloatRows, lines: &[[f32; COLUMNS]], to: &mut [[f32; COLUMNS]]) {
    start(&rows.bias, to);
    if let ([_], [to]) = (&rows.bias[..], &mut *to) {
        let mut sums = floats(to);
        for (&weight, line) in rows.weights.iter().zip(lines) {
            let (weight, [x, y]) = (_mm512_set1_ps(weight), floats(line));
            sums = [_mm512_fmadd_ps(x, weight, sums[0]), _mm512_fmadd_ps(y, weight, sums[1])];
        }
        return store_floats(sums, to);
    }
    for (weights, to) in rows.weights.chunks_exact(rows.length * ROWS).zip(to.chunks_mut(ROWS)) {
        float_block(weights.as_chunks().0, lines, to);
    }
}

/// Adds the products of eight rows' weights with lines.
#[inline]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
fn float_block(weights: &[[f32; ROWS]], lines: &[[f32; COLUMNS]], to: &mut [[f32; COLUMNS]]) {
    let mut sums = [[_mm512_set1_ps(0.0); 2]; ROWS];
    // Every row, whether there is one or not: what is written in part only would not stay in registers.
    for (row, sums) in sums.iter_mut().enumerate() {
        *sums = floats(to.get(row).unwrap_or(&[0.0; COLUMNS]));
    }
    for (weights, elements) in weights.iter().zip(lines) {
        let [x, y] = floats(elements);
        for (sums, &weight) in sums.iter_mut().zip(weights) {
            let weight = _mm512_set1_ps(weight);
            sums[0] = _mm512_fmadd_ps(x, weight, sums[0]);
            sums[1] = _mm512_fmadd_ps(y, weight, sums[1]);
        }
    }
    for (sums, to) in sums.into_iter().zip(to) {
        store_floats(sums, to);
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "vectors are loaded through a pointer")]
fn floats(from: &[f32; COLUMNS]) -> [__m512; 2] {
    // SAFETY: the array has the 32 numbers that are read, at any alignment.
    unsafe { [_mm512_loadu_ps(from.as_ptr()), _mm512_loadu_ps(from.as_ptr().add(16))] }
}

#[inline]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "vectors are stored through a pointer")]
fn store_floats([x, y]: [__m512; 2], to: &mut [f32; COLUMNS]) {
    // SAFETY: the array has the 32 numbers that are written, at any alignment.
    unsafe {
        _mm512_storeu_ps(to.as_mut_ptr(), x);
        _mm512_storeu_ps(to.as_mut_ptr().add(16), y);
    }
}
