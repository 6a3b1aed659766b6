//! What a step's work is given, and how it can fail.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::base::CancelToken;
use crate::base::Cancelled;
use crate::base::fs;
use crate::base::fs::FsError;
use crate::plan::Step;
use crate::plan::StepId;
use crate::plan::StepSettings;
use crate::store::StoreError;

/// Lines of a log that a failure carries.
const TAIL: usize = 20;

/// Does the work of steps, several at a time.
pub trait Runner<S>: Sync {
    /// Does one step: reads nothing but `job.step.settings` and `job.inputs`, writes regular files below `job.output`
    /// and nothing else.
    fn run(&self, job: &Job<'_, S>) -> Result<(), StepFailure>;
}

/// One step's work.
pub struct Job<'a, S> {
    /// The step's id.
    pub id: StepId,
    /// The step.
    pub step: &'a Step<S>,
    /// A readable file for each role, in the order of the step's inputs. Files from the store have no meaningful name
    /// and are read-only.
    pub inputs: &'a [(String, PathBuf)],
    /// An empty folder for the outputs.
    pub output: &'a Path,
    /// The step's log.
    pub log: &'a Log,
    /// Asked between images, nodes and tiles.
    pub cancel: &'a CancelToken,
    /// Called with a phase, units done and units there are (0 when unknown); cheap, from any thread.
    pub progress: &'a (dyn Fn(&str, u64, u64) + Sync),
    /// Called with the bytes of memory that programs which do the work held at most so far. What is held by this process
    /// is seen without it.
    pub memory: &'a (dyn Fn(u64) + Sync),
}

impl<S> fmt::Debug for Job<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("step", &self.step.subject()).field("kind", &self.step.kind).finish_non_exhaustive()
    }
}

/// Why a step's work could not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StepFailure {
    /// What is wrong: expected and found.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The stage that failed, in the toolchain's own words.
    pub stage: Option<String>,
    /// The ONNX node concerned.
    pub node: Option<String>,
    /// The setting that is wrong, where it is one; its place in the card is told with the message.
    pub setting: Option<&'static str>,
    /// How the step's log ended.
    pub log: Option<Box<LogEnd>>,
    /// Whether a disk has no space left, so that other steps can do no better.
    pub no_space: bool,
    /// Whether it is axzoo's own fault.
    pub is_bug: bool,
}

/// A log's last lines, and where all of it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEnd {
    /// The log file.
    pub path: PathBuf,
    /// Its last lines, at most 20.
    pub tail: Vec<String>,
}

impl StepFailure {
    /// A failure with a message and nothing else.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            stage: None,
            node: None,
            setting: None,
            log: None,
            no_space: false,
            is_bug: false,
        }
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The failure as it is told of one step: with the place where its card says the setting that is wrong.
    #[must_use]
    pub fn placed<S: StepSettings>(&self, step: &Step<S>) -> Self {
        let mut failure = self.clone();
        if let Some((file, line)) = self.setting.and_then(|setting| step.settings.origin(setting)) {
            failure.message = format!("{}, at {file}:{line}", self.message);
        }
        failure
    }

    /// A failure that only a mistake in axzoo can cause.
    #[must_use]
    pub fn bug(message: &str) -> Self {
        let failure = Self::new(format!("a bug in axzoo: {message}"));
        Self { is_bug: true, ..failure.hint("please report it, with the card and the log of this step") }
    }
}

impl From<FsError> for StepFailure {
    fn from(error: FsError) -> Self {
        let hint = error.hint().map(str::to_owned);
        Self { hint, no_space: error.is_no_space(), ..Self::new(error.to_string()) }
    }
}

impl From<StoreError> for StepFailure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Fs(error) => error.into(),
            error => Self { hint: error.hint().map(str::to_owned), ..Self::new(error.to_string()) },
        }
    }
}

impl From<Cancelled> for StepFailure {
    fn from(error: Cancelled) -> Self {
        Self::new(error.to_string())
    }
}

/// A step's log: a file, and its last lines.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    tail: Mutex<VecDeque<String>>,
}

impl Log {
    /// Starts the log file anew.
    pub fn create(path: PathBuf) -> Result<Self, FsError> {
        let file = fs::create(&path)?;
        Ok(Self { path, file, tail: Mutex::default() })
    }

    /// The log file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds lines.
    pub fn line(&self, text: &str) {
        for line in text.lines() {
            // A log that cannot be written is no reason to lose the work.
            let _ = fs::write_to(&self.file, &self.path, format!("{line}\n").as_bytes());
            let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
            if tail.len() == TAIL {
                tail.pop_front();
            }
            tail.push_back(line.to_owned());
        }
    }

    /// How it ends, so far.
    #[must_use]
    pub fn end(&self) -> LogEnd {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        LogEnd { path: self.path.clone(), tail }
    }
}
