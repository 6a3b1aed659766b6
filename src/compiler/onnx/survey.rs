//! Every node of a file with what is known of it: shapes, constants, who reads whom, and what import says against it. An
//! import ends at the first node that it refuses; a survey goes on behind it.

use std::collections::BTreeMap;

use crate::compiler::StageError;
use crate::compiler::error::shortened;
use crate::compiler::graph::DataType;
use crate::compiler::graph::Tensor;
use crate::compiler::graph::Value;
use crate::compiler::graph::ValueId;
use crate::compiler::onnx::ExternalData;
use crate::compiler::onnx::ImportOptions;
use crate::compiler::onnx::builder::check_size;
use crate::compiler::onnx::import;
use crate::compiler::onnx::import::Outline;
use crate::compiler::onnx::import::State;
use crate::compiler::onnx::order;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::onnx::proto::GraphProto;
use crate::compiler::onnx::proto::ModelProto;
use crate::compiler::onnx::proto::NodeProto;
use crate::compiler::onnx::proto::data_type;
use crate::compiler::operators::importer;

/// What a node of a file comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It computes something for every image.
    Computed,
    /// It depends on constants and shapes only, so it is computed while the file is read.
    Folded,
    /// Its output is its input: Identity, Dropout and the like.
    Nothing,
}

/// An input of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Operand {
    /// Its shape, where it is known.
    pub shape: Option<Vec<usize>>,
    /// Whether it is the same for every image.
    pub is_constant: bool,
    /// The value of a constant; without its elements where they stayed in the file.
    pub value: Option<Tensor>,
    /// The place in [`Survey::nodes`] of the node that computes it; `None` for constants and inputs of the network.
    pub producer: Option<usize>,
    /// Which value it is: two operands with the same number are one value. `None` where nothing is known of it.
    pub identity: Option<u32>,
}

/// One node of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct SurveyedNode<'a> {
    /// What messages call it.
    pub label: String,
    /// The operator, with its domain in front (`com.microsoft.FusedConv`) where that is not the standard one.
    pub operator: String,
    /// The version of the standard operators.
    pub opset: i64,
    proto: &'a NodeProto,
    /// What it reads; `None` for an optional input that is absent.
    pub inputs: Vec<Option<Operand>>,
    /// The shape of its first output, where it is known.
    pub output_shape: Option<Vec<usize>>,
    /// What it comes to.
    pub role: Role,
    /// Why the embedded compiler does not take it, without the names of node and operator.
    pub refusal: Option<String>,
    /// Places of the nodes that read what it computes; a node that reads it twice is there twice.
    pub readers: Vec<usize>,
    /// Whether an output of the network is its output.
    pub is_output: bool,
}

impl SurveyedNode<'_> {
    fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.proto.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// Whether it has an attribute of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// An integer attribute.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.attribute(name)?.i
    }

    /// An attribute of integers.
    #[must_use]
    pub fn integers(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|attribute| attribute.ints.as_slice())
    }

    /// A float attribute.
    #[must_use]
    pub fn float(&self, name: &str) -> Option<f32> {
        self.attribute(name)?.f
    }

    /// A text attribute; `None` also where it is not UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.attribute(name)?.s.as_deref()?).ok()
    }

    /// The name of its first output; `None` where it has none.
    #[must_use]
    pub fn output(&self) -> Option<&str> {
        self.proto.output.first().map(String::as_str)
    }

    /// An input that is there.
    #[must_use]
    pub fn input(&self, place: usize) -> Option<&Operand> {
        self.inputs.get(place)?.as_ref()
    }

    /// The shape of an input that is there and known.
    #[must_use]
    pub fn input_shape(&self, place: usize) -> Option<&[usize]> {
        self.input(place)?.shape.as_deref()
    }
}

/// A whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey<'a> {
    /// The nodes that outputs depend on, in topological order.
    pub nodes: Vec<SurveyedNode<'a>>,
    /// What is wrong with the outputs, where every node was taken.
    pub problem: Option<StageError>,
    /// Whether a refusal may be due to values that were left in the file. A survey of the whole file tells.
    pub is_doubtful: bool,
}

/// The survey of a model; an error where its inputs, initializers or names cannot be made sense of.
pub(super) fn survey<'a>(
    model: &'a ModelProto,
    is_skimmed: bool,
    external: &dyn ExternalData,
    options: &ImportOptions,
) -> Result<Survey<'a>, StageError> {
    let opset = import::standard_opset(model)?;
    let Outline { file, inputs, order } = import::outline(model)?;
    let mut state = State::new(file);
    state.builder.is_skimmed = is_skimmed;
    state.add_inputs(&inputs, options)?;
    state.add_initializers(file, &order, external)?;
    let types = declared_types(file);
    let mut surveyor = Surveyor { state, opset, nodes: Vec::new(), writers: BTreeMap::new(), by_name: BTreeMap::new() };
    for &place in &order {
        surveyor.visit(&file.node[place], &types);
    }
    Ok(surveyor.finish(file))
}

/// Shapes of float tensors between nodes, as far as the file says them.
fn declared_types(file: &GraphProto) -> BTreeMap<&str, Vec<usize>> {
    let mut types = BTreeMap::new();
    for value in file.value_info.iter().chain(&file.output) {
        let tensor = value.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        let is_float = tensor.is_some_and(|tensor| matches!(tensor.elem_type, data_type::FLOAT | data_type::FLOAT16));
        let shape: Option<Vec<usize>> = import::declared_shape(value).and_then(|axes| axes.into_iter().collect());
        if let Some(shape) = shape.filter(|shape| is_float && check_size(shape).is_ok()) {
            types.insert(value.name.as_str(), shape);
        }
    }
    types
}

