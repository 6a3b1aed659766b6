//! A quantized graph as C code that needs nothing but `stdint.h`, and its constants as that code reads them
//! (`docs/design/emitted-code.md`).
//!
//! `fusion.rs` finds what is a table of one other value, `flow.rs` turns nodes into calls (`layers.rs`, `elements.rs`, `moves.rs`)
//! and keeps track of the order in which axes lie in memory (`order.rs`), `packing.rs` lays weights out, `workspace.rs` plans
//! the work space, `source.rs` writes the file. The kernels are the C files in `kernels/`, of which a file gets those it uses.

pub(in crate::compiler) mod constants;
mod elements;
mod flow;
mod fusion;
mod layers;
mod moves;
mod order;
mod packing;
mod source;
mod step;
#[cfg(test)]
mod tests;
mod workspace;

use std::collections::BTreeMap;

use crate::base::CancelToken;
use crate::compiler::emit::constants::Pool;
use crate::compiler::emit::constants::Span;
use crate::compiler::emit::flow::Flow;
pub(in crate::compiler) use crate::compiler::emit::packing::Packing;
use crate::compiler::emit::workspace::Workspace;
use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::memory::CodePlan;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::TensorId;

/// The code of a graph, and where its constants lie.
#[derive(Debug)]
pub(in crate::compiler) struct Emitted {
    /// Its workspace.
    pub(in crate::compiler) workspace: CodePlan,
    /// The file.
    pub(in crate::compiler) source: String,
    /// The packed weights of each node that has some.
    pub(in crate::compiler) weights: Vec<Vec<Span>>,
    /// Constant operands, as they are in the graph.
    pub(in crate::compiler) constants: BTreeMap<TensorId, Span>,
}

/// Writes a verified graph as C; its constants go into the pool. Fails, naming the node, where the code could not count what
/// there is: values of 2³¹ elements, more than 8 axes that cannot be joined.
pub(in crate::compiler) fn emit(
    graph: &QuantizedGraph,
    pool: &mut Pool,
    cancel: &CancelToken,
) -> Result<Emitted, StageError> {
    let flow = Flow::of(graph, pool, cancel).map_err(|(node, message)| {
        let error = StageError::new(Status::LowerTirError, message);
        match node {
            Some(node) => error.node(node),
            None => error,
        }
    })?;
    let workspace = Workspace::of(&flow, source::identifier(&graph.name), cancel);
    StageError::if_stopped(cancel)?;
    let constants = flow.pool.bytes();
    let source = source::source(&flow, &workspace, constants);
    Ok(Emitted { workspace: workspace.plan, source, weights: flow.weights, constants: flow.constants })
}
