//! The operators of the graph: one family is one folder, with its attributes, shape rule, import, export and integer
//! form together. An ONNX operator that means the same as another is imported as that one (Flatten, Squeeze and
//! Unsqueeze are reshapes; Dropout and Identity are nothing).
//!
//! In each folder `float.rs` holds the attributes, the shape rule and the export, `import.rs` the reading of every ONNX
//! operator of the family at opsets 7 to 18. `table.rs` is the list of all that are read.

pub mod arithmetic;
pub mod convolution;
pub mod dense;
pub mod function;
pub mod movement;
pub mod normalization;
mod operator;
pub(crate) mod padded;
pub mod pooling;
pub mod resize;
pub mod softmax;
mod table;
pub mod transposed;
pub mod window;

pub use arithmetic::Arithmetic;
pub use convolution::Convolution;
pub use function::Function;
pub use movement::Extension;
pub use movement::Slice;
pub use operator::Operator;
pub use pooling::Pool;
pub use pooling::PoolKind;
pub use resize::Coordinates;
pub use resize::Resize;
pub use resize::ResizeMode;
pub(crate) use table::importer;
pub use transposed::TransposedConvolution;
