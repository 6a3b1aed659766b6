//! Pooling over windows and over whole planes (ONNX `MaxPool`, `AveragePool`, `GlobalMaxPool`, `GlobalAveragePool`, `ReduceMean`).

mod float;
mod import;
pub mod integer;

pub use float::Pool;
pub use float::PoolKind;
pub(crate) use float::export_global;
pub use float::global_output_shape;
pub(crate) use import::average_pool;
pub(crate) use import::global_average_pool;
pub(crate) use import::global_max_pool;
pub(crate) use import::max_pool;
pub(crate) use import::reduce_max;
pub(crate) use import::reduce_mean;
