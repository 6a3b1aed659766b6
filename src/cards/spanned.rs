//! A value with the bytes of its card that gave it.

use crate::diag::Span;

/// A value and where it stands in the card's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// The bytes of the card's text that gave it.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value at its place.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}
