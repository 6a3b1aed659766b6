//! Why a text cannot be edited as asked.

use crate::diag::Diagnostic;
use crate::diag::Source;
use crate::diag::Span;

/// What kind of obstacle an [`EditError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditErrorKind {
    /// The mapping, or the entry, is a copy that an alias made: its text stands elsewhere.
    Alias,
    /// A merge key (`<<`) brings the entry from another mapping.
    Merge,
    /// What would go is named by an anchor that is used elsewhere.
    AnchorInUse,
    /// No mapping, or no such key.
    Missing,
    /// A way of writing that is not edited: an entry that shares its line, a tag before a value, overlapping edits.
    Layout,
}

/// An edit that was not made, with the bytes of the obstacle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EditError {
    /// What kind of obstacle it is.
    pub kind: EditErrorKind,
    /// What is in the way, lower case, without a final period.
    pub message: String,
    /// The bytes it concerns.
    pub span: Span,
}

impl EditError {
    pub(super) fn new(kind: EditErrorKind, message: impl Into<String>, span: Span) -> Self {
        Self { kind, message: message.into(), span }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self.kind {
            EditErrorKind::Alias => "write the settings out in place of the alias `*…`, or edit what it names by hand",
            EditErrorKind::Merge => "write the setting out beside the merge key `<<`, or edit what it merges by hand",
            EditErrorKind::AnchorInUse => "write the settings out where the alias `*…` stands",
            EditErrorKind::Missing => "check the name of the key",
            EditErrorKind::Layout => "put each key on a line of its own, without a tag before its value",
        }
    }

    /// The error as a diagnostic that points into `source`, the text that was to be edited.
    #[must_use]
    pub fn diagnostic(&self, source: &Source) -> Diagnostic {
        Diagnostic::error("yaml/edit", self.message.as_str()).at(source, self.span).hint(self.hint())
    }
}
