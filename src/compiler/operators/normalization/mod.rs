//! Batch normalization with constant statistics (ONNX `BatchNormalization`).

mod float;
mod import;

pub(crate) use float::export;
pub use float::output_shape;
pub(crate) use import::batch_normalization;
