//! Artifacts by content: `blobs/xx/<digest>`, read-only.

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rayon::prelude::*;

use super::{Output, Seen, StatIndex, StoreError};
use crate::base::Digest;
use crate::base::fs;
use crate::base::fs::Below;
use crate::base::fs::FsError;
use crate::base::fs::Stat;
use crate::base::moment;
use crate::base::shown;

/// Files of less than this together are read by one thread: waking others takes longer.
const WORTH_SHARING: u64 = 4 << 20;

/// Artifacts up to this size are copied through memory: the bytes that were hashed are the bytes that are written. Larger
/// ones are copied by the system, which may share them between the files, and the copy is hashed.
const SMALL: u64 = 1 << 20;

/// The folder of artifacts of one store. Cheap to clone, so that each worker has one.
#[derive(Debug, Clone)]
pub struct Blobs {
    folder: PathBuf,
    /// Artifacts that were read in this run and found whole, by the rules of the stat index.
    whole: Arc<Mutex<HashMap<Digest, Seen>>>,
}

impl Blobs {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, whole: Arc::default() }
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
        self.holds(output) && self.found(&output.digest).is_ok_and(|found| found == output.digest)
    }

    /// The digest of what lies where the artifact belongs. It is not read again where it was whole before in this run, and
    /// nothing touched it since.
    fn found(&self, digest: &Digest) -> Result<Digest, FsError> {
        let path = self.path(digest);
        let stat = fs::stat(&path);
        if let (Some(stat), Some(seen)) = (&stat, self.whole().get(digest))
            && seen.holds_for(stat)
        {
            return Ok(*digest);
        }
        let recorded = moment();
        let found = fs::digest(&path)?;
        if let Some(stat) = stat.filter(|stat| found == *digest && fs::stat(&path) == Some(*stat)) {
            self.whole().insert(*digest, Seen { stat, digest: found, recorded });
        }
        Ok(found)
    }

    fn whole(&self) -> MutexGuard<'_, HashMap<Digest, Seen>> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
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
        let found = self.found(digest)?;
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
        // A tool may have made folders read-only, and nothing can be moved out of such a one.
        fs::make_folders_writable(folder)?;
        let Below { files, unnamed, others } = fs::look_below(folder)?;
        let refused = |path: &Path| {
            let what = if fs::is_link(path) {
                "is a symbolic link"
            } else if fs::is_file(path) {
                "has a name that is not UTF-8"
            } else {
                "is no regular file"
            };
            StoreError::NoOutput { name: shown(path, folder), what }
        };
        if let Some(path) = others.first().or(unnamed.first()) {
            return Err(refused(path));
        }
        let sized = |name: String| match fs::stat_of_file(&folder.join(&name)) {
            Some(stat) => Ok((name, stat.size)),
            None => Err(refused(&folder.join(name))),
        };
        let files: Vec<(String, u64)> = files.into_iter().map(sized).collect::<Result<_, StoreError>>()?;
        if files.iter().map(|(_, size)| size).sum::<u64>() < WORTH_SHARING {
            return files.into_iter().map(|(name, length)| self.take_in_file(folder, name, length)).collect();
        }
        files.into_par_iter().map(|(name, length)| self.take_in_file(folder, name, length)).collect()
    }

    fn take_in_file(&self, folder: &Path, name: String, length: u64) -> Result<Output, StoreError> {
        let path = folder.join(&name);
        let digest = fs::digest(&path)?;
        let output = Output { name, digest, length };
        if self.is_sound(&output) {
            // The one that is there may be on the disk for good, and older results rely on it; the new one is not yet.
            return Ok(output);
        }
        fs::make_read_only(&path)?;
        fs::rename(&path, &self.path(&digest))?;
        Ok(output)
    }

    /// Copies an artifact to `target`, which then is the user's own file, and says what is there now. An artifact that
    /// turns out to be damaged is removed, and `target` stays as it was.
    pub fn copy_out(&self, digest: &Digest, name: &str, target: &Path) -> Result<Seen, StoreError> {
        let blob = self.path(digest);
        if fs::stat(&blob).is_some_and(|stat| stat.size <= SMALL) {
            let bytes = fs::read(&blob)?;
            let found = Digest::of(&bytes);
            if found != *digest {
                self.remove_damaged(digest, name, found)?;
            }
            let recorded = moment();
            fs::write_atomic(target, &bytes)?;
            if let Some(stat) = fs::stat(target) {
                return Ok(Seen { stat, digest: found, recorded });
            }
        }
        self.verify(digest, name)?;
        fs::copy_atomic(&blob, target)?;
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

    #[test]
    fn what_was_whole_is_not_taken_for_whole_once_it_was_touched() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let blobs = Blobs::new(folder.path().join("blobs"));
        let digest = Digest::of(b"constants");
        fs::write_atomic(&blobs.path(&digest), b"constants").expect("written");
        // Later than the clock's granularity: from here on a look at its times would do.
        std::thread::sleep(std::time::Duration::from_millis(50));
        blobs.verify(&digest, "main.txt").expect("whole");
        blobs.verify(&digest, "main.txt").expect("still whole");
        fs::write(&blobs.path(&digest), b"constanXs").expect("damaged");
        assert!(matches!(blobs.verify(&digest, "main.txt"), Err(StoreError::Damaged { .. })));
        assert!(!fs::exists(&blobs.path(&digest)), "a damaged artifact stays");
    }

    #[test]
    fn a_copy_is_right_or_there_is_none_whatever_its_size() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let blobs = Blobs::new(folder.path().join("blobs"));
        let target = folder.path().join("build/main.bin");
        for size in [0, 9, SMALL as usize, SMALL as usize + 1] {
            let bytes = vec![7; size];
            let digest = Digest::of(&bytes);
            fs::write_atomic(&blobs.path(&digest), &bytes).expect("written");
            let seen = blobs.copy_out(&digest, "main.bin", &target).expect("copied");
            assert_eq!((seen.digest, seen.stat.size), (digest, size as u64));
            assert!(fs::read(&target).expect("read") == bytes);
            fs::write(&blobs.path(&digest), &vec![8; size + 1]).expect("damaged");
            assert!(matches!(blobs.copy_out(&digest, "main.bin", &target), Err(StoreError::Damaged { .. })));
            assert!(fs::read(&target).expect("read") == bytes, "the file in the build root was lost with {size} bytes");
            assert!(!fs::exists(&blobs.path(&digest)));
        }
    }
}
