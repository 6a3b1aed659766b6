//! What can go wrong with the store.

use std::path::PathBuf;

use crate::base::Digest;
use crate::base::fs::FsError;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file operation failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The run was asked to stop while another one held the store.
    #[error("stopped while waiting for {holder}, which is using the cache `{}`", cache.display())]
    Interrupted {
        /// Who holds it.
        holder: String,
        /// The cache folder.
        cache: PathBuf,
    },
    /// The cache folder is somebody else's.
    #[error("`{}` has files in it and is no cache of axzoo", cache.display())]
    Foreign {
        /// The folder.
        cache: PathBuf,
    },
    /// A step left something that cannot be an output.
    #[error("the output `{name}` {what}; a step writes regular files only, with names in UTF-8")]
    NoOutput {
        /// The output.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// A stored artifact does not have the contents its name says.
    #[error("the stored artifact {} of `{name}` is damaged: its contents are {}", expected.short(), found.short())]
    Damaged {
        /// The output that it was for.
        name: String,
        /// The digest that it should have.
        expected: Digest,
        /// The digest that it has.
        found: Digest,
    },
}

impl StoreError {
    /// Whether a disk has no space left.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        matches!(self, Self::Fs(error) if error.is_no_space())
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Fs(error) => error.hint(),
            Self::Interrupted { .. } => None,
            Self::Foreign { .. } => {
                Some("name a new or an empty folder with --cache, or the cache of an earlier build")
            }
            Self::NoOutput { .. } => Some("this is a bug in the toolchain; please report it"),
            Self::Damaged { .. } => Some("it was removed; run the same command again and it is made again"),
        }
    }
}
