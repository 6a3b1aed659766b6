//! From text to [`Node`]s: a composer over the events of `saphyr-parser`.
//!
//! Written without recursion, so that depth costs no stack, and with a budget for everything that a hostile text could
//! multiply: depth, nodes, and the text of nodes that aliases copy.

use std::collections::HashMap;
use std::collections::HashSet;

use saphyr_parser::Event;
use saphyr_parser::Parser;
use saphyr_parser::ScalarStyle;
use saphyr_parser::Tag;

use super::Kind;
use super::Node;
use super::Scalar;
use super::Style;
use super::YamlError;
use super::YamlErrorKind;
use super::error::plain_words;
use super::error::syntax_hint;
use super::error::unclosed;
use super::marks;
use super::references::Alias;
use super::references::Anchor;
use super::references::Merge;
use super::references::References;
use crate::diag::Source;
use crate::diag::Span;

/// Deepest nesting of collections.
pub const DEPTH_LIMIT: usize = 64;

/// Most nodes of a document, copies that aliases make included.
pub const NODE_LIMIT: usize = 200_000;

/// Most bytes of a text, and of all scalars that aliases copy.
pub const TEXT_LIMIT: usize = 4 * 1024 * 1024;

/// Reads the one document of `source`. An empty document is a null scalar.
///
/// # Errors
/// The first problem: text that is not YAML, a key given twice (with both places), tags that would construct objects,
/// several documents, or more than [`DEPTH_LIMIT`], [`NODE_LIMIT`] and [`TEXT_LIMIT`] allow.
pub fn parse(source: &Source) -> Result<Node, YamlError> {
    parse_with_references(source).map(|(node, _)| node)
}

/// [`parse`], and where the text's anchors, aliases and merge keys stand: what an edit of the text must know.
pub(super) fn parse_with_references(source: &Source) -> Result<(Node, References), YamlError> {
    let text = source.text();
    // The mark of UTF-8 that some editors write stands before the document, and is no part of it.
    let skipped = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let body = &text[skipped..];
    check_text(body, skipped)?;
    let hidden = marks::hide(body);
    let mut composer = Composer {
        source,
        offsets: Offsets::new(body, skipped),
        frames: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        copied_nodes: 0,
        copied_bytes: 0,
        root: None,
        documents: 0,
        references: References::default(),
    };
    for event in Parser::new_from_str(&hidden) {
        match event {
            Ok((event, span)) => composer.take(event, span)?,
            Err(error) => {
                let message = error.info().trim_end_matches('.');
                let at = composer.offsets.byte(error.marker().index());
                let at = if message.contains("tab") { first_tab(text, at) } else { at };
                if let Some((index, bracket)) =
                    open_bracket(&hidden, error.marker().index(), at >= text.trim_end().len())
                {
                    let start = composer.offsets.byte(index);
                    let message = format!("`{bracket}` is not closed");
                    let problem = YamlError::new(YamlErrorKind::Syntax, message, Span::new(start, start + 1));
                    let closing = match bracket {
                        '[' => ']',
                        '{' => '}',
                        quote => quote,
                    };
                    return Err(problem.hint(format!("put the `{closing}` that belongs to it where the value ends")));
                }
                if message.contains("recursion limit") {
                    let message = format!("nested deeper than {DEPTH_LIMIT} levels");
                    return Err(YamlError::new(YamlErrorKind::Limit, message, Span::new(at, at)));
                }
                if (message.contains("mapping values are not allowed") || message.contains("did not find expected key"))
                    && let Some(problem) = key_without_value(text, at)
                {
                    return Err(problem);
                }
                let mut problem =
                    YamlError::new(YamlErrorKind::Syntax, lower_first(plain_words(message)), Span::new(at, at));
                problem.hint = syntax_hint(message).map(str::to_owned);
                return Err(problem);
            }
        }
    }
    let end = text.len();
    let root = composer.root.unwrap_or_else(|| Node { span: Span::new(end, end), kind: null() });
    Ok((root, composer.references))
}

/// The bracket whose missing partner makes the scanner stumble at a character: at the end of the text, or at the start of the
/// next key on a later line.
fn open_bracket(text: &str, character: usize, at_end: bool) -> Option<(usize, char)> {
    if at_end {
        return unclosed(text);
    }
    let before: String = text.chars().take(character).collect();
    let line = before.rfind('\n')?;
    let found = unclosed(&before)?;
    let is_key = text.chars().nth(character) == Some(':') || matches!(found.1, '"' | '\'');
    (is_key && found.0 < before.get(..line)?.chars().count()).then_some(found)
}