struct Surveyor<'a> {
    state: State,
    opset: i64,
    nodes: Vec<SurveyedNode<'a>>,
    /// Which node computes a value.
    writers: BTreeMap<ValueId, usize>,
    /// Which node computes what nothing is known of.
    by_name: BTreeMap<String, usize>,
}

impl<'a> Surveyor<'a> {
    fn operand(&self, name: &str) -> Operand {
        let Some(&id) = self.state.known.get(name) else {
            let producer = self.by_name.get(name).copied();
            let writer = producer.and_then(|producer| self.nodes.get(producer));
            let is_constant = writer.is_some_and(|writer| writer.role == Role::Folded);
            return Operand { shape: None, is_constant, value: None, producer, identity: None };
        };
        let value = self.state.builder.graph.value(id);
        Operand {
            shape: Some(value.shape.clone()),
            is_constant: value.constant.is_some(),
            value: value.constant.clone(),
            producer: self.writers.get(&id).copied(),
            identity: Some(id.0),
        }
    }

    fn visit(&mut self, proto: &'a NodeProto, types: &BTreeMap<&str, Vec<usize>>) {
        let here = self.nodes.len();
        let inputs: Vec<Option<Operand>> =
            proto.input.iter().map(|name| (!name.is_empty()).then(|| self.operand(name))).collect();
        for producer in inputs.iter().flatten().filter_map(|operand| operand.producer) {
            if let Some(node) = self.nodes.get_mut(producer) {
                node.readers.push(here);
            }
        }
        let is_standard = import::is_standard(&proto.domain);
        let operator = if is_standard { proto.op_type.clone() } else { format!("{}.{}", proto.domain, proto.op_type) };
        let is_known = inputs.iter().flatten().all(|operand| operand.identity.is_some());
        let first_new = self.state.builder.graph.values.len();
        let refusal = if importer(&proto.domain, &proto.op_type).is_none() {
            Some("this operator is not supported".to_owned())
        } else if is_known {
            let prefix = format!("`{}`: ", proto.op_type);
            let refused = self.state.add_node(proto, self.opset).err();
            refused.map(|error| error.message.strip_prefix(&prefix).map_or(error.message.clone(), ToOwned::to_owned))
        } else {
            None
        };
        let is_imported = refusal.is_none() && is_known;
        if !is_imported {
            self.assume(proto, types);
        }
        // What a shape leads to is arithmetic while reading, even where the shape itself is not known.
        let is_arithmetic =
            !is_known && (operator == "Shape" || inputs.iter().flatten().all(|operand| operand.is_constant));
        let mut is_new = false;
        let mut is_constant = true;
        for name in proto.output.iter().filter(|name| !name.is_empty()) {
            let Some(&id) = self.state.known.get(name) else {
                self.by_name.insert(name.clone(), here);
                // Of an imported node it is an optional output without a meaning, such as the mask of Dropout.
                is_new |= !is_imported;
                is_constant &= is_imported || is_arithmetic;
                continue;
            };
            if id.index() >= first_new {
                self.writers.insert(id, here);
                is_new = true;
            }
            is_constant &= self.state.builder.constant(id).is_some();
        }
        let first = proto.output.first().and_then(|name| self.state.known.get(name));
        self.nodes.push(SurveyedNode {
            label: shortened(order::label(proto)),
            operator: shortened(operator),
            opset: self.opset,
            proto,
            inputs,
            output_shape: first.map(|&id| self.state.builder.shape(id).to_vec()),
            role: match (is_constant, is_new) {
                (true, _) => Role::Folded,
                (false, true) => Role::Computed,
                (false, false) => Role::Nothing,
            },
            refusal,
            readers: Vec::new(),
            is_output: false,
        });
    }

    /// Takes the file's word for the outputs of a node that was not imported.
    fn assume(&mut self, proto: &NodeProto, types: &BTreeMap<&str, Vec<usize>>) {
        for name in proto.output.iter().filter(|name| !name.is_empty()) {
            if let Some(shape) = types.get(name.as_str())
                && !self.state.known.contains_key(name)
            {
                let value =
                    Value { name: name.clone(), shape: shape.clone(), data_type: DataType::F32, constant: None };
                let id = self.state.builder.graph.add_value(value);
                self.state.known.insert(name.clone(), id);
            }
        }
    }

    fn finish(mut self, file: &GraphProto) -> Survey<'a> {
        for output in &file.output {
            let known = self.state.known.get(&output.name).and_then(|id| self.writers.get(id));
            let writer = known.or_else(|| self.by_name.get(&output.name)).copied();
            if let Some(node) = writer.and_then(|writer| self.nodes.get_mut(writer)) {
                node.is_output = true;
            }
        }
        let is_unread = |operand: &Operand| operand.value.as_ref().is_some_and(Tensor::is_unread);
        let mut refused = self.nodes.iter().filter(|node| node.refusal.is_some());
        let is_doubtful = refused.any(|node| node.inputs.iter().flatten().any(is_unread));
        let reads_unknown = |operand: &Operand| operand.identity.is_none();
        let is_whole = self.nodes.iter().all(|node| node.refusal.is_none())
            && !self.nodes.iter().flat_map(|node| node.inputs.iter().flatten()).any(reads_unknown);
        let problem = if is_whole { self.state.finish(file).err() } else { None };
        Survey { nodes: self.nodes, problem, is_doubtful }
    }
}

impl Survey<'_> {
    /// Places of the nodes that compute something for every image, in order.
    pub fn computed(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(|&place| self.nodes[place].role == Role::Computed)
    }
}
