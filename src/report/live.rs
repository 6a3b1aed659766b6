//! A line for every running step and one for the whole, redrawn in place; finished steps scroll away above.

use std::collections::BTreeMap;
use std::time::Duration;

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
    running: BTreeMap<usize, ProgressBar>,
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
        Self { labels, screen, total, remembered: 0, running: BTreeMap::new() }
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
            Event::Started { step, expected } => {
                if self.total.is_hidden() {
                    let steps = self.labels.len() + self.remembered;
                    self.total = self.screen.add(ProgressBar::new(steps as u64));
                    self.total.set_style(style("{bar:24} {pos}/{len} steps  {elapsed}  {wide_msg}"));
                }
                let bar = self.screen.insert_before(&self.total, ProgressBar::new(1));
                bar.set_style(style("  {prefix}  {bar:12}  {wide_msg}"));
                bar.set_prefix(self.label(step.index()));
                if let Some(expected) = expected {
                    bar.set_message(format!("about {}", super::duration(expected.as_millis() as u64)));
                }
                bar.enable_steady_tick(Duration::from_millis(200));
                self.running.insert(step.index(), bar);
            }
            Event::Progress { step, phase, done, of } => {
                if let Some(bar) = self.running.get(&step.index()) {
                    bar.set_length((*of).max(1));
                    bar.set_position(*done);
                    bar.set_message(format!("{phase} {done}/{of}"));
                }
            }
            Event::Finished { step, outcome, duration } => {
                if let Some(bar) = self.running.remove(&step.index()) {
                    bar.finish_and_clear();
                    self.screen.remove(&bar);
                }
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
        for bar in std::mem::take(&mut self.running).into_values() {
            bar.finish_and_clear();
        }
        self.total.finish_and_clear();
        let _ = self.screen.clear();
    }
}
