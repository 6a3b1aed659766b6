//! What a build would do, as data: steps that name their tool, settings and inputs, in a graph of ids.
//!
//! Nothing here touches a file or knows whether a step has to run; that is decided in `exec` with what `store` holds.

mod graph;
mod step;

pub use graph::{Graph, GraphError};
pub use step::{Input, Step, StepId, StepKind, StepSettings};
