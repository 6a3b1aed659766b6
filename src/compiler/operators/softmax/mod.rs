//! Softmax over one axis (ONNX Softmax).

mod float;
mod import;
pub mod integer;

pub(crate) use float::export;
pub use float::output_shape;
pub(crate) use import::softmax;
