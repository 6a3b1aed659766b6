//! Dense layers: a matrix product with a constant (ONNX Gemm, `MatMul`), and the product of two computed tensors.

mod float;
mod import;
pub mod integer;
pub mod product;

pub(crate) use float::export;
pub use float::output_shape;
pub(crate) use import::gemm;
pub(crate) use import::mat_mul;
pub(crate) use product::export_product;
pub use product::product_shape;
