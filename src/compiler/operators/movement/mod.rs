//! Operators that move elements and compute none: reshape, transpose, slice, pad, concat (and what ONNX writes with
//! others: Flatten, Squeeze, Unsqueeze, Split, Gather of one place, `DepthToSpace`).

mod extension;
mod float;
mod import;
pub mod integer;
mod part;
mod reshape;
#[cfg(test)]
mod tests;

pub use extension::Continuation;
pub use extension::Extension;
pub(crate) use float::axes;
pub(crate) use float::axis;
pub use float::check_reshape;
pub(crate) use float::export_concat;
pub(crate) use float::export_pad;
pub(crate) use float::export_reshape;
pub(crate) use float::export_transpose;
pub use float::joined_shape;
pub use float::padded_shape;
pub use float::transposed_shape;
pub(crate) use import::concat;
pub(crate) use import::depth_to_space;
pub(crate) use import::pad;
pub(crate) use import::space_to_depth;
pub(crate) use import::transpose;
pub use part::Slice;
pub(crate) use part::crop;
pub(crate) use part::gather;
pub(crate) use part::slice;
pub(crate) use part::split;
pub(crate) use reshape::expand;
pub(crate) use reshape::flatten;
pub(crate) use reshape::reshape;
pub(crate) use reshape::squeeze;
pub(crate) use reshape::unsqueeze;