/// Where the scanner stumbles over a `:` because the line above it is a key without one (`name`, `name:x`), or has text
/// that was to be a key: the error of that line.
fn key_without_value(text: &str, at: usize) -> Option<YamlError> {
    let mut end = text.get(..at)?.rfind('\n')?;
    loop {
        let start = text.get(..end)?.rfind('\n').map_or(0, |end| end + 1);
        let line = text.get(start..end)?.trim_end();
        let content = line.trim_start_matches([' ', '-']);
        if content.is_empty() || content.starts_with('#') {
            end = start.checked_sub(1)?;
            continue;
        }
        let plain = !content.contains(": ")
            && !content.ends_with(':')
            && !content.contains([' ', '"', '\'', '[', '{', '|', '>']);
        let span = Span::new(start + line.len() - content.len(), start + line.len());
        let problem =
            |message: String, hint: String| Some(YamlError::new(YamlErrorKind::Syntax, message, span).hint(hint));
        return match content.split_once(':').filter(|_| plain) {
            Some((key, value)) => {
                problem("a `:` needs a blank behind it".to_owned(), format!("write `{key}: {value}`"))
            }
            None if plain => problem("a key needs a `:` after it".to_owned(), format!("write `{content}: …`")),
            None => None,
        };
    }
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

/// The first tab among the blanks that a line starts with, from `at` on: the scanner points at the scalar before it.
fn first_tab(text: &str, at: usize) -> usize {
    let mut start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    for line in text.get(start..).unwrap_or_default().split_inclusive('\n') {
        let indented = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line.get(..indented).and_then(|blanks| blanks.find('\t')) {
            return start + tab;
        }
        start += line.len();
    }
    at
}

fn null() -> Kind {
    Kind::Scalar(Scalar { text: String::new(), style: Style::Plain })
}

/// What can be refused before the scanner sees it: it buffers whole flow collections, and takes NUL for the end.
fn check_text(body: &str, skipped: usize) -> Result<(), YamlError> {
    let place = |at: usize, length: usize| Span::new(skipped + at, skipped + at + length);
    if body.len() > TEXT_LIMIT {
        let message = format!("the file has {} bytes; at most {TEXT_LIMIT} are read", body.len());
        return Err(YamlError::new(YamlErrorKind::Limit, message, place(0, 0)));
    }
    if let Some(at) = body.bytes().position(|byte| byte == 0) {
        let error = YamlError::new(YamlErrorKind::Unsupported, "a NUL byte: this is not a text file", place(at, 1));
        return Err(error.hint("save the file as UTF-8 text; UTF-16 is not read"));
    }
    if let Some(at) = marks::reserved(body) {
        let message = "a private-use character that cannot be part of a card";
        return Err(YamlError::new(YamlErrorKind::Unsupported, message, place(at, 4)).hint("remove the character"));
    }
    let mut structural = 0_usize;
    for (at, byte) in body.bytes().enumerate() {
        if matches!(byte, b',' | b'[' | b'{') {
            structural += 1;
            if structural > 2 * NODE_LIMIT {
                let message = format!("more than {} commas and brackets", 2 * NODE_LIMIT);
                return Err(YamlError::new(YamlErrorKind::Limit, message, place(at, 1)));
            }
        }
    }
    Ok(())
}

/// Byte offsets of character offsets: one entry for every 64 characters, none for ASCII.
struct Offsets<'a> {
    text: &'a str,
    skipped: usize,
    every_64: Option<Vec<usize>>,
}

impl<'a> Offsets<'a> {
    fn new(text: &'a str, skipped: usize) -> Self {
        let every_64 = (!text.is_ascii()).then(|| text.char_indices().step_by(64).map(|(at, _)| at).collect());
        Self { text, skipped, every_64 }
    }

    /// Into the whole text, the skipped mark included; past the end is the end.
    fn byte(&self, character: usize) -> usize {
        let at = match &self.every_64 {
            None => character,
            Some(table) => table.get(character / 64).map_or(self.text.len(), |&start| {
                let rest = self.text.get(start..).unwrap_or_default();
                start + rest.char_indices().nth(character % 64).map_or(rest.len(), |(at, _)| at)
            }),
        };
        self.skipped + at.min(self.text.len())
    }
}

