//! A lowered model from its files alone, executed by the integer reference.

use crate::base::Digest;
use crate::compiler::emit::constants::Constants;
use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::lower::Manifest;
use crate::compiler::lower::program::FORMAT;
use crate::compiler::lower::program::ProgramFile;
use crate::compiler::lower::program::VERSION;
use crate::compiler::lower::program::graph;
use crate::compiler::lower::run::MANIFEST;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::reference::Executor;

/// A lowered model, ready to run.
#[derive(Debug)]
pub struct Program {
    executor: Executor<'static>,
}

pub(super) fn failed(message: String) -> StageError {
    StageError::new(Status::TvmFrontendError, message).hint("build the model again")
}

pub(super) fn parse<'a, T: serde::Deserialize<'a>>(name: &str, bytes: &'a [u8]) -> Result<T, StageError> {
    serde_json::from_slice(bytes).map_err(|error| failed(format!("`{name}` cannot be read: {error}")))
}

/// Loads what `manifest.json` names; `files` gives the bytes of a file by its name relative to the manifest.
pub fn load_program(files: &dyn Fn(&str) -> Result<Vec<u8>, String>) -> Result<Program, StageError> {
    let read = |name: &str| files(name).map_err(|message| failed(format!("`{name}`: {message}")));
    let manifest: Manifest = parse(MANIFEST, &read(MANIFEST)?)?;
    let name = manifest
        .model_lib_file
        .ok_or_else(|| failed("the manifest names no program, so the model is not lowered".to_owned()))?;
    let program: ProgramFile = parse(&name, &read(&name)?)?;
    if program.format != FORMAT || program.version != VERSION {
        let (format, version) = (&program.format, program.version);
        let found = format!("`{name}` has the format `{format}` version {version}");
        return Err(failed(format!("{found}, expected `{FORMAT}` version {VERSION}")));
    }
    let constants = read(&program.constants)?;
    let digest = Digest::of(&constants).to_string();
    if digest != program.constants_digest {
        let (file, expected) = (&program.constants, &program.constants_digest);
        return Err(failed(format!("`{file}` has the digest {digest}, the program expects {expected}")));
    }
    let graph = graph(program, Constants(&constants)).map_err(|message| failed(format!("`{name}`: {message}")))?;
    let executor = Executor::owning(graph).map_err(|error| failed(format!("`{name}`: {error}")))?;
    Ok(Program { executor })
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
