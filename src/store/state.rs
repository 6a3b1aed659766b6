//! What one build root holds: the last result of every step, and every file that was written for a network.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Output;
use super::reader::{Reader, write_part};
use super::table::Table;
use crate::base::Digest;
use crate::plan::Step;
use crate::plan::StepKind;

/// The name of a step across runs: network, model and kind, as bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotName(Vec<u8>);

impl SlotName {
    /// The name of a step.
    #[must_use]
    pub fn of<S>(step: &Step<S>) -> Self {
        Self::new(&step.network, step.model.as_deref(), step.kind)
    }

    /// The name of `kind` for a model, or for a whole network.
    #[must_use]
    pub fn new(network: &str, model: Option<&str>, kind: StepKind) -> Self {
        // Names have no control characters, so a zero byte separates.
        let model = model.unwrap_or_default();
        let mut bytes = Vec::with_capacity(2 + network.len() + 1 + model.len() + 10);
        bytes.extend_from_slice(b"s:");
        for part in [network, "\0", model, "\0", kind.word()] {
            bytes.extend_from_slice(part.as_bytes());
        }
        Self(bytes)
    }
}

/// The last result that a build root used for a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The key.
    pub key: Digest,
    /// What the step wrote.
    pub outputs: Vec<Output>,
    /// How long it ran when it last ran, in milliseconds; steers the order of work and nothing else.
    pub duration_ms: u32,
}

/// State of one build root, in memory over what the last run left on disk.
#[derive(Debug, Default)]
pub(super) struct State {
    table: Table,
    newer: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The key under which the journal's length at the last save is kept.
const JOURNAL: &[u8] = b"journal";

impl State {
    /// The state in a file's bytes; an empty one when they are not whole.
    pub(super) fn load(bytes: Vec<u8>) -> Self {
        Self { table: Table::load(bytes).unwrap_or_default(), newer: BTreeMap::new() }
    }

    /// Whether anything changed since loading.
    pub(super) fn is_changed(&self) -> bool {
        !self.newer.is_empty()
    }

    /// The file's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut entries: BTreeMap<Vec<u8>, Vec<u8>> =
            self.table.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        entries.extend(self.newer.iter().map(|(name, value)| (name.clone(), value.clone())));
        // An empty value is an entry that was removed.
        entries.retain(|_, value| !value.is_empty());
        Table::encode(&entries)
    }

    /// The last result of a step.
    pub(super) fn slot(&self, name: &SlotName) -> Option<Slot> {
        let mut reader = Reader(self.get(&name.0)?);
        let key = reader.digest()?;
        let duration_ms = reader.number()?;
        let count = reader.number()?;
        let mut outputs = Vec::new();
        for _ in 0..count {
            let name = reader.text()?;
            outputs.push(Output { name, digest: reader.digest()?, length: reader.long()? });
        }
        Some(Slot { key, outputs, duration_ms })
    }

    /// Sets the last result of a step.
    pub(super) fn set_slot(&mut self, name: &SlotName, slot: &Slot) {
        let mut bytes = slot.key.as_bytes().to_vec();
        bytes.extend_from_slice(&slot.duration_ms.to_le_bytes());
        bytes.extend_from_slice(&(slot.outputs.len() as u32).to_le_bytes());
        for output in &slot.outputs {
            write_part(&mut bytes, output.name.as_bytes());
            bytes.extend_from_slice(output.digest.as_bytes());
            bytes.extend_from_slice(&output.length.to_le_bytes());
        }
        self.set(name.0.clone(), bytes);
    }

    /// The key with which a step failed when it was last tried, if nothing good came after.
    pub(super) fn failure(&self, name: &SlotName) -> Option<Digest> {
        Reader(self.get(&failure_name(name))?).digest()
    }

    /// Sets the key with which a step failed, or that it did not.
    pub(super) fn set_failure(&mut self, name: &SlotName, key: Option<Digest>) {
        self.set(failure_name(name), key.map(|key| key.as_bytes().to_vec()).unwrap_or_default());
    }

    /// Bytes of memory that a step took at most when it last ran; 0 when that is not known.
    pub(super) fn memory(&self, name: &SlotName) -> u64 {
        self.get(&memory_name(&name.0)).and_then(|bytes| Reader(bytes).long()).unwrap_or(0)
    }

    /// Sets the bytes of memory that a step took at most.
    pub(super) fn set_memory(&mut self, name: &SlotName, bytes: u64) {
        self.set(memory_name(&name.0), bytes.to_le_bytes().to_vec());
    }

    /// The files that were written for a network, as paths relative to the build root, sorted.
    pub(super) fn files(&self, network: &str) -> Vec<String> {
        self.get(&files_name(network)).map(read_files).unwrap_or_default()
    }

    /// Sets the files that were written for a network; sorted by the caller.
    pub(super) fn set_files(&mut self, network: &str, files: &[String]) {
        let mut bytes = Vec::new();
        for file in files {
            write_part(&mut bytes, file.as_bytes());
        }
        self.set(files_name(network), bytes);
    }