/// A collection that is not finished.
struct Frame {
    start: usize,
    /// Where its last child ended, so that a block collection ends before trailing comments.
    end: usize,
    anchor: usize,
    items: Items,
}

enum Items {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<(Node, Node)>, key: Option<Node>, merges: Vec<Node>, merge_keys: Vec<(Span, Span)> },
}

/// What an anchor names, and what a copy of it costs.
struct Anchored {
    node: Node,
    size: Size,
}

#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

fn measure(node: &Node) -> Size {
    let mut size = Size { nodes: 1, bytes: 0, depth: 0 };
    let mut add = |child: &Node| {
        let inner = measure(child);
        size.nodes += inner.nodes;
        size.bytes += inner.bytes;
        size.depth = size.depth.max(inner.depth + 1);
    };
    match &node.kind {
        Kind::Scalar(scalar) => size.bytes = scalar.text.len(),
        Kind::Sequence(items) => items.iter().for_each(add),
        Kind::Mapping(entries) => entries.iter().for_each(|(key, value)| {
            add(key);
            add(value);
        }),
    }
    size
}

/// Gives every node of a copy the span of the alias that made it.
fn place_at(node: &mut Node, span: Span) {
    node.span = span;
    match &mut node.kind {
        Kind::Scalar(_) => {}
        Kind::Sequence(items) => items.iter_mut().for_each(|item| place_at(item, span)),
        Kind::Mapping(entries) => entries.iter_mut().for_each(|(key, value)| {
            place_at(key, span);
            place_at(value, span);
        }),
    }
}

struct Composer<'a> {
    source: &'a Source,
    offsets: Offsets<'a>,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    copied_nodes: usize,
    copied_bytes: usize,
    root: Option<Node>,
    documents: usize,
    references: References,
}

