//! The float graph with known shapes: what import produces, cleaning rewrites and the quantizer reads.

#[expect(clippy::module_inception, reason = "the noun of this room is its main type")]
mod graph;
mod tensor;
mod text;

pub use graph::{Graph, Inconsistent, Node, NodeId, Value, ValueId};
pub use tensor::{Data, DataType, ELEMENT_LIMIT, Tensor, broadcast_strides, element_count, strides};
