//! Removing files and folders, also where somebody made a folder read-only.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Action, Result, at, create_folders, fault, list};

/// What an owner needs to list a folder and to take entries out of it.
const OWNERS: u32 = 0o700;

/// Removes a file; fine when it is not there.
pub fn remove_file(path: &Path) -> Result<()> {
    match fault::point().and_then(|()| fs::remove_file(path)) {
        // A file above it: then it is not there either.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(()),
        result => at(Action::Remove, path, result),
    }
}

/// Removes a folder and all below it, also where folders in it are read-only; fine when it is not there.
pub fn remove_folder(path: &Path) -> Result<()> {
    let removed = fault::point().and_then(|()| fs::remove_dir_all(path));
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && make_folders_writable(path).is_ok() => {
            at(Action::Remove, path, fs::remove_dir_all(path))
        }
        result => at(Action::Remove, path, result),
    }
}

/// Makes `path` a folder with nothing in it, creating it where it is not there.
pub fn empty_folder(path: &Path) -> Result<()> {
    let entries = match list(path) {
        Err(error) if error.is_not_found() => return create_folders(path),
        Ok(entries) if entries.is_empty() => entries,
        _ => {
            make_folders_writable(path)?;
            list(path)?
        }
    };
    for entry in entries {
        if entry.is_dir() && !entry.is_symlink() { remove_folder(&entry)? } else { remove_file(&entry)? }
    }
    Ok(())
}

/// Removes a folder if it is empty; fine when it is not there or not empty.
pub fn remove_folder_if_empty(path: &Path) -> Result<()> {
    match fs::remove_dir(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => Ok(()),
        result => at(Action::Remove, path, result),
    }
}

/// Lets the owner list, change and empty a folder and all folders below it; links are not followed.
pub fn make_folders_writable(path: &Path) -> Result<()> {
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let mode = at(Action::Inspect, &folder, fs::symlink_metadata(&folder))?.permissions().mode();
        if mode & OWNERS != OWNERS {
            let writable = fs::Permissions::from_mode((mode | OWNERS) & 0o7777);
            at(Action::Permissions, &folder, fs::set_permissions(&folder, writable))?;
        }
        for entry in at(Action::List, &folder, fs::read_dir(&folder))? {
            let entry = at(Action::List, &folder, entry)?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    Ok(())
}
