//! The lines of the frame that `indicatif` drew last, for a screen that puts them onto the terminal.
//!
//! `indicatif` moves the cursor to where its last frame began, writes every line of the new one whole, each followed by the
//! blanks that fill the terminal's width, and flushes. So a frame is what was written between two flushes, and where the
//! cursor went says nothing about it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::TermLike;

/// Where `indicatif` draws; a clone is the same place.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    /// Columns of the terminal.
    columns: u16,
    /// Lines since the last flush.
    written: Vec<String>,
    /// Lines of the last whole frame.
    latest: Vec<String>,
}

impl Frame {
    /// Says how many columns the next frames have.
    pub(super) fn fit(&self, columns: usize) {
        self.state().columns = u16::try_from(columns).unwrap_or(u16::MAX);
    }

    /// The lines of the last frame, without blanks at their ends.
    pub(super) fn lines(&self) -> Vec<String> {
        self.state().latest.clone()
    }

    fn state(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TermLike for Frame {
    /// At least two columns: `indicatif` cannot lay out a wide character in less.
    fn width(&self) -> u16 {
        self.state().columns.max(2)
    }

    /// Room for every line: who draws decides how many there are.
    fn height(&self) -> u16 {
        u16::MAX
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let line = text.trim_end();
        if !line.is_empty() {
            self.state().written.push(line.to_owned());
        }
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut state = self.state();
        state.latest = std::mem::take(&mut state.written);
        Ok(())
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

    #[test]
    fn a_frame_is_its_lines_without_what_fills_the_terminal() {
        let frame = Frame::default();
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(frame.clone())));
        let style = ProgressStyle::with_template(" {pos}/{len} {wide_msg}").expect("a template");
        let add = |message: &'static str| {
            let bar = bars.add(ProgressBar::new(9).with_style(style.clone()));
            bar.set_message(message);
            bar
        };
        let drawn = [add("one"), add(""), add("数字"), add("a line of which an end is cut")];
        // Columns → lines. What does not give way is longer than the narrowest terminals.
        let cases: [(usize, [&str; 4]); 4] = [
            (80, [" 0/9 one", " 0/9", " 0/9 数字", " 0/9 a line of which an end is cut"]),
            (9, [" 0/9 one", " 0/9", " 0/9 数字", " 0/9 a li"]),
            (3, [" 0/9"; 4]),
            (0, [" 0/9"; 4]),
        ];
        for (columns, expected) in cases {
            frame.fit(columns);
            drawn.iter().for_each(ProgressBar::force_draw);
            assert_eq!(frame.lines(), expected, "{columns} columns");
        }
        for bar in &drawn {
            bars.remove(bar);
        }
        bars.clear().expect("nothing is written");
        assert!(frame.lines().is_empty());
    }
}
