//! The tree of a YAML document, every node with its bytes.

use crate::diag::Span;

/// One node of a document. Aliases are resolved to copies of what they name, within the parser's budget; such a copy
/// has the alias's span.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the node stands: for a scalar its text (quotes included), for a collection from its first to its last
    /// byte, trailing blanks and comments excluded.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A scalar; see [`Scalar`].
    Scalar(Scalar),
    /// A sequence.
    Sequence(Vec<Node>),
    /// A mapping in the order written; keys are unique (a duplicate is refused by the parser) and may be any node.
    Mapping(Vec<(Node, Node)>),
}

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: may be a number, boolean or null.
    Plain,
    /// In single or double quotes: always text.
    Quoted,
    /// A literal (`|`) or folded (`>`) block: always text.
    Block,
}

/// A scalar: its text and how it was written. What a plain text means is asked for, not decided here, because keys that
/// are meant as strings take the text as written (SPEC 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text, quotes and escapes resolved; substitution marks such as `{{input_width}}` as written.
    pub text: String,
    /// How it was written.
    pub style: Style,
}

/// What a scalar means, read as `PyYAML` reads it (YAML 1.1), since that is what the SDK uses.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// `null`, `~` or nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// Anything else.
    Text,
}
