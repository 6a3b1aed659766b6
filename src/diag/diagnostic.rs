//! One problem, as data: rendering is another file's job.

use super::{Place, Source, Span};

/// How bad a problem is. `Error` fails `check`; under `--strict` a warning is one too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Probably not what was meant.
    Warning,
    /// Cannot be right.
    Error,
}

impl Severity {
    /// `error`, `warning` or `note`: the word in text and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A problem: what is wrong, where, and what to do.
///
/// Messages are lower case without a final period and put back-ticks round names; they say what was expected and
/// found. The hint says what to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// Stable name such as `card/unknown-key`; the part before the slash is the subject.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where, when there is a text to point at.
    pub place: Option<Place>,
    /// The file's name, when there is a file but no text to point at (unreadable, not UTF-8, binary).
    pub file: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The network it concerns.
    pub network: Option<String>,
    /// The model it concerns.
    pub model: Option<String>,
}

impl Diagnostic {
    fn new(code: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            place: None,
            file: None,
            hint: None,
            network: None,
            model: None,
        }
    }

    /// Something that cannot be right.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, message)
    }

    /// Something that is probably not what was meant.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, message)
    }

    /// Something worth knowing.
    #[must_use]
    pub fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Note, message)
    }

    /// Points at a range of a text.
    #[must_use]
    pub fn at(mut self, source: &Source, span: Span) -> Self {
        self.place = Some(Place::new(source, span));
        self
    }

    /// Points at a place, where there is one.
    #[must_use]
    pub fn at_place(mut self, place: Option<&Place>) -> Self {
        self.place = place.cloned();
        self
    }

    /// Names a file that has no text to point at.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what to do, where that is known.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(Into::into);
        self
    }

    /// Names the network it concerns.
    #[must_use]
    pub fn network(mut self, network: impl Into<String>) -> Self {
        self.network = Some(network.into());
        self
    }

    /// Names the model it concerns.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// The name of the file it concerns; `None` too when it is about what was typed.
    #[must_use]
    pub fn artifact(&self) -> Option<&str> {
        let typed = self.place.as_ref().is_some_and(|place| place.source.is_typed());
        self.file_name().filter(|_| !typed)
    }

    /// The name of the text it concerns, from its place or its `file`: a file, or a flag such as `--set`.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.place.as_ref().map(|place| place.source.name()).or(self.file.as_deref())
    }
}
