//! `config show`: each value with its layer, place and what it hides.

use std::fmt::Write;

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
    let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let names = width(&mut rows.iter().map(|(name, _)| name.chars().count()));
    let values = width(&mut rows.iter().map(|(_, traced)| shown_value(&traced.value).chars().count())).min(40);
    let mut text = format!("{}/{}\n", printable(network), printable(model));
    for (name, traced) in &rows {
        let value = shown_value(&traced.value);
        let origin = printable(&traced.origin.to_string());
        let _ = writeln!(text, "  {:names$}  {value:values$}  {origin}", printable(name));
        for (hidden, origin) in &traced.hides {
            let hidden = shown_value(hidden);
            let origin = printable(&origin.to_string());
            let _ = writeln!(text, "  {:names$}  {:values$}  hides {hidden}  {origin}", "", "");
        }
    }
    if rows.is_empty() {
        text.push_str("  every property has its documented default\n");
    }
    text
}

fn shown_value(value: &Value) -> String {
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
