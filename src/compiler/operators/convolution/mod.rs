//! Convolution over H and W (ONNX Conv).

mod float;
mod import;
pub mod integer;

pub use float::Convolution;
pub(crate) use import::conv;
