//! What does the work of a step. A toolchain gets plain data and paths and writes files; it knows no plan and no store, so
//! a step can be handed to another machine (design invariant 5).

mod fetch;
mod host;
mod prequantized;
mod process;
mod scripted;
pub mod transform;

use std::path::{Path, PathBuf};

use crate::base::CancelToken;
use crate::base::fs::FsError;
use crate::compiler::StageError;
use crate::plan::Settings;
use crate::plan::StepKind;

pub use fetch::{FETCH_IDENTITY, fetch};
pub use host::Host;
pub use process::{ToolError, kill_tools};
pub use scripted::Scripted;

/// One step's work.
pub struct Work<'a> {
    /// Exactly what the step reads besides its inputs.
    pub settings: &'a Settings,
    /// Role → readable file.
    pub inputs: &'a [(String, PathBuf)],
    /// An empty folder that takes the outputs.
    pub output: &'a Path,
    /// Threads that the step may use.
    pub threads: usize,
    /// A request to stop.
    pub cancel: &'a CancelToken,
    /// Called with each line for the step's log.
    pub log: &'a (dyn Fn(&str) + Sync),
    /// Called with phase, done and of.
    pub progress: &'a (dyn Fn(&str, usize, usize) + Sync),
    /// Called with the bytes of memory that programs which do the work held at most so far; never for work in process.
    pub memory: &'a (dyn Fn(u64) + Sync),
}

impl Work<'_> {
    /// The file of a role.
    pub fn input(&self, role: &str) -> Result<&Path, WorkError> {
        let found = self.inputs.iter().find(|(name, _)| name == role);
        found.map(|(_, path)| path.as_path()).ok_or_else(|| WorkError::MissingInput { role: role.to_owned() })
    }

    /// The file of a role that may be absent.
    #[must_use]
    pub fn optional_input(&self, role: &str) -> Option<&Path> {
        self.inputs.iter().find(|(name, _)| name == role).map(|(_, path)| path.as_path())
    }

    /// The files whose role starts with `prefix`, in the order of the roles; with the rest of each role.
    #[must_use]
    pub fn inputs_under(&self, prefix: &str) -> Vec<(&str, &Path)> {
        let below = self.inputs.iter().filter_map(|(role, path)| Some((role.strip_prefix(prefix)?, path.as_path())));
        below.collect()
    }
}

/// A toolchain.
pub trait Toolchain: Sync {
    /// What enters the key of a step: name, version, and for an external tool the digest of its executable.
    fn identity(&self, step: StepKind) -> String;

    /// Does the work of a clean, quantize or lower step.
    fn run(&self, work: &Work<'_>) -> Result<(), WorkError>;
}

/// How the work of a step fails.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// A declared input was not handed over: a mistake of ours.
    #[error("the step was given no `{role}`; this is a bug in axzoo")]
    MissingInput {
        /// The role.
        role: String,
    },
    /// The step is not one that this toolchain does: a mistake of ours.
    #[error("the step is not one of this toolchain; this is a bug in axzoo")]
    WrongStep,
    /// A file is not the one that the card means.
    #[error("the weights have md5 `{found}`, the card says `{expected}`")]
    Checksum {
        /// Of the card.
        expected: String,
        /// Of the file.
        found: String,
    },
    /// A stage of the compiler failed.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The quantized model is worse than the card allows.
    #[error("{what} is {found}, under the card's floor of {floor} (`extra_kwargs.axzoo.{key}`)")]
    UnderFloor {
        /// Which measure of which output.
        what: String,
        /// What was measured.
        found: String,
        /// What the card demands.
        floor: String,
        /// The card's key.
        key: &'static str,
        /// The worst layers, where that was measured.
        worst: String,
    },
    /// An external tool did not do its work.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FsError),
}

impl WorkError {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Checksum { .. } => {
                Some("put the right file in place, or write the new `weight_md5` into the card".to_owned())
            }
            Self::Stage(error) => error.hint.clone(),
            Self::UnderFloor { worst, .. } => {
                let worst = if worst.is_empty() { String::new() } else { format!("; the worst layers: {worst}") };
                Some(format!("more or better calibration images help most{worst}"))
            }
            Self::Tool(error) => error.hint(),
            Self::File(error) => error.hint().map(ToOwned::to_owned),
            Self::MissingInput { .. } | Self::WrongStep => None,
        }
    }
}
