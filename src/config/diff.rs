//! `config diff`: where two configurations differ, and where each value comes from.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value as Json;
use serde_json::json;

use crate::diag::printable;
use crate::properties::Value;

use super::effective::Config;
use super::origin::Traced;
use super::show::{WIDTH, shown_value, traced_to_json};

/// One property, or one kept key, whose effective values differ. `None` only for a kept key that one side has not.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The property or key.
    pub name: String,
    /// The value of the first configuration.
    pub left: Option<Traced<Value>>,
    /// The value of the second.
    pub right: Option<Traced<Value>>,
}

/// Where the effective values differ, in the order of the reference, then kept keys by name. Values that are equal but
/// come from different layers do not differ.
#[must_use]
pub fn diff(left: &Config, right: &Config) -> Vec<Difference> {
    let properties = left.properties().map(|(name, _)| name);
    let kept: BTreeSet<&str> = left.extra().keys().chain(right.extra().keys()).map(String::as_str).collect();
    let difference = |name: &str| {
        let (left, right) = (left.get(name), right.get(name));
        let same = left.map(|traced| &traced.value) == right.map(|traced| &traced.value);
        (!same).then(|| Difference { name: name.to_owned(), left: left.cloned(), right: right.cloned() })
    };
    properties.chain(kept).filter_map(difference).collect()
}

/// The differences as text: each name, below it `-` with the first value and `+` with the second, each with its origin; a
/// sentence when there are none.
#[must_use]
pub fn render_diff(differences: &[Difference]) -> String {
    let mut text = String::new();
    for Difference { name, left, right } in differences {
        let _ = writeln!(text, "  {}", printable(name));
        let sides = [('-', left), ('+', right)].map(|(sign, side)| match side {
            Some(traced) => (sign, shown_value(&traced.value), printable(&traced.origin.to_string())),
            None => (sign, "nothing".to_owned(), String::new()),
        });
        let width = sides.iter().map(|(_, value, _)| value.chars().count()).max().unwrap_or(0);
        let beside = sides.iter().all(|(_, _, origin)| width + 8 + origin.chars().count() <= WIDTH);
        for (sign, value, origin) in sides {
            let line = if beside || origin.is_empty() {
                format!("    {sign} {value:width$}  {origin}")
            } else {
                format!("    {sign} {value}\n        {origin}")
            };
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    if differences.is_empty() {
        text.push_str("  the effective configurations are equal\n");
    }
    text
}

/// `[{"name","left","right"}]`; each side as a value of `config show`, or null.
#[must_use]
pub fn diff_to_json(differences: &[Difference]) -> Json {
    let side = |side: &Option<Traced<Value>>| side.as_ref().map_or(Json::Null, traced_to_json);
    let difference = |difference: &Difference| {
        json!({
            "name": difference.name,
            "left": side(&difference.left),
            "right": side(&difference.right),
        })
    };
    differences.iter().map(difference).collect()
}
