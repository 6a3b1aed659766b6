//! Removing what runs leave behind: folders of steps, half-written records, logs. Only what bears a name that axzoo gives is
//! removed.

use std::ffi::OsStr;
use std::path::Path;

use super::home::{FROM_CACHE, ROOT, ZOOS, homes};
use super::{Store, StoreError};
use crate::base::fs;
use crate::plan::StepKind;

/// Files of the cache folder that are written under another name first.
const OF_CACHE: [&str; 4] = ["journal-1", "journal-1.index", "checked.jsonl", ".gitignore"];

/// Files of a build root's folder that are.
const OF_HOME: [&str; 6] = ["state-1", "stats-1", "fresh-2", ROOT, FROM_CACHE, ZOOS];

/// Whether a killed run left folders of steps in `temporary`.
pub(super) fn has_work(temporary: &Path) -> bool {
    fs::exists(temporary) && fs::list(temporary).is_ok_and(|entries| entries.iter().any(|path| is_of_process(path)))
}

/// Whether a folder bears the number of a process.
fn is_of_process(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

impl Store {
    /// Removes the folders of steps. Prerequisite: locked, so that each belongs to this run or to one that is dead.
    pub fn remove_work(&self) -> Result<(), StoreError> {
        let temporary = self.temporary();
        if !fs::exists(&temporary) {
            return Ok(());
        }
        for folder in fs::list(&temporary)?.into_iter().filter(|path| is_of_process(path)) {
            fs::remove_folder(&folder)?;
        }
        Ok(fs::remove_folder_if_empty(&temporary)?)
    }

    /// Removes what processes that are gone wrote half. It is in nobody's way: where it cannot be removed, it stays.
    pub(super) fn remove_abandoned(&self) {
        let of_homes = homes(self.cache()).into_iter().map(|home| (home, &OF_HOME[..]));
        for (folder, names) in std::iter::once((self.cache().to_owned(), &OF_CACHE[..])).chain(of_homes) {
            for path in fs::list(&folder).unwrap_or_default() {
                let target = fs::target_of_abandoned(&path);
                let name = target.as_deref().and_then(Path::file_name).and_then(OsStr::to_str);
                if name.is_some_and(|name| names.contains(&name)) {
                    let _ = fs::remove_file(&path);
                }
            }
        }
    }

    /// Removes the logs of steps, and the folders that this empties.
    pub(super) fn remove_logs(&self) -> Result<(), StoreError> {
        let folder = self.cache().join("logs");
        if !fs::is_folder(&folder) {
            return Ok(());
        }
        for name in fs::files_below(&folder)?.iter().filter(|name| is_log(name)) {
            let path = folder.join(name);
            fs::remove_file(&path)?;
            for above in path.ancestors().skip(1).take_while(|above| above.starts_with(&folder)) {
                fs::remove_folder_if_empty(above)?;
            }
        }
        Ok(())
    }
}

/// Whether a path below the folder of logs is `NETWORK/STEP.log` or `NETWORK/MODEL/STEP.log`.
fn is_log(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    let step = parts.last().and_then(|last| last.strip_suffix(".log"));
    matches!(parts.len(), 2 | 3) && step.is_some_and(|step| StepKind::ALL.iter().any(|kind| kind.word() == step))
}
