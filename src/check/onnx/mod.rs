//! ONNX pre-flight: what the weights themselves say, where they are there. `file.rs` reads each file once, `input.rs` holds
//! the card's input against the model's, `operators.rs` tells what no compiler takes and what the host would have to do.

mod file;
mod input;
mod operators;
#[cfg(test)]
mod tests;

pub use file::{ModelToCheck, check_weights};
