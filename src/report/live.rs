//! A line for every running step, as many as the terminal has room for, and one for the whole, redrawn in place; finished
//! steps scroll away above.

use std::collections::BTreeMap;
use std::io::Stderr;
use std::io::Write;
use std::time::Duration;
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::columns::{cut, shortened, width};
use super::frame::Frame;
use super::plain::{finished_line, not_removed_line, stopping_line, tool_line};
use super::screen::Screen;
use super::{Report, StepLabel};
use crate::exec::Event;
use crate::exec::Outcome;
use crate::exec::StopCause;

/// How often the lines are brought up to date. A step that ends sooner never has one.
const REFRESH: Duration = Duration::from_millis(100);

/// How often a second bars draw for themselves; what the terminal shows is drawn on purpose.
const DRAWS: u8 = 15;

/// Columns and rows of a terminal that does not say.
const USUAL: (usize, usize) = (80, 24);

/// Columns before the words of a running step: its bar, and how long it runs.
const BEFORE: usize = 21;

/// Columns that a name keeps as long as what stands beside it can give way.
const NAME: usize = 12;

/// The live display, on standard error unless a test looks on.
pub struct Live<W: Write = Stderr> {
    labels: Vec<StepLabel>,
    screen: Screen<W>,
    /// What the bars drew last.
    frame: Frame,
    bars: MultiProgress,
    /// The line of the whole, as soon as a step has run, so that there is something to draw.
    total: Option<ProgressBar>,
    /// Says how many steps run for which there is no line.
    more: Option<ProgressBar>,
    /// Lines that stay and were not drawn yet.
    said: String,
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
    /// Its line, if it has one.
    bar: Option<ProgressBar>,
}

