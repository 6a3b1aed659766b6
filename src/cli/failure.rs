//! How a command ends badly, and with which exit code (SPEC 7).

use std::io::ErrorKind;
use std::process::ExitCode;

use crate::base::fs::FsError;
use crate::diag::Diagnostic;

/// A command that did not do what was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// What was typed or set cannot be carried out: 2.
    Usage(Vec<Diagnostic>),
    /// Something failed and has been reported: 1.
    Reported,
    /// Something failed: 1.
    Failed(Diagnostic),
    /// Several things failed: 1.
    Problems(Vec<Diagnostic>),
    /// A signal ended it: 128 + its number.
    Interrupted(u8),
}

impl Failure {
    /// The exit code.
    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => 2,
            Self::Reported | Self::Failed(_) | Self::Problems(_) => 1,
            Self::Interrupted(signal) => 128_u8.saturating_add(*signal),
        })
    }
}

/// What would help where a file cannot be read or written, for commands that have no zoo and so no cache.
pub(super) fn hint_of(error: &FsError) -> Option<String> {
    let other = "name another folder with `-o`";
    match error.source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Some(format!("free some space, or {other}, and run the same command again"))
        }
        ErrorKind::ReadOnlyFilesystem => Some(format!("the file system is mounted read-only; {other}")),
        _ => error.hint().map(ToOwned::to_owned),
    }
}

/// The exit code of a mistake of ours.
pub(super) const BUG: u8 = 70;
