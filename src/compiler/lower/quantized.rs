//! A quantized model from its files: the manifest and what it names, all of which must say the same.

use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::error::shortened;
use crate::compiler::lower::HostGraph;
use crate::compiler::lower::Manifest;
use crate::compiler::lower::agreement::check_host;
use crate::compiler::lower::agreement::told;
use crate::compiler::lower::manifest::SAID_HERE_ALONE;
use crate::compiler::quantize::QuantizedGraph;

/// The same model as standard ONNX, which lies beside the manifest and which lowering does not need.
const ONNX: &str = "quantized_model.onnx";

/// Names under which the files of a quantized model are known: the graph, and what the host runs before and after it.
#[derive(Debug, Clone, Copy)]
pub struct QuantizedNames<'a> {
    /// The quantized graph.
    pub graph: &'a str,
    /// The host's graphs.
    pub host: [&'a str; 2],
}

/// A file beside a manifest, or why it cannot be read; `None` where there is none.
pub type Beside = Option<Result<Vec<u8>, String>>;

/// A quantized model whose files agree, under the known names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantizedFiles {
    /// The manifest.
    pub manifest: Vec<u8>,
    /// The graph and the host's graphs: name and contents.
    pub files: Vec<(String, Vec<u8>)>,
    /// Whether the manifest has digests, so that changes would have been noticed.
    pub is_vouched: bool,
}

/// What is wrong in a file that axzoo wrote and that was changed since.
fn changed(message: String) -> StageError {
    let hint = "take the file back that was changed, or quantize the model again; to compile a graph that was changed on \
                purpose, remove the whole of `digests` from the manifest";
    StageError::new(Status::TvmFrontendError, message).hint(hint)
}

fn wrong(message: impl Into<String>) -> StageError {
    let hint = "name a `quantized_model_manifest.json` as it was written, with the files beside it";
    StageError::new(Status::TvmFrontendError, message).hint(hint)
}

/// Reads what a manifest (`name`, with its contents) names. `read` gives a file beside it, `None` where there is none. Without
/// digests the contents are checked alone.
///
/// # Errors
/// Every key of the manifest that the model does not bear out, or the first file that is missing, changed or unreadable.
pub fn load_quantized(
    name: &str,
    contents: &[u8],
    known: QuantizedNames<'_>,
    read: &mut dyn FnMut(&str) -> Beside,
) -> Result<QuantizedFiles, StageError> {
    let mut manifest: Manifest = serde_json::from_slice(contents)
        .map_err(|error| wrong(format!("`{}` cannot be read: {error}", shortened(name.to_owned()))))?;
    let Some(graph_file) = manifest.quantized_model_file.clone() else {
        return Err(wrong(format!("`{name}` names no quantized model")));
    };
    let is_vouched = !manifest.digests.is_empty();
    let named = [&manifest.preprocess_graph, &manifest.postprocess_graph];
    let named = named.map(|file| file.clone().filter(|file| !file.is_empty()));
    let needed: Vec<&str> = std::iter::once(&graph_file).chain(named.iter().flatten()).map(String::as_str).collect();
    if is_vouched {
        let needed: Vec<&str> = needed.iter().copied().chain(SAID_HERE_ALONE).collect();
        let gaps = manifest.digest_gaps(&needed, &[ONNX]);
        if !gaps.is_empty() {
            return Err(changed(told(name, &gaps)));
        }
        manifest.check_own(name).map_err(changed)?;
        if let Some(Ok(bytes)) = read(ONNX) {
            manifest.check_digest(ONNX, &bytes).map_err(changed)?;
        }
    }
    let mut take = |file: &str| -> Result<Vec<u8>, StageError> {
        let bytes = read(file).ok_or_else(|| wrong(format!("`{file}`, which `{name}` names, is not beside it")))?;
        let bytes = bytes.map_err(|message| wrong(format!("`{file}`: {message}")))?;
        manifest.check_digest(file, &bytes).map_err(changed)?;
        Ok(bytes)
    };
    let bytes = take(&graph_file)?;
    let graph = QuantizedGraph::from_json(&bytes)?;
    let mut files = vec![(known.graph.to_owned(), bytes)];
    let mut host = [None, None];
    for ((file, known), (key, place)) in
        named.iter().zip(known.host).zip([("preprocess_graph", 0), ("postprocess_graph", 1)])
    {
        if let Some(file) = file {
            let bytes = take(file)?;
            host[place] = Some(HostGraph::of(file, bytes.clone()).map_err(|error| {
                let message = format!("`{file}`: {error}");
                StageError { status: Status::TvmFrontendError, message, ..error }
            })?);
            files.push((known.to_owned(), bytes));
        } else if take(known).is_ok() {
            let message = format!("`{key}` of `{name}` is null, and `{known}` lies beside it");
            return Err(
                wrong(message).hint(format!("name it under `{key}`, or take it away if the model needs it not"))
            );
        }
    }
    let [before, after] = &host;
    // What is said here alone cannot be compared with anything.
    let expected =
        Manifest { random_calibration: manifest.random_calibration, ..Manifest::of_quantized(&graph, &graph_file) };
    let expected = expected
        .with_preprocess(manifest.preprocess.clone())
        .with_host(manifest.preprocess_graph.as_deref(), manifest.postprocess_graph.as_deref());
    let differences = manifest.differences(&expected);
    if !differences.is_empty() {
        let hint = "take the manifest back as it was written, or quantize the model again: encodings and shapes are those of \
                    the graph, and are not set here";
        return Err(wrong(told(name, &differences)).hint(hint));
    }
    check_host(&graph, before.as_ref(), after.as_ref())
        .map_err(|message| wrong(message).hint("quantize the model again"))?;
    let first = before.as_ref().map_or_else(
        || graph.inputs.first().map(|&id| graph.value(id).shape.clone()),
        |host| host.inputs.first().map(|(_, shape)| shape.clone()),
    );
    if let (Some(preprocess), Some(shape)) = (&manifest.preprocess, first.filter(|shape| shape.len() == 4))
        && preprocess.shape[..] != shape[..]
    {
        let message = format!("`preprocess.shape` of `{name}`: expected {shape:?}, found {:?}", preprocess.shape);
        return Err(wrong(message).hint("take the manifest back as it was written, or quantize the model again"));
    }
    let mut contents = contents.to_vec();
    if graph_file != known.graph
        || named.iter().zip(known.host).any(|(file, known)| file.as_ref().is_some_and(|it| it != known))
    {
        manifest.quantized_model_file = Some(known.graph.to_owned());
        let host = known.host.map(|known| files.iter().any(|(file, _)| file == known).then_some(known));
        let onnx = manifest.digests.get(ONNX).cloned();
        let mut renamed = manifest.with_host(host[0], host[1]);
        if is_vouched {
            renamed = renamed.with_digests(files.iter().map(|(file, bytes)| (file.as_str(), bytes.as_slice())));
            renamed.digests.extend(onnx.map(|digest| (ONNX.to_owned(), digest)));
            renamed = renamed.with_own_digests();
        }
        contents = renamed.to_json();
    }
    Ok(QuantizedFiles { manifest: contents, files, is_vouched })
}
