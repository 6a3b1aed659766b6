//! The stage as a whole.

use serde::Serialize;

use crate::base::Digest;
use crate::base::Share;
use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::lower::Manifest;
use crate::compiler::lower::constants::Pool;
use crate::compiler::lower::pipeline::Pipeline;
use crate::compiler::lower::program::FORMAT;
use crate::compiler::lower::program::ProgramFile;
use crate::compiler::lower::program::VERSION;
use crate::compiler::lower::program::steps;
use crate::compiler::quantize::QuantizedGraph;

pub(super) const MANIFEST: &str = "manifest.json";
const MODEL: &str = "model.json";
const PROGRAM: &str = "program.json";
const CONSTANTS: &str = "pool_l2_const.bin";

/// What lowering is told.
#[derive(Debug, Clone, Copy)]
pub struct LowerOptions {
    /// Cores the model runs on at once: the batch in the manifest's shapes. At least 1.
    pub cores: u32,
    /// The share of the device's memory the model may hold.
    pub resources: Share,
}

/// A lowered model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// File names, relative to one folder, and contents.
    pub files: Vec<(String, Vec<u8>)>,
}

/// A serializable value as indented JSON with a newline at its end.
pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    // Writing to memory fails only for maps whose keys are no strings; there are none.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Writes a quantized graph as manifest, pipeline, program and constants.
pub fn lower(graph: &QuantizedGraph, options: &LowerOptions) -> Result<Compiled, StageError> {
    if options.cores == 0 {
        return Err(StageError::new(Status::LowerFrontendError, "0 cores were asked for, expected at least 1"));
    }
    graph.verify().map_err(|(node, message)| {
        let error = StageError::new(Status::LowerFrontendError, message);
        match node {
            Some(node) => error.node(node),
            None => error,
        }
    })?;
    let mut pool = Pool::default();
    let (buffers, steps) = steps(graph, &mut pool);
    let constants = pool.finish();
    let program = ProgramFile {
        format: FORMAT.to_owned(),
        version: VERSION,
        name: graph.name.clone(),
        constants: CONSTANTS.to_owned(),
        constants_digest: Digest::of(&constants).to_string(),
        buffers,
        steps,
        inputs: graph.inputs.clone(),
        outputs: graph.outputs.clone(),
    };
    let manifest = Manifest::of_program(graph, options.cores as usize, PROGRAM, CONSTANTS);
    let pipeline = Pipeline::of(graph, options.cores, options.resources.decimal(), [MANIFEST, PROGRAM, CONSTANTS]);
    let files =
        [(MANIFEST, manifest.to_json()), (MODEL, json(&pipeline)), (PROGRAM, json(&program)), (CONSTANTS, constants)];
    Ok(Compiled { files: files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect() })
}
