//! What can be found wrong before anything is built, from the cards and the files that they name.
//!
//! Reading a card already finds what the card alone shows (`cards`). Here: pipelines with their templates, files and
//! checksums, variables, and the ONNX files themselves where they are there. Configs and cascades are checked in their own
//! rooms.

mod card;
mod files;
mod onnx;
#[cfg(test)]
mod tests;

pub use card::check_card;
pub use onnx::{ModelToCheck, check_weights};
