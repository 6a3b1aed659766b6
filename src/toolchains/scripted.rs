//! A toolchain for tests and benchmarks: clean, quantize and lower are commands of the zoo's `axzoo.toml`. It drives external
//! programs as any other toolchain of that kind has to: judged by how they end *and* by what they wrote.
//!
//! ```toml
//! [toolchain]
//! use = "scripted"
//! [scripted]
//! clean = 'cp "$AXZOO_INPUT_MODEL_MODEL_ONNX" model.onnx'
//! quantize = 'echo "{}" > quantized_model.json'
//! lower = 'echo "{}" > manifest.json; echo "{}" > model.json'
//! ```
//!
//! A command runs in `/bin/sh`, in the empty folder that takes the outputs. It gets `AXZOO_INPUT_…` for each input, the role
//! in capitals with `_` for all other characters; `AXZOO_SETTINGS`, a JSON object of what the step reads, text by name; and of
//! the environment `PATH` and `HOME`. The command is part of the step's key.

use std::collections::BTreeMap;
use std::process::Command;

use serde::de::IgnoredAny;

use super::process;
use super::{ToolError, Toolchain, Work, WorkError};
use crate::base::fs;
use crate::plan::Settings;
use crate::plan::StepKind;

/// Version of how commands are called; part of every key.
const VERSION: u32 = 1;

/// Commands as a toolchain.
#[derive(Debug, Clone, Default)]
pub struct Scripted {
    /// The command of each kind of step.
    pub commands: BTreeMap<StepKind, String>,
    /// How often a command that failed is run again.
    pub retries: u32,
    /// The variables that commands see: `PATH` and `HOME`.
    pub environment: Vec<(String, String)>,
}

impl Toolchain for Scripted {
    fn identity(&self, step: StepKind) -> String {
        format!("scripted/{step}/{VERSION} {}", self.commands.get(&step).map_or("", String::as_str))
    }

    fn run(&self, work: &Work<'_>) -> Result<(), WorkError> {
        let kind = match work.settings {
            Settings::Clean(_) => StepKind::Clean,
            Settings::Quantize(_) => StepKind::Quantize,
            Settings::Lower(_) => StepKind::Lower,
            Settings::Fetch(_) | Settings::Pack(_) | Settings::Bundle(_) => return Err(WorkError::WrongStep),
        };
        let script = self.commands.get(&kind).ok_or(ToolError::NoCommand(kind.word()))?;
        let mut attempt = 0;
        loop {
            let result = self.attempt(script, work).and_then(|()| validate(kind, work));
            match result {
                Err(WorkError::Tool(error)) if attempt < self.retries && !work.cancel.is_cancelled() => {
                    attempt += 1;
                    (work.log)(&format!("{error}; once more, {attempt} of {}", self.retries));
                    fs::remove_folder(work.output)?;
                    fs::create_folders(work.output)?;
                }
                result => return result,
            }
        }
    }
}

impl Scripted {
    fn attempt(&self, script: &str, work: &Work<'_>) -> Result<(), WorkError> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script).current_dir(work.output).env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let settings = serde_json::to_string(&work.settings.flat()).unwrap_or_default();
        command.env("AXZOO_SETTINGS", settings);
        for (role, path) in work.inputs {
            command.env(variable(role), path);
        }
        Ok(process::run(command, work.cancel, &process::Ears { line: work.log, memory: work.memory })?)
    }
}

/// `AXZOO_INPUT_MODEL_MODEL_ONNX` for the role `model/model.onnx`.
fn variable(role: &str) -> String {
    let sign = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("AXZOO_INPUT_{}", role.chars().map(sign).collect::<String>())
}

/// What later steps read must be there, and be what its name says.
fn validate(kind: StepKind, work: &Work<'_>) -> Result<(), WorkError> {
    let names: &[&'static str] = match kind {
        StepKind::Clean => &["model.onnx"],
        StepKind::Quantize => &["quantized_model.json"],
        StepKind::Lower => &["manifest.json", "model.json"],
        StepKind::Fetch | StepKind::Pack | StepKind::Bundle => &[],
    };
    for &name in names {
        let path = work.output.join(name);
        let stat = fs::stat(&path).ok_or(ToolError::Missing(name))?;
        let wrong = |problem: String| ToolError::Wrong { name, problem };
        if stat.size == 0 {
            return Err(wrong("is empty".to_owned()).into());
        }
        if path.extension().is_some_and(|extension| extension == "json") {
            let parsed = serde_json::from_slice::<IgnoredAny>(&fs::read(&path)?);
            parsed.map_err(|error| wrong(format!("is no JSON: {error}")))?;
        }
    }
    Ok(())
}
