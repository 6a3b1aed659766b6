//! The property table: one row per `CompilerConfig` property, from which come the typed struct, validation, the JSON
//! schema, `docs/config.md`, and what each property influences.
//!
//! Adding a property is adding a row to `table.rs`. Facts are those of the vendor's `CompilerConfig` reference; where
//! the vendor's documents disagree, SPEC 4 decides.

mod choices;
mod document;
mod field;
mod property;
mod schema;
mod table;
mod value;

pub use choices::{
    CompilerMode, ConstantsHome, DpuAllocationAlgorithm, GraphCleanerCondition, GraphCleanerNode, InstructionsHome,
    MemoryPool, MulticoreMode, ProfilingLevel, QuantizationScheme,
};
pub use document::document;
pub use property::{Group, HostSupport, Influence, Kind, Property, all, find, find_any, old_name_of};
pub use table::CompilerConfig;
pub use value::{Value, ValueError};

#[cfg(test)]
mod tests;
