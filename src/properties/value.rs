//! A property's value, free of files and layers, and what can be wrong with one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A value as cards, TOML files and JSON say it. In JSON it is the plain value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Nothing: the property is unset.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction, always finite once checked against a property.
    Float(f64),
    /// Text, a path or an enum's word.
    Text(String),
    /// Several values.
    List(Vec<Value>),
}

impl Value {
    /// The text that enters a step's key: unambiguous, and without the text of a float, which depends on the printer.
    /// A float is `f64:` and the 16 hexadecimal digits of its bits, `-0.0` counting as `0.0`; text is a JSON string.
    #[must_use]
    pub fn canonical(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => {
                let bits = if *value == 0.0 { 0 } else { value.to_bits() };
                format!("f64:{bits:016x}")
            }
            Self::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::canonical).collect();
                format!("[{}]", items.join(","))
            }
        }
    }

    /// The value of a canonical text; `None` for a text that no value has.
    #[must_use]
    pub fn from_canonical(text: &str) -> Option<Self> {
        if let Some(bits) = text.strip_prefix("f64:") {
            return u64::from_str_radix(bits, 16).ok().map(f64::from_bits).map(Self::Float);
        }
        match serde_json::from_str(text) {
            Ok(serde_json::Value::Null) => Some(Self::Null),
            Ok(serde_json::Value::Bool(value)) => Some(Self::Bool(value)),
            Ok(serde_json::Value::Number(number)) => number.as_i64().map(Self::Int),
            Ok(serde_json::Value::String(text)) => Some(Self::Text(text)),
            // Floats make a canonical list no JSON; no property has a list of them.
            Ok(serde_json::Value::Array(items)) => {
                items.iter().map(|item| Self::from_canonical(&item.to_string())).collect::<Option<_>>().map(Self::List)
            }
            Ok(serde_json::Value::Object(_)) | Err(_) => None,
        }
    }

    /// What kind of value this is, for "expected … found …".
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::Float(_) => "float",
            Self::Text(_) => "text",
            Self::List(_) => "list",
        }
    }

    /// The value as a JSON value; a float that is not finite becomes `null`, as JSON has none.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::Text(text) => text.as_str().into(),
            Self::List(items) => items.iter().map(Self::to_json).collect::<Vec<_>>().into(),
        }
    }
}

impl fmt::Display for Value {
    /// For people: text without quotes at the top, with quotes in a list, and when it would be empty or taken for
    /// another kind of value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(text) => {
                let looks_like_another = matches!(text.as_str(), "" | "null" | "true" | "false");
                if looks_like_another || text.parse::<f64>().is_ok() {
                    write!(f, "{text:?}")
                } else {
                    f.write_str(text)
                }
            }
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    match item {
                        Self::Text(text) => write!(f, "{comma}{text:?}")?,
                        other => write!(f, "{comma}{other}")?,
                    }
                }
                f.write_str("]")
            }
        }
    }
}

/// Why a value does not suit a property. The message says what was expected and what was found.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ValueError {
    /// There is no such property.
    #[error("there is no property `{name}`")]
    UnknownProperty {
        /// The name as given.
        name: String,
    },
    /// The value is of another type.
    #[error("`{property}` takes {expected}, found {} `{}`", found.kind_name(), shortened(found))]
    Type {
        /// The property.
        property: &'static str,
        /// What it takes, in words.
        expected: String,
        /// What it was given.
        found: Value,
    },
    /// The number is outside the range.
    #[error("`{property}` is {expected}, found {found}")]
    Range {
        /// The property.
        property: &'static str,
        /// The range, in words.
        expected: String,
        /// What it was given.
        found: Value,
    },
    /// The text is none of the words.
    #[error("`{property}` is one of {}, found `{found}`", ticked(words))]
    Choice {
        /// The property.
        property: &'static str,
        /// The words it takes.
        words: &'static [&'static str],
        /// What it was given.
        found: String,
    },
    /// The share is not a whole number of the board's quanta in (0, 1].
    #[error("`{property}` is a multiple of {quantum} greater than 0 and at most 1.0, found {found}")]
    Share {
        /// The property.
        property: &'static str,
        /// One core's share of the board, as people write it.
        quantum: String,
        /// What it was given.
        found: Value,
        /// The nearest shares that are allowed, lower first.
        nearest: Vec<String>,
    },
}

