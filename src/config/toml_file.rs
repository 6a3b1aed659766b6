//! A TOML file as raw entries with the place of every key and value.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use toml::Spanned;
use toml::de::DeInteger;
use toml::de::DeTable;
use toml::de::DeValue;

use crate::base::fs;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Source;
use crate::diag::Span;
use crate::properties::Value;

use super::raw::RawEntry;
use super::raw::RawValue;
use super::raw::TOO_LARGE;

/// The largest file that is read: a configuration has a hundred lines.
const LARGEST: u64 = 1 << 20;

/// A file as read: its entries, or why there are none.
#[derive(Debug)]
pub(super) struct TomlFile {
    pub(super) entries: Vec<RawEntry>,
    pub(super) problems: Vec<Diagnostic>,
}

/// Reads and parses a file; `name` is what users see.
pub(super) fn read(path: &Path, name: &str) -> TomlFile {
    let failed = |problem: Diagnostic| TomlFile { entries: Vec::new(), problems: vec![problem] };
    match fs::inspect(path) {
        Ok(fs::Kind::File(_)) => {}
        Ok(fs::Kind::Folder) => {
            let message = format!("expected a TOML file, found the folder `{name}`");
            let problem = Diagnostic::error("config/not-a-file", message).in_file(name);
            return failed(problem.hint("name a file, such as one in that folder"));
        }
        Ok(fs::Kind::Other) => {
            let message = format!("expected a TOML file, found `{name}`, which is no regular file");
            let problem = Diagnostic::error("config/not-a-file", message).in_file(name);
            return failed(problem.hint("write what comes out of a pipe to a file first"));
        }
        Err(error) => return failed(unreadable(error, name)),
    }
    let bytes = match fs::read_limited(path, LARGEST) {
        Ok(bytes) => bytes,
        Err(error) => return failed(unreadable(error, name)),
    };
    match String::from_utf8(bytes) {
        // A byte order mark is no part of the document, and no column either.
        Ok(text) => parse(&Source::new(name, text.strip_prefix('\u{feff}').unwrap_or(&text))),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let source = Source::new(name, String::from_utf8_lossy(error.as_bytes()));
            let message = format!("`{name}` is not UTF-8: here is a byte that is no text");
            let problem = Diagnostic::error("config/not-utf8", message).at(&source, Span::new(valid, valid));
            failed(problem.hint("save the file as UTF-8, the only encoding of TOML"))
        }
    }
}

pub(super) fn unreadable(error: fs::FsError, name: &str) -> Diagnostic {
    let error = error.shown_as(name);
    let hint = error.hint().unwrap_or("name another file, or make this one readable");
    Diagnostic::error("config/unreadable", error.to_string()).in_file(name).hint(hint)
}

/// Parses a text. After a syntax error there are no entries: half a file must not count as a whole one.
pub(super) fn parse(source: &Source) -> TomlFile {
    let (table, errors) = DeTable::parse_recoverable(source.text());
    if errors.is_empty() {
        return TomlFile { entries: entries(table.get_ref(), source), problems: Vec::new() };
    }
    if let Some(problems) = colons(source, &errors) {
        return TomlFile { entries: Vec::new(), problems };
    }
    let mut problems: Vec<Diagnostic> = errors.iter().map(|error| syntax_problem(error, source)).collect();
    problems.sort_by_key(|problem| problem.place.as_ref().map(|place| place.span.start));
    // What the parser says next of a line that it has lost says nothing new.
    problems.dedup_by_key(|problem| problem.place.as_ref().map(|place| place.position().line));
    TomlFile { entries: Vec::new(), problems }
}

/// About how many lines `key: value` are told apart in a file that cannot be parsed; each costs a parse at most.
const COLONS: usize = 100;

