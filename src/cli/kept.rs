//! Problems as they are kept from one run to the next, to be told again without looking for them again.

use std::path::Path;

use serde::Deserialize;
use serde::Serialize;

use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Position;
use crate::diag::Severity;
use crate::diag::Source;
use crate::diag::Span;
use crate::diag::catalogue;

/// A problem as it is kept: no text, which is read again where a line of it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptProblem {
    code: String,
    severity: u8,
    message: String,
    place: Option<KeptPlace>,
    file: Option<String>,
    hint: Option<String>,
    network: Option<String>,
    model: Option<String>,
}

/// The text's name, the span in it, and the line and column of its start.
#[derive(Debug, Serialize, Deserialize)]
struct KeptPlace(String, usize, usize, usize, usize);

const SEVERITIES: [Severity; 3] = [Severity::Note, Severity::Warning, Severity::Error];

impl KeptProblem {
    /// A problem to be kept.
    pub(super) fn of(problem: &Diagnostic) -> Self {
        let kept = |place: &Place| {
            let start = place.position();
            let name = place.source.name().to_owned();
            KeptPlace(name, place.span.start, place.span.end, start.line, start.column)
        };
        Self {
            code: problem.code.to_owned(),
            severity: problem.severity as u8,
            message: problem.message.clone(),
            place: problem.place.as_ref().map(kept),
            file: problem.file.clone(),
            hint: problem.hint.clone(),
            network: problem.network.clone(),
            model: problem.model.clone(),
        }
    }

    /// The problem again; `texts` are those that problems of its card point into.
    pub(super) fn recalled(self, root: &Path, texts: &mut Vec<Source>) -> Option<Diagnostic> {
        let place = self.place.map(|KeptPlace(name, start, end, line, column)| {
            let known = texts.iter().find(|source| source.name() == name).cloned();
            let source = known.unwrap_or_else(|| {
                let source = Source::read_again(name.as_str(), root.join(&name));
                texts.push(source.clone());
                source
            });
            Place::found_before(&source, Span::new(start, end), Position { line, column })
        });
        Some(Diagnostic {
            code: catalogue::find(&self.code)?.code,
            severity: *SEVERITIES.get(usize::from(self.severity))?,
            message: self.message,
            place,
            file: self.file,
            hint: self.hint,
            network: self.network,
            model: self.model,
        })
    }
}

/// Whether the text that a problem points into can be read again for its lines: one of `size` bytes that is the file's as it
/// stands, not such as one without its byte order mark. `size` says how long a file was when it was looked at.
pub(super) fn can_be_kept(problem: &Diagnostic, size: impl Fn(&str) -> Option<u64>) -> bool {
    let Some(place) = &problem.place else { return true };
    !place.source.is_typed() && size(place.source.name()) == Some(place.source.text().len() as u64)
}
