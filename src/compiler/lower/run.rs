//! The stage as a whole.

use serde::Serialize;

use crate::base::CancelToken;
use crate::base::Digest;
use crate::base::stage_fails;
use crate::compiler::emit::constants::Pool;
use crate::compiler::emit::emit;
use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::graph::Graph;
use crate::compiler::graph::ValueId;
use crate::compiler::lower::LowerOptions;
use crate::compiler::lower::Manifest;
use crate::compiler::lower::options::Prepared;
use crate::compiler::lower::pipeline::Code;
use crate::compiler::lower::pipeline::Pipeline;
use crate::compiler::lower::program::FORMAT;
use crate::compiler::lower::program::ProgramFile;
use crate::compiler::lower::program::VERSION;
use crate::compiler::lower::program::steps;
use crate::compiler::onnx::ImportOptions;
use crate::compiler::onnx::NoExternalData;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::schedule;
use crate::compiler::schedule::IgnoredProperty;
use crate::imaging::Preprocess;

pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const MODEL: &str = "model.json";
const PROGRAM: &str = "program.json";
const CODE: &str = "kernel_function.c";
const CONSTANTS: &str = "pool_l2_const.bin";
const PLAN: &str = "memory_plan.json";
const REPORT: &str = "report.json";

/// A lowered model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// File names, relative to one folder, and contents.
    pub files: Vec<(String, Vec<u8>)>,
    /// What was set and has no effect, on any model or on this one; the report has it too.
    pub ignored: Vec<IgnoredProperty>,
}

/// A serializable value as indented JSON with a newline at its end.
pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    // Writing to memory fails only for maps whose keys are no strings; there are none.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// A graph that the host runs before or after the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostGraph {
    /// The file's name, beside the manifest.
    pub file: String,
    /// The file: ONNX.
    pub bytes: Vec<u8>,
    /// Names and shapes of what it reads, in order.
    pub inputs: Vec<(String, Vec<usize>)>,
    /// Names and shapes of what it makes, in order.
    pub outputs: Vec<(String, Vec<usize>)>,
}

impl HostGraph {
    /// What a file that a cut wrote says of itself.
    pub fn of(file: &str, bytes: Vec<u8>) -> Result<Self, StageError> {
        let graph = crate::compiler::onnx::import(&bytes, &NoExternalData, &ImportOptions::default())?;
        Ok(Self::of_graph(file, bytes, &graph))
    }

    /// The same of a file that was read already.
    pub(super) fn of_graph(file: &str, bytes: Vec<u8>, graph: &Graph) -> Self {
        let ports = |ids: &[ValueId]| {
            let values = ids.iter().map(|&id| graph.value(id));
            values.map(|value| (value.name.clone(), value.shape.clone())).collect()
        };
        Self { file: file.to_owned(), inputs: ports(&graph.inputs), outputs: ports(&graph.outputs), bytes }
    }
}

/// What the host does round the program.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostGraphs {
    /// Before it.
    pub before: Option<HostGraph>,
    /// After it.
    pub after: Option<HostGraph>,
    /// How an image becomes the network's input, where that is known.
    pub preprocess: Option<Preprocess>,
}

/// Legalizes a quantized graph, plans its memory and writes it as manifest, pipeline, program and constants, with the plan and
/// the report of the estimate.
pub fn lower(graph: &QuantizedGraph, options: &LowerOptions) -> Result<Compiled, StageError> {
    lower_with_host(graph, &HostGraphs::default(), options, &CancelToken::new())
}

/// As [`lower`], for a core between graphs that the host runs: these are written beside it, and named. It ends within moments once
/// somebody asks for it.
pub fn lower_with_host(
    graph: &QuantizedGraph,
    host: &HostGraphs,
    options: &LowerOptions,
    cancel: &CancelToken,
) -> Result<Compiled, StageError> {
    let budget = &options.memory.budget;
    if budget.cores == 0 {
        return Err(StageError::new(Status::LowerFrontendError, "0 cores were asked for, expected at least 1"));
    }
    graph.verify().map_err(|(node, message)| {
        let error = StageError::new(Status::LowerFrontendError, message);
        match node {
            Some(node) => error.node(node),
            None => error,
        }
    })?;
    let fault = |stage: &str, status: Status| {
        if stage_fails(stage) { Err(StageError::new(status, "it fails on purpose")) } else { Ok(()) }
    };
    fault("legalize", Status::LowerFrontendError)?;
    let prepared = Prepared::of(graph, options, cancel)?;
    fault("schedule", Status::MidendToTirError)?;
    let mut ignored = options.ignored.clone();
    ignored.extend(prepared.without_effect(graph, options, cancel));
    StageError::if_stopped(cancel)?;
    let Prepared { simplified, device, plan, estimate } = prepared;
    let applied: Vec<(String, usize)> = simplified.applied.into_iter().chain(device.applied).collect();
    let graph = &simplified.graph;
    let mut pool = Pool::default();
    let code = emit(graph, &mut pool, cancel)?;
    let (buffers, steps) = steps(graph, &code, &mut pool);
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
    let resources = budget.resources.decimal();
    let function = Code { file: CODE, function: &code.workspace.function, workspace_bytes: code.workspace.bytes };
    let names = ([MANIFEST, PROGRAM, CONSTANTS], function);
    let pipeline = Pipeline::of(graph, host, budget.cores, resources, names);
    let (pipeline, program) = (json(&pipeline), json(&program));
    let around = [&host.before, &host.after].map(|it| it.as_ref().map(|it| it.file.as_str()));
    let read = [(MODEL, &pipeline), (PROGRAM, &program), (CONSTANTS, &constants)].into_iter();
    let read = read.chain([&host.before, &host.after].into_iter().flatten().map(|it| (it.file.as_str(), &it.bytes)));
    let manifest = Manifest::of_program(graph, budget.cores as usize, PROGRAM, CONSTANTS)
        .with_host(around[0], around[1])
        .with_digests(read.map(|(name, bytes)| (name, bytes.as_slice())));
    let files = [
        (MANIFEST, manifest.to_json()),
        (MODEL, pipeline),
        (PROGRAM, program),
        (CODE, code.source.into_bytes()),
        (CONSTANTS, constants),
        (PLAN, plan.to_json(&device.graph, &code.workspace)),
        (REPORT, schedule::report(&device.graph, &applied, &plan, &estimate, &ignored)),
    ];
    let host = [&host.before, &host.after].into_iter().flatten().map(|it| (it.file.clone(), it.bytes.clone()));
    let files = files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).chain(host);
    Ok(Compiled { files: files.collect(), ignored })
}
