//! Where a text names parts of itself: anchors, aliases and merge keys. The tree has copies in their place.

use crate::diag::Span;

/// Every anchor, alias and merge key of a document, in the order in which their nodes end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct References {
    pub(super) anchors: Vec<Anchor>,
    pub(super) aliases: Vec<Alias>,
    pub(super) merges: Vec<Merge>,
}

/// A node that an alias can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) id: usize,
    /// The node, without the `&name` before it.
    pub(super) span: Span,
    pub(super) is_scalar: bool,
}

/// A `*name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Alias {
    /// The [`Anchor::id`] of what it names.
    pub(super) anchor: usize,
    pub(super) span: Span,
}

/// A `<<` and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Merge {
    /// The mapping that it stands in.
    pub(super) mapping: Span,
    pub(super) key: Span,
    pub(super) value: Span,
}
