//! What a row of the catalogue says.

use super::super::Severity;

/// Everything there is to say of one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The code; it never changes once released.
    pub code: &'static str,
    /// The usual severity; where it depends, `meaning` says on what.
    pub severity: Severity,
    /// What it points at.
    pub placed: Placed,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// What it means, in sentences with back-ticks round names.
    pub meaning: &'static str,
    /// Why it matters: what would happen otherwise.
    pub why: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// A few lines that provoke it: of a card, of a config, or a command.
    pub example: &'static str,
    /// Why there is no folder for it under `tests/errors`; `None`: there is one.
    pub no_case: Option<&'static str>,
}

/// What diagnostics of a code point at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// A line and column of a file, or of what was typed.
    Line,
    /// A file as a whole.
    File,
    /// Nothing: it is about the command or the zoo.
    Nowhere,
}

impl Entry {
    /// The part of the code before the slash.
    #[must_use]
    pub fn subject(&self) -> &'static str {
        self.code.split_once('/').map_or(self.code, |(subject, _)| subject)
    }

    /// The part of the code behind the slash.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.code.split_once('/').map_or(self.code, |(_, name)| name)
    }
}
