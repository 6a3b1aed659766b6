//! What was made before, addressed by content: blobs, the journal of results, and what one build root holds.
//!
//! The formats are described in `docs/design/store.md`. Three kinds of facts lie apart, because losing them costs
//! different things: the journal and the blobs (losing them costs work), the state of a build root (losing it costs
//! knowing which files are left-overs), and the stat index (losing it costs reading files again and nothing else).

mod blobs;
mod care;
mod error;
mod folder;
mod fresh;
mod home;
mod journal;
mod lock;
mod reader;
mod record;
mod state;
mod stats;
mod sweep;
mod table;

pub use blobs::Blobs;
pub use care::{Amount, Collected, Limits, Usage, Verified};
pub use error::StoreError;
pub use folder::{Disk, Store};
pub use fresh::{Basis, FreshCard, FreshCards, FreshStep, Variables, encode_fresh};
pub use journal::Entry;
pub use lock::Holder;
pub use record::{Difference, KeyRecord, Output, SCHEMA};
pub use state::{Slot, SlotName};
pub use stats::{Seen, Since, StatIndex, since};
