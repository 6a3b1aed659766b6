//! How reading or preparing a picture fails.

use super::ColorFormat;

/// A failure of this room. Messages name no file: who read the bytes knows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImagingError {
    /// The bytes are of no kind that is read.
    #[error("unknown image format; expected JPEG, PNG, BMP or WebP")]
    UnknownFormat,
    /// The bytes are damaged, cut short, or use a feature that is not read.
    #[error("the image cannot be decoded: {0}")]
    Undecodable(String),
    /// The picture, or what an operator would make of it, is too large.
    #[error("{what} would be {width}x{height} pixels; at most {limit}x{limit} and 512 MB are handled")]
    TooLarge {
        /// What is too large: the image, or the result of an operator.
        what: &'static str,
        /// Its width in pixels.
        width: usize,
        /// Its height in pixels.
        height: usize,
        /// The limit of each side.
        limit: usize,
    },
    /// A picture's pixels are not as many as its size says.
    #[error("a picture of {width}x{height} {color} has {expected} bytes, found {found}")]
    WrongSize {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Its channels.
        color: ColorFormat,
        /// Bytes that makes.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// An operator on pixels stands after `torch-totensor`.
    #[error("`{operator}` works on pixels, so it must stand before `torch-totensor`")]
    AfterTensor {
        /// The operator.
        operator: &'static str,
    },
    /// An operator on numbers stands before `torch-totensor`, or there is none.
    #[error("`{operator}` works on a tensor, so it must stand after `torch-totensor`")]
    BeforeTensor {
        /// The operator.
        operator: &'static str,
    },
    /// The list of operators makes no tensor.
    #[error("the preprocess ends with a picture, not a tensor; expected a `torch-totensor`")]
    NoTensor,
    /// An operator sees other colours than it names.
    #[error("`{operator}` expects {expected} colors, found {found}")]
    WrongColor {
        /// The operator.
        operator: &'static str,
        /// The colours it names.
        expected: ColorFormat,
        /// The colours at its place.
        found: ColorFormat,
    },
    /// An operator has one value a channel, and the picture has another number of channels.
    #[error("`{operator}` has {expected} values for {found} channels")]
    WrongChannels {
        /// The operator.
        operator: &'static str,
        /// Values it gives.
        expected: usize,
        /// Channels there are.
        found: usize,
    },
    /// What comes out is not the model's input.
    #[error("the preprocess makes a tensor of shape {found:?}, but the model's input has shape {expected:?}")]
    WrongShape {
        /// The model's input shape, in its layout.
        expected: [usize; 4],
        /// The shape of the result, in the same layout.
        found: [usize; 4],
    },
}

impl ImagingError {
    /// What to do, for the errors that have a usual cure.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoTensor => Some("add `- torch-totensor:` after the operators that work on pixels"),
            Self::WrongColor { .. } => Some("change `color_format` of the task's input, or add a `convert-color`"),
            Self::WrongShape { .. } => Some(
                "check width and height of the preprocess operators and `input_tensor_shape`, `input_tensor_layout` and \
                 `input_color_format` of the model",
            ),
            _ => None,
        }
    }
}
