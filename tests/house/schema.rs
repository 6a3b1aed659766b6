//! The schema for editors knows every key that the reader of cards knows.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use axzoo::cards::{SchemaKind, json_schema};
use serde_json::Value;

fn keys_of(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                found.extend(properties.keys().cloned());
            }
            object.values().for_each(|value| keys_of(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| keys_of(item, found)),
        _ => {}
    }
}

/// The keys that a file reads from a card: the literal after `node, `, `extra, ` and the like in a call of a reader.
fn keys_read(text: &str) -> Vec<&str> {
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    let calls =
        ["text(", "path(", "md5(", "count(", "number(", "flag(", "mapping(", "parsed(", "value(", "operators(fields, "];
    let mut found = Vec::new();
    for (at, _) in calls.iter().flat_map(|call| code.match_indices(call)) {
        let Some(arguments) = code[at..].split(')').next() else { continue };
        let literal = arguments.split('"').nth(1);
        found.extend(literal.filter(|key| key.chars().all(|c| c.is_ascii_lowercase() || "_-0123456789".contains(c))));
    }
    found
}

#[test]
fn every_key_that_is_read_is_in_the_schema() {
    let mut known = BTreeSet::new();
    keys_of(&json_schema(SchemaKind::Any), &mut known);
    let cards = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cards");
    let mut read = 0;
    let mut missing = Vec::new();
    for name in ["raw.rs", "task.rs", "model.rs", "settings.rs", "dataset.rs"] {
        let text = fs::read_to_string(cards.join(name)).expect("a source file is readable");
        for key in keys_read(&text) {
            read += 1;
            if !known.contains(key) {
                missing.push(format!("{name}: {key}"));
            }
        }
    }
    assert!(read > 40, "only {read} keys were found in the source");
    assert!(missing.is_empty(), "add a row to src/cards/keys.rs: {missing:?}");
}
