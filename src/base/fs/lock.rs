//! A lock on a folder itself, which leaves no file in it.

use std::fs;
use std::path::Path;

use super::Action;
use super::Result;
use super::at;

/// Takes an exclusive advisory lock on a folder that exists; `None` at once when somebody else holds it. The lock ends when
/// the file is dropped.
#[expect(clippy::disallowed_methods, reason = "this is the one place that opens a folder")]
pub fn try_lock_folder(path: &Path) -> Result<Option<fs::File>> {
    let folder = at(Action::Lock, path, fs::File::open(path))?;
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => at(Action::Lock, path, Err(error)),
    }
}
