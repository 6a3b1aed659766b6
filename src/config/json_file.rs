//! A compiler configuration in JSON, as raw entries.

use serde_json::Number;
use serde_json::Value as Json;

use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Source;
use crate::diag::Span;
use crate::properties::Value;
use crate::yaml;
use crate::yaml::Node;
use crate::yaml::YamlErrorKind;

use super::raw::RawEntry;
use super::raw::RawValue;
use super::raw::TOO_LARGE;
use super::raw::is_integer;

/// The entries of the object that a text is, in its order.
///
/// Values are what JSON says; places come from the YAML parser, which reads JSON too but means other things by `1e5`.
///
/// # Errors
/// The text is no JSON, no object, or has a key twice.
pub(super) fn entries(source: &Source) -> Result<Vec<RawEntry>, Box<Diagnostic>> {
    let json: Json = serde_json::from_str(source.text()).map_err(|error| {
        let start = source.line(error.line()).map_or(0, |(start, _)| start);
        let at = (start + error.column().saturating_sub(1)).min(source.text().len());
        let text = error.to_string();
        let message = text.split(" at line ").next().unwrap_or(&text);
        Box::new(Diagnostic::error("config/syntax", format!("not JSON: {message}")).at(source, Span::new(at, at)))
    })?;
    let tree = match yaml::parse(source) {
        Ok(tree) => Some(tree),
        Err(error) if error.kind == YamlErrorKind::DuplicateKey => return Err(Box::new(error.diagnostic(source))),
        Err(_) => None,
    };
    if let RawValue::Table(entries) = raw(&json, tree.as_ref(), source) {
        return Ok(entries);
    }
    let problem = Diagnostic::error("config/type", "expected a JSON object of settings");
    Err(Box::new(problem.at(source, Span::new(0, 0))))
}

fn raw(json: &Json, node: Option<&Node>, source: &Source) -> RawValue {
    match json {
        Json::Null => scalar(Value::Null, node),
        Json::Bool(value) => scalar(Value::Bool(*value), node),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => scalar(Value::Int(value), node),
            (None, Some(value)) if !is_too_large(number, node) => scalar(Value::Float(value), node),
            (None, _) => RawValue::Odd(TOO_LARGE.to_owned()),
        },
        Json::String(text) => scalar(Value::Text(text.clone()), node),
        Json::Array(items) => {
            let nodes = node.map(Node::items).unwrap_or_default();
            RawValue::List(items.iter().enumerate().map(|(at, item)| raw(item, nodes.get(at), source)).collect())
        }
        Json::Object(object) => {
            let place = |node: Option<&Node>| Place::new(source, node.map_or(Span::new(0, 0), |node| node.span));
            let entry = |(key, value): (&String, &Json)| {
                let found = node.and_then(|node| node.entry(key));
                RawEntry {
                    key: key.clone(),
                    key_place: place(found.map(|(key, _)| key)),
                    value: raw(value, found.map(|(_, value)| value), source),
                    place: place(found.map(|(_, value)| value)),
                }
            };
            let mut entries: Vec<RawEntry> = object.iter().map(entry).collect();
            entries.sort_by_key(|entry| entry.key_place.span.start);
            RawValue::Table(entries)
        }
    }
}

/// Whether a number that is no 64-bit integer is an integer as it is written.
fn is_too_large(number: &Number, node: Option<&Node>) -> bool {
    number.is_u64() || node.and_then(Node::as_scalar).is_some_and(|scalar| is_integer(&scalar.text))
}

/// The text as written is that of the file, so that a property meant as text takes `1` for `1`.
fn scalar(value: Value, node: Option<&Node>) -> RawValue {
    let written = node.and_then(Node::as_scalar).map(|scalar| scalar.text.clone());
    RawValue::Scalar { value, written, versions_differ: None }
}
