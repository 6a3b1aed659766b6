//! One event a line for scripts (SPEC 10): fields may be added, never changed.

use std::io::Write;

use serde_json::{Value, json};

use super::summary::{Refusal, counts};
use super::{Report, StepLabel};
use crate::exec::Event;
use crate::exec::Outcome;
use crate::exec::Summary;

/// Writes events as JSON, one a line.
pub struct JsonLines<W: Write> {
    target: W,
    labels: Vec<StepLabel>,
}

impl<W: Write> JsonLines<W> {
    /// A report of the labelled steps.
    pub fn new(target: W, labels: Vec<StepLabel>) -> Self {
        Self { target, labels }
    }

    fn write(&mut self, value: &Value) {
        let _ = writeln!(self.target, "{value}");
    }

    fn step(&self, index: usize, event: &str) -> Value {
        let label = self.labels.get(index);
        json!({
            "event": event,
            "network": label.map(|label| &label.network),
            "model": label.and_then(|label| label.model.as_ref()),
            "step": label.map(|label| label.kind.word()),
        })
    }
}

fn with(mut value: Value, fields: &Value) -> Value {
    if let (Some(all), Some(more)) = (value.as_object_mut(), fields.as_object()) {
        all.extend(more.clone());
    }
    value
}

fn outcome_fields(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Failed(failure) => json!({
            "outcome": outcome.word(),
            "message": failure.message,
            "hint": failure.hint,
            "node": failure.node,
            "log": failure.log.as_ref().map(|log| log.path.display().to_string()),
        }),
        Outcome::Skipped { why } => json!({ "outcome": outcome.word(), "message": why }),
        _ => json!({ "outcome": outcome.word() }),
    }
}

impl<W: Write> Report for JsonLines<W> {
    fn event(&mut self, event: &Event<'_>) {
        let value = match event {
            Event::Planned { steps, pending, expected } => {
                let expected = expected.map(|expected| expected.as_millis() as u64);
                json!({ "event": "planned", "steps": steps, "pending": pending, "expected_ms": expected })
            }
            Event::ToolChanged { old, new, steps } => {
                json!({ "event": "toolchain_changed", "old": old, "new": new, "steps": steps })
            }
            Event::Started { step, .. } => self.step(step.index(), "started"),
            Event::Progress { step, phase, done, of } => {
                with(self.step(step.index(), "progress"), &json!({ "phase": phase, "done": done, "of": of }))
            }
            Event::Finished { step, outcome, duration } => {
                let fields = with(outcome_fields(outcome), &json!({ "duration_ms": duration.as_millis() as u64 }));
                with(self.step(step.index(), "finished"), &fields)
            }
            Event::Installed { network, written } => {
                json!({ "event": "installed", "network": network, "written": written })
            }
            Event::InstallFailed { network, failure, .. } => {
                json!({ "event": "install_failed", "network": network, "message": failure.message })
            }
            Event::Removed { network, file } => json!({ "event": "removed", "network": network, "file": file }),
            Event::NotRemoved(file) => json!({
                "event": "remove_failed", "network": file.network, "file": file.file, "message": file.message,
            }),
            Event::Waiting { holder } => json!({ "event": "waiting", "holder": holder }),
            _ => return,
        };
        self.write(&value);
    }
}

/// The last line of a build.
#[must_use]
pub fn summary_json(summary: &Summary, refusals: &[Refusal]) -> Value {
    let counts = counts(summary, refusals);
    let refused = refusals.iter().map(|refusal| {
        json!({
            "network": refusal.network, "model": refusal.model, "step": refusal.step.word(),
            "outcome": refusal.word(), "duration_ms": 0, "key": null, "message": refusal.message,
        })
    });
    let ran = summary.steps.iter().map(|step| {
        let fields = json!({
            "network": step.network, "model": step.model, "step": step.step.word(),
            "duration_ms": step.duration_ms, "key": step.key,
        });
        with(fields, &outcome_fields(&step.outcome))
    });
    json!({
        "event": "summary",
        "ran": counts.ran, "up_to_date": counts.up_to_date, "restored": counts.restored,
        "failed": counts.failed, "skipped": counts.skipped,
        "not_removed": summary.not_removed.len(),
        "will_run": counts.will_run, "may_run": counts.may_run,
        "wall_ms": summary.wall.as_millis() as u64,
        "steps": ran.chain(refused).collect::<Vec<_>>(),
    })
}
