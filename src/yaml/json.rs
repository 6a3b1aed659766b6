//! A YAML node as JSON, for files that the runtime reads.

use serde_json::{Map, Value};

use super::{Kind, Meaning, Node};

impl Node {
    /// This node as JSON: scalars by what they mean, keys as their text. A float that JSON cannot write becomes null.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Scalar(scalar) => match scalar.meaning() {
                Meaning::Null => Value::Null,
                Meaning::Bool(value) => Value::from(value),
                Meaning::Int(value) => Value::from(value),
                Meaning::Float(value) => Value::from(value),
                Meaning::Text => Value::from(scalar.text.as_str()),
            },
            Kind::Sequence(items) => items.iter().map(Self::to_json).collect(),
            Kind::Mapping(entries) => {
                let entry = |(key, value): &(Self, Self)| Some((key.as_text()?.to_owned(), value.to_json()));
                Value::Object(entries.iter().filter_map(entry).collect::<Map<_, _>>())
            }
        }
    }
}
