//! The schedule and what it is estimated to take: cycles of each node, transfers between the memories, throughput
//! (docs/design/cost-model.md). Nodes run one after another in the graph's order, as the memory plan has them.
//!
//! No figure here is measured on a device; every result says that it is an estimate.

mod estimate;
mod report;

pub use estimate::{Estimate, NodeEstimate, Run, ScheduleOptions, estimate};
pub use report::{IgnoredProperty, report};

#[cfg(test)]
mod tests;
