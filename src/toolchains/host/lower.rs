//! Lower: the quantized graph becomes a program.

use crate::base::fs;
use crate::compiler::lower as stage;
use crate::compiler::quantize::QuantizedGraph;
use crate::plan::HOST_GRAPHS;
use crate::plan::LowerSettings;
use crate::toolchains::{Work, WorkError};

/// Reads `quantized/quantized_model.json` and the host's graphs, where there are some; writes the files of the compiled
/// model.
pub(super) fn lower(work: &Work<'_>, settings: &LowerSettings) -> Result<(), WorkError> {
    let graph = QuantizedGraph::from_json(&fs::read(work.input("quantized/quantized_model.json")?)?)?;
    (work.progress)("lower", 0, 1);
    let options = stage::LowerOptions::of(&settings.config());
    let [before, after] = HOST_GRAPHS.map(|name| -> Result<_, WorkError> {
        let Some(path) = work.optional_input(name) else { return Ok(None) };
        Ok(Some(stage::HostGraph::of(name, fs::read(path)?)?))
    });
    let host = stage::HostGraphs { before: before?, after: after? };
    let compiled = stage::lower_with_host(&graph, &host, &options)?;
    for (name, bytes) in &compiled.files {
        fs::write(&work.output.join(name), bytes)?;
    }
    Ok(())
}
