//! Lowering: the quantized graph as the files that a runtime opens, and those files executed again.
//!
//! - `manifest.json`: shapes, paddings and encodings of inputs and outputs, and the names of the other files,
//! - `model.json`: the pipeline around the program (quantize, program, dequantize; the host's graphs where there are some),
//! - `program.json`: the steps, with places in the constants instead of weights,
//! - `kernel_function.c`: the same as C code (`emit`),
//! - `pool_l2_const.bin`: weights, scales, biases and tables, laid out for the C code,
//! - `memory_plan.json`: where every buffer lies (`memory`),
//! - `report.json`: rewrites, estimated cycles and what was ignored (`schedule`).

mod agreement;
mod load;
mod manifest;
mod model;
mod options;
mod pipeline;
mod preview;
mod program;
mod quantized;
mod run;

pub use load::{Program, load_program};
pub use manifest::Manifest;
pub use model::{CompiledModel, ModelPort};
pub use options::{LowerOptions, Without};
pub use preview::preview;
pub use quantized::{Beside, QuantizedFiles, QuantizedNames, load_quantized};
pub use run::{Compiled, HostGraph, HostGraphs, lower, lower_with_host};

#[cfg(test)]
pub(in crate::compiler) mod tests;
