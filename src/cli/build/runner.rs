//! Who does which step: the toolchain compiles, `pack` packs.

use std::path::Path;

use crate::exec::Job;
use crate::exec::Runner;
use crate::exec::StepFailure;
use crate::pack;
use crate::pack::PackError;
use crate::plan::Settings;
use crate::plan::StepKind;
use crate::plan::StepWork;
use crate::toolchains;
use crate::toolchains::Toolchain;
use crate::toolchains::Work;
use crate::toolchains::WorkError;

/// Does the steps of a build.
pub(super) struct StepRunner<'a> {
    pub(super) toolchain: &'a dyn Toolchain,
    /// Threads that one step may use.
    pub(super) threads: usize,
    /// The zoo's root: messages name files relative to it.
    pub(super) root: &'a Path,
}

/// What enters the key of a kind of step.
pub(in crate::cli) fn identity(toolchain: &dyn Toolchain, kind: StepKind) -> String {
    match kind {
        StepKind::Fetch => toolchains::FETCH_IDENTITY.to_owned(),
        StepKind::Pack | StepKind::Bundle => pack::PACK_IDENTITY.to_owned(),
        StepKind::Clean | StepKind::Quantize | StepKind::Lower => toolchain.identity(kind),
    }
}

impl Runner<StepWork> for StepRunner<'_> {
    fn run(&self, job: &Job<'_, StepWork>) -> Result<(), StepFailure> {
        let settings = &job.step.settings.settings;
        let progress = |phase: &str, done: usize, of: usize| (job.progress)(phase, done as u64, of as u64);
        let work = Work {
            settings,
            inputs: job.inputs,
            output: job.output,
            threads: self.threads,
            cancel: job.cancel,
            log: &|line| job.log.line(line),
            progress: &progress,
            memory: job.memory,
        };
        job.log.line(&format!("{} of {} with {}", job.step.kind, job.step.subject(), job.step.tool));
        let result = match settings {
            Settings::Fetch(_) => toolchains::fetch(&work).map_err(|error| {
                let mut failure = work_failure(&error);
                failure.setting = matches!(error, WorkError::Checksum { .. }).then_some("md5");
                failure
            }),
            Settings::Pack(settings) => {
                pack::pack_model(settings, job.inputs, job.output).map_err(|error| pack_failure(&error))
            }
            Settings::Bundle(settings) => {
                pack::bundle_network(settings, job.inputs, job.output).map_err(|error| pack_failure(&error))
            }
            Settings::Clean(_) | Settings::Quantize(_) | Settings::Lower(_) => {
                self.toolchain.run(&work).map_err(|error| work_failure(&error))
            }
        };
        // Users know files by their names in the zoo.
        let root = format!("{}/", self.root.display());
        let result = result.map_err(|failure| StepFailure { message: failure.message.replace(&root, ""), ..failure });
        if let Err(failure) = &result {
            job.log.line(&failure.placed(job.step).message);
        }
        result
    }
}

fn work_failure(error: &WorkError) -> StepFailure {
    let mut failure = StepFailure::new(error.to_string());
    failure.hint = error.hint();
    failure.no_space = matches!(error, WorkError::File(file) if file.is_no_space());
    if let WorkError::Stage(stage) = error {
        failure.stage = serde_json::to_value(stage.status).ok().and_then(|word| Some(word.as_str()?.to_owned()));
        failure.node.clone_from(&stage.node);
    }
    failure
}

fn pack_failure(error: &PackError) -> StepFailure {
    let mut failure = StepFailure::new(error.to_string());
    if let PackError::File(file) = error {
        failure.hint = file.hint().map(ToOwned::to_owned);
        failure.no_space = file.is_no_space();
    }
    failure
}
