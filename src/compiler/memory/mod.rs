//! The memory plan: how operators are divided into tiles, and which buffer lies in which memory of the device, where, and
//! from when to when (docs/design/memory-plan.md).

mod depth;
mod document;
mod help;
mod lifetime;
mod options;
mod packing;
mod plan;
mod planner;
mod pool;
mod promotion;
mod tiling;
mod workspace;

pub use depth::DepthOptions;
pub use lifetime::{Lifetime, lifetimes, traffic};
pub use options::MemoryOptions;
pub use packing::{Packing, Request, largest_live_set, pack};
pub use plan::{Buffer, Kind, MemoryPlan, Placement, PoolUse};
pub use planner::plan;
pub use pool::{Budget, Pool};
pub use tiling::{TileBuffer, Tiling, TilingOptions};
pub use workspace::{CodeBuffer, CodeKind, CodePlan, READ_BEYOND};

#[cfg(test)]
pub(crate) mod tests;
