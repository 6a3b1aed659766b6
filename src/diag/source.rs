//! Text that problems point into.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;

use crate::base::fs;

/// A text file as read, with the name that users see (its path relative to the zoo's root). Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    text: OnceLock<String>,
    /// The file that the text is read from when it is asked for; `None` for a text that is there.
    file: Option<PathBuf>,
    /// Whether it was typed on the command line rather than read from a file.
    typed: bool,
    /// Byte offset of each line's start.
    lines: OnceLock<Vec<usize>>,
}

impl PartialEq for Inner {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.typed == other.typed && self.text() == other.text()
    }
}

impl Eq for Inner {}

impl Inner {
    fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let bytes = self.file.as_deref().and_then(|file| fs::read(file).ok());
            bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
        })
    }

    fn lines(&self) -> &[usize] {
        self.lines.get_or_init(|| {
            let breaks = self.text().bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
            std::iter::once(0).chain(breaks.map(|(index, _)| index + 1)).collect()
        })
    }
}

/// A range of bytes in a [`Source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` up to `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

/// A line and a column, both counted from 1; the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Source {
    /// A text under the name that users see.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::of(name.into(), OnceLock::from(text.into()), None, false)
    }

    /// The text of a file that has been read before and is read again only when somebody asks for it. It counts as empty
    /// when it is gone by then.
    #[must_use]
    pub fn read_again(name: impl Into<String>, file: PathBuf) -> Self {
        Self::of(name.into(), OnceLock::new(), Some(file), false)
    }

    /// A text of the command line under the name of its flag, such as `--set`.
    #[must_use]
    pub fn typed(flag: impl Into<String>, text: impl Into<String>) -> Self {
        Self::of(flag.into(), OnceLock::from(text.into()), None, true)
    }

    fn of(name: String, text: OnceLock<String>, file: Option<PathBuf>, typed: bool) -> Self {
        Self { inner: Arc::new(Inner { name, text, file, typed, lines: OnceLock::new() }) }
    }

    /// Whether it was typed on the command line, so that no file has its name.
    #[must_use]
    pub fn is_typed(&self) -> bool {
        self.inner.typed
    }

    /// The name that users see.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.inner.text()
    }

    /// Line and column of a byte offset; past the end is the end.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let (text, lines) = (self.text(), self.inner.lines());
        let offset = offset.min(text.len());
        let index = lines.partition_point(|&start| start <= offset).saturating_sub(1);
        let start = lines.get(index).copied().unwrap_or(0);
        let column = text.get(start..offset).map_or(offset - start, |before| before.chars().count());
        Position { line: index + 1, column: column + 1 }
    }

    /// A line's text without its end, and the byte offset it starts at; `line` counts from 1.
    #[must_use]
    pub fn line(&self, line: usize) -> Option<(usize, &str)> {
        let (text, lines) = (self.text(), self.inner.lines());
        let start = *lines.get(line.checked_sub(1)?)?;
        let end = lines.get(line).copied().unwrap_or(text.len());
        Some((start, text.get(start..end)?.trim_end_matches(['\n', '\r'])))
    }
}

/// A range in a text: what a diagnostic points at and an origin names.
#[derive(Debug, Clone)]
pub struct Place {
    /// The text.
    pub source: Source,
    /// The range in it.
    pub span: Span,
    /// The position of the range's start, where it is known without the text.
    start: Option<Position>,
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.span == other.span && self.source == other.source
    }
}

impl Eq for Place {}

impl Place {
    /// A range in a text.
    #[must_use]
    pub fn new(source: &Source, span: Span) -> Self {
        Self { source: source.clone(), span, start: None }
    }

    /// A range in a text whose start has been found before.
    #[must_use]
    pub fn found_before(source: &Source, span: Span, start: Position) -> Self {
        Self { source: source.clone(), span, start: Some(start) }
    }

    /// Line and column of the range's start.
    #[must_use]
    pub fn position(&self) -> Position {
        self.start.unwrap_or_else(|| self.source.position(self.span.start))
    }

    /// Line and column right behind the range's end.
    #[must_use]
    pub fn end_position(&self) -> Position {
        self.source.position(self.span.end.max(self.span.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = Source::new("card.yaml", "äö: 1\r\nname: x");
        assert_eq!(source.position(6), Position { line: 1, column: 5 });
        assert_eq!(source.position(9), Position { line: 2, column: 1 });
        assert_eq!(source.position(999), Position { line: 2, column: 8 });
        assert_eq!(source.line(1), Some((0, "äö: 1")));
        assert_eq!(source.line(3), None);
    }
}
