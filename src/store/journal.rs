//! The journal: one line for every result, only ever appended to.
//!
//! `KIND KEY LENGTH CHECK PAYLOAD`, where KIND is `done`, `forget` or `clean`, KEY 64 hexadecimal digits, LENGTH the
//! payload's bytes, CHECK the first 16 digits of the BLAKE3 of `KIND KEY PAYLOAD`. A line that does not match itself
//! (half written, damaged) is ignored. A later line of the same key replaces an earlier one. `clean` says that every
//! blob named above it is on the disk for good.
//!
//! A long journal has an index beside it, so that a run that makes a few steps does not read all of it: where the newest line
//! of each key is, up to a clean mark. It only saves reading; a line is checked when it is read.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::reader::Reader;
use super::table::Table;
use super::{KeyRecord, Output, StoreError};
use crate::base::Digest;
use crate::base::fs;

/// A result: which record led to which files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What was hashed to the key.
    pub record: KeyRecord,
    /// What the step wrote.
    pub outputs: Vec<Output>,
    /// How long it ran, in milliseconds.
    pub duration_ms: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineKind {
    Done,
    Forget,
    Clean,
}

impl LineKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Forget => "forget",
            Self::Clean => "clean",
        }
    }
}

/// Where the newest `done` line of a key is, and whether it still counts.
#[derive(Debug, Clone)]
struct Known {
    payload: Range<usize>,
    forgotten: bool,
    suspect: bool,
}

/// The index is written anew when so many bytes of the journal are not in it.
const INDEX_EVERY: u64 = 16 * 1024;

/// Bytes at the end of the indexed part that tell it from another journal's.
const INDEX_TAIL: u64 = 64;

/// The key of the index's entry on the indexed part: its length, and the digest of its end.
const INDEXED: &[u8] = b"indexed";

/// The journal of one store. Loaded on first need, never on the way of a build with nothing to do.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// Where each key's newest line is in the part of the journal before `bytes`.
    index: Option<Table>,
    /// Length of the part before `bytes`.
    base: usize,
    bytes: Vec<u8>,
    known: HashMap<Digest, Known>,
    is_loaded: bool,
    file: Option<File>,
    /// Whether lines were appended after the last `clean`.
    is_open_ended: bool,
}