/// The value's first 80 characters: a message is no place for a megabyte.
fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn ticked(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

impl ValueError {
    /// What would help, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownProperty { .. } | Self::Range { .. } => None,
            Self::Type { expected, found, .. } => match found {
                Value::Text(text) if text.parse::<i64>().is_ok() || matches!(text.as_str(), "true" | "false") => {
                    Some(format!("write `{text}` without quotes"))
                }
                Value::Text(text) if text.parse::<f64>().is_ok_and(f64::is_finite) && text.contains(['e', 'E']) => {
                    let value: f64 = text.parse().ok()?;
                    let point = if value.fract() == 0.0 { ".0" } else { "" };
                    Some(format!("YAML 1.1 reads `{text}` as text; write `{value}{point}`"))
                }
                Value::Text(text) if text.parse::<f64>().is_ok_and(f64::is_finite) => {
                    Some(format!("write `{text}` without quotes"))
                }
                Value::Float(value) if expected.contains("integer") && value.fract() == 0.0 && value.abs() < 1e15 => {
                    Some(format!("write `{value:.0}`"))
                }
                Value::Text(text) if expected.contains("`true`") => match text.to_lowercase().as_str() {
                    "true" | "yes" | "on" => Some("write `true`".to_owned()),
                    "false" | "no" | "off" => Some("write `false`".to_owned()),
                    _ => None,
                },
                Value::Int(value @ (0 | 1)) if expected.contains("`true`") => Some(format!("write `{}`", *value == 1)),
                _ => None,
            },
            Self::Choice { words, found, .. } => {
                crate::base::did_you_mean(&crate::base::nearest(found, words.iter().copied()))
            }
            Self::Share { nearest, .. } => {
                let nearest: Vec<String> = nearest.iter().map(|share| format!("`{share}`")).collect();
                let verb = if nearest.len() == 1 { "share is" } else { "shares are" };
                (!nearest.is_empty()).then(|| format!("the nearest {verb} {}", nearest.join(" and ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_is_unambiguous() {
        let values = [
            (Value::Null, "null"),
            (Value::Text("null".into()), "\"null\""),
            (Value::Int(1), "1"),
            (Value::Float(1.0), "f64:3ff0000000000000"),
            (Value::Float(0.25), "f64:3fd0000000000000"),
            (Value::Float(-0.0), "f64:0000000000000000"),
            (Value::Text("1".into()), "\"1\""),
            (Value::List(vec![Value::Text("a,b".into()), Value::Bool(true)]), "[\"a,b\",true]"),
        ];
        for (value, expected) in values {
            assert_eq!(value.canonical(), expected);
            assert_eq!(Value::from_canonical(expected), Some(value));
        }
        assert_eq!(Value::from_canonical("null x"), None);
    }

    #[test]
    fn a_value_survives_json() {
        for value in [
            Value::Null,
            Value::Bool(true),
            Value::Int(-5),
            Value::Float(1.0),
            Value::Text("x".into()),
            Value::List(vec![Value::Int(1), Value::Text("B".into())]),
        ] {
            let text = serde_json::to_string(&value).expect("serialized");
            assert_eq!(serde_json::from_str::<Value>(&text).expect("parsed"), value, "{text}");
            assert_eq!(serde_json::to_string(&value.to_json()).expect("serialized"), text);
        }
    }

    #[test]
    fn text_that_looks_like_a_number_is_quoted_for_people() {
        assert_eq!(Value::Text("12".into()).to_string(), "\"12\"");
        assert_eq!(Value::Text("batch".into()).to_string(), "batch");
        assert_eq!(Value::List(vec![Value::Text("B".into())]).to_string(), "[\"B\"]");
    }
}
