//! Resampling of H and W (ONNX Resize, Upsample).

mod float;
mod import;
pub mod integer;

pub use float::Coordinates;
pub use float::Resize;
pub use float::ResizeMode;
pub(crate) use import::resize;
pub(crate) use import::upsample;