/// The problems of a file in which an error stands in a line `key: value`, as YAML writes it. The parser's own errors about
/// such lines are hard to read, and hide what comes after; so each such line is one problem, and the rest is parsed
/// without them. `None` where there is no such line.
fn colons(source: &Source, errors: &[toml::de::Error]) -> Option<Vec<Diagnostic>> {
    let mut text = source.text().to_owned();
    let mut errors = errors.to_vec();
    let mut problems: BTreeMap<usize, Diagnostic> = BTreeMap::new();
    loop {
        let spans = errors.iter().filter_map(toml::de::Error::span);
        let lines: BTreeSet<usize> = spans.map(|span| source.position(span.start).line).collect();
        let found: Vec<usize> = lines
            .into_iter()
            .filter_map(|number| {
                let (line_start, line) = source.line(number)?;
                let key = line.split_once(':')?.0.trim();
                let is_key =
                    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
                if !is_key || problems.contains_key(&number) {
                    return None;
                }
                let start = line_start + line.len() - line.trim_start().len();
                let message = format!("not TOML: expected `{key} = …`, found `{key}: …`");
                let problem = Diagnostic::error("config/syntax", message);
                let problem = problem.at(source, Span::new(start, start + key.len() + 1));
                problems.insert(number, problem.hint("TOML writes `key = value`, not `key: value`"));
                text.replace_range(line_start..line_start + line.len(), &" ".repeat(line.len()));
                Some(number)
            })
            .collect();
        if found.is_empty() || problems.len() > COLONS {
            break;
        }
        errors = DeTable::parse_recoverable(&text).1;
    }
    if problems.is_empty() {
        return None;
    }
    let mut all: Vec<Diagnostic> = problems.into_values().collect();
    all.extend(errors.iter().map(|error| syntax_problem(error, source)));
    Some(all)
}

fn syntax_problem(error: &toml::de::Error, source: &Source) -> Diagnostic {
    let span = error.span().map_or_else(Span::default, Span::from);
    let message = format!("not TOML: {}", error.message().lines().collect::<Vec<_>>().join(", "));
    let hint = syntax_hint(error.message(), source, span);
    Diagnostic::error("config/syntax", message).at(source, span).maybe_hint(hint)
}

/// What people who think in YAML or Python write.
fn syntax_hint(message: &str, source: &Source, span: Span) -> Option<&'static str> {
    let (_, line) = source.line(source.position(span.start).line)?;
    let value = line.split_once('=').map(|(_, value)| value.trim());
    match value {
        _ if message.contains("duplicate key") => Some("keep one of the two lines"),
        Some(value) if value.starts_with("True") || value.starts_with("False") => {
            Some("TOML writes `true` and `false` in lower case")
        }
        Some(value) if value.starts_with("null") || value.starts_with("None") => {
            Some("TOML has no null: leave the line out, and the default holds")
        }
        Some(value) if value.starts_with(|c: char| c.is_alphabetic()) => Some("put text between double quotes"),
        _ => None,
    }
}

fn entries(table: &DeTable<'_>, source: &Source) -> Vec<RawEntry> {
    let place = |span: std::ops::Range<usize>| Place::new(source, span.into());
    let mut entries: Vec<RawEntry> = table
        .iter()
        .map(|(key, value)| RawEntry {
            key: key.get_ref().as_ref().to_owned(),
            key_place: place(key.span()),
            value: raw(value, source),
            place: place(value.span()),
        })
        .collect();
    // The map is in the order of its keys; problems are reported in the order of the file.
    entries.sort_by_key(|entry| entry.key_place.span.start);
    entries
}

fn raw(value: &Spanned<DeValue<'_>>, source: &Source) -> RawValue {
    match value.get_ref() {
        DeValue::String(text) => RawValue::scalar(Value::Text(text.as_ref().to_owned())),
        DeValue::Boolean(value) => RawValue::scalar(Value::Bool(*value)),
        DeValue::Integer(number) => integer(number),
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(value) => RawValue::scalar(Value::Float(value)),
            Err(_) => RawValue::Odd(format!("`{}`", number.as_str())),
        },
        DeValue::Datetime(_) => RawValue::Odd("a date or time".to_owned()),
        DeValue::Array(items) => RawValue::List(items.iter().map(|item| raw(item, source)).collect()),
        DeValue::Table(table) => RawValue::Table(entries(table, source)),
    }
}

fn integer(number: &DeInteger<'_>) -> RawValue {
    match i64::from_str_radix(number.as_str(), number.radix()) {
        Ok(value) => RawValue::scalar(Value::Int(value)),
        Err(_) => RawValue::Odd(TOO_LARGE.to_owned()),
    }
}
