//! Boards and devices.

use crate::base::Share;

/// A kind of board, which decides the share of one core and which block of a card applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Board {
    /// A card for a PCI Express slot, with four cores.
    #[default]
    Pcie,
    /// An M.2 module with four cores.
    M2,
    /// Europa with eight cores.
    Europa,
}

impl Board {
    /// Every board's word.
    pub const WORDS: &'static [&'static str] = &["pcie", "m2", "europa"];

    /// The word in flags, in `axzoo.toml` and in a card's `extra_kwargs`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pcie => "pcie",
            Self::M2 => "m2",
            Self::Europa => "europa",
        }
    }

    /// The board of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Pcie, Self::M2, Self::Europa].into_iter().find(|board| board.word() == word)
    }

    /// How many cores it has.
    #[must_use]
    pub const fn cores(self) -> u32 {
        match self {
            Self::Pcie | Self::M2 => 4,
            Self::Europa => 8,
        }
    }

    /// One core's share of the memory: 0.25, on Europa 0.125. Every `resources_used` is a multiple of it.
    #[must_use]
    pub const fn quantum(self) -> Share {
        Share::eighths(8 / self.cores())
    }

    /// Bytes of L1 of a core, of L2 and of DDR, as the vendor publishes them; nothing is published of Europa's.
    #[must_use]
    pub const fn memory(self) -> Option<[i64; 3]> {
        match self {
            Self::Pcie | Self::M2 => Some([4 << 20, 32 << 20, 1 << 30]),
            Self::Europa => None,
        }
    }

    /// The share of so many cores, at most the whole device.
    #[must_use]
    pub fn share_of(self, cores: u32) -> Share {
        self.quantum().times(cores).min(Share::WHOLE)
    }
}

impl std::fmt::Display for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// A device to build for: a board, and how many of its cores may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// The board.
    pub board: Board,
    /// Cores that may be used: at most the board's.
    pub cores: u32,
}

impl Device {
    /// The whole of a board.
    #[must_use]
    pub const fn whole(board: Board) -> Self {
        Self { board, cores: board.cores() }
    }
}

impl Default for Device {
    fn default() -> Self {
        Self::whole(Board::default())
    }
}
