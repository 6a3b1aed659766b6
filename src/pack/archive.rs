//! Deterministic ZIP files: entries stored, sorted by name, one date and one mode for all.

use std::io::{self, BufReader, Cursor, Seek, Write};
use std::path::PathBuf;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::base::fs;
use crate::pack::PackError;

/// What an entry holds.
#[derive(Debug, Clone)]
pub enum Contents {
    /// Bytes made here.
    Bytes(Vec<u8>),
    /// A file, copied in pieces.
    File(PathBuf),
}

/// One entry of an archive.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Name with `/` between its parts; relative, no `..`.
    pub name: String,
    /// What it holds.
    pub contents: Contents,
}

impl Entry {
    /// An entry of bytes.
    #[must_use]
    pub fn bytes(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), contents: Contents::Bytes(bytes) }
    }

    /// An entry of a file's contents.
    #[must_use]
    pub fn file(name: impl Into<String>, path: PathBuf) -> Self {
        Self { name: name.into(), contents: Contents::File(path) }
    }
}

/// Archives up to this size are put together in memory: the many small writes and steps back of a ZIP file cost more than
/// its bytes.
const SMALL: u64 = 8 << 20;

/// Bytes that are copied into a large archive at a time.
const PIECE: usize = 256 * 1024;

/// Writes the entries as a ZIP file whose bytes depend on their names and contents alone: sorted by name, stored
/// without compression (the runtime maps the files), dated 1980-01-01, mode 0644.
pub fn write_zip<W: Write + Seek>(mut target: W, mut entries: Vec<Entry>) -> Result<(), PackError> {
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(PackError::DuplicateEntry { name: pair[0].name.clone() });
    }
    let entries: Vec<(u64, Entry)> = entries.into_iter().map(|entry| (length(&entry.contents), entry)).collect();
    let size: u64 = entries.iter().map(|(length, _)| length).sum();
    if size > SMALL {
        return write_entries(target, &entries);
    }
    let mut archive = Cursor::new(Vec::with_capacity(size as usize + 4096));
    write_entries(&mut archive, &entries)?;
    let written = target.write_all(archive.get_ref());
    written.map_err(|source| PackError::Archive { name: "the archive".to_owned(), source })
}

fn length(contents: &Contents) -> u64 {
    match contents {
        Contents::Bytes(bytes) => bytes.len() as u64,
        Contents::File(path) => fs::stat(path).map_or(0, |stat| stat.size),
    }
}

fn write_entries<W: Write + Seek>(target: W, entries: &[(u64, Entry)]) -> Result<(), PackError> {
    let mut writer = ZipWriter::new(target);
    for (length, entry) in entries {
        let failed = |source: io::Error| PackError::Archive { name: entry.name.clone(), source };
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644)
            .large_file(*length >= u64::from(u32::MAX));
        writer.start_file(entry.name.as_str(), options).map_err(|error| failed(error.into()))?;
        match &entry.contents {
            Contents::Bytes(bytes) => writer.write_all(bytes).map_err(failed)?,
            Contents::File(path) => {
                let mut file = BufReader::with_capacity(PIECE, fs::open(path)?);
                io::copy(&mut file, &mut writer).map_err(failed)?;
            }
        }
    }
    let finished = writer.finish().map_err(io::Error::from);
    finished.map_err(|source| PackError::Archive { name: "the central directory".to_owned(), source })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;

    fn packed(entries: Vec<Entry>) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        write_zip(&mut bytes, entries).expect("written");
        bytes.into_inner()
    }

    #[test]
    fn the_order_of_entries_changes_nothing() {
        let a = || Entry::bytes("a.json", b"{}".to_vec());
        let b = || Entry::bytes("b/c.bin", vec![0; 1000]);
        let bytes = packed(vec![a(), b()]);
        assert_eq!(bytes, packed(vec![b(), a()]));
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("a ZIP file");
        let mut text = String::new();
        archive.by_name("a.json").expect("there").read_to_string(&mut text).expect("read");
        assert_eq!(text, "{}");
        assert_eq!(archive.len(), 2);
    }

    #[test]
    fn a_large_archive_is_written_as_a_small_one_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("weights.bin");
        let bytes: Vec<u8> = (0..SMALL + 1000).map(|at| ((at * at) >> 7) as u8).collect();
        fs::write(&path, &bytes).expect("written");
        let large = packed(vec![Entry::file("weights.bin", path)]);
        let mut archive = Cursor::new(Vec::new());
        let entry = Entry::bytes("weights.bin", bytes.clone());
        write_entries(&mut archive, &[(bytes.len() as u64, entry)]).expect("written");
        assert!(large == archive.into_inner(), "the bytes depend on where the contents came from");
    }

    #[test]
    fn two_entries_of_one_name_are_refused() {
        let twice = vec![Entry::bytes("a", vec![1]), Entry::bytes("a", vec![2])];
        let error = write_zip(Cursor::new(Vec::new()), twice).expect_err("refused");
        assert!(error.to_string().contains("`a`"), "{error}");
    }
}
