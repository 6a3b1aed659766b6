//! Paths in cards: variables, `~`, and relative to what (voyager-semantics 3.7 and 3.8).

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use crate::base::fs;
use crate::base::looked_at_variable;
use crate::diag::Place;

/// The environment as data: what `$NAME` and `~` stand for.
pub type Variables = BTreeMap<String, String>;

/// A path names a variable that is not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the variable `{name}` is not set")]
pub struct UndefinedVariable {
    /// The variable's name, without `$`.
    pub name: String,
}

/// A path of a card, as written and as meant.
#[derive(Debug, Clone, PartialEq)]
pub struct PathValue {
    /// The text as written.
    pub written: String,
    /// Where it is written.
    pub place: Place,
    /// Absolute when the card's folder is: variables and `~` expanded, a relative path taken from the card's folder.
    pub resolved: Result<PathBuf, UndefinedVariable>,
}

impl PathValue {
    pub(super) fn new(written: &str, place: Place, folder: &Path, variables: &Variables) -> Self {
        let resolved = expand(written, variables).map(|text| folder.join(text));
        Self { written: written.to_owned(), place, resolved }
    }

    /// The path, when every variable in it is set.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.resolved.as_deref().ok()
    }
}

/// `text` with `$NAME` and `${NAME}` replaced by their values, and a leading `~` by `HOME`. A `$` that starts no name
/// stays.
pub fn expand(text: &str, variables: &Variables) -> Result<String, UndefinedVariable> {
    let value_of = |name: &str| {
        looked_at_variable(name);
        variables.get(name).map(String::as_str).ok_or_else(|| UndefinedVariable { name: name.to_owned() })
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    if let Some(after) = text.strip_prefix('~')
        && (after.is_empty() || after.starts_with('/'))
    {
        out.push_str(value_of("HOME")?);
        rest = after;
    }
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, length) = if let Some((name, _)) = after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            (name, name.len() + 2)
        } else {
            let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
            (&after[..end], end)
        };
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if is_name {
            out.push_str(value_of(name)?);
            rest = &after[length..];
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Where a model's weights are: beside the card when they are there, else in the SDK's download cache
/// (`$HOME/.cache/axelera/weights/<model>/…`, a leading `weights/` dropped) when they are there, else beside the card,
/// where a download puts them.
pub(super) fn weights(written: &str, place: Place, folder: &Path, model: &str, variables: &Variables) -> PathValue {
    let mut value = PathValue::new(written, place, folder, variables);
    let beside = match &value.resolved {
        Ok(path) if Path::new(written).is_relative() && !fs::is_file(path) => path,
        _ => return value,
    };
    looked_at_variable("HOME");
    if let Some(home) = variables.get("HOME")
        && beside.starts_with(folder)
    {
        let name = written.strip_prefix("weights/").unwrap_or(written);
        let cached = Path::new(home).join(".cache/axelera/weights").join(model).join(name);
        if fs::is_file(&cached) {
            value.resolved = Ok(cached);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Source;
    use crate::diag::Span;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn variables_expand_and_undefined_ones_are_named() {
        let set = variables(&[("A", "/sdk"), ("HOME", "/home/u")]);
        let cases = [
            ("$A/x", Ok("/sdk/x")),
            ("${A}/x", Ok("/sdk/x")),
            ("~/.cache", Ok("/home/u/.cache")),
            ("a~b/~", Ok("a~b/~")),
            ("cost$", Ok("cost$")),
            ("$/x", Ok("$/x")),
            ("$B/x", Err("B")),
            ("x/${B}", Err("B")),
        ];
        for (text, expected) in cases {
            let found = expand(text, &set);
            let found = found.as_deref().map_err(|error| error.name.as_str());
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn weights_come_from_the_download_cache_only_when_they_are_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = folder.path().join("home");
        let cards = folder.path().join("cards");
        let set = variables(&[("HOME", &home.to_string_lossy())]);
        let place = Place::new(&Source::new("a.yaml", ""), Span::default());
        let resolve = || weights("weights/m.onnx", place.clone(), &cards, "m", &set).resolved;
        let beside = cards.join("weights/m.onnx");
        let cached = home.join(".cache/axelera/weights/m/m.onnx");
        assert_eq!(resolve(), Ok(beside.clone()));
        fs::write_atomic(&cached, b"x").expect("written");
        assert_eq!(resolve(), Ok(cached));
        fs::write_atomic(&beside, b"x").expect("written");
        assert_eq!(resolve(), Ok(beside));
    }
}
