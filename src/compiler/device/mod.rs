//! The device as the compiler models it: how tensors are stored, what a node reads, writes and computes, and how many
//! cycles that is taken to need (docs/design/cost-model.md). Every figure of time is an estimate.

mod describe;
mod layout;
mod rates;
mod work;

pub use layout::{InputLayout, Stored, WORD, channels_last, input_pads, stored, tensor_bytes};
pub(crate) use rates::MACS_PER_CYCLE;
pub use rates::{Rates, Transfers};
pub use work::{Access, Compute, Form, Tile, Work};

#[cfg(test)]
mod tests;
