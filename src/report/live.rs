//! A line for every running step and one for the whole, redrawn in place; finished steps scroll away above.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::plain::{finished_line, stopping_line};
use super::{Report, StepLabel};
use crate::exec::Event;

/// The live display, on standard error.
pub struct Live {
    labels: Vec<StepLabel>,
    screen: MultiProgress,
    total: ProgressBar,
    /// Steps that are up to date and have no label.
    remembered: usize,
    /// Steps that ended before the bar was there.
    done: u64,
    /// When the whole should be done.
    end: Option<Instant>,
    running: BTreeMap<usize, Running>,
}

/// A step that runs.
struct Running {
    bar: ProgressBar,
    /// How long it should take, in words.
    expected: String,
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ ")
}

impl Live {
    /// A display of the labelled steps; draws nothing before the first step starts.
    #[must_use]
    pub fn new(labels: Vec<StepLabel>) -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(15));
        let total = ProgressBar::hidden();
        total.set_length(labels.len() as u64);
        Self { labels, screen, total, remembered: 0, done: 0, end: None, running: BTreeMap::new() }
    }

    /// How long it should still take, in words; nothing where that is not known, or was wrong.
    fn left(&self) -> String {
        let left = self.end.map(|end| end.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero());
        left.map(|left| format!("about {} left", super::duration(left.as_millis() as u64))).unwrap_or_default()
    }

    fn label(&self, index: usize) -> String {
        self.labels.get(index).map(StepLabel::text).unwrap_or_default()
    }
}

impl Report for Live {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Waiting { holder } => {
                let _ = self.screen.println(format!("waiting: {holder}"));
            }
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
                let bar = self.screen.insert_before(&self.total, ProgressBar::new(1));
                // The label is in the message, which is cut where the line ends.
                bar.set_style(style("  {bar:12} {elapsed:>4}  {wide_msg}"));
                let expected = expected.map(|expected| super::duration(expected.as_millis() as u64));
                let expected = expected.map(|expected| format!(", {expected} the last time")).unwrap_or_default();
                bar.set_message(format!("{}{expected}", self.label(step.index())));
                bar.enable_steady_tick(Duration::from_millis(200));
                self.running.insert(step.index(), Running { bar, expected });
            }
            Event::Progress { step, phase, done, of } => {
                let label = self.label(step.index());
                if let Some(Running { bar, expected }) = self.running.get(&step.index()) {
                    bar.set_length((*of).max(1));
                    bar.set_position(*done);
                    let count = if *of > 0 { format!(" {done}/{of}") } else { String::new() };
                    bar.set_message(format!("{label}: {phase}{count}{expected}"));
                }
            }
            Event::Tick => self.total.set_message(self.left()),
            Event::Finished { step, outcome, duration } => {
                if let Some(Running { bar, .. }) = self.running.remove(&step.index()) {
                    bar.finish_and_clear();
                    self.screen.remove(&bar);
                }
                self.done += 1;
                self.total.inc(1);
                let line = finished_line(&self.label(step.index()), outcome, duration.as_millis() as u64);
                if let Some(line) = line {
                    let _ = self.screen.println(line);
                }
            }
            Event::InstallFailed { network, failure, .. } => {
                let _ = self.screen.println(format!("{network}: {}", failure.message));
            }
            Event::Removed { file, .. } => {
                let _ = self.screen.println(format!("removed {file}, which nothing makes any more"));
            }
            Event::Stopping { cause } => {
                let _ = self.screen.println(stopping_line(*cause));
            }
            _ => {}
        }
    }

    fn finish(&mut self) {
        for Running { bar, .. } in std::mem::take(&mut self.running).into_values() {
            bar.finish_and_clear();
        }
        self.total.finish_and_clear();
        let _ = self.screen.clear();
    }
}
