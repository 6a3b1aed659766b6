//! Weights stored beside the ONNX file ("external data"): bytes come through a trait, so that whoever calls the compiler
//! decides what may be read.

use std::path::Path;
use std::path::PathBuf;

use crate::base::fs;

/// Gives the bytes of a tensor that is stored outside its file (ONNX "External Data").
pub trait ExternalData {
    /// `length` bytes of the file called `location` from `offset` on; a message without final period when there are none.
    fn read(&self, location: &str, offset: u64, length: u64) -> Result<Vec<u8>, String>;

    /// Whether [`Self::read`] would give these bytes, as far as that is known without reading them.
    fn check(&self, _location: &str, _offset: u64, _length: u64) -> Result<(), String> {
        Ok(())
    }
}

/// Refuses every request: the model must be whole in its file.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoExternalData;

impl ExternalData for NoExternalData {
    fn read(&self, location: &str, _offset: u64, _length: u64) -> Result<Vec<u8>, String> {
        Err(format!("its values are in another file, `{location}`, and no folder to read it from is given"))
    }
}

/// What is said of a file with tensors that a step was not given: all that is known where there is no folder.
#[must_use]
pub fn not_given(location: &str) -> String {
    format!("the file `{location}` that holds its data is not in the folder of the weights")
}

/// The files in the folder of an ONNX file, and no others: what a model names decides nothing about where is read.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a>(pub &'a Path);

impl Beside<'_> {
    /// The file of that name beside the model. A link counts where it leads to a file in the folder, or in that which the
    /// model itself is a link into; no path does.
    #[must_use]
    pub fn file(&self, location: &str) -> Option<PathBuf> {
        if location.is_empty() || location.contains(['/', '\\', '\0']) {
            return None;
        }
        let path = self.0.with_file_name(location);
        if !fs::is_file(&path) {
            return None;
        }
        if !fs::is_link(&path) {
            return Some(path);
        }
        let real = fs::canonical(&path).ok()?;
        let folder = fs::canonical(self.0.parent()?).ok()?;
        let model = fs::canonical(self.0).ok()?;
        let allowed = [Some(folder.as_path()), model.parent()];
        allowed.contains(&real.parent()).then_some(path)
    }
}

impl Beside<'_> {
    /// Why [`Self::file`] has no file of that name, as what is said of the file, and what to do.
    #[must_use]
    pub fn absence(&self, location: &str) -> (&'static str, &'static str) {
        let beside = "put the file itself into the folder of the model, or export the model as one file";
        let whole = "`onnx.load` the model and `onnx.save` it with `save_as_external_data=True`, which writes one file beside it; or \
                     export it as one file";
        let path = self.0.with_file_name(location);
        if location.is_empty() || location.contains('\0') {
            return ("is no name of a file", "export the model again, or as one file");
        }
        if location.contains(['/', '\\']) {
            return ("is not in the folder of the model itself, and no other folder is read", whole);
        }
        match fs::inspect(&path) {
            Err(_) if fs::is_link(&path) => ("is a link to what cannot be found", beside),
            Err(error) if error.is_not_found() => ("is not beside the model", beside),
            Err(_) => ("cannot be looked at", "check the permissions of the file"),
            Ok(fs::Kind::Folder) => ("is a folder", beside),
            Ok(fs::Kind::Other) => ("is no regular file", "write what comes out of a pipe to a file first"),
            Ok(fs::Kind::File(_)) => ("is a link into another folder, and no other folder is read", beside),
        }
    }

    fn absent(&self, location: &str) -> String {
        format!("the file `{location}` that holds its data {}", self.absence(location).0)
    }
}

impl ExternalData for Beside<'_> {
    fn read(&self, location: &str, offset: u64, length: u64) -> Result<Vec<u8>, String> {
        let path = self.file(location).ok_or_else(|| self.absent(location))?;
        fs::read_range(&path, offset, length).map_err(|error| error.to_string())
    }

    fn check(&self, location: &str, offset: u64, length: u64) -> Result<(), String> {
        let path = self.file(location).ok_or_else(|| self.absent(location))?;
        let size = fs::stat(&path).map_or(0, |stat| stat.size);
        if offset.checked_add(length).is_some_and(|end| end <= size) {
            return Ok(());
        }
        Err(format!("`{location}` has {size} bytes, but {length} from {offset} are asked for"))
    }
}
