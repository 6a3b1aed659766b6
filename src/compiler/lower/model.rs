//! A compiled model as a whole: the program, and round it what the host runs.

use crate::compiler::error::StageError;
use crate::compiler::graph::Graph;
use crate::compiler::graph::ValueId;
use crate::compiler::lower::HostGraph;
use crate::compiler::lower::Program;
use crate::compiler::lower::agreement::check_host;
use crate::compiler::lower::load::Files;
use crate::compiler::lower::load::failed;
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

fn ports(graph: &Graph, ids: &[ValueId]) -> Vec<ModelPort> {
    let values = ids.iter().map(|&id| graph.value(id));
    values.map(|value| ModelPort { name: value.name.clone(), shape: value.shape.clone(), encoding: None }).collect()
}

impl CompiledModel {
    /// Loads what `manifest.json` names; `files` gives the bytes of a file by its name relative to the manifest.
    pub fn load(files: &dyn Fn(&str) -> Result<Vec<u8>, String>) -> Result<Self, StageError> {
        let files = Files::open(files)?;
        let program = files.program()?;
        let manifest = &files.manifest;
        let host = |name: Option<&String>| -> Result<Option<Graph>, StageError> {
            let Some(name) = name else { return Ok(None) };
            let bytes = files.read(name)?;
            let imported = import(&bytes, &NoExternalData, &ImportOptions::default());
            imported.map(Some).map_err(|error| failed(format!("`{name}`: {error}")))
        };
        let before = host(manifest.preprocess_graph.as_ref())?;
        let after = host(manifest.postprocess_graph.as_ref())?;
        let graph = program.graph();
        let met = |graph: Option<&Graph>, name: &Option<String>| {
            graph.zip(name.as_ref()).map(|(graph, name)| HostGraph::of_graph(name, Vec::new(), graph))
        };
        let sides =
            [met(before.as_ref(), &manifest.preprocess_graph), met(after.as_ref(), &manifest.postprocess_graph)];
        check_host(graph, sides[0].as_ref(), sides[1].as_ref()).map_err(failed)?;
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
        Ok(Self { program, host, inputs, outputs, preprocess: files.pipeline.preprocess })
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
