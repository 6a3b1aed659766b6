//! The two streams: data on standard output, everything else on standard error.
#![expect(clippy::disallowed_methods, reason = "NO_COLOR and TERM are read here and nowhere else")]

use std::io::{IsTerminal, Write};

use crate::diag::Colour;
use crate::diag::Diagnostic;
use crate::diag::render;

/// Where a command writes. A closed pipe is no error: whoever read has read enough.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    colour: Colour,
    dumb: bool,
}

impl Output {
    /// Colour only on a terminal that knows it, and not when `NO_COLOR` is set.
    pub(super) fn new() -> Self {
        let refused = std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty());
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let colour = if std::io::stderr().is_terminal() && !refused && !dumb { Colour::Ansi } else { Colour::Never };
        Self { colour, dumb }
    }

    /// Whether the terminal cannot move its cursor.
    pub(super) fn is_dumb_terminal(self) -> bool {
        self.dumb
    }

    /// What was asked for.
    #[expect(clippy::unused_self, reason = "a stream is written through its owner only")]
    pub(super) fn data(self, text: &str) {
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }

    /// What the user should know.
    #[expect(clippy::unused_self, reason = "a stream is written through its owner only")]
    pub(super) fn note(self, text: &str) {
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Problems, a blank line after each.
    pub(super) fn diagnostics(self, problems: &[Diagnostic]) {
        for problem in problems {
            self.note(&format!("{}\n", render(problem, self.colour)));
        }
    }
}
