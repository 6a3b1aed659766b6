//! What a layer's text says before anybody knows what its keys mean: the common form of TOML, YAML and `--set`.

use crate::diag::Place;
use crate::properties::Value;

/// `key = value` with the places of both.
#[derive(Debug, Clone)]
pub(super) struct RawEntry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) value: RawValue,
    pub(super) place: Place,
}

#[derive(Debug, Clone)]
pub(super) enum RawValue {
    Scalar {
        value: Value,
        /// The text as written, for properties that are meant as text (SPEC 3: an md5 such as `348e95` stays text).
        written: Option<String>,
        /// How YAML 1.1 and 1.2 differ on it, where they do.
        versions_differ: Option<String>,
    },
    List(Vec<RawValue>),
    Table(Vec<RawEntry>),
    /// A value that no property can have, in words: a date, a number too large.
    Odd(String),
}

/// An integer that 64 bits do not hold: no property takes it, and as a float it would be another number.
pub(super) const TOO_LARGE: &str = "a number too large for 64 bits";

/// Whether a text is an integer in decimal digits, however many.
pub(super) fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit()) && digits.chars().all(|c| c.is_ascii_digit() || c == '_')
}

impl RawValue {
    pub(super) fn scalar(value: Value) -> Self {
        Self::Scalar { value, written: None, versions_differ: None }
    }

    /// The value, unless it is or has in it a table or something odd.
    pub(super) fn value(&self) -> Option<Value> {
        match self {
            Self::Scalar { value, .. } => Some(value.clone()),
            Self::List(items) => items.iter().map(Self::value).collect::<Option<_>>().map(Value::List),
            Self::Table(_) | Self::Odd(_) => None,
        }
    }

    /// The value of a property that is meant as text.
    pub(super) fn text(&self) -> Option<Value> {
        match self {
            Self::Scalar { value, written: Some(written), .. } if *value != Value::Null => {
                Some(Value::Text(written.clone()))
            }
            _ => self.value(),
        }
    }

    /// What it is, for "expected …, found …".
    pub(super) fn describe(&self) -> &str {
        match self {
            Self::Scalar { value, .. } => value.kind_name(),
            Self::List(items) => items.iter().find(|item| item.value().is_none()).map_or("a list", |item| match item {
                Self::Table(_) => "a list of tables",
                other => other.describe(),
            }),
            Self::Table(_) => "a table",
            Self::Odd(words) => words,
        }
    }
}
