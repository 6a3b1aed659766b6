//! The merged configuration: every property with its value, origin and what it hides.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use crate::properties;
use crate::properties::CompilerConfig;
use crate::properties::Influence;
use crate::properties::Value;

use super::layer::Layer;
use super::old_names;
use super::origin::LayerKind;
use super::origin::Origin;
use super::origin::Traced;

/// One model's configuration. Every property is there; what no layer says has the documented default.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    entries: BTreeMap<String, Traced<Value>>,
    /// Keys that are no property, kept for toolchains that may know them, with dots between the names of nested ones
    /// (`backend_config.subdevices`).
    extra: BTreeMap<String, Traced<Value>>,
}

impl Default for Config {
    /// The documented defaults.
    fn default() -> Self {
        let traced = |row: &properties::Property| {
            (row.name.to_owned(), Traced::new(row.default.clone(), Origin::default_value()))
        };
        Self { entries: properties::all().iter().map(traced).collect(), extra: BTreeMap::new() }
    }
}

impl Config {
    /// Puts one value over the present one. The value has been checked.
    pub(super) fn overlay(&mut self, name: &str, value: Value, origin: Origin) {
        if let Some(traced) = self.entries.get_mut(name) {
            traced.overlay(value, origin);
        }
    }

    /// Stores a value with its origin in place of the present one, which leaves no trace.
    pub(super) fn put(&mut self, name: &str, traced: Traced<Value>) {
        if let Some(present) = self.entries.get_mut(name) {
            *present = traced;
        }
    }

    /// Forgets kept keys that are null.
    pub(super) fn drop_null_extra(&mut self) {
        self.extra.retain(|_, traced| traced.value != Value::Null);
    }

    /// Puts a layer over what is there.
    pub(super) fn overlay_layer(&mut self, layer: Layer, kind: LayerKind) {
        let origin = |place| Origin { layer: kind, place: Some(place) };
        for (name, (value, place)) in layer.values {
            self.overlay(name, value, origin(place));
        }
        for (name, (value, place)) in layer.extra {
            // No toolchain can be told null: a kept key that is null is one that nobody says (SPEC 4).
            if value == Value::Null {
                self.extra.remove(&name);
                continue;
            }
            self.drop_what_it_replaces(&name);
            match self.extra.get_mut(&name) {
                Some(traced) => traced.overlay(value, origin(place)),
                None => {
                    self.extra.insert(name, Traced::new(value, origin(place)));
                }
            }
        }
    }

    /// A kept value takes the place of a table of that name, and a kept table that of a value: no text says both.
    fn drop_what_it_replaces(&mut self, name: &str) {
        let is_inside = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
        self.extra.retain(|other, _| !is_inside(other, name) && !is_inside(name, other));
    }

