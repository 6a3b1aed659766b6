//! Finding a compiled model: a folder, its manifest, or an archive.

use std::io::Cursor;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::no_model;
use super::of_stage;
use super::typed;
use crate::base::fs;
use crate::cli::failure::Failure;
use crate::compiler::lower::CompiledModel;
use crate::plan::QUANTIZED_MANIFEST;

const MANIFEST: &str = "manifest.json";

/// The most bytes that one file of an archive may have.
const LARGEST: u64 = 4 << 30;

const HINT: &str = "name a folder with the `manifest.json` of a compiled model, such as `build/NETWORK/MODEL/1`, that file, or a `.axm`";

/// Loads what was typed.
pub(super) fn load(path: &Path, shown: &Path) -> Result<CompiledModel, Failure> {
    let shown = typed(shown);
    let loaded = if fs::is_folder(path) {
        from_folder(&folder_of(path, &shown)?)
    } else if path.extension().is_some_and(|extension| extension == "axm") {
        let bytes = fs::read(path).map_err(|error| no_model(error.shown_as(&shown).to_string(), HINT))?;
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes))
            .map_err(|error| no_model(format!("`{shown}` is no archive of a model: {error}"), HINT))?;
        let entries = std::cell::RefCell::new(&mut archive);
        CompiledModel::load(&|name| {
            let mut archive = entries.borrow_mut();
            let file = archive.by_name(name).map_err(|error| error.to_string())?;
            let mut bytes = Vec::new();
            file.take(LARGEST).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
            Ok(bytes)
        })
    } else if path.file_name().is_some_and(|name| name == MANIFEST) && fs::is_file(path) {
        from_folder(path.parent().unwrap_or(path))
    } else if fs::exists(path) {
        return Err(no_model(format!("`{shown}` is no compiled model"), HINT));
    } else {
        return Err(no_model(format!("`{shown}` does not exist"), HINT));
    };
    loaded.map_err(|error| {
        let mut problem = of_stage("run/model", &error);
        problem.message = format!("`{shown}`: {}", problem.message);
        Failure::Failed(problem)
    })
}

fn from_folder(folder: &Path) -> Result<CompiledModel, crate::compiler::StageError> {
    CompiledModel::load(&|name| {
        let is_beside = Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !is_beside {
            return Err("the name leads out of the folder".to_owned());
        }
        fs::read(&folder.join(name)).map_err(|error| error.shown_as(name).to_string())
    })
}

/// The folder with the manifest: this one, or the only one in it.
fn folder_of(path: &Path, shown: &str) -> Result<PathBuf, Failure> {
    if fs::is_file(&path.join(MANIFEST)) {
        return Ok(path.to_owned());
    }
    let inside = fs::list(path).map_err(|error| no_model(error.shown_as(shown).to_string(), HINT))?;
    let mut compiled: Vec<PathBuf> = inside.into_iter().filter(|folder| fs::is_file(&folder.join(MANIFEST))).collect();
    compiled.sort();
    if compiled.is_empty() && fs::is_file(&path.join(QUANTIZED_MANIFEST)) {
        let message = format!("`{shown}` is a quantized model, which is not compiled");
        let hint = format!("`axzoo compile -i {shown}/{QUANTIZED_MANIFEST} -o FOLDER` compiles it");
        return Err(no_model(message, &hint));
    }
    match compiled.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(no_model(format!("`{shown}` holds no compiled model: there is no `{MANIFEST}`"), HINT)),
        several => {
            let names: Vec<String> = several
                .iter()
                .filter_map(|folder| folder.file_name())
                .map(|name| format!("`{}`", name.to_string_lossy()))
                .collect();
            Err(no_model(format!("`{shown}` holds several compiled models: {}", names.join(", ")), "name one of them"))
        }
    }
}
