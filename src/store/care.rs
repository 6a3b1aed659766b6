//! Looking after a store: how large it is, whether it is sound, what nobody needs any more.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

use super::home::{ROOT, homes};
use super::state::State;
use super::{Entry, Store, StoreError};
use crate::base::Digest;
use crate::base::fs;

/// Files, and the bytes in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// The number of files.
    pub files: usize,
    /// The sum of their lengths.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { files: self.files + other.files, bytes: self.bytes + other.bytes }
    }
}

/// What lies in a cache folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Results of steps that count.
    pub results: usize,
    /// What steps made, each content once.
    pub artifacts: Amount,
    /// Journal, state, stat index and what `check` remembers.
    pub records: Amount,
    /// Logs of steps.
    pub logs: Amount,
    /// What running steps write, or left behind when they were killed.
    pub temporary: Amount,
    /// Files that are not axzoo's.
    pub others: Amount,
}

impl Usage {
    /// Everything in the folder.
    #[must_use]
    pub const fn total(&self) -> Amount {
        self.artifacts.plus(self.records).plus(self.logs).plus(self.temporary).plus(self.others)
    }
}

/// What [`Store::verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Every artifact that was read.
    pub artifacts: Amount,
    /// Those that were not what their names say; they are removed.
    pub damaged: Vec<Digest>,
    /// How many results of each kind of step no longer count, since artifacts of theirs are damaged or absent.
    pub lost: BTreeMap<String, usize>,
}

/// What [`Store::collect`] leaves although no card needs it. Nothing said: nothing is left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Results made after this moment stay, in nanoseconds since 1970.
    pub since: Option<i64>,
    /// The newest results stay as long as all artifacts together have at most so many bytes.
    pub bytes: Option<u64>,
}

/// What [`Store::collect`] removed and left, or would.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Results that are gone.
    pub results: usize,
    /// Artifacts that are gone.
    pub removed: Amount,
    /// Artifacts that are left.
    pub kept: Amount,
}

/// Names in the cache folder that are axzoo's.
const RECORDS: [&str; 6] = ["journal-1", "journal-1.index", "lock", "builds", "checked.jsonl", ".gitignore"];

impl Store {
    /// What lies in the cache folder. Writes nothing.
    pub fn usage(&mut self) -> Result<Usage, StoreError> {
        self.journal_mut().load_whole()?;
        let mut usage = Usage { results: self.journal_mut().entries().len(), ..Usage::default() };
        if !fs::is_folder(self.cache()) {
            return Ok(usage);
        }
        let artifacts: BTreeSet<PathBuf> =
            self.blobs().all()?.iter().map(|(digest, _)| self.blobs().path(digest)).collect();
        for name in fs::files_below(self.cache())? {
            let path = self.cache().join(&name);
            let bytes = fs::stat(&path).map_or(0, |stat| stat.size);
            match name.split('/').next().unwrap_or_default() {
                "blobs" if artifacts.contains(&path) => usage.artifacts.add(bytes),
                "logs" => usage.logs.add(bytes),
                "tmp" => usage.temporary.add(bytes),
                first if RECORDS.contains(&first) => usage.records.add(bytes),
                _ => usage.others.add(bytes),
            }
        }
        Ok(usage)
    }

    /// Reads every artifact, removes those that are damaged, and takes back the results that they, or absent ones, belong
    /// to: the next build makes them again. Prerequisite: locked.
    pub fn verify(&mut self) -> Result<Verified, StoreError> {
        let artifacts = self.blobs().all()?;
        let mut found = Verified { damaged: self.blobs().damaged(&artifacts), ..Verified::default() };
        for (_, stat) in &artifacts {
            found.artifacts.add(stat.size);
        }
        for digest in &found.damaged {
            self.blobs().remove(digest)?;
        }
        self.journal_mut().load_whole()?;
        for (key, entry) in self.journal_mut().entries() {
            if !entry.outputs.iter().all(|output| self.blobs().holds(output)) {
                self.forget(key)?;
                *found.lost.entry(entry.record.step.word().to_owned()).or_default() += 1;
            }
        }
        self.save()?;
        Ok(found)
    }

