//! The store's folder: what lies where, how a run takes it and leaves it.
//!
//! ```text
//! cache/blobs/xx/<digest>       artifacts, read-only
//! cache/journal-1               results: key → record and outputs
//! cache/journal-1.index         where each result is in a long journal
//! cache/lock                    held by the one run that writes
//! cache/tmp/                    folders of running steps
//! cache/logs/<network>/<model>/<step>.log
//! cache/builds/<id>/state-1     of one build root: last result of each step, files written
//! cache/builds/<id>/root        which build root that is: its path
//! cache/builds/<id>/from-cache  where that is as seen from the cache folder
//! cache/builds/<id>/stats-1     of one build root: the stat index
//! cache/builds/<id>/fresh-2     of one build root: what its last build found to be right
//! cache/builds/<id>/installing  files being written to the build root; gone when all is well
//! ```

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

use super::home::Builder;
use super::home::{FROM_CACHE, ROOT, check_is_cache, find_home, from_cache, home_of, homes, move_home, note_zoo, zoos};
use super::journal::Journal;
use super::state::State;
use super::sweep::has_work;
use super::{Basis, Blobs, Entry, Holder, KeyRecord, Output, Slot, SlotName, StatIndex, StoreError};
use crate::base::CancelToken;
use crate::base::Digest;
use crate::base::fs;
use crate::base::fs::Stat;

/// The file system of a store.
#[derive(Debug, Clone)]
pub struct Disk(PathBuf);

impl Disk {
    /// Waits until everything that was written so far is on the disk for good.
    pub fn flush(&self) -> Result<(), StoreError> {
        Ok(fs::sync_file_system(&self.0)?)
    }
}

/// A cache folder, seen from one build root.
#[derive(Debug)]
pub struct Store {
    cache: PathBuf,
    build_root: PathBuf,
    home: PathBuf,
    blobs: Blobs,
    journal: Journal,
    state: State,
    state_stat: Option<Stat>,
    /// The zoo that builds; of no interest to other commands.
    builder: Option<Builder>,
    /// What files held when they were last read.
    pub stats: StatIndex,
    lock: Option<File>,
}

impl Store {
    /// Opens the store in `cache` for the build root `build_root`, both made absolute. Reads what is there; writes
    /// nothing, and neither folder has to exist.
    pub fn open(cache: &Path, build_root: &Path) -> Result<Self, StoreError> {
        let cache = std::path::absolute(cache).unwrap_or_else(|_| cache.to_owned());
        let build_root = std::path::absolute(build_root).unwrap_or_else(|_| build_root.to_owned());
        let home = find_home(&cache, &build_root);
        let mut store = Self {
            blobs: Blobs::new(cache.join("blobs")),
            journal: Journal::new(cache.join("journal-1")),
            state: State::default(),
            state_stat: None,
            builder: None,
            stats: StatIndex::default(),
            lock: None,
            cache,
            build_root,
            home,
        };
        store.read_state()?;
        Ok(store)
    }

    /// Says which zoo builds, and where its cards are, so that it is known whose results lie in the build root.
    pub fn set_builder(&mut self, root: &Path, cards: Vec<PathBuf>) {
        let root = fs::canonical(root).unwrap_or_else(|_| root.to_owned());
        self.builder = Some(Builder { root, cards });
    }

    /// The roots of other zoos that build into the same build root with the same cache.
    pub fn other_zoos(&self, root: &Path) -> Result<Vec<PathBuf>, StoreError> {
        let own = fs::canonical(root).unwrap_or_else(|_| root.to_owned());
        Ok(zoos(&self.home)?.into_iter().map(|zoo| zoo.root).filter(|zoo| *zoo != own).collect())
    }

    /// An error where `cache` is a folder with something in it and no cache, so that nothing may be written there, nor removed.
    pub fn check_folder(cache: &Path) -> Result<(), StoreError> {
        check_is_cache(cache)
    }

    fn read_state(&mut self) -> Result<(), StoreError> {
        let path = self.state_path();
        self.state_stat = fs::stat(&path);
        self.state = State::load(fs::read_if_there(&path)?.unwrap_or_default());
        self.stats = StatIndex::load(fs::read_if_there(&self.stats_path())?.unwrap_or_default());
        self.journal.unload();
        if self.state.journal_length() != Some(self.journal.length()) {
            // Somebody appended since this state was saved: there may be tombstones.
            self.journal.load()?;
        }
        for (network, files) in self.read_intents()? {
            let mut recorded: BTreeSet<String> = self.state.files(&network).into_iter().collect();
            recorded.extend(files);
            self.state.set_files(&network, &recorded.into_iter().collect::<Vec<_>>());
        }
        Ok(())
    }

