//! One layer: raw entries checked against the property table. What is wrong is reported at its line and left out; what is
//! unknown is kept for toolchains that may know it.

use std::collections::BTreeMap;

use crate::base::near_miss;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::properties;
use crate::properties::Kind;
use crate::properties::Property;
use crate::properties::Value;
use crate::properties::ValueError;

use super::old_names;
use super::old_names::Section;
use super::raw::RawEntry;
use super::raw::RawValue;

/// Deepest table that unknown keys are kept from.
const DEPTH: usize = 8;

/// What one layer says.
#[derive(Debug, Default, Clone)]
pub(super) struct Layer {
    /// Checked values by today's name, each where it stands.
    pub(super) values: BTreeMap<&'static str, (Value, Place)>,
    /// Keys that are no property, with dots between the names of nested ones.
    pub(super) extra: BTreeMap<String, (Value, Place)>,
    /// The name under which each value was written, to say so when it is said twice.
    written: BTreeMap<&'static str, String>,
}

impl Layer {
    /// Every name that the layer says, with its place.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().copied().chain(self.extra.keys().map(String::as_str))
    }
}

/// Where a layer's text comes from, which decides what may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Toml,
    Inline,
    Set,
}

/// Reads layers and collects what is wrong with them.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) board_cores: u32,
    /// Keys that the near-miss rule lets through (`[zoo] allow_keys`).
    pub(super) allow_keys: &'a [String],
    pub(super) problems: Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Reads a layer.
    pub(super) fn read(&mut self, entries: &[RawEntry], form: Form) -> Layer {
        let mut layer = Layer::default();
        for entry in entries {
            self.entry(&mut layer, entry, form);
        }
        layer
    }

    fn entry(&mut self, layer: &mut Layer, entry: &RawEntry, form: Form) {
        let key = entry.key.as_str();
        if let Some(property) = properties::find(key) {
            self.property(layer, property, entry, &entry.value);
        } else if let Some(section) = old_names::section(key) {
            self.section(layer, section, entry);
        } else if let Some(property) = self.renamed(layer, entry) {
            let message = format!("`{key}` is another name of `{}`", property.name);
            let hint = format!("write `{}`, the name that today's compiler reads", property.name);
            self.problems
                .push(Diagnostic::note("config/old-name", message).at_place(Some(&entry.key_place)).hint(hint));
        } else if old_names::is_gone(key) {
            self.no_successor(layer, entry, key.to_owned());
        } else if let RawValue::Table(inner) = &entry.value {
            self.table(layer, entry, inner, form);
        } else if let Some((section, rest)) = key.split_once('.').filter(|_| form == Form::Set) {
            self.dotted(layer, entry, section, rest);
        } else {
            self.unknown(layer, entry, key.to_owned());
        }
    }

    /// Reads a key under another name; `None` when it is none.
    fn renamed(&mut self, layer: &mut Layer, entry: &RawEntry) -> Option<&'static Property> {
        let (property, value) = old_names::successor(&entry.key, entry.value.value())?;
        let value = value.map_or_else(|| entry.value.clone(), RawValue::scalar);
        self.property(layer, property, entry, &value);
        Some(property)
    }

    /// `--set backend_config.tiling_depth=6`, as SDK 1.2 nested it.
    fn dotted(&mut self, layer: &mut Layer, entry: &RawEntry, section: &str, rest: &str) {
        if let Some(section) = old_names::section(section) {
            let inner = RawEntry { key: rest.to_owned(), ..entry.clone() };
            let outer = RawEntry { value: RawValue::Table(vec![inner]), ..entry.clone() };
            self.section(layer, section, &outer);
        } else {
            self.unknown(layer, entry, entry.key.clone());
        }
    }

    fn section(&mut self, layer: &mut Layer, section: &Section, entry: &RawEntry) {
        let inner = match &entry.value {
            RawValue::Table(inner) => inner.as_slice(),
            RawValue::Scalar { value: Value::Null, .. } => &[],
            other => {
                let message = format!("`{}` takes a table of settings, found {}", section.name, other.describe());
                self.problems.push(Diagnostic::error("config/type", message).at_place(Some(&entry.place)));
                return;
            }
        };
        let mut renamed = Vec::new();
        for setting in inner {
            let key = setting.key.as_str();
            if let Some(property) = properties::find(key) {
                self.property(layer, property, setting, &setting.value);
            } else if let Some(property) = self.renamed(layer, setting) {
                renamed.push(format!("`{key}` as `{}`", property.name));
            } else if old_names::is_gone(key) {
                self.no_successor(layer, setting, format!("{}.{key}", section.name));
            } else {
                self.unknown(layer, setting, format!("{}.{key}", section.name));
            }
        }
        let names = if renamed.is_empty() { String::new() } else { format!(": {}", renamed.join(", ")) };
        let message = format!("`{}` is a section of SDK 1.2; its settings are read as today's{names}", section.name);
        let note = Diagnostic::note("config/old-section", message).at_place(Some(&entry.key_place));
        self.problems.push(note.hint("today's settings stand side by side, without sections"));
    }

    fn no_successor(&mut self, layer: &mut Layer, entry: &RawEntry, name: String) {
        let message = format!("`{}` of SDK 1.2 has no successor; it is kept for toolchains that know it", entry.key);
        let warning = Diagnostic::warning("config/no-successor", message).at_place(Some(&entry.key_place));
        self.problems.push(warning.hint("remove it, unless the compiler of SDK 1.2 is to read it"));
        self.keep(layer, entry, name, 0);
    }

    /// A table that is no section: in TOML an error when settings are in it, as the SDK would pass over it without a word.
    fn table(&mut self, layer: &mut Layer, entry: &RawEntry, inner: &[RawEntry], form: Form) {
        let mut settings = Vec::new();
        self.settings_in(inner, "", DEPTH, &mut settings);
        if settings.is_empty() {
            self.unknown(layer, entry, entry.key.clone());
            return;
        }
        let what = match settings.as_slice() {
            [one] => format!("the setting {one} stands"),
            several => format!("the settings {} stand", several.join(", ")),
        };
        let message = format!("{what} in the table `{}`, where the compiler does not look", entry.key);
        let hint = match form {
            Form::Toml => format!("remove the line `[{}]`: settings stand at the top of the file", entry.key),
            Form::Inline | Form::Set => format!("remove `{}:` and indent its settings one level less", entry.key),
        };
        self.problems.push(Diagnostic::error("config/table", message).at_place(Some(&entry.key_place)).hint(hint));
    }

    /// The settings of a table and of the tables in it, by their path from it.
    fn settings_in(&self, entries: &[RawEntry], path: &str, depth: usize, found: &mut Vec<String>) {
        for entry in entries {
            if properties::find_any(&entry.key).is_some() || self.near(&entry.key).is_some() {
                found.push(format!("`{path}{}`", entry.key));
            } else if let (RawValue::Table(inner), Some(deeper)) = (&entry.value, depth.checked_sub(1)) {
                self.settings_in(inner, &format!("{path}{}.", entry.key), deeper, found);
            }
        }
    }

    fn near(&self, key: &str) -> Option<&'static str> {
        let names =
            properties::all().iter().flat_map(|row| std::iter::once(row.name).chain(row.old_names.iter().copied()));
        let names = names.chain(old_names::SECTIONS.iter().map(|section| section.name));
        near_miss(key, names).filter(|_| !self.allow_keys.iter().any(|allowed| allowed == key))
    }

    fn unknown(&mut self, layer: &mut Layer, entry: &RawEntry, name: String) {
        let key = entry.key.as_str();
        if let Some(near) = self.near(key) {
            let message = format!("there is no property `{key}`");
            let problem = Diagnostic::error("config/unknown-key", message).at_place(Some(&entry.key_place));
            self.problems.push(problem.hint(format!("did you mean `{near}`?")));
            return;
        }
        let message = format!("there is no property `{key}`; it is kept for toolchains that may know it");
        let hint = if old_names::BESIDE.contains(&key) {
            format!("`{key}` belongs in `extra_kwargs`, beside `compilation_config`, and is not looked at here")
        } else {
            "`axzoo config show NETWORK --all` lists every property".to_owned()
        };
        let problem = Diagnostic::warning("config/unknown-key", message).at_place(Some(&entry.key_place)).hint(hint);
        self.problems.push(problem);
        self.keep(layer, entry, name, 0);
    }

    /// Keeps what is no property, nested keys under dotted names.
    fn keep(&mut self, layer: &mut Layer, entry: &RawEntry, name: String, depth: usize) {
        match (&entry.value, entry.value.value()) {
            (_, Some(value)) => {
                layer.extra.insert(name, (value, entry.place.clone()));
            }
            (RawValue::Table(inner), None) if depth < DEPTH => {
                for entry in inner {
                    self.keep(layer, entry, format!("{name}.{}", entry.key), depth + 1);
                }
            }
            (other, None) => {
                let message = format!("`{}` cannot be kept: found {}", entry.key, other.describe());
                self.problems.push(Diagnostic::warning("config/unknown-key", message).at_place(Some(&entry.place)));
            }
        }
    }

    fn property(&mut self, layer: &mut Layer, property: &'static Property, entry: &RawEntry, raw: &RawValue) {
        let meant_as_text = matches!(property.kind, Kind::Text | Kind::Path);
        if let (RawValue::Scalar { versions_differ: Some(difference), .. }, false) = (&entry.value, meant_as_text) {
            let warning = Diagnostic::warning("config/yaml-versions", difference.as_str()).at_place(Some(&entry.place));
            let alike = entry.value.value().map(|value| match value {
                // Text in YAML 1.1 that is a number in 1.2 was meant as one: the property takes no text.
                Value::Text(text) => text.parse::<f64>().map_or(text, |number| number.to_string()),
                value => value.to_string(),
            });
            let alike = alike.map_or_else(|| "so that both read it alike".to_owned(), |alike| format!("`{alike}`"));
            self.problems.push(warning.hint(format!("write {alike}")));
        }
        let value = if meant_as_text { raw.text() } else { raw.value() };
        let Some(value) = value else {
            let expected = property.expectation(self.board_cores);
            let message = format!("`{}` takes {expected}, found {}", property.name, raw.describe());
            let problem = Diagnostic::error("config/type", message).at_place(Some(&entry.place));
            self.problems.push(problem.hint(default_hint(property)));
            return;
        };
        match property.check(&value, self.board_cores) {
            Ok(value) => self.store(layer, property, entry, value),
            Err(error) => {
                let code = match &error {
                    ValueError::UnknownProperty { .. } => "config/unknown-key",
                    ValueError::Type { .. } => "config/type",
                    ValueError::Range { .. } => "config/range",
                    ValueError::Choice { .. } => "config/choice",
                    ValueError::Share { .. } => "config/share",
                };
                let problem = Diagnostic::error(code, error.to_string()).at_place(Some(&entry.place));
                self.problems.push(problem.hint(error.hint().unwrap_or_else(|| default_hint(property))));
            }
        }
    }

    fn store(&mut self, layer: &mut Layer, property: &'static Property, entry: &RawEntry, value: Value) {
        if property.name == "profiling_levels"
            && let Value::List(levels) = &value
            && levels.len() > 1
        {
            let message =
                format!("`profiling_levels` asks for {} levels at once, which makes times less exact", levels.len());
            let warning = Diagnostic::warning("config/profiling-levels", message).at_place(Some(&entry.place));
            self.problems.push(warning.hint("profile one level at a time"));
        }
        if let Some((earlier, place)) = layer.values.get(property.name)
            && *earlier != value
        {
            let line = place.position().line;
            let other = layer.written.get(property.name).map_or(property.name, String::as_str);
            let message = format!(
                "`{}` is said twice: {earlier} as `{other}` in line {line}, {value} as `{}` here",
                property.name, entry.key
            );
            let problem = Diagnostic::error("config/said-twice", message).at_place(Some(&entry.place));
            self.problems.push(problem.hint(format!("keep one of them, by today's name `{}`", property.name)));
            return;
        }
        layer.written.insert(property.name, entry.key.clone());
        layer.values.insert(property.name, (value, entry.place.clone()));
    }
}

/// What is known of every property.
fn default_hint(property: &Property) -> String {
    match &property.default {
        Value::Text(text) if text.is_empty() => "the default is an empty text".to_owned(),
        default => format!("the default is `{default}`"),
    }
}
