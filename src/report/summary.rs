//! The end of a run: a table of networks, and a block for each failure.

use std::collections::BTreeMap;
use std::path::Path;

use super::table::{Align, duration, table_within};
use crate::diag::printable;
use crate::exec::Outcome;
use crate::exec::StepFailure;
use crate::exec::StepSummary;
use crate::exec::Summary;
use crate::plan::StepKind;

/// A network or model that could not even be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The network.
    pub network: String,
    /// The model, where it is one model's fault.
    pub model: Option<String>,
    /// The step that could not be planned.
    pub step: StepKind,
    /// Why, in one line.
    pub message: String,
    /// Whether no available toolchain can do it (skipped), rather than something being wrong (failed).
    pub unsupported: bool,
}

impl Refusal {
    /// `skipped` or `failed`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        if self.unsupported { "skipped" } else { "failed" }
    }
}

/// How many steps ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Did their work.
    pub ran: usize,
    /// Had nothing to do.
    pub up_to_date: usize,
    /// Came from the store.
    pub restored: usize,
    /// Failed.
    pub failed: usize,
    /// Were not tried.
    pub skipped: usize,
    /// Would run (dry run).
    pub will_run: usize,
    /// May run, depending on what comes before (dry run).
    pub may_run: usize,
}

impl Counts {
    fn add(&mut self, word: &str) {
        let counter = match word {
            "ran" => &mut self.ran,
            "up_to_date" => &mut self.up_to_date,
            "restored" => &mut self.restored,
            "failed" => &mut self.failed,
            "will_run" => &mut self.will_run,
            "may_run" => &mut self.may_run,
            _ => &mut self.skipped,
        };
        *counter += 1;
    }

    /// Whether nothing but what is up to date was counted.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        *self == Self { up_to_date: self.up_to_date, ..Self::default() }
    }

    /// `12 ran, 3 up to date`: what is not zero.
    #[must_use]
    pub fn text(&self) -> String {
        let parts = [
            (self.ran, "ran"),
            (self.will_run, "will run"),
            (self.may_run, "may run"),
            (self.restored, "restored"),
            (self.up_to_date, "up to date"),
            (self.failed, "failed"),
            (self.skipped, "skipped"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") }
    }
}

/// Counts steps, and what was refused before the run.
#[must_use]
pub fn counts(summary: &Summary, refusals: &[Refusal]) -> Counts {
    let mut counts = Counts::default();
    let steps = summary.steps.iter().map(|step| step.outcome.word());
    for word in steps.chain(refusals.iter().map(Refusal::word)) {
        counts.add(word);
    }
    counts
}

/// One row for each network that was not up to date: its verdict, the steps behind it, the time they took. The others, and
/// `remembered` networks that are in no step of the summary, are one line. `columns` are those of a terminal; `None` for a
/// file or a pipe.
#[must_use]
pub fn network_table(summary: &Summary, refusals: &[Refusal], remembered: usize, columns: Option<usize>) -> String {
    #[derive(Default)]
    struct Row {
        counts: Counts,
        milliseconds: u64,
    }
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for step in &summary.steps {
        let row = rows.entry(&step.network).or_default();
        row.counts.add(step.outcome.word());
        row.milliseconds += step.duration_ms;
    }
    for refusal in refusals {
        rows.entry(&refusal.network).or_default().counts.add(refusal.word());
    }
    let networks = rows.len();
    rows.retain(|_, row| !row.counts.is_idle());
    let idle = remembered + networks - rows.len();
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|(network, row)| {
            let counts = row.counts;
            let verdict = match () {
                () if counts.failed > 0 => "failed",
                () if counts.skipped > 0 => "skipped",
                () if counts.will_run > 0 => "will run",
                () if counts.may_run > 0 => "may run",
                () if counts.ran > 0 => "built",
                () => "restored",
            };
            let time = if counts.ran > 0 || row.milliseconds > 0 { duration(row.milliseconds) } else { String::new() };
            vec![(*network).to_owned(), verdict.to_owned(), counts.text(), time]
        })
        .collect();
    let head = [("network", Align::Left), ("result", Align::Left), ("steps", Align::Left), ("work", Align::Right)];
    let others = match idle {
        0 => String::new(),
        1 => "one other network is up to date\n".to_owned(),
        _ => format!("{idle} other networks are up to date\n"),
    };
    table_within(&head, &cells, columns, &[3]) + &others
}

/// A block for each failed step: the stage, what went wrong, the end of its log, and how to repeat it alone (`command`
/// without targets).
#[must_use]
pub fn failure_blocks(summary: &Summary, relative: &dyn Fn(&Path) -> String, command: &str) -> String {
    let mut text = String::new();
    for step in &summary.steps {
        if let Outcome::Failed(failure) = &step.outcome {
            text += &failure_block(step, failure, relative, command);
        }
    }
    text
}

fn failure_block(
    step: &StepSummary,
    failure: &StepFailure,
    relative: &dyn Fn(&Path) -> String,
    command: &str,
) -> String {
    let subject = match &step.model {
        Some(model) => format!("{}/{model}", step.network),
        None => step.network.clone(),
    };
    let mut lines = vec![format!("error: {} of `{subject}` failed: {}", step.step, printable(&failure.message))];
    // The log of a step of ours ends in the message that is shown already.
    let tail = failure.log.iter().flat_map(|log| &log.tail).filter(|line| **line != failure.message);
    lines.extend(tail.map(|line| format!("  | {}", printable(line))));
    if let Some(node) = &failure.node
        && !failure.message.contains(node.as_str())
    {
        lines.push(format!("  node: `{}`", printable(node)));
    }
    if let Some(hint) = &failure.hint {
        lines.push(format!("hint: {}", printable(hint)));
    }
    if let Some(log) = &failure.log {
        lines.push(format!("  log: {}", relative(&log.path)));
    }
    lines.push(format!("  again: {command} {subject}"));
    lines.join("\n") + "\n\n"
}
