//! Clean: ONNX in, the cleaned float graph out as standard ONNX.

use crate::base::fs;
use crate::compiler::StageError;
use crate::compiler::Status;
use crate::compiler::clean as passes;
use crate::compiler::onnx;
use crate::plan::CleanSettings;
use crate::toolchains::{Work, WorkError};

/// Reads `model/model.onnx` and the files beside it, writes `model.onnx` and `clean.json` (which rewrites applied).
pub(super) fn clean(work: &Work<'_>, settings: &CleanSettings) -> Result<(), WorkError> {
    let model = work.input("model/model.onnx")?;
    (work.progress)("import", 0, 2);
    let bytes = fs::read_limited(model, onnx::OnnxFile::LENGTH_LIMIT)?;
    let external = ExternalInputs { work };
    let options = onnx::ImportOptions { input_shapes: vec![settings.input_shape.clone()] };
    let graph = onnx::import(&bytes, &external, &options)?;
    if graph.inputs.len() != 1 {
        let names: Vec<String> = graph.inputs.iter().map(|input| format!("`{}`", graph.value(*input).name)).collect();
        let message = format!("the model has {} inputs ({}); a card describes one", names.len(), names.join(", "));
        return Err(StageError::new(Status::OnnxGraphCleanerError, message).into());
    }
    (work.progress)("clean", 1, 2);
    let (graph, report) = passes::clean(graph)?;
    fs::write(&work.output.join("model.onnx"), &onnx::export(&graph))?;
    let applied: Vec<_> = report.applied.iter().map(|(name, times)| serde_json::json!([name, times])).collect();
    let report = serde_json::json!({ "applied": applied, "nodes": graph.nodes.len() });
    fs::write(&work.output.join("clean.json"), format!("{report:#}\n").as_bytes())?;
    Ok(())
}

/// Tensors that lie in files beside the ONNX file: only those that were declared as inputs.
struct ExternalInputs<'a, 'b> {
    work: &'a Work<'b>,
}

impl onnx::ExternalData for ExternalInputs<'_, '_> {
    fn read(&self, location: &str, offset: u64, length: u64) -> Result<Vec<u8>, String> {
        let path = self
            .work
            .input(&format!("model/{location}"))
            .map_err(|_| format!("the file `{location}` that holds its data is not beside the weights"))?;
        // The store's name of the file means nothing to a user.
        fs::read_range(path, offset, length).map_err(|error| error.shown_as(location).to_string())
    }
}