impl Running {
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

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ ")
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
        let frame = Frame::default();
        let place = ProgressDrawTarget::term_like_with_hz(Box::new(frame.clone()), DRAWS);
        Self {
            labels,
            screen: Screen::new(target),
            frame,
            bars: MultiProgress::with_draw_target(place),
            total: None,
            more: None,
            said: String::new(),
            remembered: 0,
            done: 0,
            end: None,
            running: BTreeMap::new(),
            refreshed: Instant::now(),
        }
    }

    /// How long it should still take, in words; nothing where that is not known, or was wrong.
    fn left(&self) -> String {
        let left = self.end.map(|end| end.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero());
        left.map(|left| format!("about {} left", super::duration(left.as_millis() as u64))).unwrap_or_default()
    }

    fn label(&self, index: usize) -> String {
        self.labels.get(index).map(StepLabel::text).unwrap_or_default()
    }

    /// The lines of a terminal: those that run longest have one, as many as there is room for.
    fn drawing(&mut self, (columns, rows): (usize, usize)) -> Vec<String> {
        let Some(total) = self.total.clone() else { return Vec::new() };
        self.frame.fit(columns);
        let (shown, hidden) = lines(self.running.len(), rows);
        let mut order: Vec<(Instant, usize)> =
            self.running.iter().map(|(&step, running)| (running.since, step)).collect();
        order.sort_unstable();
        for (_, step) in order.iter().skip(shown) {
            if let Some(bar) = self.running.get_mut(step).and_then(|running| running.bar.take()) {
                self.bars.remove(&bar);
            }
        }
        for &(since, step) in order.iter().take(shown) {
            let label = self.label(step);
            let Some(running) = self.running.get_mut(&step) else { continue };
            let bar = running.bar.take().unwrap_or_else(|| {
                let bar = ProgressBar::new(1).with_elapsed(since.elapsed());
                let bar = self.bars.insert_before(self.more.as_ref().unwrap_or(&total), bar);
                bar.set_style(style("  {bar:12} {elapsed:>4}  {wide_msg}"));
                bar
            });
            let (done, of) = running.phase.as_ref().map_or((0, 0), |(_, done, of)| (*done, *of));
            bar.set_length(of.max(1));
            bar.set_position(done.min(of));
            bar.set_message(running.words(&label, columns.saturating_sub(1 + BEFORE)));
            running.bar = Some(bar);
        }
        self.tell_more(&total, hidden);
        total.set_length((self.labels.len() + self.remembered) as u64);
        total.set_position(self.done as u64);
        total.set_message(self.left());
        total.force_draw();
        self.frame.lines()
    }

    fn tell_more(&mut self, total: &ProgressBar, hidden: usize) {
        if hidden == 0 {
            if let Some(more) = self.more.take() {
                self.bars.remove(&more);
            }
            return;
        }
        let more = self.more.get_or_insert_with(|| {
            let more = self.bars.insert_before(total, ProgressBar::new(1));
            more.set_style(style("  {wide_msg}"));
            more
        });
        more.set_message(format!("… and {hidden} more"));
    }

    /// Takes the line of a step away, if it has one.
    fn forget(&mut self, step: usize) {
        if let Some(bar) = self.running.remove(&step).and_then(|running| running.bar) {
            self.bars.remove(&bar);
        }
    }

    /// Brings all lines up to date.
    fn refresh(&mut self) {
        self.refreshed = Instant::now();
        let size = terminal();
        let lines = self.drawing(size);
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
            Event::ToolChanged { old, new, steps } => self.say(&tool_line(old, new, *steps)),
            Event::Started { step, expected } => {
                self.total.get_or_insert_with(|| {
                    let total = self.bars.add(ProgressBar::new(1));
                    total.set_style(style("{bar:24} {pos}/{len} steps  {elapsed}  {wide_msg}"));
                    total
                });
                let expected = expected.map(|expected| super::duration(expected.as_millis() as u64));
                let expected = expected.map(|expected| format!(", {expected} the last time")).unwrap_or_default();
                let running = Running { since: Instant::now(), phase: None, expected, bar: None };
                self.running.insert(step.index(), running);
            }
            Event::Progress { step, phase, done, of } => {
                if let Some(running) = self.running.get_mut(&step.index()) {
                    running.phase = Some(((*phase).to_owned(), *done, *of));
                }
            }
            Event::Finished { step, outcome, duration } => {
                self.forget(step.index());
                // What was not tried is not done.
                self.done += usize::from(!matches!(outcome, Outcome::Skipped { .. }));
                let line = finished_line(&self.label(step.index()), outcome, duration.as_millis() as u64);
                if let Some(line) = line {
                    self.say(&line);
                }
            }
            Event::InstallFailed { network, failure, .. } => self.say(&format!("{network}: {}", failure.message)),
            Event::Removed { file, .. } => self.say(&format!("removed {file}, which nothing makes any more")),
            Event::NotRemoved(file) => self.say(&not_removed_line(file)),
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
        if let Some(total) = self.total.take() {
            for step in self.running.keys().copied().collect::<Vec<usize>>() {
                self.forget(step);
            }
            self.tell_more(&total, 0);
            self.bars.remove(&total);
        }
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
            bar: None,
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

    /// A display of some steps that draws into memory.
    fn display(steps: usize) -> Live<Vec<u8>> {
        let label = |index: usize| StepLabel { kind: StepKind::Clean, network: format!("n{index}"), model: None };
        Live::on(Vec::new(), (0..steps).map(label).collect())
    }

    #[test]
    fn running_steps_have_lines_above_the_whole() {
        let mut live = display(4);
        assert!(live.drawing((80, 24)).is_empty(), "nothing runs");
        for step in 0..4 {
            live.event(&Event::Started { step: StepId::at(step), expected: None });
        }
        live.event(&Event::Progress { step: StepId::at(0), phase: "images", done: 20, of: 40 });
        live.event(&Event::Finished { step: StepId::at(2), outcome: &Outcome::Ran, duration: Duration::ZERO });
        // Columns and rows → how each line begins, and how it ends.
        let half = "  ━━━━━━";
        let whole = ("━━━━━━╸", "s");
        let cases = [
            ((80, 24), vec![(half, "s  clean n0: images 20/40"), ("  ", "s  clean n1"), ("  ", "s  clean n3"), whole]),
            ((80, 4), vec![(half, "s  clean n0: images 20/40"), ("  … and 2 more", ""), whole]),
            ((42, 4), vec![(half, "s  clean n0: ima… 20/40"), ("  … and 2 more", ""), whole]),
            ((80, 5), vec![(half, "s  clean n0: images 20/40"), ("  ", "s  clean n1"), ("  ", "s  clean n3"), whole]),
            ((20, 1), vec![("  … and 3 more", ""), whole]),
        ];
        for (size, expected) in cases {
            let drawn = live.drawing(size);
            assert_eq!(drawn.len(), expected.len(), "{size:?}: {drawn:#?}");
            for (line, (begin, end)) in drawn.iter().zip(expected) {
                assert!(line.starts_with(begin) && line.ends_with(end), "{size:?}: {line}");
            }
        }
        live.finish();
        assert!(live.drawing((80, 24)).is_empty(), "nothing runs any more");
    }

    #[test]
    fn steps_that_were_not_tried_are_not_done() {
        let mut live = display(4);
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
