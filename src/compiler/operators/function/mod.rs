//! Functions of one element (ONNX Relu, Clip, Sigmoid and their like).

mod float;
mod import;
pub mod integer;

pub use float::Function;
pub(crate) use import::absolute;
pub(crate) use import::clip;
pub(crate) use import::elu;
pub(crate) use import::error_function;
pub(crate) use import::exponential;
pub(crate) use import::hard_sigmoid;
pub(crate) use import::hard_swish;
pub(crate) use import::leaky_relu;
pub(crate) use import::logarithm;
pub(crate) use import::maximum;
pub(crate) use import::minimum;
pub(crate) use import::negate;
pub(crate) use import::parametric_relu;
pub(crate) use import::relu;
pub(crate) use import::selu;
pub(crate) use import::sigmoid;
pub(crate) use import::softplus;
pub(crate) use import::softsign;
pub(crate) use import::square_root;
pub(crate) use import::tanh;
