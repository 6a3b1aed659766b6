//! A line for every running step, as many as the terminal has room for, and one for the whole, redrawn in place; finished
//! steps scroll away above.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::plain::{finished_line, stopping_line};
use super::{Report, StepLabel};
use crate::exec::Event;

/// How often the lines are brought up to date. A step that ends sooner never has one.
const REFRESH: Duration = Duration::from_millis(100);

/// Columns and rows of a terminal that does not say.
const USUAL: (usize, usize) = (80, 24);

/// Columns before the words of a running step: its bar, and how long it runs.
const BEFORE: usize = 22;

/// The live display, on standard error.
pub struct Live {
    labels: Vec<StepLabel>,
    screen: MultiProgress,
    total: ProgressBar,
    /// Says how many steps run for which there is no line.
    more: Option<ProgressBar>,
    /// Steps that are up to date and have no label.
    remembered: usize,
    /// Steps that ended before the bar was there.
    done: u64,
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
    /// The words of its line, at most `columns` wide.
    fn words(&self, label: &str, columns: usize) -> String {
        let phase = self.phase.as_ref().map(|(phase, done, of)| match of {
            0 => format!(": {phase}"),
            _ => format!(": {phase} {done}/{of}"),
        });
        let rest = format!("{}{}", phase.unwrap_or_default(), self.expected);
        let room = columns.saturating_sub(rest.chars().count()).max(columns / 2);
        cut(&format!("{}{rest}", shortened(label, room)), columns)
    }
}

/// The beginning of a text that is too long, and a sign that it goes on.
fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    text.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

/// A name that is too long without its middle: names of one family differ at their ends.
fn shortened(label: &str, columns: usize) -> String {
    let count = label.chars().count();
    if count <= columns {
        return label.to_owned();
    }
    let kept = columns.saturating_sub(1);
    let begin = kept.div_ceil(2);
    label.chars().take(begin).chain(['…']).chain(label.chars().skip(count - (kept - begin))).collect()
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
    /// A display of the labelled steps; draws nothing before a step has run for a moment.
    #[must_use]
    pub fn new(labels: Vec<StepLabel>) -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(15));
        let total = ProgressBar::hidden();
        total.set_length(labels.len() as u64);
        Self {
            labels,
            screen,
            total,
            more: None,
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

    /// Brings all lines up to date: those that run longest have one, as many as there is room for.
    fn refresh(&mut self) {
        self.refreshed = Instant::now();
        let (columns, rows) = terminal();
        let (shown, hidden) = lines(self.running.len(), rows);
        let mut order: Vec<(Instant, usize)> =
            self.running.iter().map(|(&step, running)| (running.since, step)).collect();
        order.sort_unstable();
        for (_, step) in order.iter().skip(shown) {
            if let Some(bar) = self.running.get_mut(step).and_then(|running| running.bar.take()) {
                self.screen.remove(&bar);
            }
        }
        for &(since, step) in order.iter().take(shown) {
            let label = self.label(step);
            let Some(running) = self.running.get_mut(&step) else { continue };
            let bar = running.bar.take().unwrap_or_else(|| {
                let bar = ProgressBar::new(1).with_elapsed(since.elapsed());
                let before = self.more.as_ref().unwrap_or(&self.total);
                let bar = self.screen.insert_before(before, bar);
                bar.set_style(style("  {bar:12} {elapsed:>4}  {wide_msg}"));
                bar
            });
            if let Some((_, done, of)) = &running.phase {
                bar.set_length((*of).max(1));
                bar.set_position(*done);
            }
            bar.set_message(running.words(&label, columns.saturating_sub(BEFORE)));
            bar.tick();
            running.bar = Some(bar);
        }
        self.tell_more(hidden);
        self.total.set_message(self.left());
        self.total.tick();
    }

    fn tell_more(&mut self, hidden: usize) {
        if hidden == 0 {
            if let Some(more) = self.more.take() {
                self.screen.remove(&more);
            }
            return;
        }
        let more = self.more.take().unwrap_or_else(|| {
            let more = self.screen.insert_before(&self.total, ProgressBar::new(1));
            more.set_style(style("  {wide_msg}"));
            more
        });
        more.set_message(format!("… and {hidden} more"));
        more.tick();
        self.more = Some(more);
    }

    fn say(&self, line: String) {
        let _ = self.screen.println(line);
    }
}

impl Report for Live {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Waiting { holder } => self.say(format!("waiting: {holder}")),
            Event::Remembered { steps } => self.remembered += steps,
            Event::Planned { expected, .. } => {
                self.end = expected.and_then(|expected| Instant::now().checked_add(expected));
            }
            Event::Started { step, expected } => {
                if self.total.is_hidden() {
                    let steps = self.labels.len() + self.remembered;
                    self.total = self.screen.add(ProgressBar::new(steps as u64));
                    self.total.set_style(style("{bar:24} {pos}/{len} steps  {elapsed}  {wide_msg}"));
                    self.total.set_position(self.remembered as u64 + self.done);
                }
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
                if let Some(bar) = self.running.remove(&step.index()).and_then(|running| running.bar) {
                    self.screen.remove(&bar);
                }
                self.done += 1;
                self.total.inc(1);
                let line = finished_line(&self.label(step.index()), outcome, duration.as_millis() as u64);
                if let Some(line) = line {
                    self.say(line);
                }
            }
            Event::InstallFailed { network, failure, .. } => self.say(format!("{network}: {}", failure.message)),
            Event::Removed { file, .. } => self.say(format!("removed {file}, which nothing makes any more")),
            Event::Stopping { cause } => self.say(stopping_line(*cause).to_owned()),
            Event::Installed { .. } | Event::Tick => {}
        }
        if self.refreshed.elapsed() >= REFRESH && !self.total.is_hidden() {
            self.refresh();
        }
    }

    fn finish(&mut self) {
        for bar in std::mem::take(&mut self.running).into_values().filter_map(|running| running.bar) {
            self.screen.remove(&bar);
        }
        self.tell_more(0);
        self.total.finish_and_clear();
        let _ = self.screen.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let cases = [
            (running(None, ""), "clean net", 20, "clean net"),
            (running(None, ""), "clean a-long-name-of-a-net", 12, "clean …a-net"),
            (running(Some(("images", 3, 40)), ""), "clean a-long-name-of-a-net", 26, "clean …-a-net: images 3/40"),
            (
                running(Some(("reading", 0, 0)), ", 2 s the last time"),
                "clean net",
                40,
                "clean net: reading, 2 s the last time",
            ),
        ];
        for (running, label, columns, expected) in cases {
            assert_eq!(running.words(label, columns), expected);
        }
    }
}
