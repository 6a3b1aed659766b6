//! Artifacts by content: `blobs/xx/<digest>`, read-only.

use std::path::Path;
use std::path::PathBuf;

use rayon::prelude::*;

use super::{Output, Seen, StatIndex, StoreError};
use crate::base::Digest;
use crate::base::fs;

/// The folder of artifacts of one store. Cheap to clone, so that each worker has one.
#[derive(Debug, Clone)]
pub struct Blobs {
    folder: PathBuf,
}

impl Blobs {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the artifact with these contents is, or would be.
    #[must_use]
    pub fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let (shelf, _) = hex.split_at(2);
        self.folder.join(shelf).join(&hex)
    }

    /// Whether an output's artifact is there, whole by its length.
    #[must_use]
    pub fn holds(&self, output: &Output) -> bool {
        fs::stat(&self.path(&output.digest)).is_some_and(|stat| stat.size == output.length)
    }

    /// Whether an output's artifact is there, whole by its contents.
    pub(super) fn is_sound(&self, output: &Output) -> bool {
        self.holds(output) && fs::digest(&self.path(&output.digest)).is_ok_and(|found| found == output.digest)
    }

    /// Moves every file below `folder` in, and says what there was, by name. The folder must lie on the same file
    /// system.
    pub fn take_in(&self, folder: &Path) -> Result<Vec<Output>, StoreError> {
        let names = fs::files_below(folder)?;
        names.into_par_iter().map(|name| self.take_in_file(folder, name)).collect()
    }

    fn take_in_file(&self, folder: &Path, name: String) -> Result<Output, StoreError> {
        let path = folder.join(&name);
        if fs::is_link(&path) {
            return Err(StoreError::Link { name });
        }
        let digest = fs::digest(&path)?;
        let length = fs::stat(&path).map_or(0, |stat| stat.size);
        let blob = self.path(&digest);
        fs::make_read_only(&path)?;
        if let Some(shelf) = blob.parent() {
            fs::create_folders(shelf)?;
        }
        // Also where the artifact is there already: should that one be damaged, this one is not.
        fs::rename(&path, &blob)?;
        Ok(Output { name, digest, length })
    }

    /// Copies an artifact to `target`, which then is the user's own file, and says what is there now. An artifact that
    /// turns out to be damaged is removed, and `target` stays as it was.
    pub fn copy_out(&self, digest: &Digest, name: &str, target: &Path) -> Result<Seen, StoreError> {
        let blob = self.path(digest);
        let found = fs::digest(&blob)?;
        if found == *digest {
            fs::copy_atomic(&blob, target)?;
            let seen = StatIndex::default().look(target)?;
            if seen.digest == *digest {
                return Ok(seen);
            }
        }
        fs::remove_file(&blob)?;
        Err(StoreError::Damaged { name: name.to_owned(), expected: *digest, found })
    }
}
