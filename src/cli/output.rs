//! The two streams: data on standard output, everything else on standard error.
#![expect(clippy::disallowed_methods, reason = "NO_COLOR and TERM are read here and nowhere else")]

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::diag::Colour;
use crate::diag::Diagnostic;
use crate::diag::Style;
use crate::diag::distinct;
use crate::diag::render;

/// Whether data was lost: standard output could not be written, and not because its reader had read enough.
static LOST: AtomicBool = AtomicBool::new(false);

/// Where a command writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    style: Style,
    dumb: bool,
}

impl Output {
    /// Colour only on a terminal that knows it, and not when `NO_COLOR` is set.
    pub(super) fn new() -> Self {
        let refused = std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty());
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let mut style = Style::default();
        if io::stderr().is_terminal() {
            style.colour = if refused || dumb { Colour::Never } else { Colour::Ansi };
            let size = rustix::termios::tcgetwinsize(io::stderr()).ok().filter(|size| size.ws_col > 0);
            style.columns = size.map_or(style.columns, |size| usize::from(size.ws_col));
        }
        Self { style, dumb }
    }

    /// Columns of the terminal that data goes to; `None` where it goes to a file or a pipe.
    #[expect(clippy::unused_self, reason = "a stream is asked through its owner only")]
    pub(super) fn columns(self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok().filter(|_| io::stdout().is_terminal());
        size.map(|size| usize::from(size.ws_col)).filter(|&columns| columns > 0)
    }

    /// Whether the terminal cannot move its cursor.
    pub(super) fn is_dumb_terminal(self) -> bool {
        self.dumb
    }

    /// Whether data was lost on the way to standard output.
    #[expect(clippy::unused_self, reason = "a stream is asked through its owner only")]
    pub(super) fn is_lost(self) -> bool {
        LOST.load(Ordering::Relaxed)
    }

    /// What was asked for.
    pub(super) fn data(mut self, text: &str) {
        // What cannot be written is remembered by `write`.
        let _ = self.write_all(text.as_bytes()).and_then(|()| self.flush());
    }

    /// What the user should know.
    #[expect(clippy::unused_self, reason = "a stream is written through its owner only")]
    pub(super) fn note(self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Problems, each once, a blank line after each.
    pub(super) fn diagnostics(self, problems: &[Diagnostic]) {
        let texts: Vec<String> =
            distinct(problems).iter().map(|problem| format!("{}\n", render(problem, self.style))).collect();
        self.note(&texts.concat());
    }
}

/// Remembers a failure; a closed pipe is none, since whoever read has read enough.
fn remember<T>(result: io::Result<T>) -> io::Result<T> {
    if let Err(error) = &result
        && error.kind() != ErrorKind::BrokenPipe
    {
        LOST.store(true, Ordering::Relaxed);
    }
    result
}

/// Standard output.
impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        remember(io::stdout().lock().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        remember(io::stdout().lock().flush())
    }
}
