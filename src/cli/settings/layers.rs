//! Reading the layers of settings: `axzoo.toml`, variables and flags, each value with its place.

use std::collections::BTreeMap;
use std::path::Path;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};
use toml::de::{DeTable, DeValue};

use super::keys::{KEYS, Key, TOOLCHAINS_NOT_YET, Takes};
use crate::base::fs;
use crate::base::near_miss;
use crate::cli::quantity::Memory;
use crate::cli::quantity::TIMES;
use crate::cli::quantity::quantity;
use crate::diag;
use crate::diag::Diagnostic;
use crate::diag::Source;
use crate::diag::Span;

/// One value of one layer: a figment provider of its own, so that figment's metadata can name its line.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) path: &'static str,
    pub(super) value: Value,
    /// `axzoo.toml:3`, `AXZOO_CACHE` or `--cache`.
    pub(super) place: String,
}

impl Provider for Setting {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.place.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let (table, name) = self.path.split_once('.').unwrap_or(("zoo", self.path));
        let inner = Dict::from([(name.to_owned(), self.value.clone())]);
        let outer = Dict::from([(table.to_owned(), Value::from(inner))]);
        Ok(Map::from([(Profile::Default, outer)]))
    }
}

/// The settings of `axzoo.toml`, where there is one, and every problem of the file.
pub(super) fn from_file(root: &Path) -> (Vec<Setting>, Vec<Diagnostic>) {
    let path = root.join("axzoo.toml");
    if !fs::exists(&path) {
        return (Vec::new(), Vec::new());
    }
    let unreadable = |problem: Diagnostic| (Vec::new(), vec![problem.in_file("axzoo.toml")]);
    let text = match fs::read_limited(&path, 1 << 20).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => {
            let problem = Diagnostic::error("settings/unreadable", "`axzoo.toml` is not UTF-8 text");
            return unreadable(problem.hint("save it as UTF-8"));
        }
        Err(error) => {
            return unreadable(Diagnostic::error("settings/unreadable", error.to_string()).maybe_hint(error.hint()));
        }
    };
    let source = Source::new("axzoo.toml", text);
    let (table, errors) = DeTable::parse_recoverable(source.text());
    let mut problems: Vec<Diagnostic> = errors
        .iter()
        .map(|error| {
            let span = error.span().map_or_else(Span::default, Span::from);
            let message = format!("not TOML: {}", error.message().lines().collect::<Vec<_>>().join(", "));
            Diagnostic::error("settings/syntax", message).at(&source, span)
        })
        .collect();
    // What stands after a syntax error may belong to another table than it seems.
    if !problems.is_empty() {
        return (Vec::new(), problems);
    }
    let mut settings = Vec::new();
    for (section, body) in table.get_ref() {
        let span = Span::from(section.span());
        let section = section.get_ref();
        let DeValue::Table(body) = body.get_ref() else {
            problems.push(unknown(section, &section_names(), &source, span));
            continue;
        };
        if !section_names().contains(&section.as_ref()) {
            problems.push(unknown(section, &section_names(), &source, span));
            continue;
        }
        for (name, value) in body {
            let path = format!("{section}.{}", name.get_ref());
            let span = Span::from(name.span());
            let Some(key) = KEYS.iter().find(|key| key.path == path) else {
                problems.push(unknown(&path, &key_paths(), &source, span));
                continue;
            };
            match from_toml(*key, value.get_ref()) {
                Ok(read) => {
                    let line = source.position(span.start).line;
                    settings.push(Setting { path: key.path, value: read, place: format!("axzoo.toml:{line}") });
                }
                Err(problem) => problems.push(problem.at(&source, Span::from(value.span()))),
            }
        }
    }
    // The maps are in the order of their keys; problems are reported in the order of the file.
    diag::sort(&mut problems);
    (settings, problems)
}

fn section_names() -> Vec<&'static str> {
    vec!["zoo", "toolchain", "device", "calibration", "jobs", "pools", "scripted"]
}

fn key_paths() -> Vec<&'static str> {
    KEYS.iter().map(|key| key.path).collect()
}

