//! A text with its tree, and the edits that can be made of it.

use std::fmt::Write;

use super::apply::Edit;
use super::apply::apply;
use super::error::EditError;
use super::error::EditErrorKind;
use super::layout::Lines;
use super::layout::is_blank;
use crate::diag::Source;
use crate::diag::Span;
use crate::yaml::Kind;
use crate::yaml::Meaning;
use crate::yaml::Node;
use crate::yaml::Scalar;
use crate::yaml::Style;
use crate::yaml::YamlError;
use crate::yaml::parse::parse_with_references;
use crate::yaml::references::Anchor;
use crate::yaml::references::References;

/// A YAML text that can be edited. Every mapping that its methods take is a node of [`Editor::root`].
///
/// New text is YAML of one line as the caller wrote it: see [`scalar_text`]. Several edits of one text are made against
/// the text as it was; in a flow mapping at most one, since neighbours share a comma.
#[derive(Debug)]
pub struct Editor<'a> {
    source: &'a Source,
    root: Node,
    references: References,
}

/// An entry as it stands in the text: that of a key, or a merge key.
#[derive(Debug, Clone, Copy)]
struct Physical<'n> {
    key: Span,
    value: Span,
    /// The value, of an entry that is no merge key.
    node: Option<&'n Node>,
}

impl Physical<'_> {
    /// Where its last byte ends. An empty value has no bytes of its own.
    fn end(&self) -> usize {
        let empty = self.value.start == self.value.end && self.value.start > self.key.end + 1;
        if empty { self.key.end } else { self.value.end.max(self.key.end) }
    }
}

impl<'a> Editor<'a> {
    /// Reads a text for editing.
    ///
    /// # Errors
    /// What [`crate::yaml::parse`] refuses.
    pub fn new(source: &'a Source) -> Result<Self, YamlError> {
        let (root, references) = parse_with_references(source)?;
        Ok(Self { source, root, references })
    }

    /// The tree.
    #[must_use]
    pub const fn root(&self) -> &Node {
        &self.root
    }

    /// The node that stands in the text for `node`: what an alias names, for a copy that the alias made; else the node
    /// itself. `None` when what it names is no collection of the tree.
    #[must_use]
    pub fn original<'n>(&'n self, node: &'n Node) -> Option<&'n Node> {
        let mut node = node;
        // An anchor may name a node that is an alias in a merge; each step leads further up in the text.
        while let Some(alias) = self.references.aliases.iter().find(|alias| alias.span == node.span) {
            let anchor = self.references.anchors.iter().find(|anchor| anchor.id == alias.anchor)?;
            node = find(&self.root, anchor.span, &self.is_alias())?;
        }
        Some(node)
    }

    /// Whether this node is a copy that an alias made.
    #[must_use]
    pub fn is_copy(&self, node: &Node) -> bool {
        self.is_alias()(node.span)
    }

