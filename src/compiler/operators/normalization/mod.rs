//! Batch normalization with constant statistics (ONNX `BatchNormalization`), and normalization of each plane by its own
//! statistics (ONNX `InstanceNormalization`, and `LayerNormalization` written with it).

mod float;
mod import;
pub mod integer;

pub(crate) use float::export;
pub(crate) use float::export_instance;
pub use float::instance_output_shape;
pub use float::output_shape;
pub(crate) use import::batch_normalization;
pub(crate) use import::instance_normalization;
pub(crate) use import::layer_normalization;
