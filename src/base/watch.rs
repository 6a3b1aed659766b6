//! What a piece of work looked at: the paths and variables that its result depends on.
//!
//! A result may stand for a later one when everything that was looked at is as it was. The file system is only touched
//! through [`super::fs`], which tells this file every path that it is asked about, so nothing can be forgotten.
//! Watching is a matter of the thread that does the work: work that hands parts of itself to other threads cannot be
//! watched. Without a watcher nothing is kept, and looking costs nothing.
#![expect(
    clippy::disallowed_methods,
    reason = "states of paths are compared with the time of looking, before `fs` opens them"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::Deserialize;
use serde::Serialize;

/// What the system says of a path, links followed, without opening it. Equal before and after means that nothing was
/// changed in between, up to the clock's granularity (see [`Fingerprint::is_settled`]); of a folder, that nothing was
/// put into or taken out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint(u64, i64, i64, u64, u32);

impl Fingerprint {
    /// Of a path; `None` when nothing can be seen there.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok()?;
        let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        let mtime = nanoseconds(meta.mtime(), meta.mtime_nsec());
        let ctime = nanoseconds(meta.ctime(), meta.ctime_nsec());
        Some(Self(meta.len(), mtime, ctime, meta.ino(), meta.mode()))
    }

    /// Of a path below an open folder; quicker than [`Fingerprint::of`] where there are many. An absolute path is itself.
    #[must_use]
    pub fn below(folder: &fs::File, path: &[u8]) -> Option<Self> {
        let stat = rustix::fs::statat(folder, path, rustix::fs::AtFlags::empty()).ok()?;
        let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        let mtime = nanoseconds(stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0));
        let ctime = nanoseconds(stat.st_ctime, i64::try_from(stat.st_ctime_nsec).unwrap_or(0));
        Some(Self(u64::try_from(stat.st_size).unwrap_or(0), mtime, ctime, stat.st_ino, stat.st_mode))
    }

    /// As bytes, for a file.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let Self(size, mtime, ctime, inode, mode) = self;
        let mut bytes = [0; Self::BYTES];
        let words = [size.to_le_bytes(), mtime.to_le_bytes(), ctime.to_le_bytes(), inode.to_le_bytes()];
        let (front, back) = bytes.split_at_mut(32);
        front.copy_from_slice(words.as_flattened());
        back.copy_from_slice(&mode.to_le_bytes());
        bytes
    }

    /// The fingerprint that [`Fingerprint::to_bytes`] made these of.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let word =
            |index: usize| bytes.get(index * 8..).and_then(<[u8]>::first_chunk::<8>).copied().unwrap_or_default();
        let mode = bytes.last_chunk::<4>().copied().unwrap_or_default();
        Self(
            u64::from_le_bytes(word(0)),
            i64::from_le_bytes(word(1)),
            i64::from_le_bytes(word(2)),
            u64::from_le_bytes(word(3)),
            u32::from_le_bytes(mode),
        )
    }

    /// Bytes of [`Fingerprint::to_bytes`].
    pub const BYTES: usize = 36;

    /// Whether a file that the index knows by this stat is the one seen here.
    #[must_use]
    pub fn is_of(&self, stat: &super::fs::Stat) -> bool {
        let &Self(size, mtime, ctime, inode, _) = self;
        (size, mtime, ctime, inode) == (stat.size, stat.mtime, stat.ctime, stat.inode)
    }

    /// The size in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.0
    }

    /// Whether a change after `moment` would surely show; see [`is_settled`].
    #[must_use]
    pub fn is_settled(&self, moment: i64) -> bool {
        let &Self(_, mtime, ctime, ..) = self;
        is_settled(mtime, ctime, moment)
    }
}

/// Whether a change after `moment` would surely show in the times of a file; all three in nanoseconds since 1970. File
/// systems stamp by a clock that ticks every 1 to 10 ms; some keep whole seconds, FAT every other one, which shows in the
/// times themselves.
#[must_use]
pub const fn is_settled(mtime: i64, ctime: i64, moment: i64) -> bool {
    const SECOND: i64 = 1_000_000_000;
    let coarse = mtime % SECOND == 0 && ctime % SECOND == 0;
    let latest = if mtime > ctime { mtime } else { ctime };
    latest.saturating_add(if coarse { 2 * SECOND } else { SECOND / 50 }) < moment
}

