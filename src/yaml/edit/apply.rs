//! Spans of a text replaced at once.

use super::error::EditError;
use super::error::EditErrorKind;
use crate::diag::Span;

/// Bytes of a text and what is to stand in their place. An empty span inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The bytes that go.
    pub span: Span,
    /// What comes.
    pub text: String,
}

impl Edit {
    /// Puts `text` in the place of the bytes of `span`.
    #[must_use]
    pub fn new(span: Span, text: impl Into<String>) -> Self {
        Self { span, text: text.into() }
    }
}

/// The text with every edit made; the order of the edits does not matter, except that of insertions at one place.
///
/// # Errors
/// Two edits overlap, or one lies outside the text or splits a character.
pub fn apply(text: &str, edits: &[Edit]) -> Result<String, EditError> {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for edit in sorted {
        let error = |message| EditError::new(EditErrorKind::Layout, message, edit.span);
        if edit.span.start < done {
            return Err(error("two edits overlap"));
        }
        let kept = text.get(done..edit.span.start).filter(|_| text.get(edit.span.start..edit.span.end).is_some());
        out.push_str(kept.ok_or_else(|| error("an edit lies outside the text"))?);
        out.push_str(&edit.text);
        done = edit.span.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Ok(out)
}
