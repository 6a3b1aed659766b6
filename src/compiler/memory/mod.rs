//! The memory plan: which buffer lies in which memory of the device, where, and from when to when
//! (docs/design/memory-plan.md).

mod layout;
mod packing;
mod plan;
mod pool;

pub use layout::{InputLayout, WORD, channels_last, input_pads, tensor_bytes};
pub use packing::{Packing, Request, largest_live_set, pack};
pub use plan::{MemoryPlan, Placement, plan};
pub use pool::{Budget, Pool};
