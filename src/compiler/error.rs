//! How a stage of the compiler fails: with a status of the vendor's list, the node, and what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::CancelToken;

/// Where a compilation stopped; the words are those of `compilation_report.json` (`axcompile-cli.md`, "Compilation
/// status codes").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Everything was done.
    Succeeded,
    /// Arguments, missing files, configuration, image folder, unreadable manifest.
    InitializeCliError,
    /// ONNX parsing, import, shapes, cleaning, split.
    OnnxGraphCleanerError,
    /// Images, transform, calibration, quantization.
    QtoolsError,
    /// Writing the quantized graph.
    GraphExporterError,
    /// Reading a quantized graph back.
    TvmFrontendError,
    /// Anything else while quantizing.
    TopLevelQuantizeError,
    /// Operator validation, legalization.
    LowerFrontendError,
    /// Tiling.
    FrontendToMidendError,
    /// Memory plan.
    LowerMidendError,
    /// Schedule.
    MidendToTirError,
    /// C emission.
    LowerTirError,
    /// Manifests and constants.
    TirToRuntimeError,
    /// Anything else while lowering.
    TopLevelLowerError,
}

/// Bytes of a message and of a name: a file may have names and lists of any length.
const MESSAGE_LIMIT: usize = 4000;
const NAME_LIMIT: usize = 200;

/// A text of a file as messages show it: of a very long one the start, and how long it is.
#[must_use]
pub(crate) fn shortened(text: String) -> String {
    limited(text, NAME_LIMIT)
}

fn limited(text: String, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    let start: String = text.char_indices().take_while(|(place, _)| *place < limit).map(|(_, letter)| letter).collect();
    format!("{start}… ({} bytes)", text.len())
}

/// A failure of one stage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct StageError {
    /// The vendor's status for it.
    pub status: Status,
    /// What is wrong: expected and found.
    pub message: String,
    /// The ONNX node concerned, where there is one.
    pub node: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl StageError {
    /// A failure with a message and nothing else; of a message beyond all measure the start.
    #[must_use]
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: limited(message.into(), MESSAGE_LIMIT), node: None, hint: None }
    }

    /// Fails once somebody asks lowering to stop.
    pub(crate) fn if_stopped(cancel: &CancelToken) -> Result<(), Self> {
        cancel.check().map_err(|cancelled| Self::new(Status::TopLevelLowerError, cancelled.to_string()))
    }

    /// Names the node concerned.
    #[must_use]
    pub fn node(mut self, node: impl Into<String>) -> Self {
        self.node = Some(shortened(node.into()));
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for StageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Some(node) => write!(f, "node `{node}`: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
