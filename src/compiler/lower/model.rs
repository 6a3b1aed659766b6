//! A compiled model as a whole: the program, and round it what the host runs.

use serde::Deserialize;

use crate::compiler::error::StageError;
use crate::compiler::graph::Graph;
use crate::compiler::graph::ValueId;
use crate::compiler::lower::Manifest;
use crate::compiler::lower::Program;
use crate::compiler::lower::load::failed;
use crate::compiler::lower::load::parse;
use crate::compiler::lower::load_program;
use crate::compiler::lower::run::MANIFEST;
use crate::compiler::lower::run::MODEL;
use crate::compiler::onnx::ImportOptions;
use crate::compiler::onnx::NoExternalData;
use crate::compiler::onnx::import;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::contract::Encoding;
use crate::compiler::split::HostParts;
use crate::imaging::Preprocess;

/// A tensor that goes into a compiled model or comes out of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelPort {
    /// Its name in the network.
    pub name: String,
    /// Dimensions, in the network's order.
    pub shape: Vec<usize>,
    /// How the program encodes it; none where the host stands between.
    pub encoding: Option<Encoding>,
}

/// A compiled model, ready to run: the integer reference between the host's graphs.
pub struct CompiledModel {
    program: Program,
    host: HostParts,
    inputs: Vec<ModelPort>,
    outputs: Vec<ModelPort>,
    preprocess: Option<Preprocess>,
}

/// What is read of `model.json`.
#[derive(Default, Deserialize)]
struct Prepared {
    preprocess: Option<Preprocess>,
}

fn ports(graph: &Graph, ids: &[ValueId]) -> Vec<ModelPort> {
    let values = ids.iter().map(|&id| graph.value(id));
    values.map(|value| ModelPort { name: value.name.clone(), shape: value.shape.clone(), encoding: None }).collect()
}

impl CompiledModel {
    /// Loads what `manifest.json` names; `files` gives the bytes of a file by its name relative to the manifest.
    pub fn load(files: &dyn Fn(&str) -> Result<Vec<u8>, String>) -> Result<Self, StageError> {
        let program = load_program(files)?;
        let read = |name: &str| files(name).map_err(|message| failed(format!("`{name}`: {message}")));
        let manifest: Manifest = parse(MANIFEST, &read(MANIFEST)?)?;
        let host = |name: Option<&String>| -> Result<Option<Graph>, StageError> {
            let Some(name) = name else { return Ok(None) };
            import(&read(name)?, &NoExternalData, &ImportOptions::default()).map(Some)
        };
        let before = host(manifest.preprocess_graph.as_ref())?;
        let after = host(manifest.postprocess_graph.as_ref())?;
        let graph = program.graph();
        let core = |ids: &[TensorId]| -> Vec<ModelPort> {
            let values = ids.iter().map(|&id| graph.value(id));
            let port = |value: &crate::compiler::quantize::QuantizedValue| ModelPort {
                name: value.name.clone(),
                shape: value.shape.clone(),
                encoding: Some(value.encoding),
            };
            values.map(port).collect()
        };
        let (core_inputs, core_outputs) = (core(&graph.inputs), core(&graph.outputs));
        let mut inputs = before.as_ref().map_or_else(|| core_inputs.clone(), |graph| ports(graph, &graph.inputs));
        let outputs = after.as_ref().map_or_else(|| core_outputs.clone(), |graph| ports(graph, &graph.outputs));
        let names = |ports: &[ModelPort]| ports.iter().map(|port| port.name.clone()).collect::<Vec<_>>();
        let mut made = names(&core_outputs);
        made.extend(before.iter().flat_map(|graph| names(&ports(graph, &graph.outputs))));
        // What the postamble reads from before the core and the preamble does not make, the network is given.
        for port in after.iter().flat_map(|graph| ports(graph, &graph.inputs)) {
            if !made.contains(&port.name) && !inputs.iter().any(|known| known.name == port.name) {
                inputs.push(port);
            }
        }
        let host =
            HostParts::round(before.as_ref(), after.as_ref(), names(&inputs), core_inputs.len(), names(&core_outputs))?;
        // Older models, and those of other makers, have no such file, or say nothing of it.
        let prepared: Prepared = match files(MODEL) {
            Ok(bytes) => parse(MODEL, &bytes)?,
            Err(_) => Prepared::default(),
        };
        Ok(Self { program, host, inputs, outputs, preprocess: prepared.preprocess })
    }

    /// How an image becomes the input, where that is known.
    #[must_use]
    pub const fn preprocess(&self) -> Option<&Preprocess> {
        self.preprocess.as_ref()
    }

    /// What it takes, in order.
    #[must_use]
    pub fn inputs(&self) -> &[ModelPort] {
        &self.inputs
    }

    /// What it gives, in order.
    #[must_use]
    pub fn outputs(&self) -> &[ModelPort] {
        &self.outputs
    }

    /// One run: as many elements an input as its shape has.
    pub fn run(&self, inputs: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, StageError> {
        self.host.run(inputs, &|core: &[Vec<f32>]| {
            let inputs: Vec<&[f32]> = core.iter().map(Vec::as_slice).collect();
            self.program.run(&inputs)
        })
    }
}
