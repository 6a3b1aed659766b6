//! One property's value as a JSON schema.

use serde_json::{Map, Value as Json, json};

use super::property::{HostSupport, Influence, Kind, Property};

/// Most cores of any board; a schema knows no board.
const MOST_CORES: u32 = 8;

impl Property {
    /// The schema of the property's value, with its meaning, its default, and what a change of it costs.
    #[must_use]
    pub fn json_schema(&self) -> Json {
        let mut object = self.value_schema();
        object.insert("description".to_owned(), json!(self.help()));
        object.insert("default".to_owned(), self.default.to_json());
        Json::Object(object)
    }

    /// What the property means, which step a change of it runs again, and what the embedded compiler makes of it.
    fn help(&self) -> String {
        let step = match self.influences {
            Influence::Nothing => "Changes no result.".to_owned(),
            step => format!("A change runs `{}` and what follows again.", step.word()),
        };
        let host = match (self.host, self.why) {
            (HostSupport::Honoured, _) => String::new(),
            (host, why) => format!(
                " {} by the embedded compiler{}.",
                if host == HostSupport::Ignored { "Ignored" } else { "Emulated" },
                why.map(|why| format!(": {why}")).unwrap_or_default()
            ),
        };
        format!("{} {step}{host}", self.doc)
    }

    /// The schema of the value alone.
    #[must_use]
    pub fn value_schema(&self) -> Map<String, Json> {
        let mut object = Map::new();
        let mut put = |key: &str, value: Json| {
            object.insert(key.to_owned(), value);
        };
        let types: &[&str] = match self.kind {
            Kind::Bool => &["boolean"],
            Kind::Int { min, max } => {
                if min != i64::MIN {
                    put("minimum", json!(min));
                }
                if max != i64::MAX {
                    put("maximum", json!(max));
                }
                &["integer"]
            }
            Kind::Float { min, max } => {
                if min > f64::MIN {
                    put("minimum", json!(min));
                }
                if max < f64::MAX {
                    put("maximum", json!(max));
                }
                &["number"]
            }
            Kind::Cores => {
                put("minimum", json!(1));
                put("maximum", json!(MOST_CORES));
                &["integer"]
            }
            Kind::Share => {
                put("exclusiveMinimum", json!(0));
                put("maximum", json!(1));
                put("multipleOf", json!(1.0 / f64::from(MOST_CORES)));
                &["number"]
            }
            // A card's text is taken as written, so that `348e95` is text although YAML reads a number.
            Kind::Text | Kind::Path => &["string", "number", "boolean"],
            Kind::Enum(words) => {
                let null = self.nullable.then_some(Json::Null);
                put("enum", words.iter().map(|word| json!(word)).chain(null).collect());
                &["string"]
            }
            Kind::List(words) => {
                let bracketed: Vec<String> = words.iter().map(|word| format!("[{word}]")).collect();
                let all: Vec<&str> = words.iter().copied().chain(bracketed.iter().map(String::as_str)).collect();
                // YAML reads an unquoted `[B]` as a list of one.
                let inner = json!({ "type": "array", "items": { "enum": words }, "minItems": 1, "maxItems": 1 });
                put("items", json!({ "anyOf": [{ "enum": all }, inner] }));
                &["array"]
            }
        };
        let mut types = types.to_vec();
        if self.nullable {
            types.push("null");
        }
        put("type", if let [only] = types.as_slice() { json!(only) } else { json!(types) });
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::find;

    #[test]
    fn a_schema_has_bounds_default_and_help() {
        let schema = |name: &str| find(name).expect("a property").json_schema();
        assert_eq!(schema("tiling_depth")["minimum"], 1);
        assert_eq!(schema("quantization_scheme")["default"], "per_tensor_histogram");
        assert_eq!(schema("force_h_tiling")["type"], json!(["integer", "null"]));
        assert_eq!(schema("resources_used")["multipleOf"], 0.125);
        let help = schema("quantization_scheme")["description"].to_string();
        assert!(help.contains("runs `quantize`"), "{help}");
    }
}