impl Composer<'_> {
    fn take(&mut self, event: Event<'_>, span: saphyr_parser::Span) -> Result<(), YamlError> {
        let span = Span::new(self.offsets.byte(span.start.index()), self.offsets.byte(span.end.index()));
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message = "a second document; one file holds one document";
                    let error = YamlError::new(YamlErrorKind::Unsupported, message, span);
                    return Err(error.hint("remove the line `---`, or move what follows to a file of its own"));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = Self::style_of(style, tag.as_deref(), span)?;
                let empty = text.is_empty() && style == ScalarStyle::Plain;
                let span = if tag.is_some() || anchor != 0 { self.without_properties(span) } else { span };
                let span = if empty { self.place_of_nothing(span) } else { self.trimmed(span, style) };
                let scalar = Scalar { text: marks::reveal(text), style: plain };
                self.finish(Node { span, kind: Kind::Scalar(scalar) }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                Self::check_tag(tag.as_deref(), &["seq"], span)?;
                let span = if tag.is_some() || anchor != 0 { self.without_properties(span) } else { span };
                self.open(span, anchor, Items::Sequence(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                Self::check_tag(tag.as_deref(), &["map"], span)?;
                let span = if tag.is_some() || anchor != 0 { self.without_properties(span) } else { span };
                self.open(
                    span,
                    anchor,
                    Items::Mapping { entries: Vec::new(), key: None, merges: Vec::new(), merge_keys: Vec::new() },
                )
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(id) => self.expand(id, span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn style_of(style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Style, YamlError> {
        if let Some(tag) = tag {
            Self::check_tag(Some(tag), &["str", "int", "float", "bool", "null"], span)?;
            if tag.suffix == "str" || !tag.is_yaml_core_schema() {
                return Ok(Style::Quoted);
            }
            return Ok(Style::Plain);
        }
        Ok(match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        })
    }

    /// Reading a card runs no code: only the plain types of YAML may be named.
    fn check_tag(tag: Option<&Tag>, allowed: &[&str], span: Span) -> Result<(), YamlError> {
        let Some(tag) = tag else { return Ok(()) };
        let unspecific = tag.handle.is_empty() && tag.suffix == "!" || tag.handle == "!" && tag.suffix.is_empty();
        if unspecific || tag.is_yaml_core_schema() && allowed.contains(&tag.suffix.as_str()) {
            return Ok(());
        }
        let name: String = format!("{}{}", tag.handle, tag.suffix).chars().take(80).collect();
        let message = format!("the tag `{name}` is not read here: reading a file constructs no objects");
        Err(YamlError::new(YamlErrorKind::Unsupported, message, span)
            .hint("remove the tag; quote the value if it is text"))
    }

    /// Where a missing value would stand: right behind the `:` of its key.
    fn place_of_nothing(&self, span: Span) -> Span {
        let mut at = span.start;
        if let Some(Frame { items: Items::Mapping { key: Some(key), .. }, .. }) = self.frames.last() {
            let rest = self.rest(key.span.end);
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            at = key.span.end + if rest[blanks..].starts_with(':') { blanks + 1 } else { 0 };
        }
        Span::new(at, at)
    }

    /// The text from a byte on.
    fn rest(&self, at: usize) -> &str {
        self.source.text().get(at..).unwrap_or_default()
    }

    /// A span without the anchor and the tag that it starts with.
    fn without_properties(&self, span: Span) -> Span {
        let mut rest = self.source.text().get(span.start..span.end.max(span.start)).unwrap_or_default();
        while rest.starts_with(['&', '!']) {
            rest = rest.trim_start_matches(|c: char| !c.is_whitespace()).trim_start();
        }
        Span::new(span.end - rest.len(), span.end)
    }

    /// A scalar's span without what the scanner skips behind it: line ends behind a block scalar's text, blanks and
    /// comments behind a closing quote.
    fn trimmed(&self, span: Span, style: ScalarStyle) -> Span {
        let text = self.source.text().get(span.start..span.end).unwrap_or_default();
        let length = match style {
            ScalarStyle::SingleQuoted => quoted_length(text, b'\'', None),
            ScalarStyle::DoubleQuoted => quoted_length(text, b'"', Some(b'\\')),
            _ => text.trim_end().len(),
        };
        Span::new(span.start, span.start + length)
    }

    fn open(&mut self, span: Span, anchor: usize, items: Items) -> Result<(), YamlError> {
        if self.frames.len() >= DEPTH_LIMIT {
            return Err(too_deep(span));
        }
        self.frames.push(Frame { start: span.start, end: span.end, anchor, items });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), YamlError> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        // Only a flow collection has a closing character; a block one ends with its last child.
        let end = if span.end > span.start { self.behind_bracket(span.start) } else { None }.unwrap_or(frame.end);
        let whole = Span::new(frame.start.min(end), end);
        let kind = match frame.items {
            Items::Sequence(items) => Kind::Sequence(items),
            Items::Mapping { entries, merges, merge_keys, .. } => {
                let merge = |(key, value)| Merge { mapping: whole, key, value };
                self.references.merges.extend(merge_keys.into_iter().map(merge));
                Kind::Mapping(self.merged(entries, &merges)?)
            }
        };
        self.finish(Node { span: whole, kind }, frame.anchor)
    }

    /// Right behind the closing bracket at `at`; the scanner points at a comma that stands before it.
    fn behind_bracket(&self, at: usize) -> Option<usize> {
        let mut rest = self.rest(at);
        if let Some(behind) = rest.strip_prefix(',') {
            rest = behind.trim_start();
            while rest.starts_with('#') {
                rest = rest.split_once('\n').map_or("", |(_, next)| next).trim_start();
            }
        }
        rest.starts_with([']', '}']).then_some(self.source.text().len() - rest.len() + 1)
    }

    /// Refuses duplicate keys, then puts what `<<` names before the mapping's own entries, which win, as `PyYAML` does.
    fn merged(&mut self, entries: Vec<(Node, Node)>, merges: &[Node]) -> Result<Vec<(Node, Node)>, YamlError> {
        let mut seen: HashMap<&str, Span> = HashMap::with_capacity(entries.len());
        for (key, _) in &entries {
            let Kind::Scalar(scalar) = &key.kind else { continue };
            if let Some(first) = seen.insert(&scalar.text, key.span) {
                let line = self.source.position(first.start).line;
                let message = format!("duplicate key `{}`, first given in line {line}", shortened(&scalar.text));
                let error = YamlError::new(YamlErrorKind::DuplicateKey, message, key.span);
                return Err(error.hint("remove one of the two; the SDK would silently take the last"));
            }
        }
        if merges.is_empty() {
            return Ok(entries);
        }
        let mut names: HashSet<String> = seen.into_keys().map(str::to_owned).collect();
        let mut merged = Vec::new();
        for source in merges {
            let Kind::Mapping(others) = &source.kind else { continue };
            for (key, value) in others {
                let new = match &key.kind {
                    Kind::Scalar(scalar) => names.insert(scalar.text.clone()),
                    _ => true,
                };
                if new {
                    let size = measure(value);
                    self.charge(size, source.span)?;
                    merged.push((key.clone(), value.clone()));
                }
            }
        }
        merged.extend(entries);
        Ok(merged)
    }

    fn charge(&mut self, size: Size, span: Span) -> Result<(), YamlError> {
        self.copied_nodes += size.nodes;
        self.copied_bytes += size.bytes;
        if self.copied_nodes > NODE_LIMIT || self.copied_bytes > TEXT_LIMIT {
            let message = format!(
                "aliases and anchors copy more than {NODE_LIMIT} nodes or {TEXT_LIMIT} bytes; this looks like an alias bomb"
            );
            return Err(YamlError::new(YamlErrorKind::Limit, message, span));
        }
        Ok(())
    }

    fn expand(&mut self, id: usize, span: Span) -> Result<(), YamlError> {
        let Some(anchored) = self.anchors.get(&id) else {
            let message = "an alias inside what its own anchor names: the document would have no end";
            return Err(YamlError::new(YamlErrorKind::Unsupported, message, span));
        };
        let size = anchored.size;
        if self.frames.len() + size.depth > DEPTH_LIMIT {
            return Err(too_deep(span));
        }
        self.charge(size, span)?;
        let Some(anchored) = self.anchors.get(&id) else { return Ok(()) };
        let mut node = anchored.node.clone();
        place_at(&mut node, span);
        self.references.aliases.push(Alias { anchor: id, span });
        self.nodes += size.nodes.saturating_sub(1);
        self.finish(node, 0)
    }

    /// Hands a whole node to the collection it stands in.
    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), YamlError> {
        self.nodes += 1;
        if self.nodes > NODE_LIMIT {
            let message = format!("more than {NODE_LIMIT} nodes");
            return Err(YamlError::new(YamlErrorKind::Limit, message, node.span));
        }
        if anchor != 0 {
            let size = measure(&node);
            self.charge(size, node.span)?;
            self.references.anchors.push(Anchor { id: anchor, span: node.span, is_scalar: node.as_scalar().is_some() });
            self.anchors.insert(anchor, Anchored { node: node.clone(), size });
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.end = frame.end.max(node.span.end);
        match &mut frame.items {
            Items::Sequence(items) => items.push(node),
            Items::Mapping { entries, key, merges, merge_keys } => match key.take() {
                None => *key = Some(node),
                Some(key) if is_merge(&key) => {
                    merge_keys.push((key.span, node.span));
                    merges.extend(merge_sources(node)?);
                }
                Some(key) => entries.push((key, node)),
            },
        }
        Ok(())
    }
}

/// The bytes of the quoted scalar that `text` starts with; all of it when it does not.
fn quoted_length(text: &str, quote: u8, escape: Option<u8>) -> usize {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&quote) {
        return text.trim_end().len();
    }
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        if Some(byte) == escape || (escape.is_none() && byte == quote && bytes.get(at + 1) == Some(&quote)) {
            at += 1;
        } else if byte == quote {
            return at + 1;
        }
        at += 1;
    }
    text.len()
}

fn is_merge(key: &Node) -> bool {
    matches!(&key.kind, Kind::Scalar(scalar) if scalar.style == Style::Plain && scalar.text == "<<")
}

/// The mappings that a merge key names: one, or a list of them, the first of which wins.
fn merge_sources(node: Node) -> Result<Vec<Node>, YamlError> {
    let span = node.span;
    let sources = match node.kind {
        Kind::Sequence(items) => items,
        kind => vec![Node { span, kind }],
    };
    match sources.iter().find(|source| !matches!(source.kind, Kind::Mapping(_))) {
        Some(other) => {
            let message = format!("`<<` merges mappings; found {}", other.describe());
            Err(YamlError::new(YamlErrorKind::Unsupported, message, other.span))
        }
        None => Ok(sources),
    }
}

fn too_deep(span: Span) -> YamlError {
    let error = YamlError::new(YamlErrorKind::Limit, format!("nested deeper than {DEPTH_LIMIT} levels"), span);
    error.hint("a real card has about ten; check how the file was made")
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}
