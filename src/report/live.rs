//! A line for every running step, as many as the terminal has room for, and one for the whole, redrawn in place; finished
//! steps scroll away above.

use std::collections::BTreeMap;
use std::io::Stderr;
use std::io::Write;
use std::time::Duration;
use std::time::Instant;

use super::columns::{cut, shortened, width};
use super::plain::{finished_line, stopping_line};
use super::screen::Screen;
use super::{Report, StepLabel};
use crate::exec::Event;
use crate::exec::Outcome;
use crate::exec::StopCause;

/// How often the lines are brought up to date. A step that ends sooner never has one.
const REFRESH: Duration = Duration::from_millis(100);

/// Columns and rows of a terminal that does not say.
const USUAL: (usize, usize) = (80, 24);

/// Columns before the words of a running step: its bar, and how long it runs.
const BEFORE: usize = 22;

/// Columns that a name keeps as long as what stands beside it can give way.
const NAME: usize = 12;

/// The live display, on standard error unless a test looks on.
pub struct Live<W: Write = Stderr> {
    labels: Vec<StepLabel>,
    screen: Screen<W>,
    /// Lines that stay and were not drawn yet.
    said: String,
    began: Instant,
    /// Whether a step has run, so that there is something to draw.
    has_begun: bool,
    /// Steps that are up to date and have no label.
    remembered: usize,
    /// Steps that ended and were tried.
    done: usize,
    /// When the whole should be done.
    end: Option<Instant>,
    running: BTreeMap<usize, Running>,
    refreshed: Instant,
}

/// A step that runs.
struct Running {
    since: Instant,
    /// What it is doing, and how far it is: done and of.
    phase: Option<(String, u64, u64)>,
    /// How long it should take, in words.
    expected: String,
}

impl Running {
    /// Its line, at most `columns` wide.
    fn line(&self, label: &str, columns: usize) -> String {
        let (done, of) = self.phase.as_ref().map_or((0, 0), |(_, done, of)| (*done, *of));
        let words = self.words(label, columns.saturating_sub(BEFORE));
        format!("  {} {:>5}  {words}", bar(done, of, 12), clock(self.since.elapsed()))
    }

    /// The words of its line, at most `columns` wide: first the name gives way, then what it is doing.
    fn words(&self, label: &str, columns: usize) -> String {
        let (phase, count) = match &self.phase {
            None => (String::new(), String::new()),
            Some((phase, _, 0)) => (format!(": {phase}"), String::new()),
            Some((phase, done, of)) => (format!(": {phase}"), format!(" {done}/{of}")),
        };
        let fixed = width(&count) + width(&self.expected);
        let name = columns.saturating_sub(width(&phase) + fixed).max(NAME.min(width(label)));
        let label = shortened(label, name);
        let phase = cut(&phase, columns.saturating_sub(width(&label) + fixed));
        cut(&format!("{label}{phase}{count}{}", self.expected), columns)
    }
}

/// A bar of so many columns, as full as `done` is of `of`; empty where nothing is known.
fn bar(done: u64, of: u64, columns: usize) -> String {
    let full = u128::from(done) * columns as u128 / u128::from(of.max(1));
    let full = usize::try_from(full).unwrap_or(columns).min(columns);
    let head = usize::from(done > 0 && full < columns);
    "━".repeat(full) + &"╸".repeat(head) + &" ".repeat(columns - full - head)
}

/// A time that runs: `7s`, `12:07`, `1:02:07`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// Columns and rows of the terminal, as they are now.
fn terminal() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    let size = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    size.map_or(USUAL, |size| (usize::from(size.ws_col), usize::from(size.ws_row)))
}

/// How many of the running steps get a line where there are `rows`, and how many are only counted: the line of the whole
/// and one for the cursor are always there.
fn lines(running: usize, rows: usize) -> (usize, usize) {
    let room = rows.saturating_sub(2).max(1);
    let shown = if running > room { room.saturating_sub(1) } else { running };
    (shown, running - shown)
}

impl Live {
    /// A display of the labelled steps; draws nothing before a step runs.
    #[must_use]
    pub fn new(labels: Vec<StepLabel>) -> Self {
        Self::on(std::io::stderr(), labels)
    }
}

impl<W: Write> Live<W> {
    fn on(target: W, labels: Vec<StepLabel>) -> Self {
        let now = Instant::now();
        Self {
            labels,
            screen: Screen::new(target),
            said: String::new(),
            began: now,
            has_begun: false,
            remembered: 0,
            done: 0,
            end: None,
            running: BTreeMap::new(),
            refreshed: now,
        }
    }

    /// How long it should still take, in words; nothing where that is not known, or was wrong.
    fn left(&self) -> String {
        let left = self.end.map(|end| end.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero());
        left.map(|left| format!("  about {} left", super::duration(left.as_millis() as u64))).unwrap_or_default()
    }

    fn label(&self, index: usize) -> String {
        self.labels.get(index).map(StepLabel::text).unwrap_or_default()
    }

    /// The lines of a terminal: those that run longest have one, as many as there is room for.
    fn drawing(&self, (columns, rows): (usize, usize)) -> Vec<String> {
        let (shown, hidden) = lines(self.running.len(), rows);
        let mut order: Vec<(Instant, usize)> =
            self.running.iter().map(|(&step, running)| (running.since, step)).collect();
        order.sort_unstable();
        let running = order.iter().take(shown).filter_map(|(_, step)| {
            let running = self.running.get(step)?;
            Some(running.line(&self.label(*step), columns.saturating_sub(1)))
        });
        let mut lines: Vec<String> = running.collect();
        if hidden > 0 {
            lines.push(format!("  … and {hidden} more"));
        }
        let steps = self.labels.len() + self.remembered;
        let bar = bar(self.done as u64, steps as u64, 24);
        lines.push(format!("{bar} {}/{steps} steps  {}{}", self.done, clock(self.began.elapsed()), self.left()));
        lines
    }

