//! `compilation_log.txt`: what was done, and how long it took.

use std::fmt::Write;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use crate::diag::Diagnostic;
use crate::diag::Style;
use crate::diag::printable;
use crate::diag::render;
use crate::report;

/// The log of one compilation, kept in memory until it ends.
#[derive(Debug)]
pub(super) struct Journal {
    begin: Instant,
    text: Mutex<String>,
}

impl Journal {
    pub(super) fn new() -> Self {
        let journal = Self { begin: Instant::now(), text: Mutex::new(String::new()) };
        journal.line(&format!("axzoo {}", env!("CARGO_PKG_VERSION")));
        journal
    }

    /// A line with the time since the beginning; further lines are indented.
    pub(super) fn line(&self, text: &str) {
        let seconds = self.begin.elapsed().as_secs_f64();
        let mut held = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, line) in text.lines().enumerate() {
            let _ = match place {
                0 => writeln!(held, "[{seconds:9.3} s] {}", printable(line)),
                _ => writeln!(held, "              {}", printable(line)),
            };
        }
    }

    /// A problem as the user saw it.
    pub(super) fn problem(&self, problem: &Diagnostic) {
        self.line(render(problem, Style::default()).trim_end());
    }

    /// How long it took so far.
    pub(super) fn took(&self) -> String {
        report::duration(self.begin.elapsed().as_millis() as u64)
    }

    pub(super) fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
