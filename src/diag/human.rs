//! Diagnostics for people, in the manner of rustc: what is wrong, the line with a caret, what to do.

use std::fmt::Write;

use unicode_width::UnicodeWidthChar;
use unicode_width::UnicodeWidthStr;

use super::{Diagnostic, Place, Severity};

/// Whether to use colour; decided once, by the room that owns the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    /// No escape sequences.
    #[default]
    Never,
    /// ANSI colours.
    Ansi,
}

impl Colour {
    /// `text` between the escape sequences of `code` (such as `1;31`), or as it is.
    #[must_use]
    pub fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Never => text.to_owned(),
            Self::Ansi => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

/// How text for people is shown; decided once, by the room that owns the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to use colour.
    pub colour: Colour,
    /// Columns of the terminal. A longer line of a file is cut round the caret, since a wrapped one loses its caret.
    pub columns: usize,
}

impl Default for Style {
    /// No colour, 120 columns: what a file or a pipe gets.
    fn default() -> Self {
        Self { colour: Colour::Never, columns: 120 }
    }
}

/// Columns of a file's line that are shown however narrow the terminal is.
const FEWEST_COLUMNS: usize = 20;

/// What stands for the part of a line that is not shown.
const CUT: &str = "…";

/// One diagnostic as text of several lines, ending in a newline.
#[must_use]
pub fn render(diagnostic: &Diagnostic, style: Style) -> String {
    let colour = style.colour;
    let tone = match diagnostic.severity {
        Severity::Error => "1;31",
        Severity::Warning => "1;33",
        Severity::Note => "1;36",
    };
    let mut text = String::new();
    let head = colour.paint(tone, &format!("{}[{}]", diagnostic.severity.word(), diagnostic.code));
    let mut lines = diagnostic.message.split('\n');
    let first = lines.next().unwrap_or_default();
    let _ = writeln!(text, "{head}: {}", colour.paint("1", &printable(first)));
    for line in lines {
        let _ = writeln!(text, "  {}", printable(line));
    }
    match &diagnostic.place {
        Some(place) => render_place(&mut text, place, tone, style),
        None => {
            if let Some(file) = diagnostic.file_name() {
                let _ = writeln!(text, " {} {}", colour.paint("1;34", "-->"), printable(file));
            }
        }
    }
    if let Some(hint) = &diagnostic.hint {
        for (index, line) in hint.lines().enumerate() {
            let label = if index == 0 { colour.paint("1;32", "hint") + ":" } else { "     ".to_owned() };
            let _ = writeln!(text, "{label} {}", printable(line));
        }
    }
    text
}

fn render_place(text: &mut String, place: &Place, tone: &str, style: Style) {
    let colour = style.colour;
    let position = place.position();
    let number = position.line.to_string();
    let margin = " ".repeat(number.len());
    let arrow = colour.paint("1;34", "-->");
    let bar = colour.paint("1;34", "|");
    let name = printable(place.source.name());
    let _ = if place.source.is_typed() {
        writeln!(text, "{margin}{arrow} {name}")
    } else {
        writeln!(text, "{margin}{arrow} {name}:{}:{}", position.line, position.column)
    };
    let Some((start, line)) = place.source.line(position.line) else { return };
    // A place in the line's end, or past it, is shown right behind its last character; what goes on in the next line is
    // marked to the end of this one.
    let first = place.span.start.saturating_sub(start).min(line.len());
    let last = place.span.end.saturating_sub(start).clamp(first, line.len());
    let room = style.columns.saturating_sub(number.len() + " | ".len()).max(FEWEST_COLUMNS);
    let Some(shown) = Shown::new(line, first, last, room) else { return };
    let carets = colour.paint(tone, &"^".repeat(shown.carets));
    let written = if shown.text.is_empty() { String::new() } else { format!(" {}", shown.text) };
    let _ = writeln!(text, "{margin} {bar}");
    let _ = writeln!(text, "{} {bar}{written}", colour.paint("1;34", &number));
    let _ = writeln!(text, "{margin} {bar} {}{carets}", " ".repeat(shown.column));
}

