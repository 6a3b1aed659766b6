//! A lowered model from its files alone, executed by the integer reference.

use serde::Deserialize;

use crate::base::Digest;
use crate::compiler::emit::constants::Constants;
use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::lower::Manifest;
use crate::compiler::lower::agreement::told;
use crate::compiler::lower::program::FORMAT;
use crate::compiler::lower::program::ProgramFile;
use crate::compiler::lower::program::VERSION;
use crate::compiler::lower::program::graph;
use crate::compiler::lower::run::MANIFEST;
use crate::compiler::lower::run::MODEL;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::reference::Executor;
use crate::imaging::Preprocess;

/// A lowered model, ready to run.
#[derive(Debug)]
pub struct Program {
    executor: Executor<'static>,
}

pub(super) fn failed(message: String) -> StageError {
    StageError::new(Status::TvmFrontendError, message).hint("compile the model again")
}

pub(super) fn parse<'a, T: serde::Deserialize<'a>>(name: &str, bytes: &'a [u8]) -> Result<T, StageError> {
    serde_json::from_slice(bytes).map_err(|error| failed(format!("`{name}` cannot be read: {error}")))
}

/// The manifest of a compiled model, and what lies beside it as it was when the model was compiled.
pub(super) struct Files<'a> {
    pub(super) manifest: Manifest,
    /// What `model.json` says.
    pub(super) pipeline: PipelineFile,
    program: String,
    constants: String,
    source: &'a dyn Fn(&str) -> Result<Vec<u8>, String>,
}

/// What is read of `model.json`.
#[derive(Deserialize)]
pub(super) struct PipelineFile {
    cores: usize,
    pub(super) preprocess: Option<Preprocess>,
}

impl<'a> Files<'a> {
    /// Reads the manifest; `files` gives the bytes of a file by its name relative to it.
    pub(super) fn open(files: &'a dyn Fn(&str) -> Result<Vec<u8>, String>) -> Result<Self, StageError> {
        let bytes = files(MANIFEST).map_err(|message| failed(format!("`{MANIFEST}`: {message}")))?;
        let manifest: Manifest = parse(MANIFEST, &bytes)?;
        let (Some(program), Some(constants)) = (manifest.model_lib_file.clone(), manifest.model_params_file.clone())
        else {
            let message = format!("`{MANIFEST}` names no program and no constants, so the model is not lowered");
            return Err(failed(message));
        };
        if manifest.digests.is_empty() {
            let message =
                format!("`{MANIFEST}` has no `digests`: they were removed, or the model is of an older version");
            return Err(failed(message));
        }
        let host = [&manifest.preprocess_graph, &manifest.postprocess_graph].into_iter().flatten();
        let needed: Vec<&str> = [MODEL, &program, &constants].into_iter().chain(host.map(String::as_str)).collect();
        let gaps = manifest.digest_gaps(&needed, &[]);
        if !gaps.is_empty() {
            return Err(failed(told(MANIFEST, &gaps)));
        }
        let pipeline = parse(MODEL, &read(&manifest, files, MODEL)?)?;
        Ok(Self { manifest, pipeline, program, constants, source: files })
    }

    /// A file that the manifest names.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, StageError> {
        read(&self.manifest, self.source, name)
    }

    /// The program, ready to run.
    pub(super) fn program(&self) -> Result<Program, StageError> {
        let name = &self.program;
        let program: ProgramFile = parse(name, &self.read(name)?)?;
        if program.format != FORMAT || program.version != VERSION {
            let (format, version) = (&program.format, program.version);
            let found = format!("`{name}` has the format `{format}` version {version}");
            return Err(failed(format!("{found}, expected `{FORMAT}` version {VERSION}")));
        }
        let constants = self.read(&self.constants)?;
        let digest = Digest::of(&constants).to_string();
        if self.constants != program.constants || digest != program.constants_digest {
            let (file, expected) = (&program.constants, &program.constants_digest);
            let found = format!("found `{}` with {digest}", self.constants);
            return Err(failed(format!("`{name}` expects `{file}` with the digest {expected}, {found}")));
        }
        let graph = graph(program, Constants(&constants)).map_err(|message| failed(format!("`{name}`: {message}")))?;
        let executor = Executor::owning(graph).map_err(|error| failed(format!("`{name}`: {error}")))?;
        let (before, after) = (self.manifest.preprocess_graph.as_deref(), self.manifest.postprocess_graph.as_deref());
        let expected = Manifest::of_program(executor.graph(), self.pipeline.cores, name, &self.constants);
        let differences = self.manifest.differences(&expected.with_host(before, after));
        if !differences.is_empty() {
            return Err(failed(told(MANIFEST, &differences)));
        }
        Ok(Program { executor })
    }
}

fn read(
    manifest: &Manifest,
    files: &dyn Fn(&str) -> Result<Vec<u8>, String>,
    name: &str,
) -> Result<Vec<u8>, StageError> {
    let bytes = files(name).map_err(|message| failed(format!("`{name}`: {message}")))?;
    manifest.check_digest(name, &bytes).map_err(failed)?;
    Ok(bytes)
}

/// Loads what `manifest.json` names; `files` gives the bytes of a file by its name relative to the manifest. A file that is not
/// what it was when the model was compiled is refused, and so is a manifest that the program does not bear out.
pub fn load_program(files: &dyn Fn(&str) -> Result<Vec<u8>, String>) -> Result<Program, StageError> {
    Files::open(files)?.program()
}

impl Program {
    /// Float inputs in the network's own shapes, float outputs.
    pub fn run(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>, StageError> {
        self.executor.run(inputs)
    }

    /// What the files stand for.
    #[must_use]
    pub fn graph(&self) -> &QuantizedGraph {
        self.executor.graph()
    }
}
