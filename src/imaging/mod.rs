//! Pictures and the preprocess operators of a card: as data, and executed.
//!
//! A card describes how a picture becomes a model's input as a list of operators ([`PreprocessOperator`]): first those
//! that work on pixels (resize, crop, letterbox, colours), then `torch-totensor`, then those that work on numbers.
//! [`Preprocess`] runs the list. Results are those of Pillow, torchvision and OpenCV, which the Voyager SDK calls, to
//! within one of 255 steps; `tools/make_preprocess_references.py` made the tensors that tests compare with.
//!
//! Which operators belong to a task (templates, substitution) is the cards' business; this room reads one operator's
//! arguments and knows nothing of cards.

mod arguments;
mod audit;
mod color;
mod decode;
mod error;
mod geometry;
mod operator;
mod parse;
mod picture;
mod planes;
mod preprocess;
mod resample;

pub use arguments::OperatorProblem;
pub use audit::{Audit, ChannelStatistics, Finding, Portrait};
pub use color::{ColorFormat, Layout, UnknownWord};
pub use decode::decode;
pub use error::ImagingError;
pub use operator::{Conversion, Interpolation, PreprocessOperator, ResizeTarget, SIDE_LIMIT};
pub use picture::Picture;
pub use preprocess::Preprocess;

#[cfg(test)]
mod tests;
