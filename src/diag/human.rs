//! Diagnostics for people, in the manner of rustc: what is wrong, the line with a caret, what to do.

use std::fmt::Write;

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

/// Longest part of a source line that is shown; longer ones are cut round the caret.
const SHOWN_WIDTH: usize = 120;

/// One diagnostic as text of several lines, ending in a newline.
#[must_use]
pub fn render(diagnostic: &Diagnostic, colour: Colour) -> String {
    let tone = match diagnostic.severity {
        Severity::Error => "1;31",
        Severity::Warning => "1;33",
        Severity::Note => "1;36",
    };
    let mut text = String::new();
    let head = colour.paint(tone, &format!("{}[{}]", diagnostic.severity.word(), diagnostic.code));
    let _ = writeln!(text, "{head}: {}", colour.paint("1", &printable(&diagnostic.message)));
    match &diagnostic.place {
        Some(place) => render_place(&mut text, place, tone, colour),
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

fn render_place(text: &mut String, place: &Place, tone: &str, colour: Colour) {
    let position = place.position();
    let number = position.line.to_string();
    let margin = " ".repeat(number.len());
    let arrow = colour.paint("1;34", "-->");
    let bar = colour.paint("1;34", "|");
    let _ = writeln!(text, "{margin}{arrow} {}:{}:{}", printable(place.source.name()), position.line, position.column);
    let Some((start, line)) = place.source.line(position.line) else { return };
    let before = position.column - 1;
    let end = place.span.end.clamp(place.span.start, start + line.len());
    let marked = place.source.text().get(place.span.start..end).map_or(1, |marked| marked.chars().count()).max(1);
    // A line of a megabyte is shown round the caret only.
    let skipped = before.saturating_sub(SHOWN_WIDTH / 2);
    let shown: String = line.chars().skip(skipped).take(SHOWN_WIDTH).collect();
    let column = before - skipped;
    let marked = marked.min(SHOWN_WIDTH.saturating_sub(column)).max(1);
    let carets = colour.paint(tone, &"^".repeat(marked));
    let _ = writeln!(text, "{margin} {bar}");
    let _ = writeln!(text, "{} {bar} {}", colour.paint("1;34", &number), printable(&shown));
    let _ = writeln!(text, "{margin} {bar} {}{carets}", " ".repeat(column));
}

/// `1 error`, `2 errors`, `0 errors`: a number of things whose plural is regular.
#[must_use]
pub fn counted(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// The text with tabs as one blank and control characters as `\u{FFFD}`, so that a hostile file cannot drive the
/// terminal and carets stay in their column.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Source, Span};
    use super::*;

    #[test]
    fn a_place_is_shown_with_a_caret() {
        let source = Source::new("model_cards/a.yaml", "name: a\nnmae: b\n");
        let diagnostic = Diagnostic::error("card/unknown-key", "unknown key `nmae`")
            .at(&source, Span::new(8, 12))
            .hint("did you mean `name`?");
        assert_eq!(
            render(&diagnostic, Colour::Never),
            "error[card/unknown-key]: unknown key `nmae`\n --> model_cards/a.yaml:2:1\n  |\n2 | nmae: b\n  | ^^^^\n\
             hint: did you mean `name`?\n"
        );
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|number| counted(number, "error")), ["0 errors", "1 error", "2 errors"]);
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let source = Source::new("a.yaml", "x: \u{1b}[2Jy");
        let text = render(&Diagnostic::error("card/x", "bad \u{7}").at(&source, Span::new(3, 4)), Colour::Never);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
    }
}
