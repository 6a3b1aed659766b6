//! The tree of a YAML document, every node with its bytes.

use super::meaning;
use crate::diag::Span;

/// One node of a document. Aliases are resolved to copies of what they name, within the parser's budget; such a copy
/// has the alias's span.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the node stands: for a scalar its text (quotes included; of a block scalar its lines), for a collection from its first to its last
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

impl Node {
    /// A scalar that was not read from a text but made, such as a substituted value, at the place that stands for it.
    #[must_use]
    pub fn scalar(text: impl Into<String>, style: Style, span: Span) -> Self {
        Self { span, kind: Kind::Scalar(Scalar { text: text.into(), style }) }
    }

    /// The value under `key` in a mapping; `None` when there is none, or when this is no mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, value)| value)
    }

    /// The key and value under `key` in a mapping.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<(&Self, &Self)> {
        self.entries()
            .iter()
            .find(|(name, _)| name.as_scalar().is_some_and(|name| name.text == key))
            .map(|(k, v)| (k, v))
    }

    /// The entries of a mapping in the order written; none when this is no mapping.
    #[must_use]
    pub fn entries(&self) -> &[(Self, Self)] {
        match &self.kind {
            Kind::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a sequence; none when this is no sequence.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The scalar, when it is one.
    #[must_use]
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text of a scalar as written, whatever it means otherwise (an md5 such as `348e95` stays text); `None` for
    /// null and for collections.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        self.as_scalar().filter(|scalar| scalar.meaning() != Meaning::Null).map(|scalar| scalar.text.as_str())
    }

    /// What a scalar means; `None` for a collection.
    #[must_use]
    pub fn meaning(&self) -> Option<Meaning> {
        self.as_scalar().map(Scalar::meaning)
    }

    /// Whether this is null: `null`, `~` or nothing.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.meaning() == Some(Meaning::Null)
    }

    /// Whether this is a mapping.
    #[must_use]
    pub fn is_mapping(&self) -> bool {
        matches!(self.kind, Kind::Mapping(_))
    }

    /// Whether this is a sequence.
    #[must_use]
    pub fn is_sequence(&self) -> bool {
        matches!(self.kind, Kind::Sequence(_))
    }

    /// The integer that a scalar means.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self.meaning() {
            Some(Meaning::Int(value)) => Some(value),
            _ => None,
        }
    }

    /// The number that a scalar means, an integer included.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self.meaning() {
            Some(Meaning::Int(value)) => Some(value as f64),
            Some(Meaning::Float(value)) => Some(value),
            _ => None,
        }
    }

    /// The boolean that a scalar means.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.meaning() {
            Some(Meaning::Bool(value)) => Some(value),
            _ => None,
        }
    }

    /// The node in words, for "expected …, found …": ``a list``, ``the integer 8``, ``the text `x` ``.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Sequence(_) => "a list".to_owned(),
            Kind::Mapping(_) => "a mapping".to_owned(),
            Kind::Scalar(scalar) => match scalar.meaning() {
                Meaning::Text => format!("the text `{}`", scalar.text.chars().take(80).collect::<String>()),
                other => meaning::words(&other),
            },
        }
    }
}
