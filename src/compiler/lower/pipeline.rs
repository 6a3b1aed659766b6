//! `model.json`: the pipeline around the program, for runtimes and for people.

use serde::Serialize;

use crate::compiler::lower::HostGraph;
use crate::compiler::lower::HostGraphs;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::TensorId;
use crate::imaging::Preprocess;

/// The whole file.
#[derive(Debug, Serialize)]
pub(super) struct Pipeline<'a> {
    format: &'static str,
    version: u32,
    name: &'a str,
    manifest: &'static str,
    cores: u32,
    resources: f64,
    inputs: Vec<Port<'a>>,
    outputs: Vec<Port<'a>>,
    /// What the whole pipeline takes, where the host runs a graph at an end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    network_inputs: Vec<HostPort<'a>>,
    /// What the whole pipeline gives, where the host runs a graph at an end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    network_outputs: Vec<HostPort<'a>>,
    /// How an image becomes the input, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    preprocess: Option<&'a Preprocess>,
    stages: Vec<Stage<'a>>,
}

/// A float tensor before or behind the host's graphs.
#[derive(Debug, Clone, Serialize, PartialEq)]
struct HostPort<'a> {
    name: &'a str,
    shape: &'a [usize],
}

/// A float tensor that goes into the program or comes out of it.
#[derive(Debug, Serialize)]
struct Port<'a> {
    name: &'a str,
    shape: &'a [usize],
    scale: f32,
    zero_point: i8,
}

/// One stage of an inference.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Stage<'a> {
    /// A float graph that the host runs; tensors have the same names in all stages.
    HostGraph { file: &'a str, inputs: Vec<&'a str>, outputs: Vec<&'a str> },
    /// Float inputs to int8.
    Quantize,
    /// The steps of a program file; the same as C code.
    Program { file: &'static str, constants: &'static str, code: Code<'a> },
    /// Int8 outputs to float.
    Dequantize,
}

/// The program as a C function.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Code<'a> {
    pub(super) file: &'static str,
    /// What the function is called.
    pub(super) function: &'a str,
    /// Bytes of memory that it works in.
    pub(super) workspace_bytes: usize,
}

fn ports(ports: &[(String, Vec<usize>)]) -> Vec<HostPort<'_>> {
    ports.iter().map(|(name, shape)| HostPort { name, shape }).collect()
}

impl<'a> Pipeline<'a> {
    pub(super) fn of(
        graph: &'a QuantizedGraph,
        host: &'a HostGraphs,
        cores: u32,
        resources: f64,
        ([manifest, program, constants], code): ([&'static str; 3], Code<'a>),
    ) -> Self {
        let port = |&id: &TensorId| {
            let value = graph.value(id);
            let (scale, zero_point) = (value.encoding.scale, value.encoding.zero_point);
            Port { name: &value.name, shape: &value.shape, scale, zero_point }
        };
        let (mut network_inputs, mut network_outputs) = (Vec::new(), Vec::new());
        if host.before.is_some() || host.after.is_some() {
            let core = |ids: &'a [TensorId]| -> Vec<HostPort<'a>> {
                let values = ids.iter().map(|&id| graph.value(id));
                values.map(|value| HostPort { name: &value.name, shape: &value.shape }).collect()
            };
            network_inputs = host.before.as_ref().map_or_else(|| core(&graph.inputs), |it| ports(&it.inputs));
            network_outputs = host.after.as_ref().map_or_else(|| core(&graph.outputs), |it| ports(&it.outputs));
            // What the postamble reads from before the core and the preamble does not make, the network is given.
            let made = host.before.as_ref().map(|it| ports(&it.outputs)).unwrap_or_default();
            let made: Vec<HostPort<'a>> = made.into_iter().chain(core(&graph.outputs)).collect();
            for port in host.after.as_ref().map(|it| ports(&it.inputs)).unwrap_or_default() {
                if !made.contains(&port) && !network_inputs.contains(&port) {
                    network_inputs.push(port);
                }
            }
        }
        let stage = |it: &'a HostGraph| {
            let names = |ports: &'a [(String, Vec<usize>)]| ports.iter().map(|(name, _)| name.as_str()).collect();
            Stage::HostGraph { file: &it.file, inputs: names(&it.inputs), outputs: names(&it.outputs) }
        };
        let mut stages: Vec<Stage<'a>> = host.before.iter().map(stage).collect();
        stages.extend([Stage::Quantize, Stage::Program { file: program, constants, code }, Stage::Dequantize]);
        stages.extend(host.after.iter().map(stage));
        Self {
            format: "axzoo-pipeline",
            version: 1,
            name: &graph.name,
            manifest,
            cores,
            resources,
            inputs: graph.inputs.iter().map(port).collect(),
            outputs: graph.outputs.iter().map(port).collect(),
            network_inputs,
            network_outputs,
            preprocess: host.preprocess.as_ref(),
            stages,
        }
    }
}
