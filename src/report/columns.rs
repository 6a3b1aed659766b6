//! How many columns a text takes on a terminal, and texts that fit.

use unicode_width::UnicodeWidthChar;
use unicode_width::UnicodeWidthStr;

/// Columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The beginning of a text that is too long, and a sign that it goes on.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = begin(text.chars(), columns.saturating_sub(1));
    kept.extend((columns > 0).then_some('…'));
    kept
}

/// A name that is too long without its middle: names of one family differ at their ends.
pub(super) fn shortened(name: &str, columns: usize) -> String {
    if width(name) <= columns {
        return name.to_owned();
    }
    let kept = columns.saturating_sub(1);
    let first = begin(name.chars(), kept.div_ceil(2));
    let last: String = begin(name.chars().rev(), kept / 2).chars().rev().collect();
    let sign = if columns > 0 { "…" } else { "" };
    first + sign + &last
}

/// As many characters as fit.
fn begin(characters: impl Iterator<Item = char>, columns: usize) -> String {
    let mut room = columns;
    let fits = |&character: &char| {
        let width = character.width().unwrap_or(0);
        let fits = width <= room;
        room = room.saturating_sub(width);
        fits
    };
    characters.take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fit_the_columns_they_are_given() {
        let cases = [
            ("a-name", 6, "a-name", "a-name"),
            ("a-long-name", 7, "a-long…", "a-l…ame"),
            ("a-long-name", 6, "a-lon…", "a-l…me"),
            ("a-long-name", 1, "…", "…"),
            ("a-long-name", 0, "", ""),
            ("数字を読む", 7, "数字を…", "数…む"),
        ];
        for (text, columns, expected_cut, expected_shortened) in cases {
            assert_eq!(cut(text, columns), expected_cut, "{text} in {columns}");
            assert_eq!(shortened(text, columns), expected_shortened, "{text} in {columns}");
        }
    }
}