    /// The cache folder, absolute.
    #[must_use]
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// The build root, absolute.
    #[must_use]
    pub fn build_root(&self) -> &Path {
        &self.build_root
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    pub(super) const fn state(&self) -> &State {
        &self.state
    }

    pub(super) const fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    pub(super) const fn journal_mut(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Forgets what files held, of every build root.
    pub(super) fn forget_stats(&mut self) -> Result<(), StoreError> {
        self.stats = StatIndex::default();
        for home in homes(&self.cache) {
            fs::remove_file(&home.join("stats-1"))?;
            fs::remove_file(&home.join("fresh-2"))?;
        }
        Ok(())
    }

    /// The file system that artifacts and results are on.
    #[must_use]
    pub fn disk(&self) -> Disk {
        Disk(self.cache.clone())
    }

    /// The artifacts.
    #[must_use]
    pub const fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// What is to be as it is now for a [`FreshCards`](super::FreshCards) of this moment to count; `None` where there is
    /// something to put right, so that the next run has to look at everything. Opens nothing whole, and needs no store:
    /// `cache` and `build_root` as for [`Store::open`].
    #[must_use]
    pub fn basis(cache: &Path, build_root: &Path, circumstances: Digest) -> Option<Basis> {
        let cache = std::path::absolute(cache).ok()?;
        let home = home_of(&cache, &std::path::absolute(build_root).ok()?);
        if fs::exists(&home.join("installing")) || has_work(&cache.join("tmp")) {
            return None;
        }
        let path = home.join("state-1");
        let size = fs::stat(&path)?.size;
        let check = fs::read_range(&path, size.checked_sub(32)?, 32).ok()?;
        let state = Digest::from_bytes(*check.first_chunk()?);
        let journal = fs::stat(&cache.join("journal-1")).map_or(0, |stat| stat.size);
        Some(Basis { circumstances, state, journal })
    }

    /// Where what a build root's last build found to be right is kept.
    #[must_use]
    pub fn fresh_path(cache: &Path, build_root: &Path) -> PathBuf {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        home_of(&absolute(cache), &absolute(build_root)).join("fresh-2")
    }

    /// [`Store::basis`] as this run left it; `None` also when another run was here since, or when a result that the state
    /// names was taken back.
    #[must_use]
    pub fn own_basis(&self, circumstances: Digest) -> Option<Basis> {
        let basis = Self::basis(&self.cache, &self.build_root, circumstances)?;
        let is_own = self.state_stat.is_some() && fs::stat(&self.state_path()) == self.state_stat;
        (is_own && self.state.journal_length() == Some(basis.journal)).then_some(basis)
    }

    /// Where steps write while they run.
    #[must_use]
    pub fn temporary(&self) -> PathBuf {
        self.cache.join("tmp")
    }

    /// The log of a step.
    #[must_use]
    pub fn log_path(&self, network: &str, model: Option<&str>, step: &str) -> PathBuf {
        let mut path = self.cache.join("logs").join(network);
        path.extend(model);
        path.join(format!("{step}.log"))
    }

    /// Takes the store for writing, calling `waiting` when another run has it; then puts right what a killed run left.
    pub fn lock(
        &mut self,
        purpose: &str,
        cancel: &CancelToken,
        waiting: impl FnMut(&Holder),
    ) -> Result<(), StoreError> {
        if self.lock.is_some() {
            return Ok(());
        }
        Self::check_folder(&self.cache)?;
        let holder = Holder::new(std::process::id(), purpose);
        self.lock = Some(super::lock::take(&self.cache.join("lock"), &self.cache, &holder, cancel, waiting)?);
        let home = move_home(&self.cache, &self.build_root, &find_home(&self.cache, &self.build_root))?;
        let is_moved = std::mem::replace(&mut self.home, home) != self.home;
        let appended = self.state.journal_length() != Some(self.journal.length());
        if is_moved || fs::stat(&self.state_path()) != self.state_stat || appended {
            self.read_state()?;
        }
        self.sweep()
    }

    /// Lets other runs have the store.
    pub fn unlock(&mut self) {
        self.lock = None;
    }

    /// Prerequisite: locked, so that every temporary folder belongs to a run that is dead.
    fn sweep(&mut self) -> Result<(), StoreError> {
        // Where a folder of a dead run cannot be removed, no step of this run is kept from its own.
        let _ = self.remove_work();
        self.remove_abandoned();
        for files in self.read_intents()?.into_values() {
            self.sweep_copies(&files)?;
        }
        if self.journal.is_loaded() && self.journal.is_open_ended() {
            // The last run did not end well. Its blobs may not have reached the disk before a power cut.
            // They have to go: a result from before may name the same blobs, and only their length is asked for then.
            let suspects = self.journal.suspects();
            let outputs: Vec<&Output> = suspects.iter().flat_map(|(_, entry)| &entry.outputs).collect();
            self.blobs.remove_unsound(&outputs)?;
            match self.take_back(suspects).and_then(|()| self.settle_journal()) {
                // The journal stays open-ended and the next run looks again. Whoever comes to free some space is not kept
                // from it; a result without its artifacts is made again, whatever the journal says.
                Err(error) if error.is_no_space() => {}
                settled => settled?,
            }
        }
        Ok(())
    }

    /// Takes back those of the results that lack an artifact.
    fn take_back(&mut self, suspects: Vec<(Digest, Entry)>) -> Result<(), StoreError> {
        for (key, entry) in suspects {
            if !entry.outputs.iter().all(|output| self.blobs.holds(output)) {
                self.journal.forget(key)?;
            }
        }
        Ok(())
    }

    /// Removes half-made copies of files that were being installed.
    fn sweep_copies(&self, files: &[String]) -> Result<(), StoreError> {
        let wanted: BTreeSet<PathBuf> = files.iter().map(|file| self.build_root.join(file)).collect();
        let folders: BTreeSet<&Path> = wanted.iter().filter_map(|file| file.parent()).collect();
        for folder in folders.into_iter().filter(|folder| fs::is_folder(folder)) {
            for path in fs::list(folder)? {
                if fs::target_of_temporary(&path).is_some_and(|target| wanted.contains(&target)) {
                    fs::remove_file(&path)?;
                }
            }
        }
        Ok(())
    }

    fn settle_journal(&mut self) -> Result<(), StoreError> {
        self.disk().flush()?;
        self.journal.clean()
    }

    /// The last result that this build root used for a step, unless it was taken back.
    #[must_use]
    pub fn slot(&self, name: &SlotName) -> Option<Slot> {
        self.state.slot(name)
    }

    /// Whether the journal says that the result of `key` no longer counts. Sure for every key that has a slot, also while
    /// the journal is not loaded: [`Store::save`] sees to it that it is loaded when a slot's result was taken back.
    #[must_use]
    pub fn is_forgotten(&self, key: &Digest) -> bool {
        self.journal.is_forgotten(key)
    }

    /// The result of a key, from any run of any build root.
    pub fn entry(&mut self, key: &Digest) -> Result<Option<Entry>, StoreError> {
        self.journal.load()?;
        Ok(self.journal.get(key))
    }

    /// The record of a key that once had a result.
    pub fn record(&mut self, key: &Digest) -> Result<Option<KeyRecord>, StoreError> {
        self.journal.load()?;
        Ok(self.journal.record(key))
    }

    /// Whether `key` has a result that counts, with artifacts that are all there.
    pub fn has_whole(&mut self, key: &Digest) -> Result<bool, StoreError> {
        let entry = self.entry(key)?;
        Ok(entry.is_some_and(|entry| entry.outputs.iter().all(|output| self.blobs.holds(output))))
    }

    /// Takes back the result of a key if it is not whole, before the step runs again. A whole one counts until another
    /// takes its place.
    pub fn forget_partial(&mut self, key: Digest) -> Result<(), StoreError> {
        if self.has_whole(&key)? { Ok(()) } else { self.forget(key) }
    }

    /// Takes back the result of a key, if there is one.
    pub fn forget(&mut self, key: Digest) -> Result<(), StoreError> {
        if self.entry(&key)?.is_some() { self.journal.forget(key) } else { Ok(()) }
    }

    /// Records a result. Prerequisite: its blobs are in place.
    pub fn done(&mut self, key: Digest, entry: &Entry) -> Result<(), StoreError> {
        self.journal.done(key, entry)
    }

    /// Sets the result that this build root uses for a step.
    pub fn set_slot(&mut self, name: &SlotName, slot: &Slot) {
        self.state.set_slot(name, slot);
        self.state.set_failure(name, None);
    }

    /// Bytes of memory that a step took at most when it last ran for this build root; 0 when that is not known. Steers what
    /// runs at the same time and nothing else.
    #[must_use]
    pub fn memory(&self, name: &SlotName) -> u64 {
        self.state.memory(name)
    }

    /// Records the bytes of memory that a step took at most.
    pub fn set_memory(&mut self, name: &SlotName, bytes: u64) {
        self.state.set_memory(name, bytes);
    }

    /// The key with which a step failed when this build root last tried it, unless it has succeeded since.
    #[must_use]
    pub fn failure(&self, name: &SlotName) -> Option<Digest> {
        self.state.failure(name)
    }

    /// Records that nothing is wrong with a step any more.
    pub fn set_good(&mut self, name: &SlotName) {
        self.state.set_failure(name, None);
    }

    /// Records that a step failed.
    pub fn set_failure(&mut self, name: &SlotName, key: Digest) {
        self.state.set_failure(name, Some(key));
    }

    /// The files that were written for a network: relative to the build root, sorted.
    #[must_use]
    pub fn files(&self, network: &str) -> Vec<String> {
        self.state.files(network)
    }

    /// Sets the files that were written for a network.
    pub fn set_files(&mut self, network: &str, files: &BTreeSet<String>) {
        self.state.set_files(network, &files.iter().cloned().collect::<Vec<_>>());
    }

    /// Every network with recorded files, and these files.
    #[must_use]
    pub fn networks(&self) -> BTreeMap<String, Vec<String>> {
        self.state.networks()
    }

    /// Says which files are about to be written for a network, so that a killed run does not leave strangers.
    pub fn intend(&mut self, network: &str, files: &[String]) -> Result<(), StoreError> {
        let path = self.intents_path();
        fs::create_folders(&self.home)?;
        let payload = serde_json::to_string(&(network, files)).unwrap_or_default();
        let line = format!("{} {payload}\n", Digest::of(payload.as_bytes()).short());
        let file = fs::open_append(&path)?;
        fs::write_to(&file, &path, line.as_bytes())?;
        Ok(())
    }

    fn read_intents(&self) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
        let Some(bytes) = fs::read_if_there(&self.intents_path())? else { return Ok(BTreeMap::new()) };
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in String::from_utf8_lossy(&bytes).lines() {
            let Some((check, payload)) = line.split_once(' ') else { continue };
            if Digest::of(payload.as_bytes()).short() != check {
                continue;
            }
            if let Ok((network, files)) = serde_json::from_str::<(String, Vec<String>)>(payload) {
                found.entry(network).or_default().extend(files);
            }
        }
        Ok(found)
    }

    /// Ends a run: what it made is on the disk for good, then says so, then writes state and stat index where they
    /// changed.
    pub fn save(&mut self) -> Result<(), StoreError> {
        if self.journal.is_loaded() && self.journal.is_open_ended() {
            self.settle_journal()?;
        }
        if self.journal.is_loaded() {
            self.journal.save_index()?;
        }
        let intents = fs::exists(&self.intents_path());
        if intents && fs::exists(&self.build_root) {
            fs::sync_file_system(&self.build_root)?;
        }
        let is_forgotten = |key: &Digest| self.journal.is_forgotten(key);
        if self.journal.is_loaded() && self.state.has_slot(is_forgotten) {
            // The step failed when it was to run again. The next run has to read the journal to know that.
            self.state.unset_journal_length();
        } else {
            self.state.set_journal_length(self.journal.length());
        }
        if self.state.is_changed() {
            let place = from_cache(&self.cache, &self.build_root);
            for (name, bytes) in [(ROOT, self.build_root.as_os_str().as_bytes()), (FROM_CACHE, &place)] {
                let path = self.home.join(name);
                if fs::read(&path).map_or(true, |known| known != bytes) {
                    fs::write_atomic(&path, bytes)?;
                }
            }
            let path = self.state_path();
            fs::write_atomic(&path, &self.state.encode())?;
            self.state_stat = fs::stat(&path);
        }
        if let Some(zoo) = self.builder.as_ref().filter(|_| fs::exists(&self.home)) {
            match note_zoo(&self.home, zoo) {
                // Where nothing was to be done, a full disk is in nobody's way.
                Err(error) if error.is_no_space() => {}
                noted => noted?,
            }
        }
        if intents {
            fs::remove_file(&self.intents_path())?;
        }
        if self.stats.is_changed() {
            self.stats.settle();
            match fs::write_atomic(&self.stats_path(), &self.stats.encode()) {
                // It only saves reading.
                Err(error) if error.is_no_space() => {}
                written => written?,
            }
        }
        Ok(())
    }

    fn state_path(&self) -> PathBuf {
        self.home.join("state-1")
    }

    fn stats_path(&self) -> PathBuf {
        self.home.join("stats-1")
    }

    fn intents_path(&self) -> PathBuf {
        self.home.join("installing")
    }
}
