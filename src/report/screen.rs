//! The last lines of a terminal, drawn anew in place below lines that stay.
//!
//! Every line ends with a real end of line and has no blanks behind its text: what is padded to the terminal's width instead is
//! one long line to a terminal that wraps lines anew when it is resized, and it joins or scatters them.

use std::io::Write;

use super::columns::{cut, width};

/// Draws lines, and remembers what it drew.
#[derive(Debug)]
pub(super) struct Screen<W: Write> {
    target: W,
    /// Columns of each line that was drawn last.
    drawn: Vec<usize>,
}

impl<W: Write> Screen<W> {
    pub(super) const fn new(target: W) -> Self {
        Self { target, drawn: Vec::new() }
    }

    /// Replaces what was drawn by `stay`, whole lines of any width that are never touched again, and `lines` below it, each
    /// cut to the terminal's `columns`. One write, so that nothing half drawn is seen.
    pub(super) fn draw(&mut self, stay: &str, lines: &[String], columns: usize) {
        let columns = columns.max(1);
        let mut text = String::new();
        if !self.drawn.is_empty() {
            // Lines that the terminal was made too narrow for take several rows now.
            let rows: usize = self.drawn.iter().map(|width| width.div_ceil(columns).max(1)).sum();
            // Row by row: what is erased at once from the top row on, some terminals (tmux) keep as lines that scrolled away.
            text += "\r\x1b[2K";
            text += &"\x1b[1A\x1b[2K".repeat(rows.saturating_sub(1));
        }
        text += stay;
        // A line as wide as the terminal would leave the cursor in a place that terminals disagree about.
        let lines: Vec<String> = lines.iter().map(|line| cut(line.trim_end(), columns - 1)).collect();
        text += &lines.join("\n");
        self.drawn = lines.iter().map(|line| width(line)).collect();
        if !text.is_empty() {
            // A terminal that cannot be written to is no reason to stop the work.
            let _ = self.target.write_all(text.as_bytes()).and_then(|()| self.target.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(draws: &[(&str, &[&str], usize)]) -> String {
        let mut screen = Screen::new(Vec::new());
        for (stay, lines, columns) in draws {
            let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
            screen.draw(stay, &lines, *columns);
        }
        String::from_utf8(screen.target).expect("text")
    }

    #[test]
    fn lines_are_ended_and_never_padded() {
        let text = drawn(&[("done\n", &["bar  ", "whole"], 80), ("", &[], 80)]);
        assert_eq!(text, "done\nbar\nwhole\r\x1b[2K\x1b[1A\x1b[2K");
    }

    #[test]
    fn what_a_narrower_terminal_wrapped_is_taken_away_whole() {
        let wide = "x".repeat(150);
        let text = drawn(&[("", &[&wide, "whole"], 200), ("", &["x"], 60)]);
        let up = "\x1b[1A\x1b[2K".repeat(3);
        assert_eq!(text, format!("{wide}\nwhole\r\x1b[2K{up}x"));
        assert_eq!(drawn(&[("", &["0123456789"], 8)]), "012345…");
    }
}