    /// The value of `key` where it is written: what an alias names, when one stands there. `None` without such a key.
    ///
    /// # Errors
    /// A merge key brings the entry.
    pub fn child<'n>(&'n self, mapping: &'n Node, key: &str) -> Result<Option<&'n Node>, EditError> {
        match self.entry(mapping, key) {
            Ok(entry) => Ok(entry.node.and_then(|node| self.original(node))),
            Err(error) if error.kind == EditErrorKind::Missing => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The bytes that go with the entry of `key`: from the key to the end of its last comment or value.
    ///
    /// # Errors
    /// As for [`Editor::remove`].
    pub fn extent(&self, mapping: &Node, key: &str) -> Result<Span, EditError> {
        let entry = self.entry(mapping, key)?;
        if self.is_flow(mapping) {
            return Ok(Span::new(entry.key.start, entry.end()));
        }
        self.block_region(mapping, &entry)
    }

    /// Replaces the scalar under `key`.
    ///
    /// # Errors
    /// The entry is not there or not written here, its value is no plain or quoted scalar, or has a tag.
    pub fn replace_value(&self, mapping: &Node, key: &str, value: &str) -> Result<Edit, EditError> {
        let entry = self.entry(mapping, key)?;
        let layout = |message: String| EditError::new(EditErrorKind::Layout, message, entry.value);
        let scalar = entry.node.and_then(Node::as_scalar).filter(|scalar| scalar.style != Style::Block);
        let Some(scalar) = scalar else { return Err(layout(format!("the value of `{key}` is no scalar of one line"))) };
        let lines = self.lines();
        if scalar.text.is_empty() && scalar.style == Style::Plain {
            let rest = lines.slice(entry.value.start, lines.end(entry.value.start));
            let rest = rest.trim_start_matches([' ', '\t']);
            let behind_colon = lines.slice(entry.key.end, entry.value.start).trim_end().ends_with(':');
            if !behind_colon || rest.starts_with(['&', '!']) {
                return Err(layout(format!("`{key}` has no value, and no place for one on its line")));
            }
            let space = if is_flow_end(rest) || rest.is_empty() || rest.starts_with('#') { "" } else { " " };
            return Ok(Edit::new(entry.value, format!(" {value}{space}")));
        }
        if lines.slice(entry.key.end, entry.value.start).contains('!') {
            return Err(layout(format!("a tag stands before the value of `{key}`")));
        }
        Ok(Edit::new(entry.value, value))
    }

    /// Removes the entry of `key` with its lines and its comments. Of a mapping that has no other, `{}` stays.
    ///
    /// # Errors
    /// The entry is not there or not written here, or shares its first line in a way that is not edited.
    pub fn remove(&self, mapping: &Node, key: &str) -> Result<Edit, EditError> {
        let entry = self.entry(mapping, key)?;
        let all = self.physical(mapping);
        let place = all.iter().position(|other| other.key == entry.key).unwrap_or_default();
        let next = all.get(place + 1);
        let lines = self.lines();
        if self.is_flow(mapping) {
            let previous = place.checked_sub(1).and_then(|place| all.get(place));
            let comma = lines.behind_comma(entry.end());
            let start = entry.key.start;
            let span = match (comma, previous) {
                (Some(comma), _) if next.is_some() || previous.is_none() => {
                    let rest = lines.slice(comma, mapping.span.end);
                    Span::new(start, comma + (rest.len() - rest.trim_start_matches([' ', '\t']).len()))
                }
                (Some(comma), _) => Span::new(start, comma),
                (None, Some(previous)) if is_plain_gap(lines.slice(previous.end(), start)) => {
                    Span::new(previous.end(), entry.end())
                }
                _ => Span::new(start, entry.end()),
            };
            return Ok(Edit::new(span, ""));
        }
        let region = self.block_region(mapping, &entry)?;
        if all.len() == 1 {
            return Ok(Edit::new(region, "{}"));
        }
        let line_start = lines.start(region.start);
        if is_blank(lines.slice(line_start, region.start)) {
            return Ok(Edit::new(Span::new(line_start, lines.next(region.end)), ""));
        }
        // The first key behind a `-`: the next one takes its place.
        match next {
            Some(next) if lines.slice(region.end, next.key.start).trim().is_empty() => {
                Ok(Edit::new(Span::new(region.start, next.key.start), ""))
            }
            _ => Err(EditError::new(EditErrorKind::Layout, format!("`{key}` shares its line"), entry.key)),
        }
    }

    /// Replaces the entry of `key`, its comments included, by `entry` such as `name: value`.
    ///
    /// # Errors
    /// As for [`Editor::remove`].
    pub fn replace_entry(&self, mapping: &Node, key: &str, entry: &str) -> Result<Edit, EditError> {
        let old = self.entry(mapping, key)?;
        if self.is_flow(mapping) {
            return Ok(Edit::new(Span::new(old.key.start, old.end()), entry));
        }
        Ok(Edit::new(self.block_region(mapping, &old)?, entry))
    }

    /// Inserts `entry`, such as `name: value`, behind the last one.
    ///
    /// # Errors
    /// This is no mapping written here.
    pub fn insert(&self, mapping: &Node, entry: &str) -> Result<Edit, EditError> {
        self.check_written(mapping)?;
        let all = self.physical(mapping);
        let lines = self.lines();
        let Some((first, last)) = all.first().zip(all.last()) else {
            // An empty mapping is always in flow style.
            let inside = mapping.span.start + 1;
            return Ok(Edit::new(Span::new(inside, inside), entry));
        };
        if self.is_flow(mapping) {
            return Ok(Edit::new(Span::new(last.end(), last.end()), format!(", {entry}")));
        }
        let region = self.block_region(mapping, last)?;
        let line_start = lines.start(first.key.start);
        let before = lines.slice(line_start, first.key.start);
        let indentation = if is_blank(before) { before.to_owned() } else { " ".repeat(lines.column(first.key.start)) };
        let line_end = lines.line_end(region.end);
        let at = lines.next(region.end);
        let text = if lines.slice(region.end, at).is_empty() {
            format!("{line_end}{indentation}{entry}")
        } else {
            format!("{indentation}{entry}{line_end}")
        };
        Ok(Edit::new(Span::new(at, at), text))
    }

    /// Sets `key` to `value`, YAML of one line: in the place of the value that is there, else as a new last entry. A value
    /// that is no scalar goes with its comments.
    ///
    /// # Errors
    /// As for the others. A key that only a merge brings gets an entry of its own, which wins.
    pub fn set(&self, mapping: &Node, key: &str, value: &str) -> Result<Edit, EditError> {
        self.check_written(mapping)?;
        let Ok(entry) = self.entry(mapping, key) else {
            return self.insert(mapping, &format!("{}: {value}", scalar_text(key)));
        };
        let is_line = |node: &Node| node.as_scalar().is_some_and(|scalar| scalar.style != Style::Block);
        if entry.node.is_some_and(is_line) {
            return self.replace_value(mapping, key, value);
        }
        let written = self.lines().slice(entry.key.start, entry.key.end);
        self.replace_entry(mapping, key, &format!("{written}: {value}"))
    }

    /// The text with every edit made.
    ///
    /// # Errors
    /// The edits overlap, or take away an anchor that an alias outside them names.
    pub fn apply(&self, edits: &[Edit]) -> Result<String, EditError> {
        let goes = |at: usize| edits.iter().any(|edit| edit.span.start <= at && at < edit.span.end);
        // A collection whose entries are edited stays what the anchor names, for all its users; a scalar does not.
        let anchor_goes = |anchor: &&Anchor| {
            let mark = self.source.text().get(..anchor.span.start).and_then(|before| before.rfind('&'));
            mark.is_some_and(goes) || (anchor.is_scalar && goes(anchor.span.start))
        };
        for anchor in self.references.anchors.iter().filter(anchor_goes) {
            let mut users = self.references.aliases.iter().filter(|alias| alias.anchor == anchor.id);
            if let Some(user) = users.find(|alias| !goes(alias.span.start)) {
                let line = self.source.position(user.span.start).line;
                let name = self.lines().slice(user.span.start, user.span.end);
                let message = format!("`{name}` in line {line} uses what stands here");
                return Err(EditError::new(EditErrorKind::AnchorInUse, message, anchor.span));
            }
        }
        apply(self.source.text(), edits)
    }

    fn lines(&self) -> Lines<'_> {
        Lines(self.source.text())
    }

    fn is_alias(&self) -> impl Fn(Span) -> bool + '_ {
        |span| self.references.aliases.iter().any(|alias| alias.span == span)
    }

