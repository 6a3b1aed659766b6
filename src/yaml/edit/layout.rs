//! The lines of a text round an entry: where it starts and ends, and which comments are its own.

/// Blanks in front of a line's text count as columns; a tab reaches the next multiple of this.
const TAB: usize = 8;

/// A text by lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines<'a>(pub(super) &'a str);

impl<'a> Lines<'a> {
    /// Where the line of `at` starts.
    pub(super) fn start(self, at: usize) -> usize {
        self.0.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
    }

    /// Where the text of the line of `at` ends, before its line end.
    pub(super) fn end(self, at: usize) -> usize {
        let end = self.next(at);
        let line = self.0.get(at..end).unwrap_or_default();
        end - (line.len() - line.trim_end_matches(['\n', '\r']).len())
    }

    /// Where the line after that of `at` starts; the end of the text when there is none.
    pub(super) fn next(self, at: usize) -> usize {
        self.0.get(at..).and_then(|rest| rest.find('\n')).map_or(self.0.len(), |end| at + end + 1)
    }

    /// The text from `start` to `end`.
    pub(super) fn slice(self, start: usize, end: usize) -> &'a str {
        self.0.get(start..end).unwrap_or_default()
    }

    /// The line end that the line of `at` has, else that of the text's first line, else `\n`.
    pub(super) fn line_end(self, at: usize) -> &'a str {
        let of = |at: usize| match self.slice(self.end(at), self.next(at)) {
            "" => None,
            end => Some(end),
        };
        of(at).or_else(|| of(0)).unwrap_or("\n")
    }

    /// Columns in front of `at` on its line, from 0.
    pub(super) fn column(self, at: usize) -> usize {
        columns(self.slice(self.start(at), at))
    }

    /// Where the entry whose content ends at `content_end` and whose key stands in `column` ends: behind a comment on that
    /// line, and behind the comment lines below that are indented deeper. Before the line end, whichever line it is.
    pub(super) fn end_of_entry(self, content_end: usize, column: usize) -> usize {
        let mut end = self.end(content_end);
        let mut at = self.next(content_end);
        while at < self.0.len() {
            let line_end = self.end(at);
            let line = self.slice(at, line_end);
            let text = line.trim_start_matches([' ', '\t']);
            let indented = columns(line.get(..line.len() - text.len()).unwrap_or_default());
            if text.starts_with('#') && indented > column {
                end = line_end;
            } else if !text.is_empty() {
                break;
            }
            at = self.next(at);
        }
        end
    }

    /// The offset right behind the comma that follows `at`, blanks, line ends and comments skipped.
    pub(super) fn behind_comma(self, at: usize) -> Option<usize> {
        let mut at = at;
        loop {
            let rest = self.0.get(at..)?;
            let text = rest.trim_start();
            at += rest.len() - text.len();
            if text.starts_with('#') {
                at = self.next(at);
            } else {
                return text.starts_with(',').then_some(at + 1);
            }
        }
    }
}

fn columns(blanks: &str) -> usize {
    blanks.chars().fold(0, |column, c| if c == '\t' { (column / TAB + 1) * TAB } else { column + 1 })
}

/// Whether a text is nothing but blanks.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| matches!(c, ' ' | '\t'))
}
