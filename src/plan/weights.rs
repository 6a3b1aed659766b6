//! Which files a model's weights consist of: the ONNX file, and those beside it that hold its large tensors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::Looked;
use crate::base::fs;
use crate::base::fs::FsError;
use crate::base::looked_again;
use crate::base::watched;
use crate::compiler::onnx::Beside;
use crate::compiler::onnx::OnnxFile;
use crate::compiler::onnx::external_locations;

/// Remembers what lies in each folder, since the models of a zoo share few.
#[derive(Debug, Default)]
pub(super) struct Weights {
    /// Folder → names of files that could hold tensors, and what was looked at to find them.
    candidates: BTreeMap<PathBuf, (Vec<String>, Looked)>,
}

/// Files beside weights that never hold tensors of another file.
const NOT_TENSORS: [&str; 8] = ["onnx", "json", "md", "py", "pt", "pth", "txt", "yaml"];

impl Weights {
    /// The files that hold tensors of `weights`: (name as the model says, path). The ONNX file is read only when there is
    /// a file beside it that could be one, so that planning reads no weights in the usual zoo.
    pub(super) fn external(&mut self, weights: &Path) -> Result<Vec<(String, PathBuf)>, FsError> {
        let Some(folder) = weights.parent() else { return Ok(Vec::new()) };
        if let Some((_, looked)) = self.candidates.get(folder) {
            looked_again(looked);
        } else {
            let (names, looked) = watched(|| candidates(folder));
            self.candidates.insert(folder.to_owned(), (names?, looked));
        }
        let candidates = self.candidates.get(folder).map_or(&[][..], |(names, _)| names.as_slice());
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        // A file that is no ONNX has no external data; clean will say what it is.
        let locations = external_locations(&fs::read_limited(weights, OnnxFile::LENGTH_LIMIT)?);
        let beside = Beside(weights);
        let known = locations.into_iter().filter(|location| candidates.contains(location));
        Ok(known.filter_map(|location| Some((location.clone(), beside.file(&location)?))).collect())
    }
}

/// Names of the files in a folder that could hold tensors; in this folder only, since below it may lie anything, such as the
/// whole zoo.
fn candidates(folder: &Path) -> Result<Vec<String>, FsError> {
    // By its name first: of a folder with the weights of many models only the others are looked at.
    let may_hold = |path: &PathBuf| {
        let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
        !NOT_TENSORS.contains(&extension.unwrap_or_default().as_str())
    };
    let files = fs::list(folder)?.into_iter().filter(|path| may_hold(path) && fs::is_file(path));
    Ok(files.filter_map(|path| path.file_name().map(|name| name.to_string_lossy().into_owned())).collect())
}
