//! From the bytes of a file to a graph.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use prost::Message;

use crate::compiler::StageError;
use crate::compiler::Status;
use crate::compiler::graph::DataType;
use crate::compiler::graph::Graph;
use crate::compiler::graph::Value;
use crate::compiler::graph::ValueId;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::ExternalData;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::builder::check_size;
use crate::compiler::onnx::locations;
use crate::compiler::onnx::order;
use crate::compiler::onnx::proto::GraphProto;
use crate::compiler::onnx::proto::ModelProto;
use crate::compiler::onnx::proto::NodeProto;
use crate::compiler::onnx::proto::ValueInfoProto;
use crate::compiler::onnx::proto::data_type;
use crate::compiler::onnx::skim;
use crate::compiler::onnx::tensors;
use crate::compiler::operators::Operator;
use crate::compiler::operators::importer;

/// Versions of the standard operators that are read.
pub(super) const OPSETS: std::ops::RangeInclusive<i64> = 7..=18;

/// Nodes that outputs may depend on: several times what the largest networks have, and few enough that every stage ends soon.
const NODE_LIMIT: usize = 1 << 15;

/// Operators that are named in one message.
const NAMED: usize = 10;

/// What an import needs to know beside the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Shapes by input position; an empty one, or none at all, is as in the file. Needed where a dimension other than
    /// the batch is open.
    pub input_shapes: Vec<Vec<usize>>,
}

fn error(message: impl Into<String>) -> StageError {
    StageError::new(Status::OnnxGraphCleanerError, message)
}

/// Reads an ONNX file: opsets 7 to 18, standard operators, weights inside or behind `external`. Values that no output
/// depends on are left out. Every failure is an `ONNX_GRAPH_CLEANER_ERROR` that names what is wrong; unsupported
/// operators are all named in one.
pub fn import(bytes: &[u8], external: &dyn ExternalData, options: &ImportOptions) -> Result<Graph, StageError> {
    let model = decode(bytes)?;
    let opset = standard_opset(&model)?;
    let Outline { file, inputs, order } = outline(&model)?;
    check_operators(file, &order)?;

    let mut state = State::new(file);
    state.add_inputs(&inputs, options)?;
    state.add_initializers(file, &order, external)?;
    for &place in &order {
        state.add_node(&file.node[place], opset)?;
    }
    state.finish(file)
}

/// The file as the standard's messages.
pub(super) fn decode(bytes: &[u8]) -> Result<ModelProto, StageError> {
    if bytes.is_empty() {
        return Err(empty());
    }
    let refused = |cause: String| error(format!("the file is not an ONNX model: {cause}")).hint("is the file whole?");
    skim::count(bytes).map_err(refused)?;
    ModelProto::decode(bytes).map_err(|cause| refused(cause.to_string()))
}

/// A file without a byte in it: to protocol buffers it is a model of which nothing is said.
pub(super) fn empty() -> StageError {
    error("the file is empty, so it is not an ONNX model").hint("export or copy the model again")
}

/// What there is to import, checked for names that cannot be.
pub(super) struct Outline<'a> {
    pub(super) file: &'a GraphProto,
    /// Inputs that are not initializers.
    pub(super) inputs: Vec<&'a ValueInfoProto>,
    /// The nodes that outputs depend on, in topological order.
    pub(super) order: Vec<usize>,
}

/// The graph of a file.
pub(super) fn graph_of(model: &ModelProto) -> Result<&GraphProto, StageError> {
    model.graph.as_ref().ok_or_else(|| error("the file has no graph in it, so it is not an ONNX model"))
}

/// Inputs that are not initializers: those that a caller has to give.
pub(super) fn inputs_of(file: &GraphProto) -> Vec<&ValueInfoProto> {
    let given: BTreeSet<&str> = file.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    file.input.iter().filter(|input| !given.contains(input.name.as_str())).collect()
}

pub(super) fn outline(model: &ModelProto) -> Result<Outline<'_>, StageError> {
    let file = graph_of(model)?;
    if !file.sparse_initializer.is_empty() {
        return Err(error("the file has sparse initializers, which are not supported"));
    }
    let inputs = inputs_of(file);
    let mut given: BTreeSet<&str> = file.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    if given.len() != file.initializer.len() {
        return Err(error("two initializers have the same name"));
    }
    for input in &inputs {
        if !given.insert(&input.name) {
            return Err(error(format!("two inputs are called `{}`", input.name)));
        }
    }
    if file.output.is_empty() {
        return Err(error("the graph has no outputs"));
    }
    let order = order::needed_nodes(file, &given).map_err(error)?;
    if order.len() > NODE_LIMIT {
        return Err(error(format!("the graph has {} nodes; at most {NODE_LIMIT} are supported", order.len()))
            .hint("export the model with loops and constants folded, for example by `onnxsim`"));
    }
    Ok(Outline { file, inputs, order })
}