/// `1 error`, `2 errors`, `0 errors`: a number of things whose plural is regular.
#[must_use]
pub fn counted(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// A line of a file as it is shown, with its caret, in columns of the terminal.
struct Shown {
    text: String,
    column: usize,
    carets: usize,
}

impl Shown {
    /// The part of `line` round the bytes from `first` to `last` that fits into `room` columns. `None` when a bound
    /// is inside a character.
    fn new(line: &str, first: usize, last: usize, room: usize) -> Option<Self> {
        let (before, marked, after) = (line.get(..first)?, line.get(first..last)?, line.get(last..)?);
        // Only as much as is shown is looked at: a line may be a megabyte.
        let marked_columns = columns(marked.chars(), room);
        let after_columns = columns(after.chars(), room);
        let wanted = room.saturating_sub(marked_columns + after_columns).max(room / 2 - marked_columns.min(room / 4));
        let (from, cut_before) = if fitting(before.chars().rev(), wanted).is_none() {
            (0, "")
        } else {
            let kept = fitting(before.chars().rev(), wanted.saturating_sub(CUT.width())).unwrap_or_default();
            (before.len() - kept, CUT)
        };
        let before = format!("{cut_before}{}", visible(before.get(from..)?));
        let column = before.width();
        let rest = line.get(first..)?;
        let left = room.saturating_sub(column);
        let (rest, cut_after) = if fitting(rest.chars(), left).is_none() {
            (rest, "")
        } else {
            let kept = fitting(rest.chars(), left.saturating_sub(CUT.width())).unwrap_or_default();
            (rest.get(..kept)?, CUT)
        };
        let carets = visible(marked.get(..rest.len()).unwrap_or(marked)).width();
        let text = format!("{before}{}{cut_after}", visible(rest));
        Some(Self { text: text.trim_end().to_owned(), column, carets: carets.max(1) })
    }
}

/// Bytes of the characters that fit into so many columns; `None` when all do.
fn fitting(characters: impl Iterator<Item = char>, room: usize) -> Option<usize> {
    let (mut used, mut bytes) = (0, 0);
    for character in characters {
        used += columns(std::iter::once(character), usize::MAX);
        if used > room {
            return Some(bytes);
        }
        bytes += character.len_utf8();
    }
    None
}

/// Columns that characters take as [`visible`] shows them; not counted on beyond `most`.
fn columns(characters: impl Iterator<Item = char>, most: usize) -> usize {
    let mut sum = 0;
    for character in characters {
        sum += match character {
            '\t' => TAB.len(),
            character if is_hostile(character) => 1,
            character => character.width().unwrap_or(1),
        };
        if sum > most {
            break;
        }
    }
    sum
}

/// What a tab of a file is shown as.
const TAB: &str = "    ";

/// A line of a file as it is shown: tabs as four blanks, otherwise as [`printable`].
fn visible(text: &str) -> String {
    printable(&text.replace('\t', TAB))
}

/// Whether a character drives the terminal or turns the direction of what follows it.
fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with tabs as one blank and hostile characters as `\u{FFFD}`, so that a file can neither drive the terminal
/// nor show something other than what it says.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if is_hostile(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Source, Span};
    use super::*;

    fn shown(text: &str, span: Span, columns: usize) -> String {
        let source = Source::new("a.yaml", text);
        let diagnostic = Diagnostic::error("card/type", "wrong").at(&source, span);
        let text = render(&diagnostic, Style { columns, ..Style::default() });
        text.lines().skip(3).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_place_is_shown_with_a_caret() {
        let source = Source::new("model_cards/a.yaml", "name: a\nnmae: b\n");
        let diagnostic = Diagnostic::error("card/unknown-key", "unknown key `nmae`")
            .at(&source, Span::new(8, 12))
            .hint("did you mean `name`?");
        assert_eq!(
            render(&diagnostic, Style::default()),
            "error[card/unknown-key]: unknown key `nmae`\n --> model_cards/a.yaml:2:1\n  |\n2 | nmae: b\n  | ^^^^\n\
             hint: did you mean `name`?\n"
        );
        let colourful = render(&diagnostic, Style { colour: Colour::Ansi, ..Style::default() });
        assert!(colourful.starts_with("\u{1b}[1;31merror[card/unknown-key]\u{1b}[0m: "), "{colourful:?}");
    }

    #[test]
    fn the_caret_stands_below_what_it_marks() {
        struct Case {
            what: &'static str,
            text: &'static str,
            marked: &'static str,
            shown: &'static str,
        }
        let cases = [
            Case { what: "wide characters", text: "名前: x y", marked: "x", shown: "1 | 名前: x y\n  |       ^" },
            Case {
                what: "marked wide characters", text: "a: 名前", marked: "名前", shown: "1 | a: 名前\n  |    ^^^^"
            },
            Case { what: "combining characters", text: "e\u{301}: x", marked: "x", shown: "1 | e\u{301}: x\n  |    ^" },
            Case { what: "tabs", text: "\ta: x", marked: "x", shown: "1 |     a: x\n  |        ^" },
            Case { what: "several lines", text: "a: [b,\n c]", marked: "[b,\n c]", shown: "1 | a: [b,\n  |    ^^^" },
            Case { what: "the line's end", text: "a: b\r\nc", marked: "\r\n", shown: "1 | a: b\n  |     ^" },
            Case {
                what: "a turned direction",
                text: "\u{202e}a: x",
                marked: "x",
                shown: "1 | \u{fffd}a: x\n  |     ^",
            },
        ];
        for case in cases {
            let start = case.text.find(case.marked).expect("the text has it");
            let found = shown(case.text, Span::new(start, start + case.marked.len()), 80);
            assert_eq!(found, case.shown, "{}", case.what);
        }
        assert_eq!(shown("a: [\n", Span::new(5, 5), 80), "2 |\n  | ^", "the end of the file");
    }

    #[test]
    fn a_long_line_is_cut_round_the_caret() {
        let line = format!("{}X{}", "a".repeat(100), "b".repeat(100));
        assert_eq!(
            shown(&line, Span::new(100, 101), 40),
            format!("1 | …{}X{}…\n  | {}^", "a".repeat(16), "b".repeat(17), " ".repeat(17))
        );
        assert_eq!(
            shown(&line, Span::new(0, 201), 40),
            format!("1 | {}…\n  | {}", "a".repeat(35), "^".repeat(35)),
            "a mark that is longer than the line"
        );
        assert_eq!(
            shown(&line, Span::new(200, 201), 40),
            format!("1 | …{}\n  | {}^", "b".repeat(35), " ".repeat(35)),
            "a mark at the end"
        );
        let wide = format!("{}X", "名".repeat(100));
        for columns in 24..60 {
            let found = shown(&wide, Span::new(300, 301), columns);
            let widest = found.lines().map(UnicodeWidthStr::width).max();
            assert!(widest <= Some(columns), "{columns}: {found}");
        }
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|number| counted(number, "error")), ["0 errors", "1 error", "2 errors"]);
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let source = Source::new("a.yaml", "x: \u{1b}[2Jy");
        let text = render(&Diagnostic::error("card/type", "bad \u{7}").at(&source, Span::new(3, 4)), Style::default());
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
    }
}
