//! Fetch of a model that is quantized already: its manifest with the files beside it, or a ZIP archive of all of them.

use std::io::Cursor;
use std::io::Read;
use std::path::Path;

use crate::base::fs;
use crate::compiler::StageError;
use crate::compiler::Status;
use crate::compiler::lower::QuantizedFiles;
use crate::compiler::lower::QuantizedNames;
use crate::compiler::lower::load_quantized;
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
        let read = |name: &str| {
            let path = work.optional_input(&format!("beside/{name}"))?;
            Some(fs::read(path).map_err(|error| error.to_string()))
        };
        let name = file.file_name().map_or_else(|| MANIFESTS[0].into(), |name| name.to_string_lossy());
        return write(work, &name, &bytes, read);
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
    write(work, manifest, &contents, |name| {
        let name = format!("{folder}{name}");
        names.contains(&name).then(|| entry(&mut archive, &name).map_err(|error| error.to_string()))
    })
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
    name: &str,
    manifest: &[u8],
    mut read: impl FnMut(&str) -> Option<Result<Vec<u8>, String>>,
) -> Result<(), WorkError> {
    let known = QuantizedNames { graph: GRAPH, host: HOST_GRAPHS };
    let QuantizedFiles { manifest, files, is_vouched } = load_quantized(name, manifest, known, &mut read)?;
    if !is_vouched {
        (work.log)(&format!(
            "`{name}` has no `digests`: what the files say was checked, not whether they were changed"
        ));
    }
    fs::write(&work.output.join(MANIFESTS[0]), &manifest)?;
    for (name, bytes) in files {
        fs::write(&work.output.join(name), &bytes)?;
    }
    Ok(())
}
