//! ONNX files: reading them into a [`crate::compiler::graph::Graph`] with known shapes, and writing one back as standard ONNX.
//!
//! [`import`] decodes, refuses what is not supported (all of it in one message), orders the nodes, folds what does not
//! depend on the network's inputs and gives every value its shape. [`export`] writes opset 17 that any runtime reads.
//! [`OnnxFile`] looks at a file without compiling it, large weights left on disk, and tells of every node what import makes of it.

mod builder;
pub(crate) mod constants;
mod export;
mod external;
mod file;
mod fold;
#[cfg(test)]
mod hostile;
mod import;
mod locations;
mod names;
mod node;
mod order;
pub mod proto;
#[cfg(test)]
pub(crate) mod sample;
mod skim;
mod survey;
mod tensors;
#[cfg(test)]
mod tests;

pub(crate) use builder::Builder;
pub(crate) use builder::RANK_LIMIT;
pub use export::ExportedNode;
pub use export::Writer;
pub use export::export;
pub use export::export_proto;
pub use external::Beside;
pub use external::ExternalData;
pub use external::NoExternalData;
pub use external::not_given;
pub use file::DeclaredInput;
pub use file::OnnxFile;
pub use import::ImportOptions;
pub use import::describe as shape_text;
pub use import::import;
pub use locations::external_locations;
pub(crate) use names::Names;
pub(crate) use node::Importer;
pub(crate) use node::OnnxNode;
pub(crate) use node::Refusal;
pub use survey::{Operand, Role, Survey, SurveyedNode};
