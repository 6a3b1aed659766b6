//! `--set key=value`: the value as TOML writes it, or plain text.

use toml::de::DeTable;

use crate::diag::Place;
use crate::diag::Source;
use crate::diag::Span;
use crate::properties::Value;

use super::raw::RawEntry;
use super::raw::RawValue;
use super::raw::is_integer;
use super::toml_file;

/// The entry of one argument. `null` unsets; what is no TOML value is text, so that `--set ptq_scheme=per_tensor_min_max`
/// needs no quotes. The place is in a text that reads as the argument did.
pub(super) fn entry(key: &str, value: &str) -> RawEntry {
    let source = Source::typed("--set", format!("{key}={value}"));
    let end = key.len() + 1 + value.len();
    RawEntry {
        key: key.trim().to_owned(),
        key_place: Place::new(&source, Span::new(0, key.len())),
        value: raw(value.trim()),
        place: Place::new(&source, Span::new(key.len() + 1, end)),
    }
}

fn raw(value: &str) -> RawValue {
    if matches!(value, "null" | "none" | "None") {
        return RawValue::scalar(Value::Null);
    }
    let text = format!("value = {value}");
    if !value.contains(['\n', '\r']) && DeTable::parse(&text).is_ok() {
        let file = toml_file::parse(&Source::typed("--set", text));
        if let Some(entry) = file.entries.into_iter().next() {
            return match entry.value {
                RawValue::Scalar { value: parsed, .. } => {
                    let written = if let Value::Text(text) = &parsed { text.clone() } else { value.to_owned() };
                    RawValue::Scalar { value: parsed, written: Some(written), versions_differ: None }
                }
                RawValue::Odd(what) if is_integer(value) => RawValue::Odd(what),
                // A date is text to every property that could take it.
                RawValue::Odd(_) => RawValue::scalar(Value::Text(value.to_owned())),
                other => other,
            };
        }
    }
    // `[B,T]` is what a shell leaves of `["B","T"]`.
    if let Some(inner) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let words = inner.split(',').map(|word| word.trim().trim_matches(['"', '\''])).filter(|word| !word.is_empty());
        return RawValue::List(words.map(|word| RawValue::scalar(Value::Text(word.to_owned()))).collect());
    }
    RawValue::scalar(Value::Text(value.to_owned()))
}
