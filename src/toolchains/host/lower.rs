//! Lower: the quantized graph becomes a program.

use crate::base::fs;
use crate::compiler::lower as stage;
use crate::compiler::quantize::QuantizedGraph;
use crate::plan::LowerSettings;
use crate::toolchains::{Work, WorkError};

/// Reads `quantized/quantized_model.json`; writes the files of the compiled model.
pub(super) fn lower(work: &Work<'_>, settings: &LowerSettings) -> Result<(), WorkError> {
    let graph = QuantizedGraph::from_json(&fs::read(work.input("quantized/quantized_model.json")?)?)?;
    (work.progress)("lower", 0, 1);
    let options = stage::LowerOptions { cores: settings.cores, resources: settings.resources() };
    let compiled = stage::lower(&graph, &options)?;
    for (name, bytes) in &compiled.files {
        fs::write(&work.output.join(name), bytes)?;
    }
    Ok(())
}
