//! The preprocess operators as data: what a card says, every default filled in.

use serde::{Deserialize, Serialize};

use super::ColorFormat;

/// The longest side of a picture, in pixels.
pub const SIDE_LIMIT: usize = 16_384;

/// How `resize` takes a pixel from its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// The nearest pixel.
    Nearest,
    /// Triangle filter, the default.
    Bilinear,
    /// Catmull-Rom cubic.
    Bicubic,
    /// Lanczos, three lobes.
    Lanczos,
}

impl Interpolation {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Nearest, Self::Bilinear, Self::Bicubic, Self::Lanczos];

    /// The word of the SDK.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
            Self::Lanczos => "lanczos",
        }
    }
}

/// What `resize` makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResizeTarget {
    /// The smaller side becomes this long, in pixels; the other keeps the aspect.
    SmallerSide(usize),
    /// Exactly this many pixels.
    Exactly {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
}

/// A conversion that `convert-color` knows (`format`, in OpenCV's words).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Conversion {
    /// Red and blue change places.
    #[serde(rename = "RGB2BGR")]
    RgbToBgr,
    /// Red and blue change places.
    #[serde(rename = "BGR2RGB")]
    BgrToRgb,
    /// Brightness of red, green, blue.
    #[serde(rename = "RGB2GRAY")]
    RgbToGray,
    /// Brightness of blue, green, red.
    #[serde(rename = "BGR2GRAY")]
    BgrToGray,
    /// Brightness three times.
    #[serde(rename = "GRAY2RGB")]
    GrayToRgb,
    /// Brightness three times.
    #[serde(rename = "GRAY2BGR")]
    GrayToBgr,
}

impl Conversion {
    /// Every conversion.
    pub const ALL: [Self; 6] =
        [Self::RgbToBgr, Self::BgrToRgb, Self::RgbToGray, Self::BgrToGray, Self::GrayToRgb, Self::GrayToBgr];

    /// The word of the SDK.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::RgbToBgr => "RGB2BGR",
            Self::BgrToRgb => "BGR2RGB",
            Self::RgbToGray => "RGB2GRAY",
            Self::BgrToGray => "BGR2GRAY",
            Self::GrayToRgb => "GRAY2RGB",
            Self::GrayToBgr => "GRAY2BGR",
        }
    }

    /// The channels it expects.
    #[must_use]
    pub const fn from(self) -> ColorFormat {
        match self {
            Self::RgbToBgr | Self::RgbToGray => ColorFormat::Rgb,
            Self::BgrToRgb | Self::BgrToGray => ColorFormat::Bgr,
            Self::GrayToRgb | Self::GrayToBgr => ColorFormat::Gray,
        }
    }

    /// The channels it makes.
    #[must_use]
    pub const fn to(self) -> ColorFormat {
        match self {
            Self::BgrToRgb | Self::GrayToRgb => ColorFormat::Rgb,
            Self::RgbToBgr | Self::GrayToBgr => ColorFormat::Bgr,
            Self::RgbToGray | Self::BgrToGray => ColorFormat::Gray,
        }
    }
}

/// One operator of a preprocess list. Lists of values hold one value for all channels or one a channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PreprocessOperator {
    /// Scales the picture, as torchvision's `resize` does with Pillow (antialiased).
    #[serde(rename = "resize")]
    Resize {
        /// To which size.
        target: ResizeTarget,
        /// With which filter.
        interpolation: Interpolation,
        /// As OpenCV's `resize` does: two by two neighbours and no antialiasing.
        half_pixel_centers: bool,
        /// The colours that the card says arrive here (`input_color_format`); others are an error.
        input_color: Option<ColorFormat>,
    },
    /// Cuts out the middle, as torchvision's `center_crop`; a picture that is too small is padded with 0 first.
    #[serde(rename = "centercrop")]
    CenterCrop {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// Scales the picture into a frame, aspect kept and centred, and pads the rest.
    #[serde(rename = "letterbox")]
    Letterbox {
        /// Width of the frame in pixels.
        width: usize,
        /// Height of the frame in pixels.
        height: usize,
        /// Whether a picture smaller than the frame is enlarged.
        scaleup: bool,
        /// As OpenCV's `resize` does: two by two neighbours and no antialiasing.
        half_pixel_centers: bool,
        /// The padding, in every channel.
        pad_val: u8,
    },
    /// From pixels to numbers, as torchvision's `ToTensor`.
    #[serde(rename = "torch-totensor")]
    TorchToTensor {
        /// Whether 0 to 255 becomes 0 to 1.
        scale: bool,
    },
    /// (x − mean) / std, as torchvision's `normalize`.
    #[serde(rename = "normalize")]
    Normalize {
        /// Subtracted.
        mean: Vec<f32>,
        /// Divided by; never 0.
        std: Vec<f32>,
    },
    /// x / mean + shift. That is what the SDK computes, although "mean" says otherwise.
    #[serde(rename = "linear-scaling")]
    LinearScaling {
        /// Divided by; never 0.
        mean: Vec<f32>,
        /// Added.
        shift: Vec<f32>,
    },
    /// Changes the channels.
    #[serde(rename = "convert-color")]
    ConvertColor {
        /// From what to what.
        format: Conversion,
    },
}

impl PreprocessOperator {
    /// The operators there are, in the SDK's words.
    pub const NAMES: &[&str] =
        &["resize", "centercrop", "letterbox", "torch-totensor", "normalize", "linear-scaling", "convert-color"];

    /// The operator's name, in the SDK's words.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Resize { .. } => "resize",
            Self::CenterCrop { .. } => "centercrop",
            Self::Letterbox { .. } => "letterbox",
            Self::TorchToTensor { .. } => "torch-totensor",
            Self::Normalize { .. } => "normalize",
            Self::LinearScaling { .. } => "linear-scaling",
            Self::ConvertColor { .. } => "convert-color",
        }
    }
}