/// Paths with what they were when they were first looked at, and variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// `None` where nothing was there.
    pub paths: BTreeMap<PathBuf, Option<Fingerprint>>,
    /// Names of variables of the environment.
    pub variables: BTreeSet<String>,
}

impl Looked {
    /// Adds what was looked at later: what a path was at first counts.
    pub fn add(&mut self, later: &Self) {
        for (path, fingerprint) in &later.paths {
            if !self.paths.contains_key(path) {
                self.paths.insert(path.clone(), *fingerprint);
            }
        }
        self.variables.extend(later.variables.iter().cloned());
    }
}

/// Now, in nanoseconds since 1970: what [`Fingerprint::is_settled`] compares with.
#[must_use]
pub fn moment() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

thread_local! {
    static WATCHERS: RefCell<Vec<Looked>> = const { RefCell::new(Vec::new()) };
}

/// Does the work and says what it looked at. What inner work looked at counts for the outer one too.
pub fn watched<T>(work: impl FnOnce() -> T) -> (T, Looked) {
    WATCHERS.with_borrow_mut(|watchers| watchers.push(Looked::default()));
    let value = work();
    let looked = WATCHERS.with_borrow_mut(Vec::pop).unwrap_or_default();
    looked_again(&looked);
    (value, looked)
}

/// Whoever gives out a result that was made earlier tells the watcher what it was made from.
pub fn looked_again(looked: &Looked) {
    WATCHERS.with_borrow_mut(|watchers| {
        if let Some(watcher) = watchers.last_mut() {
            watcher.add(looked);
        }
    });
}

/// A path is about to be looked at.
pub(super) fn path(path: &Path) {
    WATCHERS.with_borrow_mut(|watchers| {
        if let Some(watcher) = watchers.last_mut()
            && !watcher.paths.contains_key(path)
        {
            watcher.paths.insert(path.to_owned(), Fingerprint::of(path));
        }
    });
}

/// The value of a variable was asked for, or whether there is one.
pub fn looked_at_variable(name: &str) {
    WATCHERS.with_borrow_mut(|watchers| {
        if let Some(watcher) = watchers.last_mut()
            && !watcher.variables.contains(name)
        {
            watcher.variables.insert(name.to_owned());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fs as door;

    #[test]
    fn everything_looked_at_is_known_by_what_it_was_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let (there, absent) = (folder.path().join("a"), folder.path().join("b"));
        door::write(&there, b"1").expect("written");
        let before = Fingerprint::of(&there);
        let ((), looked) = watched(|| {
            let _ = door::read(&there);
            let _ = door::exists(&absent);
            let _ = door::list(folder.path());
            looked_at_variable("HOME");
        });
        assert_eq!(looked.paths.get(&there), Some(&before));
        assert_eq!(looked.paths.get(&absent), Some(&None));
        assert!(looked.paths.get(folder.path()).is_some_and(Option::is_some));
        assert!(looked.variables.contains("HOME"));
        door::write(&absent, b"2").expect("written");
        assert_ne!(looked.paths.get(&absent), Some(&Fingerprint::of(&absent)));
    }

    #[test]
    fn what_was_made_earlier_counts_for_whoever_uses_it() {
        let path = Path::new("/there/is/no/such/file");
        let ((), made) = watched(|| assert!(!door::exists(path)));
        let (((), inner), outer) = watched(|| watched(|| looked_again(&made)));
        assert!(inner.paths.contains_key(path) && outer.paths.contains_key(path));
    }

    #[test]
    fn a_fresh_file_is_not_settled() {
        let fingerprint = |time| Fingerprint(1, time, time, 1, 0);
        assert!(!fingerprint(1_000_000_001).is_settled(1_000_000_005));
        assert!(fingerprint(1_000_000_001).is_settled(1_100_000_000));
        assert!(!fingerprint(1_000_000_000).is_settled(1_100_000_000), "whole seconds");
    }
}