/// Every name of the file, so that none is made up twice.
fn file_names(file: &GraphProto) -> BTreeSet<String> {
    let nodes = file.node.iter().flat_map(|node| node.input.iter().chain(&node.output));
    let values = file.input.iter().chain(&file.output).map(|value| &value.name);
    nodes.chain(values).chain(file.initializer.iter().map(|tensor| &tensor.name)).cloned().collect()
}

pub(super) fn is_standard(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

/// The version of the standard operators that a file says it uses.
pub(super) fn stated_opset(model: &ModelProto) -> Option<i64> {
    model.opset_import.iter().find(|set| is_standard(&set.domain)).map(|set| set.version)
}

pub(super) fn standard_opset(model: &ModelProto) -> Result<i64, StageError> {
    let version = stated_opset(model).ok_or_else(|| error("the file does not say which opset its operators are of"))?;
    if OPSETS.contains(&version) {
        Ok(version)
    } else {
        let (first, last) = (OPSETS.start(), OPSETS.end());
        Err(error(format!("the file uses opset {version}; opsets {first} to {last} are supported"))
            .hint("export the model again with an `opset_version` in this range, for example 17"))
    }
}

/// All operators that are not supported, in one error.
fn check_operators(file: &GraphProto, order: &[usize]) -> Result<(), StageError> {
    let mut unsupported: BTreeMap<(&str, &str), Vec<&NodeProto>> = BTreeMap::new();
    for node in order.iter().map(|&place| &file.node[place]) {
        if importer(&node.domain, &node.op_type).is_none() {
            unsupported.entry((&node.domain, &node.op_type)).or_default().push(node);
        }
    }
    let Some(first) = unsupported.values().find_map(|nodes| nodes.first()) else { return Ok(()) };
    let first = order::label(first);
    let mut named: Vec<String> = unsupported
        .iter()
        .take(NAMED)
        .map(|((domain, operator), nodes)| {
            let domain = if is_standard(domain) { "ai.onnx" } else { domain };
            let label = nodes.first().map(|node| order::label(node)).unwrap_or_default();
            match nodes.len() {
                1 => format!("`{operator}` of `{domain}` (node `{label}`)"),
                count => format!("`{operator}` of `{domain}` ({count} nodes, the first is `{label}`)"),
            }
        })
        .collect();
    if unsupported.len() > NAMED {
        named.push(format!("and {} more", unsupported.len() - NAMED));
    }
    let noun = if named.len() == 1 { "an operator is" } else { "operators are" };
    Err(error(format!("{noun} not supported: {}", named.join(", ")))
        .node(first)
        .hint("export the model without them, or cut it before them"))
}

pub(super) struct State {
    pub(super) builder: Builder,
    /// What each name of the file stands for.
    pub(super) known: BTreeMap<String, ValueId>,
    /// Optional outputs without a meaning here, with their node's label.
    meaningless: BTreeMap<String, String>,
}

impl State {
    pub(super) fn new(file: &GraphProto) -> Self {
        Self {
            builder: Builder::new(file.name.clone(), file_names(file)),
            known: BTreeMap::new(),
            meaningless: BTreeMap::new(),
        }
    }

    pub(super) fn add_inputs(&mut self, inputs: &[&ValueInfoProto], options: &ImportOptions) -> Result<(), StageError> {
        if options.input_shapes.len() > inputs.len() {
            let (given, found) = (options.input_shapes.len(), inputs.len());
            return Err(error(format!("{given} input shapes are given; the model has {found} inputs")));
        }
        for (place, input) in inputs.iter().enumerate() {
            let given = options.input_shapes.get(place).filter(|shape| !shape.is_empty());
            let shape = input_shape(input, given.map(Vec::as_slice))?;
            let value = Value { name: input.name.clone(), shape, data_type: DataType::F32, constant: None };
            let id = self.builder.graph.add_value(value);
            self.builder.graph.inputs.push(id);
            self.known.insert(input.name.clone(), id);
        }
        Ok(())
    }

    /// Reads the initializers that needed nodes or outputs name.
    pub(super) fn add_initializers(
        &mut self,
        file: &GraphProto,
        order: &[usize],
        external: &dyn ExternalData,
    ) -> Result<(), StageError> {
        let mut used: BTreeSet<&str> = file.output.iter().map(|output| output.name.as_str()).collect();
        used.extend(order.iter().flat_map(|&place| file.node[place].input.iter().map(String::as_str)));
        for proto in file.initializer.iter().filter(|proto| used.contains(proto.name.as_str())) {
            let read = if self.builder.is_skimmed { tensors::read_skimmed } else { tensors::read };
            let tensor = read(proto, external).map_err(|cause| {
                let error = error(format!("the initializer `{}` cannot be read: {cause}", proto.name));
                let hint =
                    "copy or export the model again with the files that hold its tensors beside it, or as one file";
                if locations::is_external(proto) { error.hint(hint) } else { error }
            })?;
            self.builder.allow(&tensor);
            let id = self.builder.graph.add_constant(proto.name.clone(), tensor);
            self.known.insert(proto.name.clone(), id);
        }
        Ok(())
    }

    /// Reads one node. Where that fails nothing is known of its outputs.
    pub(super) fn add_node(&mut self, proto: &NodeProto, opset: i64) -> Result<(), StageError> {
        let label = order::label(proto);
        let refused = |message: String| error(format!("`{}`: {message}", proto.op_type)).node(label.clone());
        let mut inputs = Vec::with_capacity(proto.input.len());
        for name in &proto.input {
            inputs.push(match (name.as_str(), self.known.get(name)) {
                ("", _) => None,
                (_, Some(&id)) => Some(id),
                (_, None) => {
                    let writer = self.meaningless.get(name).map(String::as_str).unwrap_or_default();
                    return Err(refused(format!("it reads `{name}`, an output of `{writer}` that is not supported")));
                }
            });
        }
        self.builder.label.clone_from(&label);
        self.builder.reads(&inputs).map_err(|refusal| refused(refusal.message))?;
        let first_new = self.builder.graph.values.len();
        let mut node = OnnxNode::new(proto, opset, inputs);
        let Some(import) = importer(&proto.domain, &proto.op_type) else {
            return Err(refused("it is not supported".to_owned()));
        };
        let outputs = import(&mut node, &mut self.builder).map_err(|refusal| {
            let error = refused(refusal.message);
            if let Some(hint) = refusal.hint { error.hint(hint) } else { error }
        })?;
        let unread = node.unread();
        if !unread.is_empty() {
            let names: Vec<String> = unread.iter().map(|name| format!("`{name}`")).collect();
            let noun = if names.len() == 1 { "its attribute" } else { "its attributes" };
            return Err(refused(format!("{noun} {} has no known meaning at opset {opset}", names.join(", "))));
        }
        let mut named: BTreeSet<ValueId> = BTreeSet::new();
        for (place, name) in proto.output.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let Some(&id) = outputs.get(place) else {
                self.meaningless.insert(name.clone(), label.clone());
                continue;
            };
            if id.index() >= first_new && named.insert(id) {
                self.builder.graph.values[id.index()].name.clone_from(name);
            }
            self.known.insert(name.clone(), id);
        }
        Ok(())
    }

    /// Names the outputs, in order.
    pub(super) fn finish(mut self, file: &GraphProto) -> Result<Graph, StageError> {
        let depends = depends(&self.builder.graph);
        for output in &file.output {
            let name = &output.name;
            let Some(&id) = self.known.get(name) else {
                let writer = self.meaningless.get(name).map(String::as_str).unwrap_or_default();
                return Err(error(format!("the output `{name}` is one of `{writer}` that is not supported")));
            };
            let graph = &mut self.builder.graph;
            // Names tell an output from an input, and from another output.
            let is_input = graph.inputs.contains(&id);
            let is_listed = graph.outputs.contains(&id);
            if (is_input || is_listed) && graph.value(id).name == *name {
                return Err(if is_input {
                    error(format!("the output `{name}` is an input of the network"))
                        .hint("remove this output, or give it a name of its own with an `Identity` node")
                } else {
                    error(format!("the output `{name}` is listed twice")).hint("list it once")
                });
            }
            if !depends.get(id.index()).copied().unwrap_or(false) {
                return Err(error(format!("the output `{name}` does not depend on any input"))
                    .hint("remove this output from the model"));
            }
            let taken = is_input || is_listed;
            let id = if graph.value(id).name == *name && !taken {
                id
            } else if taken {
                // One value cannot have two names, so the second is a copy.
                let shape = graph.value(id).shape.clone();
                self.builder.label.clone_from(name);
                let copied = self.builder.push(Operator::Reshape, vec![id], shape);
                let copied = copied.map_err(|refusal| error(refusal.message).node(name.clone()))?;
                self.builder.graph.values[copied.index()].name.clone_from(name);
                copied
            } else {
                graph.values[id.index()].name.clone_from(name);
                id
            };
            self.builder.graph.outputs.push(id);
        }
        let graph = self.builder.graph;
        graph.verify().map_err(|cause| error(cause.to_string()))?;
        Ok(graph)
    }
}