impl Journal {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            index: None,
            base: 0,
            bytes: Vec::new(),
            known: HashMap::new(),
            is_loaded: false,
            file: None,
            is_open_ended: false,
        }
    }

    /// Bytes on the disk.
    pub(super) fn length(&self) -> u64 {
        fs::stat(&self.path).map_or(0, |stat| stat.size)
    }

    pub(super) const fn is_loaded(&self) -> bool {
        self.is_loaded
    }

    /// Forgets what was read, since another process may have appended.
    pub(super) fn unload(&mut self) {
        *self = Self::new(std::mem::take(&mut self.path));
    }

    /// Reads the journal unless that was done: what is behind the index.
    pub(super) fn load(&mut self) -> Result<(), StoreError> {
        if self.is_loaded {
            return Ok(());
        }
        if let Some((index, length)) = self.read_index() {
            let rest = self.length().saturating_sub(length);
            self.bytes = fs::read_range(&self.path, length, rest)?;
            self.index = Some(index);
            self.base = length as usize;
            self.note_all();
            return Ok(());
        }
        self.load_whole()
    }

    /// Reads all of the journal: for what concerns every result.
    pub(super) fn load_whole(&mut self) -> Result<(), StoreError> {
        if self.is_loaded && self.index.is_none() {
            return Ok(());
        }
        self.unload();
        self.bytes = fs::read_if_there(&self.path)?.unwrap_or_default();
        self.note_all();
        Ok(())
    }

    fn note_all(&mut self) {
        let mut start = self.base;
        let bytes = std::mem::take(&mut self.bytes);
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            if let Some((kind, key, payload)) = parse(line) {
                self.note(kind, key, start + payload.start..start + payload.end);
            }
            start += line.len();
        }
        self.bytes = bytes;
        self.is_loaded = true;
    }

    fn index_path(&self) -> PathBuf {
        self.path.with_added_extension("index")
    }

    /// The index, and the length of the journal that it is of; `None` where it is not of this journal.
    fn read_index(&self) -> Option<(Table, u64)> {
        let table = Table::load(fs::read_if_there(&self.index_path()).ok()??)?;
        let mut reader = Reader(table.get(INDEXED)?);
        let (length, end) = (reader.long()?, reader.digest()?);
        let found = fs::read_range(&self.path, length.checked_sub(INDEX_TAIL)?, INDEX_TAIL).ok()?;
        (Digest::of(&found) == end).then_some((table, length))
    }

    /// Writes the index anew where much is not in it. Prerequisite: the last line is a clean mark.
    pub(super) fn save_index(&self) -> Result<(), StoreError> {
        let length = self.base + self.bytes.len();
        let end = self.bytes.len().checked_sub(INDEX_TAIL as usize).and_then(|start| self.bytes.get(start..));
        let Some(end) = end.filter(|_| self.is_loaded && self.bytes.len() as u64 >= INDEX_EVERY) else { return Ok(()) };
        let mut entries: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let older = self.index.iter().flat_map(Table::iter);
        entries.extend(older.map(|(key, value)| (key.to_vec(), value.to_vec())));
        for (key, known) in &self.known {
            let mut value = (known.payload.start as u64).to_le_bytes().to_vec();
            value.extend_from_slice(&(known.payload.end as u64).to_le_bytes());
            value.push(u8::from(known.forgotten));
            entries.insert(key.as_bytes().to_vec(), value);
        }
        let mut indexed = (length as u64).to_le_bytes().to_vec();
        indexed.extend_from_slice(Digest::of(end).as_bytes());
        entries.insert(INDEXED.to_vec(), indexed);
        Ok(fs::write_atomic(&self.index_path(), &Table::encode(&entries))?)
    }

    /// Where the newest line of a key is.
    fn find(&self, key: &Digest) -> Option<Known> {
        if let Some(known) = self.known.get(key) {
            return Some(known.clone());
        }
        let mut reader = Reader(self.index.as_ref()?.get(key.as_bytes())?);
        let payload = reader.long()? as usize..reader.long()? as usize;
        let [forgotten] = reader.chunk()?;
        Some(Known { payload, forgotten: forgotten == 1, suspect: false })
    }

    fn note(&mut self, kind: LineKind, key: Digest, payload: Range<usize>) {
        self.is_open_ended = kind != LineKind::Clean;
        match kind {
            LineKind::Done => {
                self.known.insert(key, Known { payload, forgotten: false, suspect: true });
            }
            LineKind::Forget => {
                if let Some(known) = self.find(&key) {
                    self.known.insert(key, Known { forgotten: true, ..known });
                }
            }
            LineKind::Clean => {
                for known in self.known.values_mut() {
                    known.suspect = false;
                }
            }
        }
    }

    /// The result of a key, if it counts. Prerequisite: loaded.
    pub(super) fn get(&self, key: &Digest) -> Option<Entry> {
        let known = self.find(key).filter(|known| !known.forgotten)?;
        self.read(key, &known)
    }

    /// Whether a key has a result that was taken back. Prerequisite: loaded.
    pub(super) fn is_forgotten(&self, key: &Digest) -> bool {
        self.find(key).is_some_and(|known| known.forgotten)
    }

    /// The record of a key, whether its result counts or not. Prerequisite: loaded.
    pub(super) fn record(&self, key: &Digest) -> Option<KeyRecord> {
        self.read(key, &self.find(key)?).map(|entry| entry.record)
    }

    /// Results written after the last clean mark, whose blobs a power cut may have taken. Prerequisite: loaded.
    pub(super) fn suspects(&self) -> Vec<(Digest, Entry)> {
        let mut found: Vec<(Digest, Entry)> = self
            .known
            .iter()
            .filter(|(_, known)| known.suspect && !known.forgotten)
            .filter_map(|(key, known)| Some((*key, self.read(key, known)?)))
            .collect();
        found.sort_by_key(|(key, _)| *key);
        found
    }

    /// Whether the last line is something else than a clean mark. Prerequisite: loaded.
    pub(super) const fn is_open_ended(&self) -> bool {
        self.is_open_ended
    }

    fn read(&self, key: &Digest, known: &Known) -> Option<Entry> {
        let Range { start, end } = known.payload;
        if let Some(start) = start.checked_sub(self.base) {
            return serde_json::from_slice(self.bytes.get(start..end - self.base)?).ok();
        }
        // The check and a blank stand before the payload.
        let before = 17;
        let length = end.checked_sub(start)? + before;
        let bytes = fs::read_range(&self.path, start.checked_sub(before)? as u64, length as u64).ok()?;
        let (digits, payload) = bytes.split_at_checked(before)?;
        let is_whole = digits.strip_suffix(b" ") == Some(check(LineKind::Done, *key, payload).as_bytes());
        serde_json::from_slice(payload).ok().filter(|_| is_whole)
    }

    /// Every key whose result counts, with it, sorted by key. Prerequisite: loaded whole.
    pub(super) fn entries(&self) -> Vec<(Digest, Entry)> {
        let live = self.known.iter().filter(|(_, known)| !known.forgotten);
        let mut found: Vec<_> = live.filter_map(|(key, known)| Some((*key, self.read(key, known)?))).collect();
        found.sort_by_key(|(key, _)| *key);
        found
    }

    /// Writes the journal anew with nothing but the keys that `keeps` takes, results that were taken back among them: their
    /// steps would else count as done. Prerequisite: all blobs are on the disk for good.
    pub(super) fn rewrite(&mut self, keeps: impl Fn(&Digest) -> bool) -> Result<(), StoreError> {
        self.load_whole()?;
        let mut kept: Vec<(&Digest, &Known)> = self.known.iter().filter(|(key, _)| keeps(key)).collect();
        kept.sort_by_key(|(_, known)| known.payload.start);
        let mut text = String::new();
        for (key, known) in kept {
            let payload = self.bytes.get(known.payload.clone()).unwrap_or_default();
            text.push_str(&line(LineKind::Done, *key, &String::from_utf8_lossy(payload)));
            if known.forgotten {
                text.push_str(&line(LineKind::Forget, *key, ""));
            }
        }
        text.push_str(&line(LineKind::Clean, Digest::from_bytes([0; 32]), ""));
        self.unload();
        fs::remove_file(&self.index_path())?;
        fs::write_durable(&self.path, text.as_bytes())?;
        self.load()
    }

    /// Appends a result.
    pub(super) fn done(&mut self, key: Digest, entry: &Entry) -> Result<(), StoreError> {
        let payload = serde_json::to_string(entry).unwrap_or_default();
        self.append(LineKind::Done, key, &payload)
    }

    /// Appends a tombstone: from here on the key has no result.
    pub(super) fn forget(&mut self, key: Digest) -> Result<(), StoreError> {
        self.append(LineKind::Forget, key, "")
    }

    /// Appends a clean mark and waits until the journal is on the disk. Prerequisite: all blobs are.
    pub(super) fn clean(&mut self) -> Result<(), StoreError> {
        self.append(LineKind::Clean, Digest::from_bytes([0; 32]), "")?;
        if let Some(file) = &self.file {
            fs::sync(file, &self.path)?;
        }
        Ok(())
    }

    fn append(&mut self, kind: LineKind, key: Digest, payload: &str) -> Result<(), StoreError> {
        self.load()?;
        let mut text = String::new();
        if self.bytes.last().is_some_and(|&byte| byte != b'\n') {
            // The tail of a run that was killed while writing: it stays a line that does not match itself.
            text.push('\n');
        }
        text.push_str(&line(kind, key, payload));
        let start = self.base + self.bytes.len() + text.len() - payload.len() - 1;
        let file = match self.file.take() {
            Some(file) => file,
            None => fs::open_append(&self.path)?,
        };
        if let Err(error) = fs::write_to(&file, &self.path, text.as_bytes()) {
            // A part of the line may be there: what comes next must not be appended to it.
            self.unload();
            self.load()?;
            return Err(error.into());
        }
        self.file = Some(file);
        self.bytes.extend_from_slice(text.as_bytes());
        self.note(kind, key, start..start + payload.len());
        Ok(())
    }
}

