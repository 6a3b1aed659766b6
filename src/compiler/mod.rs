//! The embedded int8 compiler: ONNX in, a packed int8 program out. Knows no cards, plan or store.
//!
//! Stages are types and each stage is a function of the one before (ARCHITECTURE.md, "The embedded compiler"):
//! ONNX bytes → [`graph::Graph`] → cleaned graph → ranges → quantized graph → program → artifacts.

pub mod aipu;
pub mod calibrate;
pub mod clean;
pub mod device;
mod emit;
pub mod error;
pub mod graph;
pub mod legalize;
pub mod lower;
pub mod machine;
pub mod memory;
pub mod onnx;
pub mod operators;
pub mod quantize;
pub mod reference;
pub mod schedule;
pub mod split;

pub use error::{StageError, Status};
