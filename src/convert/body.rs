//! What one TOML file is to say: base and block merged, defaults dropped, comments kept.

use std::collections::BTreeMap;

use super::comments::Comments;
use crate::config::KeptValue;
use crate::config::Setting;
use crate::config::SettingMeaning;
use crate::properties;
use crate::properties::Value;

/// Properties that a `cores` layer sets, so that saying the default is not the same as not saying it.
const SET_BY_CORES: [&str; 3] = ["aipu_cores_used", "resources_used", "multicore_mode"];

/// One line of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// The keys, from the outermost table on.
    pub(super) keys: Vec<String>,
    /// The value.
    pub(super) value: KeptValue,
    /// Whether it is left out, or stands in a comment where it has comments of its own.
    pub(super) dropped: bool,
    /// Its comments.
    pub(super) comments: Comments,
}

/// What one file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Body {
    /// Its lines in order.
    pub(super) lines: Vec<Line>,
    /// Comments behind the last line.
    pub(super) rest: Vec<String>,
    /// Settings left out, as `name = value`, and why.
    pub(super) dropped: Vec<(String, &'static str)>,
    /// Names as written, and today's.
    pub(super) renamed: Vec<(String, String)>,
    /// Settings that are no property and are kept.
    pub(super) kept: Vec<String>,
}

/// The settings of `base` with those of `block` over them. `keep_defaults` keeps values that are their defaults.
pub(super) fn body(
    base: &[Setting],
    block: &[Setting],
    comments: Vec<Comments>,
    rest: Vec<String>,
    keep_defaults: bool,
) -> Body {
    let mut body = Body { rest, ..Body::default() };
    for setting in base {
        body.say(setting, Comments::default(), keep_defaults);
    }
    let mut comments = comments.into_iter();
    for setting in block {
        body.say(setting, comments.next().unwrap_or_default(), keep_defaults);
    }
    body.lines.iter().filter(|line| line.dropped).for_each(|line| {
        let why = if line.value == KeptValue::Plain(Value::Null) { NULL } else { DEFAULT };
        body.dropped.push((line.keys.join("."), why));
    });
    body
}

const DEFAULT: &str = "the documented default";
const NULL: &str = "null, which is the same as not saying it";

impl Body {
    fn say(&mut self, setting: &Setting, comments: Comments, keep_defaults: bool) {
        let (keys, value, dropped) = match &setting.meaning {
            SettingMeaning::Property(name, value) => {
                if setting.written != *name {
                    self.renamed.push((setting.written.clone(), (*name).to_owned()));
                }
                let is_default = properties::find(name).is_some_and(|row| row.default == *value);
                let droppable = !keep_defaults && is_default && !SET_BY_CORES.contains(name);
                let null = *value == Value::Null;
                (vec![(*name).to_owned()], KeptValue::Plain(value.clone()), droppable || null)
            }
            SettingMeaning::Kept(keys, value) => {
                let name = keys.join(".");
                if !self.kept.contains(&name) && *value != KeptValue::Plain(Value::Null) {
                    self.kept.push(name);
                }
                (keys.clone(), value.clone(), *value == KeptValue::Plain(Value::Null))
            }
        };
        let name = keys.join(".");
        match self.lines.iter_mut().find(|line| line.keys.join(".") == name) {
            Some(line) => {
                let mut earlier = std::mem::take(&mut line.comments);
                earlier.extend(comments);
                *line = Line { keys, value, dropped, comments: earlier };
            }
            None => self.lines.push(Line { keys, value, dropped, comments }),
        }
        if dropped {
            self.kept.retain(|kept| *kept != name);
        }
    }

    /// What decides whether two files can be one: the settings, whatever their order and comments.
    pub(super) fn settings(&self) -> BTreeMap<String, String> {
        let said = self.lines.iter().filter(|line| !line.dropped);
        said.map(|line| (line.keys.join("\u{0}"), format!("{:?}", line.value))).collect()
    }

    /// Takes over the comments of another body with the same settings.
    pub(super) fn share(&mut self, other: &Self) {
        for line in &other.lines {
            match self.lines.iter_mut().find(|own| own.keys == line.keys) {
                Some(own) => own.comments.extend(line.comments.clone()),
                None => self.lines.push(line.clone()),
            }
        }
        for comment in &other.rest {
            if !self.rest.contains(comment) {
                self.rest.push(comment.clone());
            }
        }
    }
}

impl Comments {
    /// Adds those of another setting that are not here yet.
    fn extend(&mut self, other: Self) {
        let known = |own: &Self, comment: &String| own.above.contains(comment) || own.behind.contains(comment);
        for comment in other.above {
            if !known(self, &comment) {
                self.above.push(comment);
            }
        }
        for comment in other.behind {
            if !known(self, &comment) {
                self.behind.push(comment);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.above.is_empty() && self.behind.is_empty()
    }
}
