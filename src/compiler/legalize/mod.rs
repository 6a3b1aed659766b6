//! Legalization: the quantized graph in the forms that the device has, with the same outputs to the bit
//! (docs/design/memory-plan.md, "Legalization"). A rewrite that could change a bit is not made.
//!
//! Filling channels up to words is no rewrite: it is how buffers are laid out (`device/layout.rs`), so that the integer
//! reference, the emitted program and the plan speak of the same tensors.

mod concat;
mod dense;
mod derived;
mod driver;
mod nothing;
mod rewrite;
mod tables;

pub use driver::{LegalizeOptions, Legalized, legalize};

#[cfg(test)]
pub(crate) mod tests;