    fn check_written(&self, mapping: &Node) -> Result<(), EditError> {
        let Kind::Mapping(entries) = &mapping.kind else {
            let message = format!("expected a mapping, found {}", mapping.describe());
            return Err(EditError::new(EditErrorKind::Missing, message, mapping.span));
        };
        if self.is_copy(mapping) {
            let message = "an alias stands here, and its text elsewhere";
            return Err(EditError::new(EditErrorKind::Alias, message, mapping.span));
        }
        if entries.is_empty() && !self.lines().slice(mapping.span.start, mapping.span.end).starts_with('{') {
            let message = "a mapping whose place is not known";
            return Err(EditError::new(EditErrorKind::Layout, message, mapping.span));
        }
        Ok(())
    }

    /// The entry of `key`, where it is written in this mapping.
    fn entry<'n>(&self, mapping: &'n Node, key: &str) -> Result<Physical<'n>, EditError> {
        self.check_written(mapping)?;
        let Some((name, value)) = mapping.entry(key) else {
            return Err(EditError::new(EditErrorKind::Missing, format!("there is no `{key}` here"), mapping.span));
        };
        if self.is_merged(mapping, name.span) {
            let message = format!("a merge key brings `{key}` here from another mapping");
            return Err(EditError::new(EditErrorKind::Merge, message, name.span));
        }
        Ok(Physical { key: name.span, value: value.span, node: Some(value) })
    }

    fn is_merged(&self, mapping: &Node, key: Span) -> bool {
        let mut merges = self.references.merges.iter().filter(|merge| merge.mapping == mapping.span);
        merges.any(|merge| merge.value.start <= key.start && key.end <= merge.value.end)
    }

    /// The entries that are written in this mapping, merge keys included, in the order of the text.
    fn physical<'n>(&self, mapping: &'n Node) -> Vec<Physical<'n>> {
        let own = mapping.entries().iter().filter(|(key, _)| !self.is_merged(mapping, key.span));
        let own = own.map(|(key, value)| Physical { key: key.span, value: value.span, node: Some(value) });
        let merges = self.references.merges.iter().filter(|merge| merge.mapping == mapping.span);
        let merges = merges.map(|merge| Physical { key: merge.key, value: merge.value, node: None });
        let mut all: Vec<Physical<'_>> = own.chain(merges).collect();
        all.sort_by_key(|entry| entry.key.start);
        all
    }

    /// A block mapping starts with its first key, which may be a flow mapping itself.
    fn is_flow(&self, mapping: &Node) -> bool {
        let opens = self.lines().slice(mapping.span.start, mapping.span.end).starts_with('{');
        opens && self.physical(mapping).first().is_none_or(|entry| entry.key.start > mapping.span.start)
    }

    /// The bytes of an entry of a block mapping, from its key to the end of its last comment, without the line end.
    fn block_region(&self, mapping: &Node, entry: &Physical<'_>) -> Result<Span, EditError> {
        let lines = self.lines();
        let start = entry.key.start;
        let before = lines.slice(lines.start(start), start).trim_matches([' ', '\t', '-', '\u{feff}']);
        if !before.is_empty() {
            return Err(EditError::new(EditErrorKind::Layout, "a key that shares its line", entry.key));
        }
        let all = self.physical(mapping);
        let next = all.iter().find(|other| other.key.start > start).map_or(usize::MAX, |next| next.key.start);
        // The place of an empty block scalar is that of the line after it.
        let content_end = if entry.end() < next { entry.end() } else { entry.key.end };
        Ok(Span::new(start, lines.end_of_entry(content_end, lines.column(start))))
    }
}