/// By value: whether it is an input or computed from one. Not all that is computed from constants alone is folded.
fn depends(graph: &Graph) -> Vec<bool> {
    let mut depends = vec![false; graph.values.len()];
    graph.inputs.iter().for_each(|input| depends[input.index()] = true);
    for node in &graph.nodes {
        depends[node.output.index()] = node.inputs.iter().any(|input| depends[input.index()]);
    }
    depends
}

/// The shape of an input: the file's, an open batch being 1, or the one given, which must agree with the file's.
fn input_shape(input: &ValueInfoProto, given: Option<&[usize]>) -> Result<Vec<usize>, StageError> {
    let name = &input.name;
    let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let tensor = tensor.ok_or_else(|| error(format!("the input `{name}` is not a tensor")))?;
    let floats = [data_type::FLOAT, data_type::FLOAT16, data_type::DOUBLE, data_type::BFLOAT16];
    if !floats.contains(&tensor.elem_type) {
        let found = data_type::name(tensor.elem_type);
        return Err(error(format!("the input `{name}` is of {found}; expected floats"))
            .hint("export the model with a float input and leave the conversion to the preprocessing"));
    }
    let hint = "give the shape: `--input-shape` on the command line, `input_tensor_shape` in a card";
    let declared = declared_shape(input);
    let text = declared.as_ref().map_or_else(|| "unknown".to_owned(), |shape| describe(shape));
    let shape: Vec<usize> = match (given, &declared) {
        (Some(given), Some(declared)) => {
            let fits = given.len() == declared.len()
                && given
                    .iter()
                    .zip(declared)
                    .all(|(given, declared)| declared.is_none_or(|declared| declared == *given));
            if !fits {
                return Err(error(format!("the input `{name}` has the shape {text} in the file; {given:?} was given"))
                    .hint("correct `--input-shape` or the card's `input_tensor_shape`"));
            }
            given.to_vec()
        }
        (Some(given), None) => given.to_vec(),
        (None, Some(declared)) => {
            let closed = declared.iter().enumerate().map(|(axis, dimension)| dimension.or((axis == 0).then_some(1)));
            let shape: Option<Vec<usize>> = closed.collect();
            shape.ok_or_else(|| {
                let problem = with_zero(input).map_or_else(
                    || format!("an open dimension: {text}"),
                    |shape| format!("a side of 0 in the file: {shape}"),
                );
                error(format!("the input `{name}` has {problem}")).hint(hint)
            })?
        }
        (None, None) => return Err(error(format!("the input `{name}` has no shape in the file")).hint(hint)),
    };
    if shape.contains(&0) {
        return Err(error(format!("the shape {shape:?} of the input `{name}` has no elements")));
    }
    check_size(&shape).map_err(|refusal| error(format!("the input `{name}`: {}", refusal.message)))?;
    Ok(shape)
}

