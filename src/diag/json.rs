//! Diagnostics for scripts: the object of SPEC 10, whose fields may be added to but never changed.

use serde::Serialize;
use serde_json::Value;

use super::{Diagnostic, Severity};

/// A diagnostic as scripts read it; the order is that of the alphabet, as everywhere in the program's JSON.
#[derive(Debug, Serialize)]
pub struct JsonDiagnostic<'a> {
    code: &'a str,
    column: Option<usize>,
    file: Option<&'a str>,
    hint: Option<&'a str>,
    line: Option<usize>,
    message: &'a str,
    model: Option<&'a str>,
    network: Option<&'a str>,
    severity: &'a str,
}

impl<'a> From<&'a Diagnostic> for JsonDiagnostic<'a> {
    fn from(diagnostic: &'a Diagnostic) -> Self {
        let position = diagnostic.place.as_ref().map(super::Place::position);
        Self {
            code: diagnostic.code,
            column: position.map(|position| position.column),
            file: diagnostic.file_name(),
            hint: diagnostic.hint.as_deref(),
            line: position.map(|position| position.line),
            message: &diagnostic.message,
            model: diagnostic.model.as_deref(),
            network: diagnostic.network.as_deref(),
            severity: diagnostic.severity.word(),
        }
    }
}

/// One diagnostic as `{"code","severity","message","hint","file","line","column","network","model"}`.
#[must_use]
pub fn to_json(diagnostic: &Diagnostic) -> Value {
    serde_json::to_value(JsonDiagnostic::from(diagnostic)).unwrap_or_default()
}

/// How many errors, warnings and notes there are.
#[must_use]
pub fn count(diagnostics: &[Diagnostic]) -> (usize, usize, usize) {
    let of = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    (of(Severity::Error), of(Severity::Warning), of(Severity::Note))
}
