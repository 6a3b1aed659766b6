//! How packing fails.

use std::io;

use crate::base::fs::FsError;

/// A package that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Two entries have one name.
    #[error("two files of the package are called `{name}`")]
    DuplicateEntry {
        /// The name.
        name: String,
    },
    /// A file is named but not there.
    #[error("`{name}`, named by {named_by}, is not among the files to pack")]
    Missing {
        /// The file.
        name: String,
        /// Who names it.
        named_by: String,
    },
    /// A file that should hold JSON does not.
    #[error("`{name}` is not readable JSON: {message}")]
    Json {
        /// The file.
        name: String,
        /// What the reader said.
        message: String,
    },
    /// The archive could not be written.
    #[error("cannot write `{name}` into the package: {source}")]
    Archive {
        /// The entry.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FsError),
}
