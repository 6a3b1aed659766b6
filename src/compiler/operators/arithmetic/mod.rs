//! Element-wise operations of two inputs (ONNX Add, Sub, Mul, Div, and what can be written with them).

mod float;
mod import;
pub mod integer;

pub use float::Arithmetic;
pub(crate) use import::add;
pub(crate) use import::affine;
pub(crate) use import::divide;
pub(crate) use import::image_scaler;
pub(crate) use import::multiply;
pub(crate) use import::power;
pub(crate) use import::reciprocal;
pub(crate) use import::subtract;
pub(crate) use import::sum;
