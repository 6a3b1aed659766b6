//! How a stage of the compiler fails: with a status of the vendor's list, the node, and what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// A failure with a message and nothing else.
    #[must_use]
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), node: None, hint: None }
    }

    /// Names the node concerned.
    #[must_use]
    pub fn node(mut self, node: impl Into<String>) -> Self {
        self.node = Some(node.into());
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
