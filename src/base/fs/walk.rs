//! The files below a folder.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use super::Action;
use super::FsError;
use super::Result;
use super::watch;

/// What is below a folder, each list sorted.
#[derive(Debug, Default)]
pub struct Below {
    /// Regular files, and links to such: their paths relative to the folder, with `/` between the parts.
    pub files: Vec<String>,
    /// Files whose path below the folder is not UTF-8.
    pub unnamed: Vec<PathBuf>,
    /// What is neither a folder nor leads to a regular file: pipes, sockets, devices, and links to what is none.
    pub others: Vec<PathBuf>,
}

/// Everything below a folder but folders; links to folders are not followed.
pub fn look_below(folder: &Path) -> Result<Below> {
    let mut found = Below::default();
    watch::path(folder);
    for entry in walkdir::WalkDir::new(folder).follow_links(false) {
        let entry = entry.map_err(|error| FsError {
            action: Action::List,
            path: error.path().unwrap_or(folder).to_owned(),
            source: error.into_io_error().unwrap_or_else(|| io::Error::other("a loop of links")),
        })?;
        if entry.file_type().is_dir() {
            watch::path(entry.path());
            continue;
        }
        let is_file = entry.file_type().is_file() || (entry.file_type().is_symlink() && entry.path().is_file());
        let Ok(relative) = entry.path().strip_prefix(folder) else { continue };
        let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
        match parts {
            _ if !is_file => found.others.push(entry.into_path()),
            Some(parts) => found.files.push(parts.join("/")),
            None => found.unnamed.push(entry.into_path()),
        }
    }
    found.files.sort();
    found.unnamed.sort();
    found.others.sort();
    Ok(found)
}

/// All regular files below a folder (links to files followed, links to folders not), sorted by their path relative to
/// it, which is what is returned, with `/` between the parts. Files whose path is not UTF-8 are left out.
pub fn files_below(folder: &Path) -> Result<Vec<String>> {
    Ok(look_below(folder)?.files)
}

/// Bytes that a folder and all below it take on the disk, as `du` counts them: whole blocks, folders among them.
#[must_use]
pub fn bytes_on_disk(folder: &Path) -> u64 {
    // Blocks are counted in 512 bytes, whatever the file system's are.
    let bytes = |entry: walkdir::DirEntry| entry.metadata().map_or(0, |meta| meta.blocks() * 512);
    walkdir::WalkDir::new(folder).follow_links(false).into_iter().flatten().map(bytes).sum()
}

/// The files below a folder that `wanted` takes (links followed), sorted by path, and what could not be looked at: a folder
/// without permission hides only what is in it, and a loop of links is an error of its own.
pub fn find_files(folder: &Path, wanted: impl Fn(&Path) -> bool) -> (Vec<PathBuf>, Vec<FsError>) {
    let mut found = Vec::new();
    let mut errors = Vec::new();
    for entry in walkdir::WalkDir::new(folder).follow_links(true) {
        match entry {
            Ok(entry) if entry.file_type().is_file() && wanted(entry.path()) => found.push(entry.into_path()),
            Ok(entry) if entry.file_type().is_dir() => watch::path(entry.path()),
            Ok(_) => {}
            Err(error) => errors.push(FsError {
                action: Action::List,
                path: error.path().unwrap_or(folder).to_owned(),
                source: error.into_io_error().unwrap_or_else(|| io::Error::other("a loop of links")),
            }),
        }
    }
    found.sort();
    (found, errors)
}
