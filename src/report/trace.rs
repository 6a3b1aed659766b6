//! A run as Chrome's trace format: one bar for each step that ran, in lanes of steps that ran at a time. Chrome
//! (`chrome://tracing`) and Perfetto show it.

use std::collections::HashMap;
use std::time::Instant;

use serde_json::{Value, json};

use super::{Report, StepLabel};
use crate::exec::Event;

/// Collects what ran when.
#[derive(Debug)]
pub struct Trace {
    began: Instant,
    labels: Vec<StepLabel>,
    /// Which lanes are taken.
    lanes: Vec<bool>,
    /// Step → its lane, and when it began in microseconds.
    running: HashMap<usize, (usize, u64)>,
    bars: Vec<Value>,
}

impl Trace {
    /// A trace of the labelled steps; time counts from `began`.
    #[must_use]
    pub fn new(labels: Vec<StepLabel>, began: Instant) -> Self {
        Self { began, labels, lanes: Vec::new(), running: HashMap::new(), bars: Vec::new() }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{:#}\n", json!({ "displayTimeUnit": "ms", "traceEvents": self.bars }))
    }
}

impl Report for Trace {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Started { step, .. } => {
                let free = self.lanes.iter().position(|taken| !taken);
                let lane = free.unwrap_or_else(|| {
                    self.lanes.push(false);
                    self.lanes.len() - 1
                });
                if let Some(taken) = self.lanes.get_mut(lane) {
                    *taken = true;
                }
                self.running.insert(step.index(), (lane, self.now()));
            }
            Event::Finished { step, outcome, .. } => {
                let Some((lane, start)) = self.running.remove(&step.index()) else { return };
                if let Some(taken) = self.lanes.get_mut(lane) {
                    *taken = false;
                }
                let label = self.labels.get(step.index());
                self.bars.push(json!({
                    "name": label.map(StepLabel::text),
                    "cat": label.map(|label| label.kind.word()),
                    "ph": "X",
                    "ts": start,
                    "dur": self.now().saturating_sub(start),
                    "pid": 1,
                    "tid": lane + 1,
                    "args": { "outcome": outcome.word() },
                }));
            }
            _ => {}
        }
    }
}
