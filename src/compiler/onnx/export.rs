//! From a graph to the bytes of a standard ONNX file (opset 17, IR version 8). The same graph gives the same bytes.

use std::collections::BTreeSet;

use prost::Message;

use crate::compiler::graph::Data;
use crate::compiler::graph::DataType;
use crate::compiler::graph::Graph;
use crate::compiler::graph::Value;
use crate::compiler::onnx::Names;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::onnx::proto::GraphProto;
use crate::compiler::onnx::proto::ModelProto;
use crate::compiler::onnx::proto::NodeProto;
use crate::compiler::onnx::proto::OperatorSetIdProto;
use crate::compiler::onnx::proto::TensorProto;
use crate::compiler::onnx::proto::ValueInfoProto;
use crate::compiler::onnx::proto::data_type;

/// The opset written.
const OPSET: i64 = 17;

/// The file format's version that belongs to it.
const IR_VERSION: i64 = 8;

/// A node as its family writes it.
#[derive(Debug, Clone)]
pub struct ExportedNode<'a> {
    /// The node's name.
    pub name: &'a str,
    /// Names of what it reads.
    pub inputs: Vec<&'a str>,
    /// Their shapes.
    pub input_shapes: Vec<&'a [usize]>,
    /// The name of what it writes.
    pub output: &'a str,
    /// Its shape.
    pub output_shape: &'a [usize],
}

/// Gathers nodes and the small constants that ONNX wants as inputs (shapes, bounds, pads).
#[derive(Debug, Default)]
pub struct Writer {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    names: Names,
    node_names: Names,
}

impl Writer {
    /// A writer whose made-up names keep away from those of `graph`.
    #[must_use]
    pub fn new(graph: &Graph) -> Self {
        let names = graph.values.iter().map(|value| value.name.clone()).collect();
        Self { nodes: Vec::new(), constants: Vec::new(), names: Names::new(names), node_names: Names::default() }
    }

    /// `base`, or `base` with the first free number behind it; the name counts as used from now on.
    pub fn unused_name(&mut self, base: &str) -> String {
        self.names.unused(base)
    }

    /// Adds a node that reads what `node` reads, then `more` (an empty name is an absent input).
    pub fn node(&mut self, operator: &str, node: &ExportedNode<'_>, more: &[&str], attributes: Vec<AttributeProto>) {
        let inputs: Vec<&str> = node.inputs.iter().chain(more).copied().collect();
        self.raw_node(operator, node.name, &inputs, node.output, attributes);
    }

    /// Adds a node.
    pub fn raw_node(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&str],
        output: &str,
        attribute: Vec<AttributeProto>,
    ) {
        let present = inputs.iter().rposition(|input| !input.is_empty()).map_or(0, |last| last + 1);
        self.nodes.push(NodeProto {
            input: inputs[..present].iter().map(|&input| input.to_owned()).collect(),
            output: vec![output.to_owned()],
            name: self.node_names.unused(name),
            op_type: operator.to_owned(),
            attribute,
            domain: String::new(),
        });
    }

    /// Adds a constant vector of integers named after the node's output and its role; returns its name.
    pub fn integers(&mut self, node: &ExportedNode<'_>, role: &str, values: &[i64]) -> String {
        let name = self.unused_name(&format!("{}/{role}", node.output));
        self.constants.push(TensorProto::from_i64(&name, &[values.len()], values));
        name
    }

    /// Adds a constant vector of floats named after the node's output and its role; returns its name.
    pub fn floats(&mut self, node: &ExportedNode<'_>, role: &str, values: &[f32]) -> String {
        let name = self.unused_name(&format!("{}/{role}", node.output));
        self.constants.push(TensorProto::from_f32(&name, &[values.len()], values));
        name
    }

    /// Adds a constant scalar named after the node's output and its role; returns its name.
    pub fn float(&mut self, node: &ExportedNode<'_>, role: &str, value: f32) -> String {
        let name = self.unused_name(&format!("{}/{role}", node.output));
        self.constants.push(TensorProto::from_f32(&name, &[], &[value]));
        name
    }

    /// [`Writer::float`], or the empty name that stands for an absent input.
    pub fn optional_float(&mut self, node: &ExportedNode<'_>, role: &str, value: Option<f32>) -> String {
        value.map_or_else(String::new, |value| self.float(node, role, value))
    }

    /// Adds a constant tensor under its own name.
    pub fn constant(&mut self, tensor: TensorProto) {
        self.constants.push(tensor);
    }

    /// What was gathered: nodes and constants, in the order in which they were added.
    #[must_use]
    pub fn finish(self) -> (Vec<NodeProto>, Vec<TensorProto>) {
        (self.nodes, self.constants)
    }
}

/// The constant of a value, as a file stores it.
fn constant(value: &Value) -> Option<TensorProto> {
    let tensor = value.constant.as_ref()?;
    Some(match tensor.data() {
        Data::F32(values) => TensorProto::from_f32(&value.name, tensor.shape(), values),
        Data::I64(values) => TensorProto::from_i64(&value.name, tensor.shape(), values),
    })
}

fn information(value: &Value) -> ValueInfoProto {
    let kind = match value.data_type {
        DataType::F32 => data_type::FLOAT,
        DataType::I64 => data_type::INT64,
    };
    ValueInfoProto::tensor(&value.name, kind, &value.shape)
}

/// The graph as a decoded file: every value keeps its name, constants that nothing reads are left out.
#[must_use]
pub fn export_proto(graph: &Graph) -> ModelProto {
    let mut writer = Writer::new(graph);
    let mut used = vec![false; graph.values.len()];
    for node in &graph.nodes {
        for input in &node.inputs {
            used[input.index()] = true;
        }
        let inputs = node.inputs.iter().map(|&input| graph.value(input));
        let output = graph.value(node.output);
        let exported = ExportedNode {
            name: &node.name,
            inputs: inputs.clone().map(|value| value.name.as_str()).collect(),
            input_shapes: inputs.map(|value| value.shape.as_slice()).collect(),
            output: &output.name,
            output_shape: &output.shape,
        };
        node.operator.export(&exported, &mut writer);
    }
    let weights = graph.values.iter().zip(&used).filter(|(_, used)| **used).filter_map(|(value, _)| constant(value));
    let mut initializer: Vec<TensorProto> = weights.collect();
    let (nodes, small) = writer.finish();
    initializer.extend(small);
    let outputs: BTreeSet<_> = graph.outputs.iter().collect();
    let inner = graph.nodes.iter().map(|node| node.output).filter(|output| !outputs.contains(output));
    let file = GraphProto {
        node: nodes,
        name: if graph.name.is_empty() { "network".to_owned() } else { graph.name.clone() },
        initializer,
        input: graph.inputs.iter().map(|&input| information(graph.value(input))).collect(),
        output: graph.outputs.iter().map(|&output| information(graph.value(output))).collect(),
        value_info: inner.map(|value| information(graph.value(value))).collect(),
        sparse_initializer: Vec::new(),
    };
    ModelProto {
        ir_version: IR_VERSION,
        producer_name: "axzoo".to_owned(),
        producer_version: String::new(),
        graph: Some(file),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: Vec::new(),
        functions: Vec::new(),
    }
}

/// The graph as the bytes of an ONNX file.
#[must_use]
pub fn export(graph: &Graph) -> Vec<u8> {
    export_proto(graph).encode_to_vec()
}
