//! Weights stored beside the ONNX file ("external data"): bytes come through a trait, so that whoever calls the compiler
//! decides what may be read.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use crate::base::fs;

/// Gives the bytes of a tensor that is stored outside its file (ONNX "External Data").
pub trait ExternalData {
    /// `length` bytes of the file called `location` from `offset` on; a message without final period when there are none.
    fn read(&self, location: &str, offset: u64, length: u64) -> Result<Vec<u8>, String>;
}

/// Refuses every request: the model must be whole in its file.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoExternalData;

impl ExternalData for NoExternalData {
    fn read(&self, location: &str, _offset: u64, _length: u64) -> Result<Vec<u8>, String> {
        Err(format!("its values are in another file, `{location}`, and no folder to read it from is given"))
    }
}

/// Reads from the folder of the ONNX file and from nowhere else: a location that is absolute, has `..` in it or leads
/// out through a link is refused, and so is a range that the file does not have.
#[derive(Debug, Clone)]
pub struct FolderData(pub PathBuf);

impl ExternalData for FolderData {
    fn read(&self, location: &str, offset: u64, length: u64) -> Result<Vec<u8>, String> {
        let relative = Path::new(location);
        let inside = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if location.is_empty() || !inside {
            return Err(format!("the data file `{location}` is not inside the folder of the model"));
        }
        let path = self.0.join(relative);
        let real = fs::canonical(&path).map_err(|error| error.to_string())?;
        let folder = fs::canonical(&self.0).map_err(|error| error.to_string())?;
        if !real.starts_with(&folder) {
            return Err(format!("the data file `{location}` is a link out of the folder of the model"));
        }
        let size = fs::stat(&real).map(|stat| stat.size).ok_or_else(|| format!("`{location}` is not a file"))?;
        if offset.checked_add(length).is_none_or(|end| end > size) {
            return Err(format!("`{location}` has {size} bytes; {length} from {offset} on were asked for"));
        }
        let mut file = fs::open(&real).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        let read = file.seek(SeekFrom::Start(offset)).and_then(|_| file.take(length).read_to_end(&mut bytes));
        match read {
            Ok(count) if count as u64 == length => Ok(bytes),
            Ok(count) => Err(format!("`{location}` ended after {count} of {length} bytes")),
            Err(error) => Err(format!("cannot read `{location}`: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_folder_are_read() {
        let outside = tempfile::tempdir().expect("a folder");
        let folder = outside.path().join("model");
        fs::write_atomic(&folder.join("weights.bin"), &[1, 2, 3, 4]).expect("written");
        fs::write(&outside.path().join("secret"), b"secret").expect("written");
        std::os::unix::fs::symlink(outside.path().join("secret"), folder.join("link")).expect("linked");
        let data = FolderData(folder.clone());
        assert_eq!(data.read("weights.bin", 1, 2), Ok(vec![2, 3]));
        let absolute = outside.path().join("secret").display().to_string();
        for location in ["", "../secret", "link", "none", absolute.as_str(), "a/../../secret", "."] {
            assert!(data.read(location, 0, 1).is_err(), "{location:?} was read");
        }
        for (offset, length) in [(0, 5), (4, 1), (u64::MAX, 2), (1, u64::MAX)] {
            assert!(data.read("weights.bin", offset, length).is_err(), "{offset}+{length} was read");
        }
    }
}