fn unknown(name: &str, known: &[&'static str], source: &Source, span: Span) -> Diagnostic {
    let hint = match near_miss(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => known_names(name, known),
    };
    Diagnostic::error("settings/unknown-key", format!("unknown setting `{name}`")).at(source, span).hint(hint)
}

/// The names that could stand where `name` does.
fn known_names(name: &str, known: &[&'static str]) -> String {
    let ticked = |names: Vec<String>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if let Some((table, _)) = name.split_once('.') {
        let keys = known.iter().filter_map(|path| path.strip_prefix(table)?.strip_prefix('.'));
        return format!("the keys of `[{table}]` are {}", ticked(keys.map(ToOwned::to_owned).collect()));
    }
    // A key without the table that it belongs to.
    if let Some((table, key)) = KEYS.iter().filter_map(|key| key.path.split_once('.')).find(|(_, key)| *key == name) {
        return format!("write `{key}` below the line `[{table}]`");
    }
    format!("the tables are {}", ticked(known.iter().map(|table| format!("[{table}]")).collect()))
}

fn wrong(key: Key, found: &str) -> Diagnostic {
    let expected = match key.takes {
        Takes::Texts => "a list of texts".to_owned(),
        Takes::Paths => "a list of paths".to_owned(),
        Takes::Path => "a path".to_owned(),
        Takes::Switch => "`true` or `false`".to_owned(),
        Takes::Number => "a whole number from 0".to_owned(),
        Takes::Count => "a whole number from 1".to_owned(),
        Takes::Time => "a time such as `90s`, `15min` or `1h`".to_owned(),
        Takes::Memory => "a size such as `8GB`, or a part of the machine's memory such as `80%`".to_owned(),
        Takes::Text => "a text".to_owned(),
        Takes::Word(words) => format!("one of `{}`", words.join("`, `")),
    };
    let problem = Diagnostic::error("settings/value", format!("`{}` takes {expected}, found {found}", key.path));
    if key.path == "toolchain.use" && TOOLCHAINS_NOT_YET.iter().any(|name| found.trim_matches('`') == *name) {
        return problem.hint("this version has the embedded compiler, `host`, and `scripted` for tests");
    }
    match key.takes {
        Takes::Texts | Takes::Paths if found.starts_with("the text ") => {
            problem.hint("put it between brackets: `[\"…\"]`")
        }
        Takes::Switch if found.starts_with("the text ") => problem.hint("write `true` or `false` without quotes"),
        _ => problem,
    }
}

fn from_toml(key: Key, value: &DeValue<'_>) -> Result<Value, Diagnostic> {
    let found = || match value {
        DeValue::String(text) => format!("the text `{text}`"),
        DeValue::Boolean(value) => format!("`{value}`"),
        DeValue::Integer(number) => format!("`{}`", number.as_str()),
        DeValue::Table(_) => "a table".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        other => format!("a value of type {}", other.type_str()),
    };
    match (key.takes, value) {
        (Takes::Texts | Takes::Paths, DeValue::Array(items)) => {
            let texts: Option<Vec<Value>> =
                items.iter().map(|item| item.get_ref().as_str().map(|text| Value::from(text.to_owned()))).collect();
            texts.map(Value::from).ok_or_else(|| wrong(key, "a list with something else in it"))
        }
        // The file lies in the root, and so do the paths in it.
        (Takes::Path | Takes::Word(_) | Takes::Time | Takes::Memory | Takes::Text, DeValue::String(text)) => {
            from_text(key, text, Path::new(""))
        }
        (Takes::Switch, DeValue::Boolean(switch)) => Ok(Value::from(*switch)),
        (Takes::Number | Takes::Count, DeValue::Integer(number)) => {
            match u32::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) if number > 0 || key.takes == Takes::Number => Ok(Value::from(number)),
                _ => Err(wrong(key, &format!("`{}`", number.as_str()))),
            }
        }
        _ => Err(wrong(key, &found())),
    }
}

/// A value as a variable or a flag gives it; a path is meant from `standing`, which itself is relative to the root or
/// absolute.
pub(super) fn from_text(key: Key, text: &str, standing: &Path) -> Result<Value, Diagnostic> {
    let path = |text: &str| Value::from(standing.join(text).to_string_lossy().into_owned());
    let parts = || text.split(':').filter(|part| !part.is_empty());
    match key.takes {
        Takes::Path if text.is_empty() => Err(wrong(key, "an empty text")),
        Takes::Path => Ok(path(text)),
        Takes::Paths => Ok(Value::from(parts().map(path).collect::<Vec<_>>())),
        Takes::Texts => Ok(Value::from(parts().map(|part| Value::from(part.to_owned())).collect::<Vec<_>>())),
        Takes::Text => Ok(Value::from(text.to_owned())),
        Takes::Memory if Memory::parse(text).is_some() => Ok(Value::from(text.to_owned())),
        Takes::Time => match quantity(text, &TIMES) {
            Some(milliseconds) if milliseconds > 0 => Ok(Value::from(milliseconds)),
            _ => Err(wrong(key, &format!("`{text}`"))),
        },
        Takes::Word(words) if words.contains(&text) => Ok(Value::from(text.to_owned())),
        Takes::Number | Takes::Count => match text.parse::<u32>() {
            Ok(number) if number > 0 || key.takes == Takes::Number => Ok(Value::from(number)),
            _ => Err(wrong(key, &format!("`{text}`"))),
        },
        Takes::Switch => match text {
            "1" | "true" | "yes" | "on" => Ok(Value::from(true)),
            "0" | "false" | "no" | "off" => Ok(Value::from(false)),
            _ => Err(wrong(key, &format!("`{text}`"))),
        },
        Takes::Word(_) | Takes::Memory => Err(wrong(key, &format!("`{text}`"))),
    }
}

/// A problem of what a variable or a flag gives, which points at it.
pub(super) fn typed(problem: Diagnostic, name: &str, text: &str) -> Diagnostic {
    problem.at(&Source::typed(name, text), Span::new(0, text.len()))
}

/// The settings that variables give, weakest first: the SDK's names, then `AXZOO_…`.
pub(super) fn from_variables(variables: &BTreeMap<String, String>, standing: &Path) -> (Vec<Setting>, Vec<Diagnostic>) {
    let mut settings = Vec::new();
    let mut problems = Vec::new();
    for key in KEYS {
        let names = key.sdk_variable.map(ToOwned::to_owned).into_iter().chain([key.variable()]);
        for name in names {
            let Some(text) = variables.get(&name) else { continue };
            // `AXZOO_JOBS= axzoo …` is how a shell takes a value away.
            if text.is_empty() {
                continue;
            }
            match from_text(key, text, standing) {
                Ok(value) => settings.push(Setting { path: key.path, value, place: name }),
                Err(problem) => problems.push(typed(problem, &name, text)),
            }
        }
    }
    (settings, problems)
}
