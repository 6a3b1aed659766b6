//! The JSON schema of cards, templates and configurations, for editors and standard validators.
//!
//! It accepts what the reader accepts, and refuses what one value alone shows to be wrong: types, ranges, words. What
//! depends on two places of a card, or on other files, `axzoo check` finds. It is draft-07, the newest that both
//! yaml-language-server and taplo understand.

use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;

use super::keys;
use super::keys::Key;
use super::keys::Table;
use super::keys::Takes;
use super::model::DIMENSION_LIMIT;
use super::model::ModelKind;
use super::raw::FORMAT;
use crate::base::NAME_LIMIT;
use crate::config::CONFIG_DEFINITION;
use crate::config::schema_definitions;
use crate::imaging::ColorFormat;
use crate::imaging::Layout;
use crate::imaging::PreprocessOperator;

/// What a schema is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaKind {
    /// Whatever the document looks like: a card, a template, else a configuration.
    Any,
    /// A card.
    Card,
    /// A pipeline template.
    Template,
    /// A compiler configuration: a TOML or JSON file.
    Config,
}

const CARD: &str = "card";
const TEMPLATE: &str = "template";

/// The first character starts no hidden file and no flag, and none leaves its folder.
const NAME_PATTERN: &str = r"^[^./\\:-][^/\\:]*$";

/// The schema (draft-07). Unknown keys are allowed everywhere, as a newer SDK may know them.
#[must_use]
pub fn json_schema(kind: SchemaKind) -> Json {
    let (title, what) = match kind {
        SchemaKind::Any => ("model card, pipeline template or compiler configuration", any()),
        SchemaKind::Card => ("model card", reference(CARD)),
        SchemaKind::Template => ("pipeline template", reference(TEMPLATE)),
        SchemaKind::Config => ("compiler configuration", reference(CONFIG_DEFINITION)),
    };
    let mut definitions = schema_definitions();
    if kind != SchemaKind::Config {
        let tables = Table::ALL.map(|table| (table.word().to_owned(), definition(table)));
        definitions.extend(tables);
        definitions.insert(CARD.to_owned(), card());
        definitions.insert(TEMPLATE.to_owned(), template());
    }
    let mut schema = Map::from_iter([
        ("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#")),
        ("title".to_owned(), json!(title)),
        ("type".to_owned(), json!("object")),
    ]);
    schema.extend(what);
    schema.insert("definitions".to_owned(), Json::Object(definitions));
    Json::Object(schema)
}

/// A document is what its keys say.
fn any() -> Map<String, Json> {
    let has = |key: &str| json!({ "required": [key] });
    let card = ["axelera-model-format", "models", "pipeline"].map(has);
    let template = ["input", "preprocess", "postprocess", "inference", "operators"].map(has);
    let other = json!({
        "if": { "anyOf": template },
        "then": reference(TEMPLATE),
        "else": reference(CONFIG_DEFINITION),
    });
    Map::from_iter([
        ("if".to_owned(), json!({ "anyOf": card })),
        ("then".to_owned(), Json::Object(reference(CARD))),
        ("else".to_owned(), other),
    ])
}

/// In draft-07 nothing beside `$ref` counts, so it stands in a list of its own.
fn reference(definition: &str) -> Map<String, Json> {
    Map::from_iter([("allOf".to_owned(), json!([{ "$ref": format!("#/definitions/{definition}") }]))])
}

fn card() -> Json {
    json!({
        "description": "A model card: one network, its models and its pipeline.",
        "type": "object",
        "required": ["name", "models"],
        "properties": properties(&keys::CARD.iter().collect::<Vec<_>>()),
    })
}

fn template() -> Json {
    let mut schema = reference(Table::Task.word());
    schema.insert("description".to_owned(), json!("A pipeline template: a task that tasks of cards build on."));
    Json::Object(schema)
}

fn definition(table: Table) -> Json {
    let mut schema = json!({ "properties": properties(&table.keys()) });
    if table == Table::Model
        && let Some(object) = schema.as_object_mut()
    {
        let has = |key: &str| json!({ "required": [key] });
        let ready = ["prequantized_path", "prequantized_url", "precompiled_path", "precompiled_url"].map(has);
        object.insert(
            "anyOf".to_owned(),
            json!([
                has("input_tensor_shape"),
                { "required": ["model_type"], "properties": { "model_type": { "const": ModelKind::ClassicalCv.word() } } },
                { "not": has("weight_path"), "anyOf": ready },
            ]),
        );
    }
    schema
}

fn properties(keys: &[&Key]) -> Map<String, Json> {
    keys.iter().map(|key| (key.name.to_owned(), property(key))).collect()
}

fn property(key: &Key) -> Json {
    let mut schema = takes(&key.takes);
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), json!(key.doc));
    }
    schema
}

