//! Artifacts by content: `blobs/xx/<digest>`, read-only.

use std::path::Path;
use std::path::PathBuf;

use rayon::prelude::*;

use super::{Output, Seen, StatIndex, StoreError};
use crate::base::Digest;
use crate::base::fs;
use crate::base::fs::Stat;

/// Files of less than this together are read by one thread: waking others takes longer.
const WORTH_SHARING: u64 = 4 << 20;

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

    /// Removes those of the artifacts that are there with other contents than their names say: whoever needs one finds
    /// it absent, and it is made again. Reads them all.
    pub fn remove_unsound(&self, outputs: &[&Output]) -> Result<(), StoreError> {
        outputs.par_iter().try_for_each(|output| {
            if !self.is_sound(output) {
                fs::remove_file(&self.path(&output.digest))?;
            }
            Ok(())
        })
    }

    /// Reads an artifact to see that its contents are what its name says; one that turns out to be damaged is removed.
    /// `name` is for the message.
    pub fn verify(&self, digest: &Digest, name: &str) -> Result<(), StoreError> {
        let found = fs::digest(&self.path(digest))?;
        if found == *digest { Ok(()) } else { self.remove_damaged(digest, name, found) }
    }

    fn remove_damaged(&self, digest: &Digest, name: &str, found: Digest) -> Result<(), StoreError> {
        fs::remove_file(&self.path(digest))?;
        Err(StoreError::Damaged { name: name.to_owned(), expected: *digest, found })
    }

    /// Every artifact that is there, by the name of its file, sorted. Files with other names are none.
    pub(super) fn all(&self) -> Result<Vec<(Digest, Stat)>, StoreError> {
        if !fs::is_folder(&self.folder) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for name in fs::files_below(&self.folder)? {
            let digest = name.rsplit('/').next().and_then(|name| name.parse::<Digest>().ok());
            let Some(digest) = digest.filter(|digest| self.path(digest) == self.folder.join(&name)) else { continue };
            found.extend(fs::stat(&self.path(&digest)).map(|stat| (digest, stat)));
        }
        found.sort_by_key(|(digest, _)| *digest);
        Ok(found)
    }

    /// Removes an artifact, and its shelf when that is empty then.
    pub(super) fn remove(&self, digest: &Digest) -> Result<(), StoreError> {
        let path = self.path(digest);
        fs::remove_file(&path)?;
        if let Some(shelf) = path.parent() {
            fs::remove_folder_if_empty(shelf)?;
        }
        Ok(())
    }

    /// The artifacts among these whose contents are not what their names say. Reads them all, in parallel.
    pub(super) fn damaged(&self, artifacts: &[(Digest, Stat)]) -> Vec<Digest> {
        let is_damaged = |digest: &Digest| fs::digest(&self.path(digest)).is_ok_and(|found| found != *digest);
        artifacts.par_iter().map(|(digest, _)| *digest).filter(is_damaged).collect()
    }

    /// Moves every file below `folder` in, except what is there already, and says what there was, by name. The folder
    /// must lie on the same file system.
    pub fn take_in(&self, folder: &Path) -> Result<Vec<Output>, StoreError> {
        let names = fs::files_below(folder)?;
        let bytes: u64 = names.iter().filter_map(|name| fs::stat(&folder.join(name))).map(|stat| stat.size).sum();
        if bytes < WORTH_SHARING {
            return names.into_iter().map(|name| self.take_in_file(folder, name)).collect();
        }
        names.into_par_iter().map(|name| self.take_in_file(folder, name)).collect()
    }

    fn take_in_file(&self, folder: &Path, name: String) -> Result<Output, StoreError> {
        let path = folder.join(&name);
        if fs::is_link(&path) {
            return Err(StoreError::Link { name });
        }
        let digest = fs::digest(&path)?;
        let length = fs::stat(&path).map_or(0, |stat| stat.size);
        let output = Output { name, digest, length };
        if self.is_sound(&output) {
            // The one that is there may be on the disk for good, and older results rely on it; the new one is not yet.
            return Ok(output);
        }
        let blob = self.path(&digest);
        fs::make_read_only(&path)?;
        if let Some(shelf) = blob.parent() {
            fs::create_folders(shelf)?;
        }
        fs::rename(&path, &blob)?;
        Ok(output)
    }

    /// Copies an artifact to `target`, which then is the user's own file, and says what is there now. An artifact that
    /// turns out to be damaged is removed, and `target` stays as it was.
    pub fn copy_out(&self, digest: &Digest, name: &str, target: &Path) -> Result<Seen, StoreError> {
        self.verify(digest, name)?;
        fs::copy_atomic(&self.path(digest), target)?;
        let seen = StatIndex::default().look(target)?;
        if seen.digest != *digest {
            self.remove_damaged(digest, name, seen.digest)?;
        }
        Ok(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_that_is_there_stays_unless_it_is_damaged() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let blobs = Blobs::new(folder.path().join("blobs"));
        let take_in = || {
            let made = folder.path().join("made");
            fs::write_atomic(&made.join("main.txt"), b"constants").expect("written");
            let outputs = blobs.take_in(&made).expect("taken in");
            fs::remove_folder(&made).expect("removed");
            outputs
        };
        let outputs = take_in();
        let blob = blobs.path(&outputs[0].digest);
        let first = fs::stat(&blob);
        assert_eq!(take_in(), outputs);
        assert_eq!(fs::stat(&blob), first, "an artifact that may be on the disk for good was replaced");
        fs::write_atomic(&blob, b"constanXs").expect("damaged");
        assert_eq!(take_in(), outputs);
        assert_eq!(fs::read(&blob).expect("read"), b"constants");
    }
}
