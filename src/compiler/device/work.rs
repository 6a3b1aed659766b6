//! What a node reads, writes and computes, and how that divides into tiles.
//!
//! Every node is seen as a loop over rows and words of channels. What of an operand a tile needs follows from two facts:
//! which of its rows the rows of a tile read, and whether its channels follow those of the output.

use crate::compiler::device::Stored;
use crate::compiler::device::WORD;
use crate::compiler::quantize::TensorId;

/// A tensor that a node reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Which.
    pub id: TensorId,
    /// Its rows.
    rows: usize,
    /// Bytes of a row's pixels, one channel of each.
    pixels: usize,
    /// Bytes of a pixel's channels.
    channels: usize,
    /// A tile of r rows needs ⌈(r − 1)·numerator/denominator⌉ + extent of its rows.
    window: Window,
    /// Whether a tile needs only its own channels.
    follows: bool,
}

/// Numerator, denominator and extent of the rows that a tile needs.
pub(super) type Window = (usize, usize, usize);

/// Row by row.
pub(super) const SAME: Window = (1, 1, 1);

/// What computes a node, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compute {
    /// The matrix unit: so many vectors of `depth` elements, each against `outputs` columns, in each of `groups`.
    Matrix {
        /// Pixels of the output.
        vectors: u64,
        /// Pixels beside each other in a row, which replicated weights can take at once.
        width: u64,
        /// Rows of the weights' matrix.
        depth: u64,
        /// Columns of the weights' matrix.
        outputs: u64,
        /// Independent products.
        groups: u64,
    },
    /// The depth-wise unit: one word of one tap a cycle.
    DepthWise {
        /// Words times taps.
        words: u64,
    },
    /// The vector unit: one word a cycle.
    Vector {
        /// Words times passes over them.
        words: u64,
    },
    /// Nothing: elements are only moved.
    Movement,
}

/// A tile: rows and words of channels of the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Rows of the loop.
    pub rows: usize,
    /// Words of channels of the loop.
    pub words: usize,
}

/// How channels enter the matrix unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Channels of images are whole words.
    pub padded: bool,
    /// A network input of few channels takes only the rows of the matrix unit that these need.
    pub packs_pixels: bool,
}

/// A node as tiles see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Rows of the loop, which tiles along the height divide.
    pub rows: usize,
    /// Words of output channels, which tiles along the channels divide; 1 where they cannot be divided.
    pub words: usize,
    /// What is read, constants left out.
    pub reads: Vec<Access>,
    /// What is written.
    pub writes: Access,
    /// Times that the inputs are read from beginning to end.
    pub passes: usize,
    /// Bytes of the weights of the matrix or depth-wise unit.
    pub weights: usize,
    /// Bytes of the vector unit's constants: biases, scales, tables.
    pub tables: usize,
    /// Bytes of operands that are constants.
    pub constants: usize,
    /// The arithmetic.
    pub compute: Compute,
    /// Multiplications with weights or between operands.
    pub macs: u64,
}

impl Access {
    /// An image: rows of N·H.
    pub(super) fn image(id: TensorId, stored: &Stored, window: Window, follows: bool) -> Self {
        let [n, h, w, c] = stored.dimensions;
        Self { id, rows: n * h, pixels: w, channels: c, window, follows }
    }

    /// Words one after another, of which a tile needs the part that its rows are of `of` rows.
    pub(super) fn flat(id: TensorId, stored: &Stored, of: usize) -> Self {
        let words = stored.bytes / WORD;
        Self { id, rows: words, pixels: 1, channels: WORD, window: (words, of.max(1), 1), follows: false }
    }

    /// Rows of so many bytes.
    pub(super) const fn rows(id: TensorId, rows: usize, bytes: usize, window: Window) -> Self {
        Self { id, rows, pixels: 1, channels: bytes, window, follows: false }
    }

    /// The same, each tile needing all channels.
    pub(super) const fn of_all_channels(self) -> Self {
        Self { follows: false, ..self }
    }

    /// The same, each tile needing only its own channels.
    pub(super) const fn of_own_channels(self) -> Self {
        Self { follows: true, ..self }
    }

    /// The same, each tile needing all of it.
    pub(super) const fn as_whole(self) -> Self {
        Self { window: (0, 1, self.rows), ..self }
    }

    /// Its rows that so many of a loop's `of` rows need.
    #[must_use]
    pub const fn needed(&self, rows: usize, of: usize) -> usize {
        let (numerator, denominator, extent) = self.window;
        if rows >= of {
            return self.rows;
        }
        let needed = rows.saturating_sub(1).saturating_mul(numerator).div_ceil(denominator).saturating_add(extent);
        if needed < self.rows { needed } else { self.rows }
    }

    /// All its rows.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.rows
    }

    /// Bytes that a tile of a loop over `rows` rows needs, in whole words.
    #[must_use]
    pub fn bytes(&self, tile: Tile, rows: usize) -> usize {
        let channels = if self.follows { self.channels.min(tile.words.saturating_mul(WORD)) } else { self.channels };
        let bytes = self.needed(tile.rows, rows).saturating_mul(self.pixels).saturating_mul(channels);
        bytes.checked_next_multiple_of(WORD).unwrap_or(usize::MAX)
    }

    /// Whether every tile needs all of it.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.window.0 == 0
    }

    /// Whether a tile needs only its own channels.
    #[must_use]
    pub const fn follows(&self) -> bool {
        self.follows
    }

    /// Bytes of all of it.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.rows.saturating_mul(self.pixels).saturating_mul(self.channels)
    }
}

impl Work {
    /// The whole node as one tile.
    #[must_use]
    pub const fn whole(&self) -> Tile {
        Tile { rows: self.rows, words: self.words }
    }

    /// Bytes of the weights that a tile needs.
    #[must_use]
    pub fn weights_of(&self, tile: Tile) -> usize {
        let share = (self.weights as u128 * tile.words as u128).div_ceil(self.words.max(1) as u128) as usize;
        share.next_multiple_of(WORD).min(self.weights)
    }
}
