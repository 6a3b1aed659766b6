//! How a compilation ends: `compilation_report.json`.

use std::fmt::Write;

use serde::Serialize;

use crate::base::fs::Action;
use crate::base::fs::FsError;
use crate::cli::failure::hint_of;
use crate::compiler::StageError;
use crate::compiler::Status;
use crate::diag::Diagnostic;
use crate::toolchains::WorkError;

/// `compilation_report.json` (SPEC 8).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Outcome {
    /// The vendor's word.
    pub(super) status: Status,
    /// The stage that failed, in our words; null when none did.
    pub(super) stage: Option<&'static str>,
    /// What was done, or what is wrong.
    pub(super) message: String,
    /// The ONNX node concerned.
    pub(super) node: Option<String>,
    /// What to do.
    pub(super) hint: Option<String>,
    /// The same, one by one and each with its place: for the terminal.
    #[serde(skip)]
    pub(super) problems: Vec<Diagnostic>,
    /// Whether a file of the run could not be written.
    #[serde(skip)]
    pub(super) is_unwritten: bool,
}

/// A problem in a line, with its place.
pub(super) fn in_a_line(problem: &Diagnostic) -> String {
    let place = problem.place.as_ref().filter(|place| !place.source.is_typed());
    let place = place.map_or_else(String::new, |place| {
        let position = place.position();
        format!("{}:{}:{}: ", place.source.name(), position.line, position.column)
    });
    format!("{place}{}", problem.message)
}

/// The stage that a status stands for (`int8-contract.md`, "Which failure ends in which status").
const fn stage(status: Status) -> Option<&'static str> {
    Some(match status {
        Status::Succeeded => return None,
        Status::InitializeCliError => "arguments",
        Status::OnnxGraphCleanerError => "clean",
        Status::QtoolsError | Status::TopLevelQuantizeError => "quantize",
        Status::GraphExporterError => "write the quantized model",
        Status::TvmFrontendError => "read the quantized model",
        Status::LowerFrontendError => "legalize",
        Status::FrontendToMidendError => "tile",
        Status::LowerMidendError => "plan the memory",
        Status::MidendToTirError => "schedule",
        Status::LowerTirError => "emit code",
        Status::TirToRuntimeError => "write the compiled model",
        Status::TopLevelLowerError => "lower",
    })
}

/// The word of a status in files.
pub(super) fn word(status: Status) -> String {
    let word = serde_json::to_value(status).ok();
    word.and_then(|word| Some(word.as_str()?.to_owned())).unwrap_or_default()
}

impl Outcome {
    pub(super) fn failed(status: Status, message: impl Into<String>) -> Self {
        let message = message.into();
        let problems = Vec::new();
        Self { status, stage: stage(status), message, node: None, hint: None, problems, is_unwritten: false }
    }

    pub(super) fn succeeded(message: String) -> Self {
        Self::failed(Status::Succeeded, message)
    }

    pub(super) fn hint(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(Into::into);
        self
    }

    /// Several problems of one file that was given.
    pub(super) fn of_problems(status: Status, problems: Vec<Diagnostic>) -> Self {
        let lines: Vec<String> = problems.iter().map(in_a_line).collect();
        Self { problems, ..Self::failed(status, lines.join("\n")) }
    }

    /// A failed file operation; `writing` is the status of what was being written, `other` of everything else.
    pub(super) fn of_file(error: &FsError, writing: Status, other: Status) -> Self {
        let is_write = matches!(error.action, Action::Write | Action::CreateFolder | Action::Rename | Action::Remove);
        let status = if is_write { writing } else { other };
        Self { is_unwritten: is_write, ..Self::failed(status, error.to_string()).hint(hint_of(error)) }
    }

    /// The same, and what was made could not be put in place either.
    pub(super) fn and_lost(mut self, error: &Self, lost: &[&str]) -> Self {
        if self.message != error.message {
            self.message = format!("{}; then: {}", self.message, error.message);
        }
        let names: Vec<String> = lost.iter().map(|name| format!("`{name}`")).collect();
        if !names.is_empty() {
            let _ =
                write!(self.message, "; so the results of the stages that were done are lost: {}", names.join(", "));
        }
        self
    }

    /// A failed step.
    pub(super) fn of_work(error: WorkError, writing: Status, other: Status) -> Self {
        match error {
            WorkError::Stage(StageError { status, message, node, hint }) => {
                Self { node, ..Self::failed(status, message).hint(hint) }
            }
            WorkError::File(error) => Self::of_file(&error, writing, other),
            error => Self::failed(other, error.to_string()).hint(error.hint()),
        }
    }

    /// Somebody asked to stop.
    pub(super) fn interrupted(status: Status) -> Self {
        let hint = "give the command again; nothing of this run is kept but the report and what earlier stages wrote";
        Self::failed(status, "interrupted").hint(Some(hint))
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_words_in_the_report() {
        let cases = [
            (Status::InitializeCliError, "INITIALIZE_CLI_ERROR", "arguments"),
            (Status::OnnxGraphCleanerError, "ONNX_GRAPH_CLEANER_ERROR", "clean"),
            (Status::QtoolsError, "QTOOLS_ERROR", "quantize"),
            (Status::GraphExporterError, "GRAPH_EXPORTER_ERROR", "write the quantized model"),
            (Status::TvmFrontendError, "TVM_FRONTEND_ERROR", "read the quantized model"),
            (Status::TopLevelQuantizeError, "TOP_LEVEL_QUANTIZE_ERROR", "quantize"),
            (Status::LowerFrontendError, "LOWER_FRONTEND_ERROR", "legalize"),
            (Status::FrontendToMidendError, "FRONTEND_TO_MIDEND_ERROR", "tile"),
            (Status::LowerMidendError, "LOWER_MIDEND_ERROR", "plan the memory"),
            (Status::MidendToTirError, "MIDEND_TO_TIR_ERROR", "schedule"),
            (Status::LowerTirError, "LOWER_TIR_ERROR", "emit code"),
            (Status::TirToRuntimeError, "TIR_TO_RUNTIME_ERROR", "write the compiled model"),
            (Status::TopLevelLowerError, "TOP_LEVEL_LOWER_ERROR", "lower"),
        ];
        for (status, word, stage) in cases {
            let error = StageError::new(status, "too large").node("conv").hint("make it smaller");
            let outcome = Outcome::of_work(error.into(), Status::Succeeded, Status::Succeeded);
            let found: serde_json::Value = serde_json::from_slice(&outcome.to_json()).expect("JSON");
            let expected = serde_json::json!({
                "status": word, "stage": stage, "message": "too large", "node": "conv", "hint": "make it smaller",
            });
            assert_eq!(found, expected);
        }
        let found: serde_json::Value =
            serde_json::from_slice(&Outcome::succeeded("done".to_owned()).to_json()).expect("JSON");
        assert_eq!(found["status"], "SUCCEEDED");
        assert!(found["stage"].is_null() && found["hint"].is_null());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_of_the_stage_that_writes_it() {
        let error = |action| FsError { action, path: "x".into(), source: std::io::Error::other("no") };
        let (writing, other) = (Status::TirToRuntimeError, Status::TopLevelLowerError);
        assert_eq!(Outcome::of_file(&error(Action::Write), writing, other).status, writing);
        assert_eq!(Outcome::of_file(&error(Action::Read), writing, other).status, other);
    }
}
