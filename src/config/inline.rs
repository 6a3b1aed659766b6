//! The `compilation_config` block of a card, as raw entries.

use crate::diag::Place;
use crate::diag::Source;
use crate::properties::Value;
use crate::yaml::Kind;
use crate::yaml::Meaning;
use crate::yaml::Node;

use super::raw::RawEntry;
use super::raw::RawValue;
use super::raw::TOO_LARGE;
use super::raw::is_integer;

/// Deepest nesting that is looked at: sections of SDK 1.2 need two levels.
const DEPTH: usize = 8;

/// The entries of a mapping; an empty (null) block has none. `None` when the block is neither.
pub(super) fn entries(node: &Node, source: &Source) -> Option<Vec<RawEntry>> {
    (node.is_mapping() || node.is_null()).then(|| mapping(node.entries(), source, DEPTH))
}

fn mapping(entries: &[(Node, Node)], source: &Source, depth: usize) -> Vec<RawEntry> {
    let entry = |(key, value): &(Node, Node)| RawEntry {
        key: key.as_scalar().map_or_else(|| key.describe(), |scalar| scalar.text.clone()),
        key_place: Place::new(source, key.span),
        value: raw(value, source, depth),
        place: Place::new(source, value.span),
    };
    entries.iter().map(entry).collect()
}

fn raw(node: &Node, source: &Source, depth: usize) -> RawValue {
    let Some(deeper) = depth.checked_sub(1) else {
        return RawValue::Odd("a value nested too deep".to_owned());
    };
    match &node.kind {
        Kind::Mapping(entries) => RawValue::Table(mapping(entries, source, deeper)),
        Kind::Sequence(items) => RawValue::List(items.iter().map(|item| raw(item, source, deeper)).collect()),
        Kind::Scalar(scalar) if matches!(scalar.meaning(), Meaning::Float(_)) && is_integer(&scalar.text) => {
            RawValue::Odd(TOO_LARGE.to_owned())
        }
        Kind::Scalar(scalar) => {
            let value = match scalar.meaning() {
                Meaning::Null => Value::Null,
                Meaning::Bool(value) => Value::Bool(value),
                Meaning::Int(value) => Value::Int(value),
                Meaning::Float(value) => Value::Float(value),
                Meaning::Text => Value::Text(scalar.text.clone()),
            };
            let written = Some(scalar.text.clone());
            RawValue::Scalar { value, written, versions_differ: scalar.differs_in_yaml_1_2() }
        }
    }
}
