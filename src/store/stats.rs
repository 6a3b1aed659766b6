//! The stat index: what a file held when it was last read, so that it need not be read again (design invariant 3).
//!
//! It only saves reading. An entry is trusted when size, mtime, ctime and inode are as they were, and when the file had
//! not been changed within the clock's granularity of being read: a later change within the same tick would leave the
//! same times.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

use rayon::prelude::*;

use super::table::Table;
use crate::base::Digest;
use crate::base::fs;
use crate::base::fs::Action;
use crate::base::fs::FsError;
use crate::base::fs::Kind;
use crate::base::fs::Stat;
use crate::base::is_settled;
use crate::base::moment;

/// Bytes of an encoded [`Seen`].
const SEEN_BYTES: usize = 5 * 8 + 32;

/// How often a file that changes while it is read is read again before giving up.
const ATTEMPTS: usize = 3;

/// A file as it was when it was last read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// What the system said of it.
    pub stat: Stat,
    /// Its contents.
    pub digest: Digest,
    /// When the reading began, in nanoseconds since 1970.
    pub recorded: i64,
}

impl Seen {
    /// Whether a change after the reading would surely show in the file's times.
    fn is_settled(&self) -> bool {
        is_settled(self.stat.mtime, self.stat.ctime, self.recorded)
    }

    /// Whether a file whose stat is now `stat` surely still has these contents.
    pub(super) fn holds_for(&self, stat: &Stat) -> bool {
        self.stat == *stat && self.is_settled()
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SEEN_BYTES);
        bytes.extend_from_slice(&self.stat.size.to_le_bytes());
        bytes.extend_from_slice(&self.stat.mtime.to_le_bytes());
        bytes.extend_from_slice(&self.stat.ctime.to_le_bytes());
        bytes.extend_from_slice(&self.stat.inode.to_le_bytes());
        bytes.extend_from_slice(&self.recorded.to_le_bytes());
        bytes.extend_from_slice(self.digest.as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; SEEN_BYTES] = bytes.try_into().ok()?;
        let word = |index: usize| bytes[index * 8..].first_chunk::<8>().copied().unwrap_or_default();
        Some(Self {
            stat: Stat {
                size: u64::from_le_bytes(word(0)),
                mtime: i64::from_le_bytes(word(1)),
                ctime: i64::from_le_bytes(word(2)),
                inode: u64::from_le_bytes(word(3)),
            },
            recorded: i64::from_le_bytes(word(4)),
            digest: Digest::from_bytes(*bytes.last_chunk::<32>()?),
        })
    }
}

/// Path → [`Seen`], in memory over what the last run left on disk.
#[derive(Debug, Default)]
pub struct StatIndex {
    table: Table,
    newer: HashMap<PathBuf, Seen>,
}

impl StatIndex {
    /// The index in a file's bytes; an empty one when they are not whole.
    pub(super) fn load(bytes: Vec<u8>) -> Self {
        Self { table: Table::load(bytes).unwrap_or_default(), newer: HashMap::new() }
    }

    /// Whether anything was learned since loading.
    pub(super) fn is_changed(&self) -> bool {
        !self.newer.is_empty()
    }

    /// The file's bytes for the next run.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut entries: BTreeMap<Vec<u8>, Vec<u8>> =
            self.table.iter().map(|(path, seen)| (path.to_vec(), seen.to_vec())).collect();
        for (path, seen) in &self.newer {
            entries.insert(path.as_os_str().as_bytes().to_vec(), seen.encode());
        }
        Table::encode(&entries)
    }

    /// What a file holds: from the index where that is certain, else by reading it.
    pub fn look(&self, path: &Path) -> Result<Seen, FsError> {
        let stat = regular(path)?;
        match self.get(path) {
            Some(seen) if seen.holds_for(&stat) => Ok(seen),
            _ => read(path, stat),
        }
    }

    /// The stat with which a file surely has the contents that were last read from it.
    #[must_use]
    pub fn certain(&self, path: &Path) -> Option<Stat> {
        self.get(path).filter(Seen::is_settled).map(|seen| seen.stat)
    }

    /// [`StatIndex::look`] at many files in parallel, and remembers what was read. Results are in the order of `paths`.
    pub fn look_all<P: AsRef<Path> + Sync>(&mut self, paths: &[P]) -> Vec<Result<Seen, FsError>> {
        let index = &*self;
        let found: Vec<Result<Seen, FsError>> =
            paths.par_iter().with_min_len(4).map(|path| index.look(path.as_ref())).collect();
        for (path, seen) in paths.iter().zip(&found) {
            if let Ok(seen) = seen {
                self.remember(path.as_ref(), *seen);
            }
        }
        found
    }

    /// Remembers what a file held when it was read.
    pub fn remember(&mut self, path: &Path, seen: Seen) {
        if self.get(path) != Some(seen) {
            self.newer.insert(path.to_owned(), seen);
        }
    }

    /// Reads once more what was changed so shortly before it was read that the entry cannot be trusted, where enough
    /// time has passed since; so that the next run need not.
    pub(super) fn settle(&mut self) {
        let now = moment();
        let young: Vec<PathBuf> = self
            .newer
            .iter()
            .filter(|(_, seen)| !seen.is_settled() && Seen { recorded: now, ..**seen }.is_settled())
            .map(|(path, _)| path.clone())
            .collect();
        // A file that went away or changed is the next run's business.
        drop(self.look_all(&young));
    }

    fn get(&self, path: &Path) -> Option<Seen> {
        match self.newer.get(path) {
            Some(seen) => Some(*seen),
            None => self.table.get(path.as_os_str().as_bytes()).and_then(Seen::decode),
        }
    }
}

