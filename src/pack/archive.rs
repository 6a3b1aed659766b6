//! Deterministic ZIP files: entries stored, sorted by name, one date and one mode for all.

use std::io::{self, Seek, Write};
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

/// Writes the entries as a ZIP file whose bytes depend on their names and contents alone: sorted by name, stored
/// without compression (the runtime maps the files), dated 1980-01-01, mode 0644.
pub fn write_zip<W: Write + Seek>(target: W, mut entries: Vec<Entry>) -> Result<(), PackError> {
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(PackError::DuplicateEntry { name: pair[0].name.clone() });
    }
    let mut writer = ZipWriter::new(target);
    for entry in entries {
        let failed = |source: io::Error| PackError::Archive { name: entry.name.clone(), source };
        let large = match &entry.contents {
            Contents::Bytes(bytes) => bytes.len() as u64,
            Contents::File(path) => fs::stat(path).map_or(0, |stat| stat.size),
        } >= u64::from(u32::MAX);
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644)
            .large_file(large);
        writer.start_file(entry.name.as_str(), options).map_err(|error| failed(error.into()))?;
        match &entry.contents {
            Contents::Bytes(bytes) => writer.write_all(bytes).map_err(failed)?,
            Contents::File(path) => {
                let mut file = fs::open(path)?;
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
    fn two_entries_of_one_name_are_refused() {
        let twice = vec![Entry::bytes("a", vec![1]), Entry::bytes("a", vec![2])];
        let error = write_zip(Cursor::new(Vec::new()), twice).expect_err("refused");
        assert!(error.to_string().contains("`a`"), "{error}");
    }
}
