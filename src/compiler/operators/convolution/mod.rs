//! Convolution over H and W (ONNX Conv, and `FusedConv` of ONNX Runtime's optimizer).

mod float;
mod import;
pub mod integer;

pub use float::Convolution;
pub(crate) use import::conv;
pub(crate) use import::fused_conv;
