//! Pooling over windows and over whole planes (ONNX `MaxPool`, `AveragePool`, `GlobalMaxPool`, `GlobalAveragePool`, and the
//! reductions that are pooling).

mod float;
mod import;
pub mod integer;
mod reduction;

pub use float::Pool;
pub use float::PoolKind;
pub(crate) use float::export_global;
pub use float::global_output_shape;
pub(crate) use import::average_pool;
pub(crate) use import::global_average_pool;
pub(crate) use import::global_max_pool;
pub(crate) use import::max_pool;
pub(crate) use reduction::reduce_max;
pub(crate) use reduction::reduce_mean;
pub(crate) use reduction::reduce_sum;
