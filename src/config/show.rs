//! `config show`: each value with its layer, place and what it hides.

use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;

use crate::diag::printable;
use crate::properties::Value;

use super::effective::Config;
use super::origin::LayerKind;
use super::origin::Origin;
use super::origin::Traced;

/// The configuration as text of several lines: what some layer says, or with `every` the defaults too.
#[must_use]
pub fn render(network: &str, model: &str, config: &Config, every: bool) -> String {
    let shown = |traced: &Traced<Value>| every || traced.origin.layer != LayerKind::Default;
    let kept = config.extra().iter().map(|(name, traced)| (name.as_str(), traced));
    let rows: Vec<(&str, &Traced<Value>)> = config
        .properties()
        .map(|(name, traced)| (name as &str, traced))
        .filter(|(_, traced)| shown(traced))
        .chain(kept)
        .collect();
    let names = widest(rows.iter().map(|(name, _)| shown_width(name)), NAME_COLUMN);
    let values = widest(rows.iter().map(|(_, traced)| shown_value(&traced.value).chars().count()), VALUE_COLUMN);
    let mut text = format!("{}/{}\n", printable(network), printable(model));
    for (name, traced) in &rows {
        text += &block(&printable(name), traced, names, values);
    }
    if rows.is_empty() {
        text.push_str("  every property has its documented default\n");
    }
    text
}

/// The width that text for people keeps to where it can.
pub(super) const WIDTH: usize = 80;

/// The widest column of names; a longer one has a line of its own.
const NAME_COLUMN: usize = 32;

/// The widest column of values; paths may be longer.
const VALUE_COLUMN: usize = 28;

fn shown_width(text: &str) -> usize {
    printable(text).chars().count()
}

/// The widest of those that fit a column.
fn widest(widths: impl Iterator<Item = usize>, column: usize) -> usize {
    widths.filter(|width| *width <= column).max().unwrap_or(0)
}

/// Where origins begin that fit nowhere else.
const FAR_LEFT: usize = 6;

fn fit(lines: &[String]) -> bool {
    lines.iter().all(|line| line.chars().count() <= WIDTH)
}

/// One value: its origin beside it and what it hides below that, or all of it below each other where a line would be
/// too long.
fn block(name: &str, traced: &Traced<Value>, names: usize, values: usize) -> String {
    let value = shown_value(&traced.value);
    let origin = printable(&traced.origin.to_string());
    let hides: Vec<String> = traced
        .hides
        .iter()
        .map(|(hidden, origin)| format!("hides {}  {}", shown_value(hidden), printable(&origin.to_string())))
        .collect();
    let own_line = name.chars().count() > names;
    let beside = if own_line { "" } else { name };
    let mut lines = vec![format!("  {beside:names$}  {value:values$}  {origin}")];
    lines.extend(hides.iter().map(|hidden| format!("  {:names$}  {:values$}  {hidden}", "", "")));
    if !fit(&lines) {
        let below = |indent: usize| -> Vec<String> {
            std::iter::once(&origin).chain(&hides).map(|line| format!("{:indent$}{line}", "")).collect()
        };
        let at_value = below(names + 4);
        lines = vec![format!("  {beside:names$}  {value}")];
        lines.extend(if fit(&at_value) { at_value } else { below(FAR_LEFT) });
    }
    if own_line {
        lines.insert(0, format!("  {name}"));
    }
    lines.push(String::new());
    lines.join("\n")
}

pub(super) fn shown_value(value: &Value) -> String {
    printable(&value.to_string())
}

/// The object of SPEC 10: `{"network","model","config":{KEY:{"value","layer","file","line","hides":[…]}}}`, every property.
/// Kept keys that are no property stand in `extra` in the same form.
#[must_use]
pub fn to_json(network: &str, model: &str, config: &Config) -> Json {
    let properties: Map<String, Json> =
        config.properties().map(|(name, traced)| (name.to_owned(), traced_to_json(traced))).collect();
    let extra: Map<String, Json> =
        config.extra().iter().map(|(name, traced)| (name.clone(), traced_to_json(traced))).collect();
    json!({ "network": network, "model": model, "config": properties, "extra": extra })
}

pub(super) fn traced_to_json(traced: &Traced<Value>) -> Json {
    let hides: Vec<Json> = traced.hides.iter().map(|(value, origin)| Json::Object(one(value, origin))).collect();
    let mut object = one(&traced.value, &traced.origin);
    object.insert("hides".to_owned(), Json::Array(hides));
    Json::Object(object)
}

fn one(value: &Value, origin: &Origin) -> Map<String, Json> {
    let place = origin.file_and_line();
    Map::from_iter([
        ("value".to_owned(), value.to_json()),
        ("layer".to_owned(), json!(origin.layer.word())),
        ("file".to_owned(), json!(place.map(|(file, _)| file))),
        ("line".to_owned(), json!(place.map(|(_, line)| line))),
    ])
}
