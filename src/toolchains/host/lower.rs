//! Lower: the quantized graph becomes a program.

use crate::base::fs;
use crate::compiler::lower as stage;
use crate::compiler::quantize::QuantizedGraph;
use crate::plan::HOST_GRAPHS;
use crate::plan::LowerSettings;
use crate::plan::QUANTIZED_MANIFEST;
use crate::toolchains::{Work, WorkError};

/// Reads `quantized/quantized_model.json`, the host's graphs and the manifest, where there are some; writes the files of the
/// compiled model.
pub(super) fn lower(work: &Work<'_>, settings: &LowerSettings) -> Result<(), WorkError> {
    let graph = QuantizedGraph::from_json(&fs::read(work.input("quantized/quantized_model.json")?)?)?;
    (work.progress)("lower", 0, 1);
    let options = stage::LowerOptions::of(&settings.config());
    let [before, after] = HOST_GRAPHS.map(|name| -> Result<_, WorkError> {
        let Some(path) = work.optional_input(name) else { return Ok(None) };
        Ok(Some(stage::HostGraph::of(name, fs::read(path)?)?))
    });
    let manifest: Option<stage::Manifest> = match work.optional_input(QUANTIZED_MANIFEST) {
        Some(path) => serde_json::from_slice(&fs::read(path)?).ok(),
        None => None,
    };
    let preprocess = manifest.and_then(|manifest| manifest.preprocess);
    let host = stage::HostGraphs { before: before?, after: after?, preprocess };
    let compiled = stage::lower_with_host(&graph, &host, &options, work.cancel)?;
    // What has no effect on any model was said before.
    for ignored in compiled.ignored.iter().skip(options.ignored.len()) {
        (work.log)(&format!(
            "`{}` = {} has no effect, or no more effect: {}",
            ignored.property, ignored.value, ignored.why
        ));
    }
    for (name, bytes) in &compiled.files {
        fs::write(&work.output.join(name), bytes)?;
    }
    Ok(())
}
