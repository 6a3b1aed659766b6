//! Where a value comes from, and what it hides.

use std::fmt;

use crate::diag::Place;

/// One source of values, weakest first. A board's block stands where the general one stood, so `Board` has no strength of
/// its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayerKind {
    /// The documented defaults.
    Default,
    /// What `aipu_cores` and `max_compiler_cores` of the card imply.
    Cores,
    /// The file that `compiler_config_file` names.
    Toml,
    /// The card's `compilation_config`.
    Inline,
    /// The block of the chosen board.
    Board,
    /// `--set key=value`.
    Set,
    /// What a finished build was made with, read from its folder; only `config diff` has it.
    Build,
}

impl LayerKind {
    /// `default`, `cores`, `toml`, `inline`, `board`, `set` or `build`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Cores => "cores",
            Self::Toml => "toml",
            Self::Inline => "inline",
            Self::Board => "board",
            Self::Set => "set",
            Self::Build => "build",
        }
    }
}

/// Where a value was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Which layer.
    pub layer: LayerKind,
    /// The place in a file; for [`LayerKind::Set`] the command line's argument as a text; `None` for defaults and for what
    /// follows from a flag.
    pub place: Option<Place>,
}

impl Origin {
    /// The documented default.
    #[must_use]
    pub const fn default_value() -> Self {
        Self { layer: LayerKind::Default, place: None }
    }

    /// The file's name and the line, from 1; `None` for what stands in no file.
    #[must_use]
    pub fn file_and_line(&self) -> Option<(&str, usize)> {
        let place = self.place.as_ref().filter(|_| self.layer != LayerKind::Set)?;
        Some((place.source.name(), place.position().line))
    }
}

impl fmt::Display for Origin {
    /// `default`, `inline model_cards/a.yaml:12:9`, `set (--set tiling_depth=6)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.layer.word())?;
        match &self.place {
            None => Ok(()),
            Some(place) if self.layer == LayerKind::Set => write!(f, " (--set {})", place.source.text()),
            Some(place) => {
                let position = place.position();
                write!(f, " {}:{}:{}", place.source.name(), position.line, position.column)
            }
        }
    }
}

/// A value, where it comes from, and the values of weaker layers that it hides.
#[derive(Debug, Clone, PartialEq)]
pub struct Traced<T> {
    /// The value that holds.
    pub value: T,
    /// Where it was said.
    pub origin: Origin,
    /// What it hides, the nearest loser first; the default is the last.
    pub hides: Vec<(T, Origin)>,
}

impl<T> Traced<T> {
    /// A value that hides nothing.
    #[must_use]
    pub const fn new(value: T, origin: Origin) -> Self {
        Self { value, origin, hides: Vec::new() }
    }

    /// Puts a stronger value over this one.
    pub fn overlay(&mut self, value: T, origin: Origin) {
        let loser = (std::mem::replace(&mut self.value, value), std::mem::replace(&mut self.origin, origin));
        self.hides.insert(0, loser);
    }
}
