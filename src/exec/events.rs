//! Everything that a run says: what `report` sees, and the summary at the end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::StepFailure;
use crate::base::Digest;
use crate::plan::StepId;
use crate::plan::StepKind;

/// What to run and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Steps at a time, at least 1.
    pub parallel: usize,
    /// Bytes that running steps may take together, each what it took at most the last time, or else
    /// [`Step::memory`](crate::plan::Step::memory); 0 for no limit. One step always runs, however large.
    pub memory: u64,
    /// How many steps of a kind may run at a time, where fewer than all should.
    pub pools: BTreeMap<StepKind, usize>,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// Start nothing more once a step has failed.
    pub fail_fast: bool,
    /// Run every chosen step, whatever the store holds.
    pub force: bool,
    /// How long one step may take; `None` for as long as it likes.
    pub timeout: Option<Duration>,
    /// The chosen steps; with them comes what they need. Empty for all.
    pub targets: Vec<StepId>,
    /// Messages name files below it relative to it; empty for whole paths.
    pub root: PathBuf,
    /// What others are told while they wait for this run, such as `axzoo build all`.
    pub purpose: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            parallel: 1,
            memory: 0,
            pools: BTreeMap::new(),
            dry_run: false,
            fail_fast: false,
            force: false,
            timeout: None,
            targets: Vec::new(),
            root: PathBuf::new(),
            purpose: "axzoo build".to_owned(),
        }
    }
}

/// How a step ended, or in a dry run, how it would.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The work was done.
    Ran,
    /// The key is the last one, and every installed file is right.
    UpToDate,
    /// The result came from the store.
    Restored,
    /// The work could not be done.
    Failed(StepFailure),
    /// The work was not begun, or was stopped.
    Skipped {
        /// For which reason.
        why: String,
    },
    /// Dry run: the work would be done.
    WillRun,
    /// Dry run: whether it would be done depends on what steps before it write.
    MayRun,
}

impl Outcome {
    /// The word in JSON (SPEC 10).
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::UpToDate => "up_to_date",
            Self::Restored => "restored",
            Self::Failed(_) => "failed",
            Self::Skipped { .. } => "skipped",
            Self::WillRun => "will_run",
            Self::MayRun => "may_run",
        }
    }

    /// Whether steps that need this one can go on.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        !matches!(self, Self::Failed(_) | Self::Skipped { .. })
    }
}

/// Why a run stops starting steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// Somebody asked for it.
    Interrupted,
    /// A step failed, and the run was to stop then.
    FailFast,
    /// The store cannot be written.
    Store,
    /// A disk has no space left.
    NoSpace,
}

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// Another run has the store; this one waits.
    Waiting {
        /// Who has it.
        holder: &'a str,
    },
    /// It is known what there is to do.
    Planned {
        /// Steps chosen.
        steps: usize,
        /// Steps that run or may run.
        pending: usize,
        /// How long they should take by what they took the last time; `None` where one of them never ran.
        expected: Option<Duration>,
    },
    /// A toolchain is another than when steps that run or may run were last done.
    ToolChanged {
        /// What it was.
        old: &'a str,
        /// What it is.
        new: &'a str,
        /// How many steps that concerns.
        steps: usize,
    },
    /// Steps beyond the chosen ones are known to be up to date; they are not named one by one.
    Remembered {
        /// How many.
        steps: usize,
    },
    /// A step began to run.
    Started {
        /// The step.
        step: StepId,
        /// How long it ran the last time.
        expected: Option<Duration>,
    },
    /// A running step came further.
    Progress {
        /// The step.
        step: StepId,
        /// What it is doing.
        phase: &'a str,
        /// Units done.
        done: u64,
        /// Units there are; 0 when that is not known.
        of: u64,
    },
    /// A step ended; said once for each chosen step.
    Finished {
        /// The step.
        step: StepId,
        /// How.
        outcome: &'a Outcome,
        /// How long it ran.
        duration: Duration,
    },
    /// All steps of a network are good and its files are in the build root.
    Installed {
        /// The network.
        network: &'a str,
        /// Files written now; the others were there.
        written: usize,
    },
    /// All steps of a network are good, but its files could not be written; the step whose file it was now counts as
    /// failed.
    InstallFailed {
        /// The network.
        network: &'a str,
        /// The step whose file it was.
        step: StepId,
        /// Why.
        failure: &'a StepFailure,
    },
    /// A file that an earlier build wrote and that no network has any more was removed.
    Removed {
        /// The network that had it.
        network: &'a str,
        /// The file, relative to the build root.
        file: &'a str,
    },
    /// A file that an earlier build wrote and that no network has any more could not be removed.
    NotRemoved(&'a NotRemoved),
    /// No more steps are started.
    Stopping {
        /// Why.
        cause: StopCause,
    },
    /// Time passed; for displays that show it.
    Tick,
}

/// How one step ended.
#[derive(Debug, Clone, PartialEq)]
pub struct StepSummary {
    /// The step.
    pub id: StepId,
    /// Its network.
    pub network: String,
    /// Its model.
    pub model: Option<String>,
    /// Its kind.
    pub step: StepKind,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it ran.
    pub duration_ms: u64,
    /// Its key, where that was known.
    pub key: Option<Digest>,
}

/// A file that should have gone from the build root, and did not. It stays recorded, so that it is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRemoved {
    /// The network that had it.
    pub network: String,
    /// The file, relative to the build root.
    pub file: String,
    /// What could not be done, and why.
    pub message: String,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Each chosen step, in the order of the plan.
    pub steps: Vec<StepSummary>,
    /// Files that should have gone from the build root.
    pub not_removed: Vec<NotRemoved>,
    /// Time from beginning to end.
    pub wall: Duration,
    /// Whether somebody asked to stop.
    pub interrupted: bool,
    /// What ended the run before its time, where that is no step's failure.
    pub broken: Option<Broken>,
}

/// Why a run as a whole could not go on, such as a cache that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What could not be done, and why.
    pub message: String,
    /// What would help.
    pub hint: Option<String>,
    /// The step at which it showed, where it was one; its failure is this one.
    pub step: Option<StepId>,
}

impl Summary {
    /// How many steps ended with an outcome of this word.
    #[must_use]
    pub fn count(&self, word: &str) -> usize {
        self.steps.iter().filter(|step| step.outcome.word() == word).count()
    }

    /// Whether nothing failed and nothing was left out or behind.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let is_whole = !self.interrupted && self.broken.is_none();
        is_whole && self.not_removed.is_empty() && self.steps.iter().all(|step| step.outcome.is_good())
    }
}
