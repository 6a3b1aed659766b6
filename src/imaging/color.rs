//! The words of a card for colours and for the order of a tensor's axes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The channels of a picture, in order (`input_color_format`, `color_format`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ColorFormat {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
    /// Red, green, blue, opacity.
    Rgba,
    /// Blue, green, red, opacity.
    Bgra,
    /// Brightness.
    Gray,
}

impl ColorFormat {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Rgb, Self::Bgr, Self::Rgba, Self::Bgra, Self::Gray];

    /// The word of the SDK.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rgb => "RGB",
            Self::Bgr => "BGR",
            Self::Rgba => "RGBA",
            Self::Bgra => "BGRA",
            Self::Gray => "GRAY",
        }
    }

    /// How many channels.
    #[must_use]
    pub const fn channels(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::Rgb | Self::Bgr => 3,
            Self::Rgba | Self::Bgra => 4,
        }
    }

    /// Whether the first channel is blue.
    #[must_use]
    pub(super) const fn blue_first(self) -> bool {
        matches!(self, Self::Bgr | Self::Bgra)
    }
}

/// The order of the axes of a model's input (`input_tensor_layout`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Layout {
    /// Batch, channels, height, width.
    Nchw,
    /// Batch, height, width, channels.
    Nhwc,
    /// Channels, height, width, batch.
    Chwn,
}

impl Layout {
    /// Every layout.
    pub const ALL: [Self; 3] = [Self::Nchw, Self::Nhwc, Self::Chwn];

    /// The word of the SDK.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nchw => "NCHW",
            Self::Nhwc => "NHWC",
            Self::Chwn => "CHWN",
        }
    }

    /// A shape in this layout as batch, channels, height, width.
    #[must_use]
    pub const fn to_nchw(self, shape: [usize; 4]) -> [usize; 4] {
        let [a, b, c, d] = shape;
        match self {
            Self::Nchw => shape,
            Self::Nhwc => [a, d, b, c],
            Self::Chwn => [d, a, b, c],
        }
    }

    /// Batch, channels, height, width as a shape in this layout.
    #[must_use]
    pub const fn from_nchw(self, shape: [usize; 4]) -> [usize; 4] {
        let [n, c, h, w] = shape;
        match self {
            Self::Nchw => shape,
            Self::Nhwc => [n, h, w, c],
            Self::Chwn => [c, h, w, n],
        }
    }
}

/// A word that names no colour format or layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{found}`; expected one of {expected}")]
pub struct UnknownWord {
    /// What was to be named.
    pub what: &'static str,
    /// The word.
    pub found: String,
    /// The words that exist.
    pub expected: String,
}

fn unknown(what: &'static str, found: &str, words: &[&str]) -> UnknownWord {
    let ticked: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    UnknownWord { what, found: found.to_owned(), expected: ticked.join(", ") }
}

impl FromStr for ColorFormat {
    type Err = UnknownWord;

    /// Reads the SDK's words; upper and lower case are the same, as in the SDK.
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL.into_iter().find(|format| format.word().eq_ignore_ascii_case(text));
        found.ok_or_else(|| unknown("color format", text, &Self::ALL.map(Self::word)))
    }
}

impl FromStr for Layout {
    type Err = UnknownWord;

    /// Reads the SDK's words; upper and lower case are the same.
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL.into_iter().find(|layout| layout.word().eq_ignore_ascii_case(text));
        found.ok_or_else(|| unknown("layout", text, &Self::ALL.map(Self::word)))
    }
}

impl fmt::Display for ColorFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_sdk() {
        for format in ColorFormat::ALL {
            assert_eq!(format.word().parse(), Ok(format));
            assert_eq!(serde_json::to_string(&format).expect("JSON"), format!("\"{format}\""));
        }
        for layout in Layout::ALL {
            assert_eq!(layout.word().to_lowercase().parse(), Ok(layout));
            assert_eq!(serde_json::to_string(&layout).expect("JSON"), format!("\"{layout}\""));
            assert_eq!(layout.from_nchw(layout.to_nchw([2, 3, 4, 5])), [2, 3, 4, 5], "{layout}");
        }
        let error = "RBG".parse::<ColorFormat>().expect_err("no such format").to_string();
        assert_eq!(error, "unknown color format `RBG`; expected one of `RGB`, `BGR`, `RGBA`, `BGRA`, `GRAY`");
    }
}