    /// Removes results that nobody needs, and artifacts that no other result has. Needed are the keys in `needed`, the last
    /// results of this build root's networks that `is_there` takes, and those of every other build root that uses the
    /// cache and is still there. With `dry_run` nothing is written. Prerequisite otherwise: locked.
    pub fn collect(
        &mut self,
        needed: &BTreeSet<Digest>,
        is_there: impl Fn(&str) -> bool,
        limits: &Limits,
        dry_run: bool,
    ) -> Result<Collected, StoreError> {
        self.journal_mut().load_whole()?;
        let mut kept = needed.clone();
        kept.extend(self.state().keys(&is_there));
        let (gone, others): (Vec<_>, Vec<_>) = self.other_states().into_iter().partition(|state| is_of_no_root(state));
        for path in others {
            kept.extend(State::load(fs::read_if_there(&path)?.unwrap_or_default()).keys(|_| true));
        }
        let artifacts: HashMap<Digest, Stated> =
            self.blobs().all()?.into_iter().map(|(digest, stat)| (digest, Stated(stat.size, stat.mtime))).collect();
        let (mut used, mut unneeded) = (BTreeSet::new(), Vec::new());
        let entries = self.journal_mut().entries();
        for (key, entry) in &entries {
            if kept.contains(key) {
                used.extend(entry.outputs.iter().map(|output| output.digest));
            } else {
                unneeded.push((newest(entry, &artifacts), *key, entry));
            }
        }
        unneeded.sort_by_key(|&(made, key, _)| (std::cmp::Reverse(made), key));
        let size = |digest: &Digest| artifacts.get(digest).map_or(0, |stated| stated.0);
        let mut bytes: u64 = used.iter().map(size).sum();
        let mut collected = Collected::default();
        for (made, key, entry) in unneeded {
            let more: BTreeSet<Digest> =
                entry.outputs.iter().map(|output| output.digest).filter(|digest| !used.contains(digest)).collect();
            let grown = bytes + more.iter().map(size).sum::<u64>();
            let is_young = limits.since.is_none_or(|since| made >= since);
            let fits = limits.bytes.is_none_or(|limit| grown <= limit);
            if *limits != Limits::default() && is_young && fits {
                bytes = grown;
                used.extend(more);
                kept.insert(key);
            } else {
                collected.results += 1;
            }
        }
        let (stay, go): (Vec<_>, Vec<_>) = artifacts.iter().partition(|(digest, _)| used.contains(*digest));
        for (_, stated) in &stay {
            collected.kept.add(stated.0);
        }
        for (_, stated) in &go {
            collected.removed.add(stated.0);
        }
        if !dry_run {
            self.state_mut().remove_slots(|network| !is_there(network));
            // The journal goes first: killed in between, artifacts are left that the next run removes.
            let is_full = is_full(self.keep_results(|key| kept.contains(key)))?;
            if is_full && collected.results == 0 && go.is_empty() {
                // There is nothing to gain, and no room to tidy up in.
                return Ok(collected);
            }
            for (digest, _) in go {
                self.blobs().remove(digest)?;
            }
            if is_full {
                self.remove_logs()?;
                self.keep_results(|key| kept.contains(key))?;
            }
            for path in gone {
                forget_slots(&path)?;
            }
            self.save()?;
        }
        Ok(collected)
    }

    /// Removes everything but what says which files below build roots are axzoo's. Prerequisite: locked.
    pub fn clear(&mut self) -> Result<(), StoreError> {
        // Results first, so that no state names one that lacks its artifacts.
        let is_full = is_full(self.forget_results())?;
        for (digest, _) in self.blobs().all()? {
            self.blobs().remove(&digest)?;
        }
        fs::remove_folder_if_empty(&self.cache().join("blobs"))?;
        self.remove_logs()?;
        self.remove_work()?;
        fs::remove_file(&self.cache().join("checked.jsonl"))?;
        self.forget_stats()?;
        if is_full {
            self.forget_results()?;
        }
        self.save()
    }

    /// Takes every result away from the journal and from the states of all build roots.
    fn forget_results(&mut self) -> Result<(), StoreError> {
        self.state_mut().remove_slots(|_| true);
        self.keep_results(|_| false)?;
        for path in self.other_states() {
            forget_slots(&path)?;
        }
        Ok(())
    }

    /// Leaves nothing in the journal but the results that `keeps` takes.
    fn keep_results(&mut self, keeps: impl Fn(&Digest) -> bool) -> Result<(), StoreError> {
        if self.journal_mut().is_open_ended() {
            self.disk().flush()?;
        }
        self.journal_mut().rewrite(keeps)
    }

    /// The states of the other build roots that use the cache.
    fn other_states(&self) -> Vec<PathBuf> {
        let is_other = |state: &PathBuf| !state.starts_with(self.home()) && fs::is_file(state);
        homes(self.cache()).into_iter().map(|home| home.join("state-1")).filter(is_other).collect()
    }
}

/// Whether a state is of a build root that is no longer there; not where it does not say of which it is.
fn is_of_no_root(state: &Path) -> bool {
    let root = fs::read(&state.with_file_name(ROOT));
    root.is_ok_and(|root| fs::is_gone(Path::new(OsStr::from_bytes(&root))))
}

/// Takes every result away from a state. What says which files are axzoo's stays.
fn forget_slots(path: &Path) -> Result<(), StoreError> {
    let mut state = State::load(fs::read_if_there(path)?.unwrap_or_default());
    state.remove_slots(|_| true);
    state.unset_journal_length();
    Ok(fs::write_atomic(path, &state.encode())?)
}

/// Whether a disk had no space for what was to be written; what else keeps it from being written is an error, and then nothing is
/// removed. On a full disk artifacts are, and then there is some: killed
/// in between, results are left that lack their artifacts, and those are made again when a step needs them.
fn is_full(written: Result<(), StoreError>) -> Result<bool, StoreError> {
    match written {
        Err(error) if error.is_no_space() => Ok(true),
        written => written.map(|()| false),
    }
}

/// Size and time of an artifact.
#[derive(Debug, Clone, Copy)]
struct Stated(u64, i64);

/// When the newest artifact of a result was made.
fn newest(entry: &Entry, artifacts: &HashMap<Digest, Stated>) -> i64 {
    let times = entry.outputs.iter().filter_map(|output| artifacts.get(&output.digest)).map(|stated| stated.1);
    times.max().unwrap_or_default()
}