    /// The value of a property or of a kept key.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Traced<Value>> {
        self.entries.get(name).or_else(|| self.extra.get(name))
    }

    /// Every property with its value, in the order of the reference.
    pub fn properties(&self) -> impl Iterator<Item = (&'static str, &Traced<Value>)> {
        properties::all().iter().filter_map(|row| Some((row.name, self.entries.get(row.name)?)))
    }

    /// The keys that are no property, by name.
    #[must_use]
    pub const fn extra(&self) -> &BTreeMap<String, Traced<Value>> {
        &self.extra
    }

    /// Whether some layer says this property, so that it is not the default that nobody asked for.
    #[must_use]
    pub fn is_said(&self, name: &str) -> bool {
        self.get(name).is_some_and(|traced| traced.origin.layer != LayerKind::Default)
    }

    /// The typed configuration, without origins.
    #[must_use]
    pub fn effective(&self) -> CompilerConfig {
        let mut config = CompilerConfig::default();
        for (name, traced) in &self.entries {
            // Every value passed the check of its layer, so this cannot fail.
            let stored = config.set(name, &traced.value);
            debug_assert!(stored.is_ok(), "{stored:?}");
        }
        config
    }

    /// The values that differ from the documented defaults, in the order of the reference, then the kept keys by name.
    #[must_use]
    pub fn non_default(&self) -> Vec<(String, Value)> {
        let differs = |row: &properties::Property| {
            let value = &self.entries.get(row.name)?.value;
            (*value != row.default).then(|| (row.name.to_owned(), value.clone()))
        };
        let kept = self.extra.iter().map(|(name, traced)| (name.clone(), traced.value.clone()));
        properties::all().iter().filter_map(differs).chain(kept).collect()
    }

    /// The values that some layer says and that differ from the default, but that the embedded compiler ignores: with each
    /// property the reason why.
    pub fn ignored_by_host(&self) -> impl Iterator<Item = (&'static properties::Property, &Traced<Value>)> {
        let pair = |row: &'static properties::Property| Some((row, self.entries.get(row.name)?));
        // What follows from a card's core settings, nobody asked for by name.
        let asked = |traced: &Traced<Value>| traced.origin.layer != LayerKind::Cores;
        let is_idle = move |(row, traced): &(&'static properties::Property, &Traced<Value>)| {
            row.without_effect(&traced.value).is_some() && traced.value != row.default && asked(traced)
        };
        properties::all().iter().filter_map(pair).filter(is_idle)
    }

    /// The values that differ from the defaults as a TOML file: values only, no origins, so that a comment or a moved value
    /// changes nothing (SPEC 6). Kept keys of SDK 1.2 stand in its sections; `null`, which TOML has not, in a comment.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut tables: BTreeMap<&str, String> = BTreeMap::new();
        let mut values = self.non_default();
        values.retain(|(name, value)| !is_of_this_machine(name, value));
        for (name, value) in &values {
            match name.rsplit_once('.') {
                Some((table, key)) if !self.entries.contains_key(name) => {
                    line(tables.entry(table).or_default(), key, value);
                }
                _ => line(&mut text, name, value),
            }
        }
        for (table, lines) in tables {
            let gap = if text.is_empty() { "" } else { "\n" };
            let header: Vec<String> = table.split('.').map(toml_key).collect();
            let _ = write!(text, "{gap}[{}]\n{lines}", header.join("."));
        }
        text
    }

    /// Every property's value as packages hold it: an absolute directory belongs to this machine and is left at its
    /// default.
    pub fn packaged(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        properties::all().iter().filter_map(|row| {
            let value = &self.entries.get(row.name)?.value;
            Some((row.name, if is_of_this_machine(row.name, value) { &row.default } else { value }))
        })
    }

    /// The settings that enter the key of a step: every property that influences it and what of the kept keys may, as
    /// canonical text.
    #[must_use]
    pub fn influences(&self, step: Influence) -> BTreeMap<String, String> {
        let influencing = properties::all().iter().filter(|row| row.influences == step);
        let own =
            influencing.filter_map(|row| Some((row.name.to_owned(), self.entries.get(row.name)?.value.canonical())));
        let kept = self.extra.iter().filter(|(name, _)| kept_key_influences(name, step));
        own.chain(kept.map(|(name, traced)| (name.clone(), traced.value.canonical()))).collect()
    }

    /// Every value as canonical text, the kept keys included: what `pack` writes out and therefore depends on.
    #[must_use]
    pub fn canonical(&self) -> BTreeMap<String, String> {
        let all = self.entries.iter().chain(&self.extra);
        all.map(|(name, traced)| (name.clone(), traced.value.canonical())).collect()
    }
}

/// Whether a value is an absolute path of a path-valued property: nothing below `build/` may hold one (SPEC 8).
fn is_of_this_machine(name: &str, value: &Value) -> bool {
    let is_path = properties::find(name).is_some_and(|row| row.kind == properties::Kind::Path);
    is_path && matches!(value, Value::Text(text) if Path::new(text).is_absolute())
}

/// A key of a section counts where the section did; of any other nobody knows, so it counts for both steps that an
/// external compiler does.
fn kept_key_influences(name: &str, step: Influence) -> bool {
    let first = name.split('.').next().unwrap_or(name);
    let section =
        old_names::section(first).or_else(|| old_names::SECTIONS.iter().find(|section| section.gone.contains(&name)));
    match section {
        Some(section) => section.influences == step,
        None => matches!(step, Influence::Quantize | Influence::Lower),
    }
}

fn line(text: &mut String, key: &str, value: &Value) {
    let _ = match toml_value(value) {
        Some(value) => writeln!(text, "{} = {value}", toml_key(key)),
        None => writeln!(text, "# {} = null", toml_key(key)),
    };
}

/// A key as TOML writes it: bare where it may be.
fn toml_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        toml::Value::String(key.to_owned()).to_string()
    }
}

fn toml_value(value: &Value) -> Option<toml::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => toml::Value::Boolean(*value),
        Value::Int(value) => toml::Value::Integer(*value),
        Value::Float(value) => toml::Value::Float(*value),
        Value::Text(text) => toml::Value::String(text.clone()),
        Value::List(items) => toml::Value::Array(items.iter().filter_map(toml_value).collect()),
    })
}
