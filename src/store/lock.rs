//! One run at a time uses a store; the others wait and say for whom.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::StoreError;
use crate::base::CancelToken;
use crate::base::fs;

/// How often a waiting run asks again, and looks whether it should stop waiting.
const PATIENCE: Duration = Duration::from_millis(50);

/// Who holds a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    text: String,
}

impl Holder {
    /// A process and what it does, such as `axzoo build all`.
    #[must_use]
    pub fn new(process: u32, purpose: &str) -> Self {
        Self { text: format!("process {process} ({purpose})") }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Takes the lock `path` for `holder`; while somebody else has it, calls `waiting` once and waits. The lock ends when
/// the file is dropped, also by a kill.
pub(super) fn take(
    path: &Path,
    cache: &Path,
    holder: &Holder,
    cancel: &CancelToken,
    mut waiting: impl FnMut(&Holder),
) -> Result<File, StoreError> {
    let mut told = false;
    loop {
        if let Some(file) = fs::try_lock(path)? {
            match fs::replace(&file, path, holder.text.as_bytes()) {
                // Others then wait for somebody without a name.
                Err(error) if !error.is_no_space() => return Err(error.into()),
                _ => return Ok(file),
            }
        }
        let text = fs::read_limited(path, 4096).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = text.unwrap_or_default();
        let other = Holder { text: if text.is_empty() { "another process".to_owned() } else { text } };
        if !told {
            waiting(&other);
            told = true;
        }
        if cancel.is_cancelled() {
            return Err(StoreError::Interrupted { holder: other.text, cache: cache.to_owned() });
        }
        thread::sleep(PATIENCE);
    }
}