/// The dimensions of an input as the file has them, where one is 0 and none but the batch is open.
fn with_zero(input: &ValueInfoProto) -> Option<String> {
    let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref())?;
    let sides = tensor.shape.as_ref()?.dim.iter().map(|side| side.dim_value.filter(|&value| value >= 0));
    let sides: Vec<Option<usize>> = sides.map(|side| side.and_then(|side| usize::try_from(side).ok())).collect();
    let others = sides.get(1..).unwrap_or_default();
    (others.contains(&Some(0)) && !others.contains(&None)).then(|| describe(&sides))
}

/// The dimensions of an input, `None` for an open one; `None` where the file does not give its rank.
pub(super) fn declared_shape(input: &ValueInfoProto) -> Option<Vec<Option<usize>>> {
    let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref())?;
    let positive = |value: i64| usize::try_from(value).ok().filter(|&value| value > 0);
    tensor.shape.as_ref().map(|shape| shape.dim.iter().map(|axis| axis.dim_value.and_then(positive)).collect())
}

/// A shape for messages, `?` where a dimension is open.
#[must_use]
pub fn describe(shape: &[Option<usize>]) -> String {
    let texts: Vec<String> =
        shape.iter().map(|dimension| dimension.map_or_else(|| "?".to_owned(), |size| size.to_string())).collect();
    format!("[{}]", texts.join(", "))
}
