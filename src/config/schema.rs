//! The JSON schema of a configuration: a TOML or JSON file, or a card's `compilation_config`.

use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;

use crate::properties;
use crate::properties::Property;

use super::old_names;

/// The name of the definition of a configuration; those of others begin with it.
pub const CONFIG_DEFINITION: &str = "config";

/// The definition of the settings without the sections of SDK 1.2, which hold the same settings.
const SETTINGS: &str = "config-settings";

/// The schema's definitions (draft-07): a configuration, and what it is made of. Keys that are not known are allowed, as a
/// newer SDK may know them; old names, sections and settings without a successor are marked deprecated.
#[must_use]
pub fn schema_definitions() -> Map<String, Json> {
    let mut settings = Map::new();
    for property in properties::all() {
        settings.insert(property.name.to_owned(), property.json_schema());
        for old in property.old_names {
            settings.insert((*old).to_owned(), renamed(property, old));
        }
    }
    let switch = json!({ "type": "boolean" });
    let message = "Write `compiler_mode: quantize_only` for true.";
    settings.insert(old_names::QUANTIZE_ONLY.to_owned(), deprecated(switch, message));
    let mut sections = Map::new();
    for section in &old_names::SECTIONS {
        let message = "A section of SDK 1.2: write its settings side by side, by today's names.";
        let schema = json!({
            "type": ["object", "null"],
            "allOf": [{ "$ref": format!("#/definitions/{SETTINGS}") }],
        });
        sections.insert(section.name.to_owned(), deprecated(schema, message));
        for gone in section.gone {
            let message = "SDK 1.2 knew it, and it has no successor: kept for toolchains that know it.";
            settings.insert((*gone).to_owned(), deprecated(json!({}), message));
        }
    }
    let config = json!({
        "description": "Compiler settings of one model: a TOML file that `compiler_config_file` names, or a card's \
                        `compilation_config`.",
        "allOf": [{ "$ref": format!("#/definitions/{SETTINGS}") }],
        "properties": sections,
    });
    Map::from_iter([(CONFIG_DEFINITION.to_owned(), config), (SETTINGS.to_owned(), json!({ "properties": settings }))])
}

/// A property under another name. The pools of SDK 1.2 were named without `global.`.
fn renamed(property: &Property, old: &str) -> Json {
    let mut schema = property.value_schema();
    if old_names::is_pool(old)
        && let Some(Json::Array(words)) = schema.get_mut("enum")
    {
        words.extend(old_names::POOLS.iter().map(|word| json!(word)));
    }
    deprecated(Json::Object(schema), &format!("Another name of `{}`.", property.name))
}

/// Draft-07 has no `deprecated`, but readers that know it show it; `doNotSuggest` keeps an editor's completion to today's names.
/// There is no `deprecationMessage`: yaml-language-server shows it as an error, and the name is none.
fn deprecated(mut schema: Json, message: &str) -> Json {
    if let Some(object) = schema.as_object_mut() {
        object.insert("deprecated".to_owned(), json!(true));
        object.insert("doNotSuggest".to_owned(), json!(true));
        object.insert("description".to_owned(), json!(message));
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_a_layer_may_say_is_known() {
        let definitions = schema_definitions();
        let settings = &definitions[SETTINGS]["properties"];
        for property in properties::all() {
            assert!(settings[property.name]["description"].is_string(), "{}", property.name);
            for old in property.old_names {
                assert_eq!(settings[*old]["deprecated"], true, "{old}");
            }
        }
        for section in &old_names::SECTIONS {
            assert_eq!(definitions[CONFIG_DEFINITION]["properties"][section.name]["deprecated"], true);
            for gone in section.gone {
                assert_eq!(settings[*gone]["deprecated"], true, "{gone}");
            }
        }
        assert_eq!(settings["io_pool"]["enum"], json!(["global.ddr", "global.l2", "global.l1", "ddr", "l2", "l1"]));
    }
}