    /// Brings all lines up to date.
    fn refresh(&mut self) {
        self.refreshed = Instant::now();
        let size = terminal();
        let lines = if self.has_begun { self.drawing(size) } else { Vec::new() };
        self.screen.draw(&std::mem::take(&mut self.said), &lines, size.0);
    }

    fn say(&mut self, line: &str) {
        self.said += line;
        self.said.push('\n');
    }
}

impl<W: Write> Report for Live<W> {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Waiting { holder } => {
                self.say(&format!("waiting: {holder}"));
                self.refresh();
            }
            Event::Remembered { steps } => {
                self.remembered += steps;
                self.done += steps;
            }
            Event::Planned { expected, .. } => {
                self.end = expected.and_then(|expected| Instant::now().checked_add(expected));
            }
            Event::Started { step, expected } => {
                if !self.has_begun {
                    self.has_begun = true;
                    self.began = Instant::now();
                }
                let expected = expected.map(|expected| super::duration(expected.as_millis() as u64));
                let expected = expected.map(|expected| format!(", {expected} the last time")).unwrap_or_default();
                self.running.insert(step.index(), Running { since: Instant::now(), phase: None, expected });
            }
            Event::Progress { step, phase, done, of } => {
                if let Some(running) = self.running.get_mut(&step.index()) {
                    running.phase = Some(((*phase).to_owned(), *done, *of));
                }
            }
            Event::Finished { step, outcome, duration } => {
                self.running.remove(&step.index());
                // What was not tried is not done.
                self.done += usize::from(!matches!(outcome, Outcome::Skipped { .. }));
                let line = finished_line(&self.label(step.index()), outcome, duration.as_millis() as u64);
                if let Some(line) = line {
                    self.say(&line);
                }
            }
            Event::InstallFailed { network, failure, .. } => self.say(&format!("{network}: {}", failure.message)),
            Event::Removed { file, .. } => self.say(&format!("removed {file}, which nothing makes any more")),
            Event::Stopping { cause } => {
                if *cause != StopCause::FailFast {
                    self.end = None;
                }
                self.say(stopping_line(*cause));
            }
            Event::Installed { .. } | Event::Tick => {}
        }
        if self.refreshed.elapsed() >= REFRESH {
            self.refresh();
        }
    }

    fn finish(&mut self) {
        self.running.clear();
        self.has_begun = false;
        self.refresh();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::StepId;
    use crate::plan::StepKind;

    #[test]
    fn there_are_never_more_lines_than_rows() {
        // Running, rows → lines of steps, steps that are only counted.
        let cases = [
            (0, 24, (0, 0)),
            (1, 24, (1, 0)),
            (22, 24, (22, 0)),
            (23, 24, (21, 2)),
            (200, 24, (21, 179)),
            (2, 3, (0, 2)),
            (5, 1, (0, 5)),
            (1, 1, (1, 0)),
        ];
        for (running, rows, expected) in cases {
            assert_eq!(lines(running, rows), expected, "{running} steps in {rows} rows");
        }
    }

    #[test]
    fn what_a_step_does_is_seen_beside_a_long_name() {
        let running = |phase: Option<(&str, u64, u64)>, expected: &str| Running {
            since: Instant::now(),
            phase: phase.map(|(phase, done, of)| (phase.to_owned(), done, of)),
            expected: expected.to_owned(),
        };
        let long = "clean a-long-name-of-a-net";
        let twice = ", 2 s the last time";
        let cases = [
            (running(None, ""), "clean net", 20, "clean net"),
            (running(None, ""), long, 12, "clean …a-net"),
            (running(Some(("images", 3, 40)), ""), long, 26, "clean …-a-net: images 3/40"),
            (running(Some(("reading", 0, 0)), twice), "clean net", 40, "clean net: reading, 2 s the last time"),
            // The name gives way before the time does, and then the phase.
            (running(Some(("reading", 0, 0)), twice), long, 40, "clean …a-net: reading, 2 s the last time"),
            (running(Some(("reading", 3, 9)), twice), long, 39, "clean …a-net: r… 3/9, 2 s the last time"),
            (running(None, twice), long, 24, "clean …a-net, 2 s the l…"),
        ];
        for (running, label, columns, expected) in cases {
            assert_eq!(running.words(label, columns), expected);
        }
    }

    #[test]
    fn bars_and_clocks() {
        let cases = [(0, 0, "    "), (0, 4, "    "), (1, 8, "╸   "), (2, 4, "━━╸ "), (4, 4, "━━━━"), (9, 4, "━━━━")];
        for (done, of, expected) in cases {
            assert_eq!(bar(done, of, 4), expected, "{done} of {of}");
        }
        for (seconds, expected) in [(7, "7s"), (727, "12:07"), (3727, "1:02:07")] {
            assert_eq!(clock(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn steps_that_were_not_tried_are_not_done() {
        let label = |index: usize| StepLabel { kind: StepKind::Clean, network: format!("n{index}"), model: None };
        let mut live = Live::on(Vec::new(), (0..4).map(label).collect());
        let skipped = Outcome::Skipped { why: String::new() };
        let failed = Outcome::Failed(crate::exec::StepFailure::new("no"));
        live.event(&Event::Started { step: StepId::at(0), expected: None });
        for (step, outcome) in [Outcome::Ran, skipped.clone(), failed, skipped].iter().enumerate() {
            live.event(&Event::Finished { step: StepId::at(step), outcome, duration: Duration::ZERO });
        }
        let last = live.drawing((80, 24)).pop().unwrap_or_default();
        assert!(last.contains(" 2/4 steps"), "{last}");
    }
}
