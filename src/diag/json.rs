//! Diagnostics for scripts: the object of SPEC 10, whose fields may be added to but never changed.

use serde_json::{Value, json};

use super::{Diagnostic, Severity};

/// One diagnostic as `{"code","severity","message","hint","file","line","column","network","model"}`.
#[must_use]
pub fn to_json(diagnostic: &Diagnostic) -> Value {
    let position = diagnostic.place.as_ref().map(super::Place::position);
    json!({
        "code": diagnostic.code,
        "severity": diagnostic.severity.word(),
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "file": diagnostic.file_name(),
        "line": position.map(|position| position.line),
        "column": position.map(|position| position.column),
        "network": diagnostic.network,
        "model": diagnostic.model,
    })
}

/// How many errors, warnings and notes there are.
#[must_use]
pub fn count(diagnostics: &[Diagnostic]) -> (usize, usize, usize) {
    let of = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    (of(Severity::Error), of(Severity::Warning), of(Severity::Note))
}
