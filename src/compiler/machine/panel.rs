//! The right side of a matrix product, packed: 32 columns, the bytes of four rows of a column side by side.

use crate::compiler::machine::Level;
#[cfg(target_arch = "x86_64")]
use crate::compiler::machine::avx2;
use crate::compiler::machine::level::Kind;

/// Columns of a panel.
pub const COLUMNS: usize = 32;

/// Bytes of four rows of a panel.
pub(super) const QUAD: usize = 4 * COLUMNS;

/// 32 columns of int8 values, each stored as the value plus 128, which makes it unsigned. Four rows are 128 bytes: eight
/// columns after another, each as four bytes, in the order of [`column_of`], which is the one that interleaving
/// instructions of 16-byte lanes make.
#[derive(Debug, Default)]
pub struct Panel {
    pub(super) bytes: Vec<[u8; QUAD]>,
    /// What is added to the sums of each column, in the order of the panel; nothing where they are none.
    pub(super) sums: Option<[i32; COLUMNS]>,
}

/// The column at a place of a panel.
pub(super) const fn column_of(place: usize) -> usize {
    let (vector, lane, column) = (place / 8, place % 8 / 4, place % 4);
    lane * 16 + vector * 4 + column
}

/// What a stored byte is: the value plus 128.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
pub(super) const fn stored(value: i8) -> u8 {
    (value as u8) ^ 0x80
}

/// 32 neighbouring elements; what lies behind the end is zero.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
pub(super) fn line(source: &[i8], at: usize) -> [i8; COLUMNS] {
    if let Some(line) = source.get(at..).and_then(<[i8]>::first_chunk) {
        return *line;
    }
    let mut line = [0; COLUMNS];
    for (to, from) in line.iter_mut().zip(source.iter().skip(at)) {
        *to = *from;
    }
    line
}

impl Panel {
    /// Takes in the row of 32 elements that begins at `base + offset` for each of `offsets`, four at a time; what lies behind
    /// the end of `source` is anything.
    pub fn pack(&mut self, level: Level, source: &[i8], offsets: &[[usize; 4]], base: usize) {
        self.bytes.resize(offsets.len(), [0; QUAD]);
        match level.kind() {
            Kind::Portable => {
                for (to, offsets) in self.bytes.iter_mut().zip(offsets) {
                    let lines = offsets.map(|offset| line(source, base + offset));
                    for (place, to) in to.iter_mut().enumerate() {
                        *to = stored(lines[place % 4][column_of(place / 4)]);
                    }
                }
            }
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the level says that the machine has these instructions")]
            // SAFETY: a level is named only where every instruction set of it was detected; both have AVX2.
            Kind::Avx2 | Kind::Avx512 => unsafe { avx2::pack(source, offsets, base, &mut self.bytes) },
        }
    }

    /// Takes in columns that lie one after another, `length` elements each; at most 32.
    pub fn pack_columns(&mut self, columns: &[i8], length: usize) {
        self.bytes.clear();
        self.bytes.resize(length.div_ceil(4), [0; QUAD]);
        for place in 0..COLUMNS {
            let Some(column) = columns.chunks_exact(length).nth(column_of(place)) else { continue };
            for (to, from) in self.bytes.iter_mut().zip(column.chunks(4)) {
                for (to, &from) in to[4 * place..].iter_mut().zip(from) {
                    *to = stored(from);
                }
            }
        }
    }

    /// Adds to the sums of each column, in the columns' order; before it is used only.
    pub fn add(&mut self, sums: &[i32; COLUMNS]) {
        self.sums = Some(std::array::from_fn(|place| sums[column_of(place)]));
    }
}
