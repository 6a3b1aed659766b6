//! A body as TOML 1.0, which Python's `tomllib` reads too.

use std::fmt::Write;

use super::body::Body;
use super::body::Line;
use crate::config::KeptValue;
use crate::properties::Value;

/// Why a body has no TOML form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RenderError {
    /// A list with null in it, or in a table in it.
    #[error("`{0}` has null in it, which TOML cannot say")]
    Null(String),
    /// A key that is a value and a table at once.
    #[error("its settings cannot stand in one TOML file: {0}")]
    Toml(String),
}

impl RenderError {
    /// What to do about it.
    pub(super) const fn hint(&self) -> &'static str {
        match self {
            Self::Null(_) => "write the list without null, or remove the setting",
            Self::Toml(_) => "remove or rename one of the settings that it names",
        }
    }
}

/// The text of a file. Plain settings stand first, tables of kept keys behind them.
pub(super) fn render(body: &Body) -> Result<String, RenderError> {
    let mut text = String::new();
    let mut tables: Vec<(&[String], String)> = Vec::new();
    for line in &body.lines {
        if line.dropped && line.comments.is_empty() {
            continue;
        }
        match line.keys.split_last() {
            Some((_, table)) if !table.is_empty() => {
                let place = tables.iter().position(|(name, _)| *name == table).unwrap_or_else(|| {
                    tables.push((table, String::new()));
                    tables.len() - 1
                });
                if let Some((_, lines)) = tables.get_mut(place) {
                    write_line(lines, line)?;
                }
            }
            _ => write_line(&mut text, line)?,
        }
    }
    for (table, lines) in tables {
        let name: Vec<String> = table.iter().map(|name| key(name)).collect();
        let gap = if text.is_empty() { "" } else { "\n" };
        let _ = write!(text, "{gap}[{}]\n{lines}", name.join("."));
    }
    for comment in &body.rest {
        let _ = writeln!(text, "{comment}");
    }
    if text.is_empty() {
        text.push_str("# Every property has its documented default.\n");
    }
    match toml::from_str::<toml::Table>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(RenderError::Toml(error.message().lines().next().unwrap_or_default().to_owned())),
    }
}

fn write_line(text: &mut String, line: &Line) -> Result<(), RenderError> {
    let name = line.keys.join(".");
    for comment in &line.comments.above {
        let _ = writeln!(text, "{comment}");
    }
    let own = line.keys.last().map(|name| key(name)).unwrap_or_default();
    let out = if line.dropped { "# " } else { "" };
    let value = match &line.value {
        KeptValue::Plain(Value::Null) => "null".to_owned(),
        value => kept(value).ok_or(RenderError::Null(name))?,
    };
    let _ = write!(text, "{out}{own} = {value}");
    for comment in &line.comments.behind {
        let _ = write!(text, "  {comment}");
    }
    text.push('\n');
    Ok(())
}

fn kept(value: &KeptValue) -> Option<String> {
    Some(match value {
        KeptValue::Plain(value) => plain(value)?,
        KeptValue::List(items) => list(&items.iter().map(kept).collect::<Option<Vec<_>>>()?),
        KeptValue::Table(entries) => {
            let entry = |(name, value): &(String, KeptValue)| Some(format!("{} = {}", key(name), kept(value)?));
            let entries: Vec<String> = entries.iter().map(entry).collect::<Option<_>>()?;
            if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
        }
    })
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
}

fn plain(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) if value.is_nan() => "nan".to_owned(),
        // `1.0` stays a float, and `1e-5` and `inf` are what TOML writes.
        Value::Float(value) => format!("{value:?}"),
        Value::Text(text) => string(text),
        Value::List(items) => list(&items.iter().map(plain).collect::<Option<Vec<_>>>()?),
    })
}

/// A key: bare where it may be.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { string(name) }
}

/// A basic string.
fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