fn takes(takes: &Takes) -> Json {
    match takes {
        Takes::Anything => json!({}),
        Takes::Text => json!({ "type": ["string", "number", "boolean", "null"] }),
        // Editors read `{{name}}` as a mapping of a mapping.
        Takes::TextOrMark => json!({ "type": ["string", "number", "boolean", "object", "null"] }),
        Takes::Name => json!({
            "type": ["string", "number", "boolean"],
            "minLength": 1,
            "maxLength": NAME_LIMIT,
            "pattern": NAME_PATTERN,
        }),
        Takes::Format => json!({ "enum": [FORMAT, null], "default": FORMAT }),
        Takes::Md5 => json!({ "type": ["string", "number", "null"], "pattern": "^[0-9A-Fa-f]{32}$" }),
        Takes::Count(least) => json!({ "type": ["integer", "null"], "minimum": least, "maximum": u32::MAX }),
        // A minimum concerns numbers only, a pattern strings.
        Takes::CountOrMark(least) => json!({
            "type": ["integer", "string", "object", "null"],
            "minimum": least,
            "maximum": u32::MAX,
            "pattern": "\\{\\{",
        }),
        Takes::Seed => json!({ "type": ["integer", "null"], "minimum": 0 }),
        Takes::Flag => json!({ "type": ["boolean", "null"] }),
        Takes::Number => json!({ "type": ["number", "null"] }),
        Takes::Portion => json!({ "type": ["number", "null"], "minimum": 0, "maximum": 1 }),
        Takes::Word(words) => json!({ "enum": words.iter().copied().map(Some).chain([None]).collect::<Vec<_>>() }),
        Takes::Color => any_case(&ColorFormat::ALL.map(ColorFormat::word), false),
        Takes::ColorOrMark => any_case(&ColorFormat::ALL.map(ColorFormat::word), true),
        Takes::Layout => any_case(&Layout::ALL.map(Layout::word), false),
        Takes::Shape => json!({
            "type": ["array", "null"],
            "minItems": 3,
            "maxItems": 4,
            "items": { "type": "integer", "minimum": 1, "maximum": DIMENSION_LIMIT },
        }),
        Takes::Tasks => json!({ "type": ["array", "null"], "items": one_of_a_kind(&entry(Table::Task)) }),
        Takes::Operators { preprocess } => operators(*preprocess),
        Takes::Configuration => or_null(CONFIG_DEFINITION),
        Takes::Mapping(Table::Environment) => Json::Object(reference(Table::Environment.word())),
        Takes::Mapping(table) => or_null(table.word()),
        Takes::Entries(table, true) => json!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": { "minLength": 1, "maxLength": NAME_LIMIT, "pattern": NAME_PATTERN },
            "additionalProperties": entry(*table),
        }),
        Takes::Entries(table, false) => json!({ "additionalProperties": entry(*table) }),
    }
}

/// A mapping with a table's keys, or null.
fn or_null(definition: &str) -> Json {
    let mut schema = reference(definition);
    schema.insert("type".to_owned(), json!(["object", "null"]));
    Json::Object(schema)
}

/// What stands under a name: a model is a mapping, tasks and datasets may be empty, and what the SDK alone reads is free.
fn entry(table: Table) -> Json {
    let mut schema = reference(table.word());
    match table {
        Table::Model => {
            schema.insert("type".to_owned(), json!("object"));
        }
        Table::Task | Table::Dataset => {
            schema.insert("type".to_owned(), json!(["object", "null"]));
        }
        _ => {}
    }
    Json::Object(schema)
}

/// A mapping of one name.
fn one_of_a_kind(value: &Json) -> Json {
    json!({ "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": value })
}

fn operators(preprocess: bool) -> Json {
    let arguments = json!({ "type": ["object", "null"] });
    let mut one = one_of_a_kind(&arguments);
    let names = if preprocess { PreprocessOperator::NAMES } else { &[] };
    if let Some(object) = one.as_object_mut()
        && !names.is_empty()
    {
        // For completion: the operators that axzoo runs.
        let known: Map<String, Json> = names.iter().map(|name| ((*name).to_owned(), arguments.clone())).collect();
        object.insert("properties".to_owned(), Json::Object(known));
    }
    json!({ "type": ["array", "null"], "items": { "anyOf": [one, { "type": ["string", "number", "boolean"] }] } })
}

/// Words of which upper and lower case are the same; the words themselves for completion.
fn any_case(words: &[&str], marks: bool) -> Json {
    let letter = |c: char| format!("[{}{}]", c.to_ascii_uppercase(), c.to_ascii_lowercase());
    let patterns: Vec<String> = words.iter().map(|word| word.chars().map(letter).collect()).collect();
    let mut forms = vec![
        json!({ "enum": words }),
        json!({ "type": "string", "pattern": format!("^(?:{})$", patterns.join("|")) }),
        json!({ "type": "null" }),
    ];
    if marks {
        forms.push(json!({ "type": "string", "pattern": r"\{\{" }));
        forms.push(json!({ "type": "object" }));
    }
    json!({ "anyOf": forms })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(schema: &Json, found: &mut Vec<String>) {
        match schema {
            Json::Object(object) => {
                found.extend(object.get("$ref").and_then(Json::as_str).map(ToOwned::to_owned));
                object.values().for_each(|value| references(value, found));
            }
            Json::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_definition_is_used() {
        for kind in [SchemaKind::Any, SchemaKind::Card, SchemaKind::Template, SchemaKind::Config] {
            let schema = json_schema(kind);
            let mut found = Vec::new();
            references(&schema, &mut found);
            for reference in &found {
                let known = schema.pointer(reference.trim_start_matches('#'));
                assert!(known.is_some_and(Json::is_object), "{kind:?}: {reference}");
            }
        }
    }

    #[test]
    fn every_key_has_its_help() {
        for key in keys::CARD.iter().chain(Table::ALL.into_iter().flat_map(Table::keys)) {
            assert!(key.doc.ends_with('.') && !key.doc.contains("  "), "{}: {}", key.name, key.doc);
        }
    }

    #[test]
    fn the_pattern_of_names_agrees_with_the_reader() {
        // What the pattern says, in words: the first character, and every one.
        for name in ["yolov8n-coco-onnx", "squeezenet1.1", "a b", ".x", "-rf", "a/b", "a\\b", "a:b"] {
            let first = !name.starts_with(['.', '/', '\\', ':', '-']);
            let matches = first && !name.contains(['/', '\\', ':']);
            assert_eq!(crate::base::check_name(name).is_ok(), matches, "{name}");
        }
    }
}
