//! Dense layers: a matrix product with a constant (ONNX Gemm, `MatMul`).

mod float;
mod import;
pub mod integer;

pub(crate) use float::export;
pub use float::output_shape;
pub(crate) use import::gemm;
pub(crate) use import::mat_mul;
