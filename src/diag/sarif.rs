//! Diagnostics as a SARIF 2.1.0 log, which code scanning services and editors read.
//!
//! Source: OASIS SARIF 2.1.0; `tools/check_sarif.py` validates what `axzoo check --format sarif` writes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::catalogue;
use super::{Diagnostic, Entry, Place};

/// What paths are relative to: the checkout that a service shows.
const ROOT: &str = "%SRCROOT%";

/// The whole log with one run: a rule for each code that occurs, a result for each diagnostic. `folder` is the zoo's
/// folder within the checkout, with a `/` at its end, or nothing. Columns are in UTF-16 units, as the log says.
#[must_use]
pub fn to_sarif(diagnostics: &[Diagnostic], folder: &str) -> Value {
    let codes: BTreeSet<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    let codes: Vec<&str> = codes.into_iter().collect();
    let results = diagnostics.iter().map(|diagnostic| {
        let mut result = json!({
            "ruleId": diagnostic.code,
            "level": diagnostic.severity.word(),
            "message": { "text": message(diagnostic) },
        });
        if let Some(index) = codes.iter().position(|code| *code == diagnostic.code) {
            result["ruleIndex"] = index.into();
        }
        if let Some(file) = diagnostic.artifact().filter(|file| !file.starts_with('/')) {
            let location = json!({ "uri": format!("{}{}", escaped(folder), escaped(file)), "uriBaseId": ROOT });
            let mut physical = json!({ "artifactLocation": location });
            if let Some(place) = &diagnostic.place {
                physical["region"] = region(place);
            }
            result["locations"] = json!([{ "physicalLocation": physical }]);
        }
        result
    });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": env!("CARGO_PKG_NAME"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().map(|code| rule(code)).collect::<Vec<_>>(),
            } },
            "originalUriBaseIds": { ROOT: { "description": { "text": "the root of the checkout" } } },
            "columnKind": "utf16CodeUnits",
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn rule(code: &str) -> Value {
    let Some(entry) = catalogue::find(code) else { return json!({ "id": code }) };
    json!({
        "id": entry.code,
        "shortDescription": { "text": entry.title },
        "fullDescription": { "text": plain(entry.meaning) },
        "help": { "text": plain(&help(entry)), "markdown": help(entry) },
        "defaultConfiguration": { "level": entry.severity.word() },
    })
}

fn help(entry: &Entry) -> String {
    format!("{}\n\n{}\n\n{}", entry.meaning, entry.why, entry.remedy)
}

/// Without the marks of Markdown.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

/// What is wrong and what to do. A file outside the checkout cannot be a location, so it is named.
fn message(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.message.clone();
    if let Some(name) = diagnostic.artifact().filter(|file| file.starts_with('/')) {
        let name = name.rsplit('/').next().unwrap_or(name);
        let line = diagnostic.place.as_ref().map(|place| format!(":{}", place.position().line)).unwrap_or_default();
        text = format!("{name}{line}: {text}");
    }
    match &diagnostic.hint {
        Some(hint) => format!("{text}\nhint: {hint}"),
        None => text,
    }
}

fn region(place: &Place) -> Value {
    let (start, end) = (place.position(), place.end_position());
    json!({
        "startLine": start.line,
        "startColumn": utf_16_column(place, place.span.start),
        "endLine": end.line,
        "endColumn": utf_16_column(place, place.span.end.max(place.span.start)),
    })
}

/// The column of a byte, from 1, in UTF-16 units.
fn utf_16_column(place: &Place, offset: usize) -> usize {
    let source = &place.source;
    let offset = offset.min(source.text().len());
    let before = source.line(source.position(offset).line).and_then(|(start, _)| source.text().get(start..offset));
    before.map_or(1, |before| before.encode_utf16().count() + 1)
}

/// The path as a relative reference: every byte but letters, digits, `-._~` and `/` as `%` and two digits.
fn escaped(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0').to_ascii_uppercase();
            uri.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::super::{Source, Span};
    use super::*;

    #[test]
    fn a_result_has_its_rule_and_its_place() {
        let source = Source::new("model_cards/ä b#1.yaml", "name: \u{1f600} x\n");
        let problems = [
            Diagnostic::warning("config/old-name", "old"),
            Diagnostic::error("card/type", "wrong").at(&source, Span::new(11, 12)).hint("write it"),
        ];
        let log = to_sarif(&problems, "my zoo/");
        let run = &log["runs"][0];
        assert_eq!(log["version"], "2.1.0");
        let rules = run["tool"]["driver"]["rules"].as_array().expect("a list");
        assert_eq!(rules.iter().map(|rule| &rule["id"]).collect::<Vec<_>>(), ["card/type", "config/old-name"]);
        for rule in rules {
            assert!(rule["shortDescription"]["text"].is_string() && rule["help"]["markdown"].is_string(), "{rule}");
        }
        assert_eq!(rules[1]["defaultConfiguration"]["level"], "note");
        let result = &run["results"][1];
        assert_eq!((result["ruleId"].as_str(), result["ruleIndex"].as_u64()), (Some("card/type"), Some(0)));
        assert_eq!(result["message"]["text"], "wrong\nhint: write it");
        assert_eq!(
            result["locations"][0]["physicalLocation"],
            json!({
                "artifactLocation": { "uri": "my%20zoo/model_cards/%C3%A4%20b%231.yaml", "uriBaseId": "%SRCROOT%" },
                // The face before it is two units.
                "region": { "startLine": 1, "startColumn": 10, "endLine": 1, "endColumn": 11 },
            })
        );
        assert!(run["results"][0].get("locations").is_none(), "no place, no location");
    }

    #[test]
    fn no_path_of_this_machine_is_in_it() {
        let source = Source::new("/opt/sdk/models/a.toml", "x = 1\ny = 2\n");
        let log = to_sarif(&[Diagnostic::error("config/type", "wrong").at(&source, Span::new(6, 7))], "");
        assert!(!log.to_string().contains("/opt"), "{log}");
        assert_eq!(log["runs"][0]["results"][0]["message"]["text"], "a.toml:2: wrong");
    }
}
