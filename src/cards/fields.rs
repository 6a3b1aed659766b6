//! Reading typed values out of a card's tree, every problem kept.

use std::path::Path;

use super::PathValue;
use super::Spanned;
use super::paths::Variables;
use crate::base::near_miss;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Source;
use crate::diag::Span;
use crate::yaml::Node;

/// Reads one card's values and collects what is wrong with them.
pub(super) struct Fields<'a> {
    pub(super) source: &'a Source,
    pub(super) folder: &'a Path,
    pub(super) variables: &'a Variables,
    pub(super) allow_keys: &'a [String],
    pub(super) problems: Vec<Diagnostic>,
    /// The model whose entry is being read, for the diagnostics.
    pub(super) model: Option<String>,
}

impl Fields<'_> {
    /// Keeps a problem, with the model it concerns.
    pub(super) fn report(&mut self, mut problem: Diagnostic) {
        problem.model = problem.model.or_else(|| self.model.clone());
        self.problems.push(problem);
    }

    /// An error at a place of the card.
    pub(super) fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>, hint: Option<&str>) {
        let problem = Diagnostic::error(code, message).at(self.source, span).maybe_hint(hint);
        self.report(problem);
    }

    /// `expected …, found …` for the value of `key`.
    pub(super) fn wrong_type(&mut self, key: &str, node: &Node, expected: &str) {
        let message = format!("`{key}`: expected {expected}, found {}", node.describe());
        self.error("card/type", node.span, message, None);
    }

    /// Refuses keys that are a near miss of one in a closed table; other unknown keys belong to a newer SDK.
    pub(super) fn near_misses(&mut self, mapping: &Node, table: &[&str], what: &str) {
        for (key, _) in mapping.entries() {
            let Some(name) = key.as_text() else { continue };
            if table.contains(&name) || self.allow_keys.iter().any(|allowed| allowed == name) {
                continue;
            }
            if let Some(meant) = near_miss(name, table.iter().copied()) {
                let message = format!("unknown key `{name}` in {what}");
                let hint = format!(
                    "did you mean `{meant}`? If the key is right, add it to `allow_keys` under `[zoo]` in axzoo.toml"
                );
                self.error("card/unknown-key", key.span, message, Some(&hint));
            }
        }
    }

    /// The entry of `key` when it is there and not null.
    pub(super) fn value<'n>(mapping: &'n Node, key: &str) -> Option<&'n Node> {
        mapping.get(key).filter(|value| !value.is_null())
    }

    /// A scalar's text as written.
    pub(super) fn text(&mut self, mapping: &Node, key: &str) -> Option<Spanned<String>> {
        let node = Self::value(mapping, key)?;
        let Some(text) = node.as_text() else {
            self.wrong_type(key, node, "text");
            return None;
        };
        Some(Spanned::new(text.to_owned(), node.span))
    }

    /// A whole number of at least `least`.
    pub(super) fn count(&mut self, mapping: &Node, key: &str, least: u32) -> Option<Spanned<u32>> {
        let node = Self::value(mapping, key)?;
        let fits = node.as_int().and_then(|value| u32::try_from(value).ok()).filter(|&value| value >= least);
        if fits.is_none() {
            self.wrong_type(key, node, &format!("a whole number of at least {least}"));
        }
        fits.map(|value| Spanned::new(value, node.span))
    }

    /// True or false.
    pub(super) fn flag(&mut self, mapping: &Node, key: &str) -> Option<Spanned<bool>> {
        let node = Self::value(mapping, key)?;
        let value = node.as_bool();
        if value.is_none() {
            self.wrong_type(key, node, "`true` or `false`");
        }
        value.map(|value| Spanned::new(value, node.span))
    }

    /// A number, whole or not.
    pub(super) fn number(&mut self, mapping: &Node, key: &str) -> Option<Spanned<f64>> {
        let node = Self::value(mapping, key)?;
        let fits = node.as_number().filter(|value| value.is_finite());
        if fits.is_none() {
            self.wrong_type(key, node, "a number");
        }
        fits.map(|value| Spanned::new(value, node.span))
    }

    /// A mapping.
    pub(super) fn mapping<'n>(&mut self, mapping: &'n Node, key: &str) -> Option<&'n Node> {
        let node = Self::value(mapping, key)?;
        if node.is_mapping() {
            return Some(node);
        }
        self.wrong_type(key, node, "a mapping");
        None
    }

    /// An md5: 32 hexadecimal digits, as written.
    pub(super) fn md5(&mut self, mapping: &Node, key: &str) -> Option<Spanned<String>> {
        let text = self.text(mapping, key)?;
        if text.value.len() == 32 && text.value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(text);
        }
        let found: String = text.value.chars().take(80).collect();
        let message = format!("`{key}`: expected 32 hexadecimal digits, found `{found}`");
        self.error("card/md5", text.span, message, Some("`md5sum FILE` prints the digits"));
        None
    }

    /// A path, variables expanded, relative to the card's folder.
    pub(super) fn path(&mut self, mapping: &Node, key: &str) -> Option<PathValue> {
        let text = self.text(mapping, key)?;
        let place = Place::new(self.source, text.span);
        Some(PathValue::new(&text.value, place, self.folder, self.variables))
    }

    /// A value that `FromStr` reads; its error's text is the message.
    pub(super) fn parsed<T>(&mut self, mapping: &Node, key: &str) -> Option<Spanned<T>>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let text = self.text(mapping, key)?;
        match text.value.parse() {
            Ok(value) => Some(Spanned::new(value, text.span)),
            Err(error) => {
                self.error("card/value", text.span, format!("`{key}`: {error}"), None);
                None
            }
        }
    }
}
