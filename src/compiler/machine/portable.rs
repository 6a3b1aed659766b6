//! Products in plain code: what the other levels are tested against.

use crate::compiler::machine::COLUMNS;
use crate::compiler::machine::Panel;
use crate::compiler::machine::panel::QUAD;
use crate::compiler::machine::panel::column_of;
use crate::compiler::machine::panel::line;
use crate::compiler::machine::panel::stored;
use crate::compiler::machine::product::Filter;
use crate::compiler::machine::product::Left;
use crate::compiler::machine::product::ROWS;

/// Four rows of a panel as 16-bit numbers: the first and the third of each column, then the second and the fourth.
type Wide = [[[i16; 2]; COLUMNS]; 2];

fn widened(quad: &[u8; QUAD]) -> Wide {
    let mut wide = [[[0; 2]; COLUMNS]; 2];
    for (place, &[a, b, c, d]) in quad.as_chunks::<4>().0.iter().enumerate() {
        wide[0][place] = [a, c].map(i16::from);
        wide[1][place] = [b, d].map(i16::from);
    }
    wide
}

/// Every row by every column.
pub(super) fn multiply(left: &Left, panel: &Panel, to: &mut [[i8; COLUMNS]]) {
    let wide: Vec<Wide> = panel.bytes.iter().map(widened).collect();
    let words = left.words.as_chunks::<2>().0;
    let start = panel.sums.unwrap_or([0; COLUMNS]);
    let blocks = words.chunks_exact(left.quads * ROWS);
    for ((words, rows), to) in blocks.zip(left.rows.chunks(ROWS)).zip(to.chunks_mut(ROWS)) {
        for (index, (row, to)) in rows.iter().zip(to).enumerate() {
            let mut sums = start.map(|sum| sum.wrapping_add(row.bias));
            for (wide, words) in wide.iter().zip(words.as_chunks::<ROWS>().0) {
                for (wide, word) in wide.iter().zip(words[index]) {
                    add_products(&mut sums, wide, [word as i16, (word >> 16) as i16]);
                }
            }
            for (place, &sum) in sums.iter().enumerate() {
                to[column_of(place)] = row.saturation.requantize(sum, row.multiplier);
            }
        }
    }
}

/// A loop that compiles to instructions that multiply and add pairs.
fn add_products(sums: &mut [i32; COLUMNS], columns: &[[i16; 2]; COLUMNS], [first, second]: [i16; 2]) {
    for (sum, [x, y]) in sums.iter_mut().zip(columns) {
        let products = i32::from(*x) * i32::from(first) + i32::from(*y) * i32::from(second);
        *sum = sum.wrapping_add(products);
    }
}

/// See `Filter::apply`.
pub(super) fn filter(
    filter: &Filter,
    source: &[i8],
    offsets: &[[usize; 4]],
    bases: &[usize],
    to: &mut [[i8; COLUMNS]],
) {
    let row = filter.row;
    for (&base, to) in bases.iter().zip(to) {
        let mut sums = [row.bias; COLUMNS];
        for (&[a, b, c, d], words) in offsets.iter().zip(&filter.words) {
            for (offsets, word) in [[a, c], [b, d]].into_iter().zip(words) {
                let [x, y] = offsets.map(|offset| line(source, base + offset).map(|x| i16::from(stored(x))));
                let columns = std::array::from_fn(|column| [x[column], y[column]]);
                add_products(&mut sums, &columns, [*word as i16, (word >> 16) as i16]);
            }
        }
        for (to, sum) in to.iter_mut().zip(sums) {
            *to = row.saturation.requantize(sum, row.multiplier);
        }
    }
}
