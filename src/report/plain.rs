//! One line an event that matters: for pipes, logs and terminals that cannot move their cursor.

use std::io::Write;

use super::table::duration;
use super::{Report, StepLabel};
use crate::diag::counted;
use crate::exec::Event;
use crate::exec::NotRemoved;
use crate::exec::Outcome;
use crate::exec::StopCause;

/// Writes lines.
pub struct Plain<W: Write> {
    target: W,
    labels: Vec<StepLabel>,
    /// Steps that are up to date and have no label.
    remembered: usize,
    done: usize,
}

impl<W: Write> Plain<W> {
    /// A report of the labelled steps.
    pub fn new(target: W, labels: Vec<StepLabel>) -> Self {
        Self { target, labels, remembered: 0, done: 0 }
    }
}

/// The line of a step that ended, or `None` for one that was up to date or not tried. What went wrong follows at the end of
/// the run, once.
pub(super) fn finished_line(label: &str, outcome: &Outcome, milliseconds: u64) -> Option<String> {
    Some(match outcome {
        Outcome::UpToDate | Outcome::Skipped { .. } => return None,
        Outcome::Ran => format!("{label}: {}", duration(milliseconds)),
        Outcome::Restored => format!("{label}: restored"),
        Outcome::Failed(_) => format!("{label}: failed"),
        Outcome::WillRun => format!("{label}: will run"),
        Outcome::MayRun => format!("{label}: may run"),
    })
}

/// The line of a left-over file that could not be removed.
pub(super) fn not_removed_line(file: &NotRemoved) -> String {
    format!("{}: nothing makes this file any more, but axzoo {}", file.network, file.message)
}

/// The line of a toolchain that is another than before.
pub(super) fn tool_line(old: &str, new: &str, steps: usize) -> String {
    format!("toolchain: {old} → {new}, {}", counted(steps, "step"))
}

/// What to say when a run stops starting steps.
pub(super) fn stopping_line(cause: StopCause) -> &'static str {
    match cause {
        StopCause::Interrupted => "stopping: finished steps are kept; once more to end at once",
        StopCause::FailFast => "stopping at the first failure",
        StopCause::Store => "stopping: the store cannot be written",
        StopCause::NoSpace => "stopping: no space is left on the disk; finished steps are kept",
    }
}

impl<W: Write> Report for Plain<W> {
    fn event(&mut self, event: &Event<'_>) {
        let line = match event {
            Event::Waiting { holder } => Some(format!("waiting: {holder}")),
            Event::ToolChanged { old, new, steps } => Some(tool_line(old, new, *steps)),
            Event::Remembered { steps } => {
                self.remembered += steps;
                self.done += steps;
                None
            }
            // What was not tried is not done.
            Event::Finished { outcome: Outcome::Skipped { .. }, .. } => None,
            Event::Finished { outcome: Outcome::UpToDate, .. } => {
                self.done += 1;
                None
            }
            Event::Finished { step, outcome, duration } => {
                self.done += 1;
                let label = self.labels.get(step.index()).map(StepLabel::text).unwrap_or_default();
                let counter = format!("[{}/{}]", self.done, self.labels.len() + self.remembered);
                finished_line(&label, outcome, duration.as_millis() as u64).map(|line| format!("{counter} {line}"))
            }
            Event::InstallFailed { network, failure, .. } => Some(format!("{network}: {}", failure.message)),
            Event::Removed { file, .. } => Some(format!("removed {file}, which nothing makes any more")),
            Event::NotRemoved(file) => Some(not_removed_line(file)),
            Event::Stopping { cause } => Some(stopping_line(*cause).to_owned()),
            _ => None,
        };
        if let Some(line) = line {
            // In one piece: standard error passes every piece on as it comes.
            let _ = self.target.write_all(format!("{line}\n").as_bytes());
        }
    }
}
