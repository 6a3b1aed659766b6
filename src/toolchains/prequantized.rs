//! Fetch of a model that is quantized already: its manifest with the files beside it, or a ZIP archive of all of them.

use std::io::Cursor;
use std::io::Read;
use std::path::Path;

use crate::base::fs;
use crate::compiler::StageError;
use crate::compiler::Status;
use crate::compiler::lower::Manifest;
use crate::plan::HOST_GRAPHS;
use crate::toolchains::{Work, WorkError};

/// What a manifest is called, in the order in which an archive is searched.
const MANIFESTS: [&str; 2] = ["quantized_model_manifest.json", "manifest.json"];

/// The most bytes that one file of an archive may have.
const LARGEST: u64 = 4 << 30;

/// What the quantized graph is called for lowering.
const GRAPH: &str = "quantized_model.json";

fn failed(message: impl Into<String>) -> WorkError {
    let hint = "name the `quantized_model_manifest.json` of a build, or a ZIP archive of its folder";
    StageError::new(Status::TvmFrontendError, message).hint(hint).into()
}

/// Writes the quantized graph and the host's graphs under the names that lowering reads; `file` is the manifest, with the
/// files that it names in the roles `beside/NAME`, or an archive.
pub(super) fn take(work: &Work<'_>, file: &Path) -> Result<(), WorkError> {
    let bytes = fs::read(file)?;
    if !bytes.starts_with(b"PK") {
        let read = |name: &str| Ok(fs::read(work.input(&format!("beside/{name}")).map_err(|_| missing(name))?)?);
        return write(work, &bytes, read);
    }
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes))
        .map_err(|error| failed(format!("the archive cannot be read: {error}")))?;
    let names: Vec<String> = archive.file_names().filter_map(|name| name.ok().map(Into::into)).collect();
    // The manifest that lies highest, alone or in a folder with what it names.
    let manifests = MANIFESTS.iter().flat_map(|wanted| {
        names.iter().filter(move |name| name.rsplit('/').next() == Some(*wanted)).map(String::as_str)
    });
    let manifest = manifests.min_by_key(|name| name.matches('/').count());
    let manifest = manifest.ok_or_else(|| failed(format!("the archive has no `{}`", MANIFESTS.join("` and no `"))))?;
    let folder = manifest.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let contents = entry(&mut archive, manifest)?;
    write(work, &contents, |name| entry(&mut archive, &format!("{folder}{name}")))
}

fn missing(name: &str) -> WorkError {
    failed(format!("`{name}`, which the manifest names, is not beside it"))
}

/// What lies beside the manifest is not what was quantized.
fn changed(name: &str) -> WorkError {
    let message = format!("`{name}` is not what the manifest says: it was changed after the model was quantized");
    let hint = "quantize the model again; to compile the file as it is, remove `digests` from the manifest";
    StageError::new(Status::TvmFrontendError, message).hint(hint).into()
}

fn entry(archive: &mut zip::ZipArchive<Cursor<Vec<u8>>>, name: &str) -> Result<Vec<u8>, WorkError> {
    let unreadable = |error: &dyn std::fmt::Display| failed(format!("`{name}` of the archive cannot be read: {error}"));
    let file = archive.by_name(name).map_err(|error| unreadable(&error))?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(unreadable(&format!("it has more than {LARGEST} bytes")));
    }
    Ok(bytes)
}

fn write(
    work: &Work<'_>,
    manifest: &[u8],
    mut read: impl FnMut(&str) -> Result<Vec<u8>, WorkError>,
) -> Result<(), WorkError> {
    fs::write(&work.output.join(MANIFESTS[0]), manifest)?;
    let manifest: Manifest =
        serde_json::from_slice(manifest).map_err(|error| failed(format!("the manifest cannot be read: {error}")))?;
    let mut take = |file: &str, name: &str| -> Result<(), WorkError> {
        let bytes = read(file)?;
        if !manifest.vouches(file, &bytes) {
            return Err(changed(file));
        }
        Ok(fs::write(&work.output.join(name), &bytes)?)
    };
    let graph = manifest.quantized_model_file.as_deref();
    take(graph.ok_or_else(|| failed("the manifest names no quantized model"))?, GRAPH)?;
    for (name, file) in HOST_GRAPHS.iter().zip([&manifest.preprocess_graph, &manifest.postprocess_graph]) {
        if let Some(file) = file.as_deref().filter(|file| !file.is_empty()) {
            take(file, name)?;
        }
    }
    Ok(())
}