    /// Every network for which files were written, with these files, by name.
    pub(super) fn networks(&self) -> BTreeMap<String, Vec<String>> {
        let newer = self.newer.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        let mut found = BTreeMap::new();
        for (name, value) in self.table.iter().chain(newer) {
            if let Some(network) = name.strip_prefix(b"f:") {
                found.insert(String::from_utf8_lossy(network).into_owned(), read_files(value));
            }
        }
        found.retain(|_, files| !files.is_empty());
        found
    }

    /// The journal's length when this state was saved.
    pub(super) fn journal_length(&self) -> Option<u64> {
        Reader(self.get(JOURNAL)?).long()
    }

    /// Sets the journal's length.
    pub(super) fn set_journal_length(&mut self, length: u64) {
        self.set(JOURNAL.to_vec(), length.to_le_bytes().to_vec());
    }

    /// Removes the journal's length, so that the next run reads the journal.
    pub(super) fn unset_journal_length(&mut self) {
        self.set(JOURNAL.to_vec(), Vec::new());
    }

    /// Whether some step's last result has a key of this kind.
    pub(super) fn has_slot(&self, is_of_kind: impl Fn(&Digest) -> bool) -> bool {
        let older = self.table.iter().filter(|(name, _)| !self.newer.contains_key(*name));
        let newer = self.newer.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        older
            .chain(newer)
            .filter(|(name, _)| name.starts_with(b"s:"))
            .any(|(_, value)| Reader(value).digest().is_some_and(|key| is_of_kind(&key)))
    }

    /// The keys of the last results of the steps of some networks.
    pub(super) fn keys(&self, of_network: impl Fn(&str) -> bool) -> BTreeSet<Digest> {
        let slots = self.slots().filter(|(network, _)| of_network(network));
        slots.filter_map(|(_, name)| Reader(self.get(&name)?).digest()).collect()
    }

    /// Removes the last results of the steps of some networks.
    pub(super) fn remove_slots(&mut self, of_network: impl Fn(&str) -> bool) {
        let names: Vec<Vec<u8>> =
            self.slots().filter(|(network, _)| of_network(network)).map(|(_, name)| name).collect();
        for name in names {
            self.set(memory_name(&name), Vec::new());
            self.set(name, Vec::new());
        }
    }

    /// Every step with a last result: its network, and its name.
    fn slots(&self) -> impl Iterator<Item = (String, Vec<u8>)> {
        let newer = self.newer.keys().map(Vec::as_slice).filter(|name| self.table.get(name).is_none());
        let names = self.table.iter().map(|(name, _)| name).chain(newer);
        names.filter(|name| self.get(name).is_some_and(|value| !value.is_empty())).filter_map(|name| {
            let network = name.strip_prefix(b"s:")?.split(|&byte| byte == 0).next()?;
            Some((String::from_utf8_lossy(network).into_owned(), name.to_vec()))
        })
    }

    fn get(&self, name: &[u8]) -> Option<&[u8]> {
        match self.newer.get(name) {
            Some(value) => Some(value.as_slice()),
            None => self.table.get(name),
        }
    }

    fn set(&mut self, name: Vec<u8>, value: Vec<u8>) {
        if self.get(&name).unwrap_or_default() != value {
            self.newer.insert(name, value);
        }
    }
}

fn memory_name(name: &[u8]) -> Vec<u8> {
    [b"m:", name.strip_prefix(b"s:").unwrap_or(name)].concat()
}

fn failure_name(SlotName(name): &SlotName) -> Vec<u8> {
    [b"x:", name.strip_prefix(b"s:").unwrap_or(name)].concat()
}

fn files_name(network: &str) -> Vec<u8> {
    [b"f:", network.as_bytes()].concat()
}

fn read_files(bytes: &[u8]) -> Vec<String> {
    let mut reader = Reader(bytes);
    std::iter::from_fn(|| reader.text()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_survives_its_bytes() {
        let name = SlotName::new("digits", Some("reader"), StepKind::Pack);
        let output = Output { name: "a/b.json".into(), digest: Digest::of(b"x"), length: 1 };
        let slot = Slot { key: Digest::of(b"key"), outputs: vec![output], duration_ms: 12 };
        let mut state = State::default();
        state.set_slot(&name, &slot);
        state.set_files("digits", &["digits/a/b.json".into()]);
        state.set_files("gone", &["gone/c".into()]);
        state.set_journal_length(77);
        state.set_memory(&name, 1 << 40);
        let mut read = State::load(state.encode());
        assert_eq!(read.slot(&name), Some(slot));
        assert_eq!(read.slot(&SlotName::new("digits", None, StepKind::Pack)), None);
        assert_eq!(read.journal_length(), Some(77));
        assert_eq!(read.memory(&name), 1 << 40);
        assert!(!read.is_changed());
        read.set_files("gone", &[]);
        assert!(read.is_changed());
        let networks: Vec<String> = State::load(read.encode()).networks().into_keys().collect();
        assert_eq!(networks, ["digits"]);
        read.remove_slots(|network| network == "digits");
        let read = State::load(read.encode());
        assert_eq!((read.slot(&name), read.memory(&name)), (None, 0));
    }
}