/// What became of a file while something read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// It held what was seen all the time.
    Unchanged,
    /// It holds what was seen, but was written to or touched in between: it may have held something else for a while.
    Written,
    /// As [`Self::Written`], but all that shows is another time of its last change of any kind: a link to it was made, its mode was
    /// set, or it was put back with the time that it had.
    Linked,
    /// It holds something else, or cannot be read.
    Changed,
}

/// What became of a file that held `seen` when it was looked at, and whose stat was `before` when the reading began: by its stat
/// where that is certain, else by reading it.
#[must_use]
pub fn since(path: &Path, seen: &Seen, before: Option<Stat>) -> Since {
    match regular(path) {
        Ok(after) if seen.holds_for(&after) => Since::Unchanged,
        Ok(after) if !read(path, after).is_ok_and(|now| now.digest == seen.digest) => Since::Changed,
        Ok(after) if before == Some(after) => Since::Unchanged,
        Ok(after) if before.is_some_and(|before| Stat { ctime: after.ctime, ..before } == after) => Since::Linked,
        Ok(_) => Since::Written,
        Err(_) => Since::Changed,
    }
}

fn regular(path: &Path) -> Result<Stat, FsError> {
    match fs::inspect(path)? {
        Kind::File(stat) => Ok(stat),
        Kind::Folder => Err(unreadable(path, "it is a folder; expected a file")),
        Kind::Other => Err(unreadable(path, "it is not a regular file")),
    }
}

fn unreadable(path: &Path, why: &str) -> FsError {
    FsError { action: Action::Read, path: path.to_owned(), source: io::Error::other(why.to_owned()) }
}

fn read(path: &Path, mut stat: Stat) -> Result<Seen, FsError> {
    for _ in 0..ATTEMPTS {
        let recorded = moment();
        let digest = fs::digest(path)?;
        let after = regular(path)?;
        if after == stat {
            return Ok(Seen { stat, digest, recorded });
        }
        stat = after;
    }
    Err(unreadable(path, "it keeps changing while it is read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(ctime: i64) -> Stat {
        Stat { size: 3, mtime: ctime - 5, ctime, inode: 7 }
    }

    #[test]
    fn a_file_changed_within_the_clocks_granularity_of_its_reading_is_read_again() {
        struct Case {
            ctime: i64,
            recorded: i64,
            trusted: bool,
        }
        let second = 1_000_000_000;
        let cases = [
            Case { ctime: 100 * second + 1, recorded: 101 * second, trusted: true },
            Case { ctime: 100 * second + 1, recorded: 100 * second + 5_000_000, trusted: false },
            Case { ctime: 100 * second + 1, recorded: 99 * second, trusted: false },
        ];
        for Case { ctime, recorded, trusted } in cases {
            let seen = Seen { stat: stat(ctime), digest: Digest::of(b"abc"), recorded };
            assert_eq!(seen.holds_for(&stat(ctime)), trusted, "changed at {ctime}, read at {recorded}");
        }
        let whole = Stat { mtime: 100 * second, ..stat(100 * second) };
        let seen = Seen { stat: whole, digest: Digest::of(b"abc"), recorded: 101 * second };
        assert!(!seen.holds_for(&whole), "a clock of whole seconds is coarser");
    }

    #[test]
    fn an_entry_survives_its_bytes_and_damage_is_only_forgetting() {
        let path = Path::new("/zoo/weights.onnx");
        let seen = Seen { stat: stat(12), digest: Digest::of(b"abc"), recorded: 99 };
        let mut index = StatIndex::default();
        index.remember(path, seen);
        let mut bytes = index.encode();
        assert_eq!(StatIndex::load(bytes.clone()).get(path), Some(seen));
        bytes[20] ^= 1;
        assert_eq!(StatIndex::load(bytes).get(path), None);
    }

    #[test]
    fn what_is_not_a_file_says_so() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = StatIndex::default().look(folder.path()).expect_err("a folder is not a file");
        assert!(error.to_string().ends_with("it is a folder; expected a file"), "{error}");
    }
}