fn line(kind: LineKind, key: Digest, payload: &str) -> String {
    format!("{} {key} {} {} {payload}\n", kind.word(), payload.len(), check(kind, key, payload.as_bytes()))
}

fn check(kind: LineKind, key: Digest, payload: &[u8]) -> String {
    let mut bytes = format!("{} {key} ", kind.word()).into_bytes();
    bytes.extend_from_slice(payload);
    let mut digits = Digest::of(&bytes).hex();
    digits.truncate(16);
    digits
}

/// Kind, key and the payload's place in a line that matches itself.
fn parse(line: &[u8]) -> Option<(LineKind, Digest, Range<usize>)> {
    let text = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let mut parts = text.splitn(5, ' ');
    let word = parts.next()?;
    let kind = [LineKind::Done, LineKind::Forget, LineKind::Clean].into_iter().find(|kind| kind.word() == word)?;
    let key: Digest = parts.next()?.parse().ok()?;
    let length: usize = parts.next()?.parse().ok()?;
    let digits = parts.next()?;
    let payload = parts.next()?;
    if payload.len() != length || check(kind, key, payload.as_bytes()) != digits {
        return None;
    }
    let start = text.len() - payload.len();
    Some((kind, key, start..text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::StepKind;
    use crate::store::SCHEMA;

    fn entry(tool: &str) -> (Digest, Entry) {
        let record = KeyRecord {
            schema: SCHEMA,
            step: StepKind::Clean,
            tool: tool.into(),
            settings: [("name".to_owned(), "two\nlines".to_owned())].into(),
            inputs: [].into(),
        };
        let output = Output { name: "model.onnx".into(), digest: Digest::of(tool.as_bytes()), length: 3 };
        (record.key(), Entry { record, outputs: vec![output], duration_ms: 5 })
    }

    #[test]
    fn a_journal_cut_anywhere_holds_whole_entries_only_and_can_be_appended_to() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("journal");
        let (first, second, third) = (entry("host/1"), entry("host/2"), entry("host/3"));
        let mut journal = Journal::new(path.clone());
        journal.done(first.0, &first.1).expect("appended");
        let first_end = usize::try_from(journal.length()).expect("small");
        journal.done(second.0, &second.1).expect("appended");
        let whole = fs::read(&path).expect("read");
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).expect("cut");
            let mut journal = Journal::new(path.clone());
            journal.load().expect("loaded");
            assert_eq!(journal.get(&first.0).is_some(), cut >= first_end, "cut at {cut}");
            assert_eq!(journal.get(&second.0).is_some(), cut >= whole.len(), "cut at {cut}");
            journal.done(third.0, &third.1).expect("appended after the cut");
            let mut journal = Journal::new(path.clone());
            journal.load().expect("loaded");
            assert_eq!(journal.get(&third.0).as_ref(), Some(&third.1), "cut at {cut}");
        }
    }

    #[test]
    fn an_index_saves_reading_and_changes_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("journal-1");
        let entries: Vec<_> = (0..200).map(|number| entry(&format!("host/{number}"))).collect();
        let mut journal = Journal::new(path.clone());
        for (key, made) in &entries {
            journal.done(*key, made).expect("appended");
        }
        journal.forget(entries[3].0).expect("appended");
        journal.clean().expect("marked");
        journal.save_index().expect("written");
        let mut more = Journal::new(path.clone());
        more.load().expect("loaded");
        assert!(more.index.is_some() && more.bytes.is_empty());
        more.forget(entries[5].0).expect("appended");
        more.done(entries[3].0, &entries[3].1).expect("appended");
        let read = |with_index: bool| {
            let mut journal = Journal::new(path.clone());
            journal.load().expect("loaded");
            assert_eq!(journal.index.is_some(), with_index);
            let found = entries.iter().map(|(key, _)| {
                (journal.get(key), journal.is_forgotten(key), journal.record(key), journal.suspects().len())
            });
            found.collect::<Vec<_>>()
        };
        let found = read(true);
        assert_eq!(found[5].0, None);
        assert_eq!(found[3].0.as_ref(), Some(&entries[3].1));
        assert_eq!(found[3].3, 1, "what came after the mark is not sure to be on the disk");
        fs::remove_file(&path.with_added_extension("index")).expect("removed");
        assert_eq!(read(false)[5].0, None);
        assert_eq!(
            read(false).iter().map(|it| &it.0).collect::<Vec<_>>(),
            found.iter().map(|it| &it.0).collect::<Vec<_>>()
        );
        // The index of a journal that is another one now.
        journal.save_index().expect("written");
        fs::write(&path, &vec![b'x'; 100_000]).expect("written");
        let mut other = Journal::new(path);
        other.load().expect("loaded");
        assert!(other.index.is_none() && other.get(&entries[0].0).is_none());
    }

    #[test]
    fn the_last_line_of_a_key_counts_and_a_clean_mark_ends_suspicion() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("journal");
        let (key, made) = entry("host/1");
        let mut journal = Journal::new(path.clone());
        journal.done(key, &made).expect("appended");
        assert_eq!(journal.suspects().len(), 1);
        journal.clean().expect("marked");
        assert!(journal.suspects().is_empty() && !journal.is_open_ended());
        journal.forget(key).expect("appended");
        let mut read = Journal::new(path);
        read.load().expect("loaded");
        assert_eq!(read.get(&key), None);
        assert!(read.is_forgotten(&key) && read.is_open_ended());
        assert_eq!(read.record(&key), Some(made.record), "a result that was taken back still explains");
    }
}
