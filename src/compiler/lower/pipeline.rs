//! `model.json`: the pipeline around the program, for runtimes and for people.

use serde::Serialize;

use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::TensorId;

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
    stages: Vec<Stage>,
}

/// A float tensor that goes in or out.
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
enum Stage {
    /// Float inputs to int8.
    Quantize,
    /// The steps of a program file.
    Program { file: &'static str, constants: &'static str },
    /// Int8 outputs to float.
    Dequantize,
}

impl<'a> Pipeline<'a> {
    pub(super) fn of(
        graph: &'a QuantizedGraph,
        cores: u32,
        resources: f64,
        [manifest, program, constants]: [&'static str; 3],
    ) -> Self {
        let port = |&id: &TensorId| {
            let value = graph.value(id);
            let (scale, zero_point) = (value.encoding.scale, value.encoding.zero_point);
            Port { name: &value.name, shape: &value.shape, scale, zero_point }
        };
        Self {
            format: "axzoo-pipeline",
            version: 1,
            name: &graph.name,
            manifest,
            cores,
            resources,
            inputs: graph.inputs.iter().map(port).collect(),
            outputs: graph.outputs.iter().map(port).collect(),
            stages: vec![Stage::Quantize, Stage::Program { file: program, constants }, Stage::Dequantize],
        }
    }
}
