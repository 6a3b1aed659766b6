//! What one text says, setting by setting in its order: for those who write it in another form.

use crate::diag::Diagnostic;
use crate::diag::Severity;
use crate::diag::Span;
use crate::properties::Value;

use super::layer::Form;
use super::layer::Reader;
use super::old_names;
use super::raw::RawEntry;
use super::raw::RawValue;

/// One setting of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The name as written, with its section: `backend_config.in_core_replication`.
    pub written: String,
    /// The bytes of its key.
    pub key: Span,
    /// The bytes of its value.
    pub value: Span,
    /// What it means.
    pub meaning: SettingMeaning,
}

/// What a [`Setting`] means.
#[derive(Debug, Clone, PartialEq)]
pub enum SettingMeaning {
    /// A property, by today's name, with its checked value.
    Property(&'static str, Value),
    /// A key that is no property, kept: its keys from the outermost on, and its value.
    Kept(Vec<String>, KeptValue),
}

/// The value of a key that is no property.
#[derive(Debug, Clone, PartialEq)]
pub enum KeptValue {
    /// A plain value; null too.
    Plain(Value),
    /// A list with something in it that is no plain value.
    List(Vec<KeptValue>),
    /// A table in a list, or an empty one.
    Table(Vec<(String, KeptValue)>),
}

/// The settings of a text. Tables of unknown keys are given key by key.
///
/// # Errors
/// Every error of the layer; what is no value at all, such as a date.
pub(super) fn settings(
    entries: &[RawEntry],
    form: Form,
    board_cores: u32,
    allow_keys: &[String],
) -> Result<Vec<Setting>, Vec<Diagnostic>> {
    let mut reader = Reader { board_cores, allow_keys, problems: Vec::new() };
    reader.read(entries, form);
    let mut walk = Walk { reader, form, settings: Vec::new() };
    walk.reader.problems.retain(|problem| problem.severity == Severity::Error);
    if walk.reader.problems.is_empty() {
        walk.all(entries);
        walk.reader.problems.retain(|problem| problem.severity == Severity::Error);
    }
    if walk.reader.problems.is_empty() { Ok(walk.settings) } else { Err(walk.reader.problems) }
}

struct Walk<'a> {
    reader: Reader<'a>,
    form: Form,
    settings: Vec<Setting>,
}

impl Walk<'_> {
    fn all(&mut self, entries: &[RawEntry]) {
        for entry in entries {
            match (old_names::section(&entry.key), &entry.value) {
                (Some(_), RawValue::Table(inner)) => {
                    for setting in inner {
                        let outer = RawEntry { value: RawValue::Table(vec![setting.clone()]), ..entry.clone() };
                        self.one(&outer, setting, vec![entry.key.clone(), setting.key.clone()]);
                    }
                }
                (Some(_), _) => {}
                (None, _) => self.one(entry, entry, vec![entry.key.clone()]),
            }
        }
    }

    /// One setting: `outer` is it with its section.
    fn one(&mut self, outer: &RawEntry, setting: &RawEntry, keys: Vec<String>) {
        let layer = self.reader.read(std::slice::from_ref(outer), self.form);
        match layer.values.into_iter().next() {
            Some((name, (value, _))) => self.say(setting, &keys, SettingMeaning::Property(name, value)),
            None => self.kept(setting, keys),
        }
    }

    fn kept(&mut self, setting: &RawEntry, keys: Vec<String>) {
        match &setting.value {
            RawValue::Table(inner) if !inner.is_empty() => {
                for entry in inner {
                    let mut keys = keys.clone();
                    keys.push(entry.key.clone());
                    self.kept(entry, keys);
                }
            }
            other => match kept_value(other) {
                Ok(value) => self.say(setting, &keys.clone(), SettingMeaning::Kept(keys, value)),
                Err(what) => {
                    let message = format!("`{}` cannot be kept: found {what}", keys.join("."));
                    let problem = Diagnostic::error("config/unknown-key", message).at_place(Some(&setting.place));
                    self.reader.problems.push(problem);
                }
            },
        }
    }

    fn say(&mut self, setting: &RawEntry, keys: &[String], meaning: SettingMeaning) {
        let (key, value) = (setting.key_place.span, setting.place.span);
        self.settings.push(Setting { written: keys.join("."), key, value, meaning });
    }
}

fn kept_value(raw: &RawValue) -> Result<KeptValue, String> {
    Ok(match raw {
        RawValue::Odd(what) => return Err(what.clone()),
        RawValue::Scalar { value, .. } => KeptValue::Plain(value.clone()),
        RawValue::List(items) => KeptValue::List(items.iter().map(kept_value).collect::<Result<_, _>>()?),
        RawValue::Table(entries) => {
            let entry = |entry: &RawEntry| Ok((entry.key.clone(), kept_value(&entry.value)?));
            KeptValue::Table(entries.iter().map(entry).collect::<Result<_, String>>()?)
        }
    })
}
