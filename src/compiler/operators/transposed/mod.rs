//! Transposed convolution over H and W (ONNX `ConvTranspose`): each input element adds the kernel, times itself, to the
//! output around its place.

mod float;
mod import;
pub mod integer;

pub use float::TransposedConvolution;
pub use float::by_input_channel;
pub use float::by_output_channel;
pub(crate) use import::conv_transpose;
