//! The default toolchain: the embedded compiler, in process. It needs no SDK.

mod clean;
mod lower;
mod quantize;
mod samples;
#[cfg(test)]
mod tests;

use crate::plan::Settings;
use crate::plan::StepKind;
use crate::toolchains::{Toolchain, Work, WorkError};

/// Versions of the steps, bumped by hand whenever a step writes other bytes for the same inputs; a test fails when
/// the outputs of fixtures change without a bump.
const VERSIONS: [(StepKind, u32); 3] = [(StepKind::Clean, 2), (StepKind::Quantize, 9), (StepKind::Lower, 6)];

/// The embedded compiler as a toolchain.
#[derive(Debug, Clone, Copy, Default)]
pub struct Host;

impl Toolchain for Host {
    fn identity(&self, step: StepKind) -> String {
        let version = VERSIONS.iter().find(|(kind, _)| *kind == step).map_or(1, |(_, version)| *version);
        format!("host/{}/{version}", step.word())
    }

    fn run(&self, work: &Work<'_>) -> Result<(), WorkError> {
        match work.settings {
            Settings::Clean(settings) => clean::clean(work, settings),
            Settings::Quantize(settings) => quantize::quantize(work, settings),
            Settings::Lower(settings) => lower::lower(work, settings),
            Settings::Fetch(_) | Settings::Pack(_) | Settings::Bundle(_) => Err(WorkError::WrongStep),
        }
    }
}
