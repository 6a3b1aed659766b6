//! The JSON schema of a configuration, for editors.

use serde_json::{Map, Value as Json, json};

use super::property::{Kind, Property, all};

/// The schema (draft 2020-12) of a TOML configuration file and of a card's `compilation_config` block. Keys that it does
/// not know are allowed, as a newer SDK may know them; old names are marked deprecated.
#[must_use]
pub fn json_schema() -> Json {
    let mut properties = Map::new();
    for property in all() {
        properties.insert(property.name.to_owned(), of(property));
        for old in property.old_names {
            let mut schema = of(property);
            if let Some(object) = schema.as_object_mut() {
                object.remove("default");
                object.insert("deprecated".to_owned(), json!(true));
                object.insert("description".to_owned(), json!(format!("Another name of {}.", property.name)));
            }
            properties.insert((*old).to_owned(), schema);
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "CompilerConfig",
        "description": "Compiler settings of one model: a TOML file that `compiler_config_file` names, or a card's `compilation_config`.",
        "type": "object",
        "properties": properties,
        "additionalProperties": true,
    })
}

/// The schema of one property's value.
fn of(property: &Property) -> Json {
    let mut object = Map::new();
    let mut put = |key: &str, value: Json| {
        object.insert(key.to_owned(), value);
    };
    put("description", json!(property.doc));
    put("default", property.default.to_json());
    let kind = match property.kind {
        Kind::Bool => "boolean",
        Kind::Int { min, max } => {
            if min != i64::MIN {
                put("minimum", json!(min));
            }
            if max != i64::MAX {
                put("maximum", json!(max));
            }
            "integer"
        }
        Kind::Float { min, max } => {
            if min > f64::MIN {
                put("minimum", json!(min));
            }
            if max < f64::MAX {
                put("maximum", json!(max));
            }
            "number"
        }
        Kind::Cores => {
            put("minimum", json!(1));
            put("maximum", json!(8));
            "integer"
        }
        Kind::Share => {
            put("exclusiveMinimum", json!(0));
            put("maximum", json!(1));
            put("multipleOf", json!(0.125));
            "number"
        }
        Kind::Text | Kind::Path => "string",
        Kind::Enum(words) => {
            let mut words: Vec<Json> = words.iter().map(|word| json!(word)).collect();
            if property.nullable {
                words.push(Json::Null);
            }
            put("enum", Json::Array(words));
            "string"
        }
        Kind::List(words) => {
            let bracketed = words.iter().map(|word| json!(format!("[{word}]")));
            let words: Vec<Json> = words.iter().map(|word| json!(word)).chain(bracketed).collect();
            put("items", json!({ "enum": words }));
            "array"
        }
    };
    put("type", if property.nullable { json!([kind, "null"]) } else { json!(kind) });
    Json::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_every_name_and_its_bounds() {
        let schema = json_schema();
        let known = schema["properties"].as_object().expect("an object");
        for property in all() {
            assert!(known.contains_key(property.name), "{}", property.name);
        }
        assert_eq!(known["tiling_depth"]["minimum"], 1);
        assert_eq!(known["quantization_scheme"]["default"], "per_tensor_histogram");
        assert_eq!(known["force_h_tiling"]["type"], json!(["integer", "null"]));
        assert_eq!(known["ptq_scheme"]["deprecated"], true);
    }
}
