//! The integer reference: executes a quantized graph with nothing but the int8 contract's arithmetic. What emitted code
//! computes must equal it, bit for bit.

mod executor;
mod kernel;
mod stepper;

pub use executor::{Buffers, Executor};
pub use stepper::Stepper;

use crate::compiler::error::StageError;
use crate::compiler::quantize::QuantizedGraph;

/// Runs a network once: float inputs quantized, integer operators, outputs dequantized. For many runs make an
/// [`Executor`] and keep it.
pub fn run(graph: &QuantizedGraph, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>, StageError> {
    Executor::new(graph)?.run(inputs)
}

/// Runs a network once: float inputs quantized, the int8 outputs as they are.
pub fn run_int8(graph: &QuantizedGraph, inputs: &[&[f32]]) -> Result<Vec<Vec<i8>>, StageError> {
    let executor = Executor::new(graph)?;
    let quantized = executor.quantize_inputs(inputs)?;
    executor.run_int8(&quantized, &mut |_, _| ())
}
