//! What the AIPU itself can run: the vendor's published constraints as one table, and where that leaves each node of a
//! network: in the core, on the host before or after it, or refused in the middle.
//!
//! `table.rs` is the data; from it come the judgement and `docs/aipu.md`. `constraint.rs` says what each kind of
//! constraint means, `placement.rs` which nodes form the core, `attention.rs` where attention blocks are. Nodes are
//! judged as the file has them ([`crate::compiler::onnx::Survey`]), since the constraints are on ONNX attributes.

mod attention;
mod constraint;
mod document;
mod geometry;
mod placement;
mod resampling;
mod table;
#[cfg(test)]
mod tests;

pub use constraint::{Constraint, Surroundings, Verdict};
pub use document::document;
pub(crate) use placement::place_but;
pub use placement::{Fault, Place, Placement, place};
pub use table::{CONVERTED_OPSETS, OPSETS, Row, row, rows};
