//! Fetch: the weights, checked.

use crate::base::fs;
use crate::plan::Settings;
use crate::toolchains::{Work, WorkError};

/// What enters the key of a fetch step.
pub const FETCH_IDENTITY: &str = "axzoo/fetch/3";

/// Copies the weights (`weights`) and the files that hold their tensors (`external/NAME`) to the output folder as
/// `model.onnx` and `NAME`, after checking the card's md5 against the weights. Of a model that is quantized already
/// (`prequantized`) it takes the graphs that lowering reads.
pub fn fetch(work: &Work<'_>) -> Result<(), WorkError> {
    let Settings::Fetch(settings) = work.settings else { return Err(WorkError::WrongStep) };
    let prequantized = work.optional_input("prequantized");
    let weights = match prequantized {
        Some(file) => file,
        None => work.input("weights")?,
    };
    if let Some(expected) = &settings.md5 {
        let found = fs::md5(weights)?;
        if !found.eq_ignore_ascii_case(expected) {
            return Err(WorkError::Checksum { expected: expected.clone(), found });
        }
    }
    if let Some(file) = prequantized {
        return super::prequantized::take(work, file);
    }
    fs::copy_atomic(weights, &work.output.join("model.onnx"))?;
    for (name, path) in work.inputs_under("external/") {
        fs::copy_atomic(path, &work.output.join(name))?;
    }
    Ok(())
}
