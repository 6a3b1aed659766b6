//! One row for the terminal.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::Entry;

/// Columns that text is filled to.
const COLUMNS: usize = 80;

/// What `axzoo check --explain CODE` prints.
#[must_use]
pub fn explain(entry: &Entry) -> String {
    let mut text = filled(&format!("{} ({}): {}", entry.code, entry.severity.word(), entry.title));
    for paragraph in [entry.meaning, entry.why, entry.remedy] {
        let _ = write!(text, "\n{}", filled(paragraph));
    }
    text.push_str("\nexample:\n\n");
    for line in entry.example.lines() {
        let _ = writeln!(text, "{}", format!("    {line}").trim_end());
    }
    text
}

/// The words in lines of at most [`COLUMNS`] columns, where no word is longer.
fn filled(paragraph: &str) -> String {
    let mut text = String::new();
    let mut used = 0;
    for word in paragraph.split_whitespace() {
        let width = word.width();
        if used > 0 && used + 1 + width > COLUMNS {
            text.push('\n');
            used = 0;
        } else if used > 0 {
            text.push(' ');
            used += 1;
        }
        text.push_str(word);
        used += width;
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::catalogue::all;

    #[test]
    fn every_explanation_fits_a_terminal() {
        for entry in all() {
            let text = explain(entry);
            let wide: Vec<&str> = text.lines().filter(|line| line.width() > COLUMNS).collect();
            assert!(wide.is_empty(), "{}: {wide:?}", entry.code);
            assert!(text.starts_with(entry.code) && text.ends_with('\n'), "{text}");
        }
    }
}