/// The collection or scalar at a span, copies left out.
fn find<'n>(node: &'n Node, span: Span, is_alias: &dyn Fn(Span) -> bool) -> Option<&'n Node> {
    if node.span == span {
        return Some(node);
    }
    let inside = |node: &&Node| node.span.start <= span.start && span.end <= node.span.end && !is_alias(node.span);
    let children = node.items().iter().chain(node.entries().iter().flat_map(|(key, value)| [key, value]));
    children.filter(inside).find_map(|child| find(child, span, is_alias))
}

fn is_flow_end(rest: &str) -> bool {
    rest.starts_with([',', '}', ']'])
}

/// Blanks and one comma.
fn is_plain_gap(text: &str) -> bool {
    text.chars().all(|c| matches!(c, ' ' | '\t' | ','))
}

/// A text as a YAML scalar of one line: plain where it reads back as that text in block and in flow style, else in quotes.
#[must_use]
pub fn scalar_text(text: &str) -> String {
    let safe = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '+');
    let plain = Scalar { text: text.to_owned(), style: Style::Plain };
    let starts = text.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/'));
    let ends_document = text.starts_with("...") || text.starts_with("---");
    if starts
        && !ends_document
        && text.chars().all(safe)
        && plain.meaning() == Meaning::Text
        && plain.differs_in_yaml_1_2().is_none()
    {
        return text.to_owned();
    }
    if !text.chars().any(|c| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
