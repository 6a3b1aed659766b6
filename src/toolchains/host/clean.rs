//! Clean: ONNX in, the cleaned float graph out as standard ONNX.

use std::io::Cursor;

use crate::base::fs;
use crate::compiler::StageError;
use crate::compiler::Status;
use crate::compiler::clean as passes;
use crate::compiler::onnx;
use crate::compiler::split;
use crate::plan::CleanSettings;
use crate::plan::HOST_GRAPHS;
use crate::properties::GraphCleanerCondition;
use crate::properties::GraphCleanerNode;
use crate::toolchains::{Work, WorkError};

/// Reads `model/model.onnx` and the files beside it; writes the core as `model.onnx`, what the host runs before and after it
/// as [`HOST_GRAPHS`], where there is something, and `clean.json` (which rewrites applied, what was cut off).
pub(super) fn clean(work: &Work<'_>, settings: &CleanSettings) -> Result<(), WorkError> {
    let model = work.input("model/model.onnx")?;
    (work.progress)("import", 0, 2);
    let bytes = fs::read_limited(model, onnx::OnnxFile::LENGTH_LIMIT)?;
    let external = ExternalInputs { work };
    let options = onnx::ImportOptions { input_shapes: vec![settings.input_shape.clone()] };
    let graph = onnx::import(&bytes, &external, &options)?;
    if graph.inputs.len() != 1 {
        let names: Vec<String> = graph.inputs.iter().map(|input| format!("`{}`", graph.value(*input).name)).collect();
        let message = match names.len() {
            0 => "the model has no input; expected one, the image".to_owned(),
            count => format!("the model has {count} inputs ({}); expected one, the image", names.join(", ")),
        };
        let hint = "give the others a value in the file (an initializer of the same name), or compile each part that has one input by itself";
        return Err(StageError::new(Status::OnnxGraphCleanerError, message).hint(hint).into());
    }
    (work.progress)("clean", 1, 2);
    let (graph, report) = passes::clean(graph)?;
    let nodes = graph.nodes.len();
    let parts = {
        let file = onnx::OnnxFile::skim(Cursor::new(&bytes), bytes.len() as u64)?;
        let survey = file.survey(&external, &options)?;
        let point = match split_point(settings) {
            Some(point) => split::find_point(&survey, &graph, &point)?,
            None => None,
        };
        let options = split::SplitOptions { cuts: settings.cuts(), point };
        split::split(graph, &split::accelerated(&survey), &options)?
    };
    drop(bytes);
    fs::write(&work.output.join("model.onnx"), &onnx::export(&parts.core))?;
    let mut cut_off = serde_json::Map::new();
    for ((name, part), word) in
        HOST_GRAPHS.iter().zip([&parts.preamble, &parts.postamble]).zip(["preamble", "postamble"])
    {
        let Some(part) = part else { continue };
        fs::write(&work.output.join(name), &onnx::export(part))?;
        let names: Vec<&str> = part.nodes.iter().map(|node| node.name.as_str()).collect();
        cut_off.insert(word.to_owned(), serde_json::json!(names));
    }
    let applied: Vec<_> = report.applied.iter().map(|(name, times)| serde_json::json!([name, times])).collect();
    let mut report = serde_json::json!({ "applied": applied, "nodes": nodes });
    if let Some(entries) = report.as_object_mut().filter(|_| !cut_off.is_empty()) {
        entries.insert("host".to_owned(), cut_off.into());
    }
    fs::write(&work.output.join("clean.json"), format!("{report:#}\n").as_bytes())?;
    Ok(())
}

/// The split point that the properties describe: a node and a condition, or none.
fn split_point(settings: &CleanSettings) -> Option<split::SplitPoint> {
    let operator = match settings.point_node().filter(|_| settings.cuts())? {
        GraphCleanerNode::MatMul => split::PointOperator::MatMul,
        GraphCleanerNode::Gemm => split::PointOperator::Gemm,
        GraphCleanerNode::Clip => split::PointOperator::Clip,
    };
    let size = match settings.point_condition()? {
        GraphCleanerCondition::MaximumWeightTensorSize => split::PointSize::Elements,
        GraphCleanerCondition::MaximumWeightTensorFirstDimensionSize => split::PointSize::FirstDimension,
    };
    Some(split::SplitPoint { operator, size, threshold: settings.point_threshold() })
}

/// Tensors that lie in files beside the ONNX file: only those that were declared as inputs.
struct ExternalInputs<'a, 'b> {
    work: &'a Work<'b>,
}

impl onnx::ExternalData for ExternalInputs<'_, '_> {
    fn read(&self, location: &str, offset: u64, length: u64) -> Result<Vec<u8>, String> {
        let path = self.work.input(&format!("model/{location}")).map_err(|_| onnx::not_given(location))?;
        // The store's name of the file means nothing to a user.
        fs::read_range(path, offset, length).map_err(|error| error.shown_as(location).to_string())
    }
}
