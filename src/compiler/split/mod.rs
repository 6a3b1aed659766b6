//! The cleaned graph cut in three: the preamble runs on the host, the core on the AIPU, the postamble on the host behind it
//! (`docs/design/graph-split.md`).
//!
//! `cut.rs` decides on which side each node is, by the table of the AIPU and the graph cleaner's properties; `parts.rs` makes
//! a graph of each side; `host.rs` runs the host's sides round the core, for calibration and for measuring the network's own
//! outputs; `whole.rs` puts the quantized core and the host's graphs into one ONNX file.

mod cut;
mod host;
mod parts;
mod point;
#[cfg(test)]
mod tests;
mod whole;

pub use cut::{SplitOptions, accelerated, split};
pub use host::{HostParts, Measured};
pub use parts::Parts;
pub use point::{PointOperator, PointSize, SplitPoint, find_point};
pub use whole::{whole, without_io_quantization};
