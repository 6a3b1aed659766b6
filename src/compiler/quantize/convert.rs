//! From the float graph and the ranges of its values to the quantized graph.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::graph::Graph;
use crate::compiler::graph::Node;
use crate::compiler::graph::ValueId;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::Function;
use crate::compiler::operators::Operator;
use crate::compiler::operators::dense::product::check_sum;
use crate::compiler::operators::function::integer::evaluate;
use crate::compiler::quantize::LayerWeights;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::QuantizedValue;
use crate::compiler::quantize::Sharing;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::Weights;
use crate::compiler::quantize::clamp_behind;
use crate::compiler::quantize::contract::Encoding;
use crate::compiler::quantize::contract::function_table;

/// The quantized graph, and for each of its values the float value it stands for (`None` for constants made here).
#[derive(Debug, Clone)]
pub struct Converted {
    /// The quantized graph.
    pub graph: QuantizedGraph,
    /// By [`TensorId`].
    pub origin: Vec<Option<ValueId>>,
    /// Factors of the lanes of float values that the quantized graph holds scaled (see
    /// [`equalize`](crate::compiler::quantize::equalize)).
    pub factors: BTreeMap<ValueId, Vec<f32>>,
}

/// Quantizes biases, constants and tables under the ranges of the root values (see [`Sharing::observed`]), and under those
/// of the channels of what depth-wise convolutions read, where there are any.
pub fn convert(
    graph: &Graph,
    layers: &LayerWeights,
    sharing: &Sharing,
    ranges: &BTreeMap<ValueId, (f32, f32)>,
    by_channel: &BTreeMap<ValueId, Vec<(f32, f32)>>,
) -> Result<Converted, StageError> {
    let mut conversion = Conversion {
        graph,
        layers,
        sharing,
        ranges,
        by_channel,
        private: private_channels(graph, sharing, by_channel),
        channel_ids: BTreeMap::new(),
        made: QuantizedGraph { name: graph.name.clone(), ..QuantizedGraph::default() },
        origin: Vec::new(),
        ids: BTreeMap::new(),
        problems: Vec::new(),
    };
    conversion.run();
    let Conversion { made, origin, problems, .. } = conversion;
    match problems.split_first() {
        None => Ok(Converted { graph: made, origin, factors: BTreeMap::new() }),
        Some((first, rest)) => Err(joined(first, rest)),
    }
}

/// One failure that names all problems.
fn joined(first: &Problem, rest: &[Problem]) -> StageError {
    let others = rest.iter().map(|problem| format!("\nnode `{}`: {}", problem.node, problem.message));
    let message = std::iter::once(first.message.clone()).chain(others).collect::<String>();
    let error = StageError::new(Status::QtoolsError, message).node(first.node.clone());
    match first.hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

struct Problem {
    node: String,
    message: String,
    hint: Option<&'static str>,
}

struct Conversion<'a> {
    graph: &'a Graph,
    /// The weights of the graph's layers.
    layers: &'a LayerWeights,
    sharing: &'a Sharing,
    ranges: &'a BTreeMap<ValueId, (f32, f32)>,
    /// Ranges of the channels of what depth-wise convolutions read under the hybrid scheme.
    by_channel: &'a BTreeMap<ValueId, Vec<(f32, f32)>>,
    /// Those of them that nothing else reads and that layers write: they have no other encoding.
    private: BTreeSet<ValueId>,
    /// What depth-wise convolutions read instead of the others.
    channel_ids: BTreeMap<ValueId, TensorId>,
    made: QuantizedGraph,
    origin: Vec<Option<ValueId>>,
    ids: BTreeMap<ValueId, TensorId>,
    problems: Vec<Problem>,
}

/// What went wrong with one node; its name is added where it is known.
struct Refusal {
    message: String,
    hint: Option<&'static str>,
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self { message, hint: None }
    }
}

impl Conversion<'_> {
    fn run(&mut self) {
        let graph = self.graph;
        for &input in &graph.inputs {
            match self.activation(input) {
                Ok(id) => self.made.inputs.push(id),
                Err(refusal) => self.problem(&graph.value(input).name, refusal),
            }
        }
        for (index, node) in graph.nodes.iter().enumerate() {
            if !self.sharing.absorbed[index]
                && let Err(refusal) = self.node(index, node)
            {
                self.problem(&node.name, refusal);
            }
        }
        if !self.problems.is_empty() {
            return;
        }
        for &output in &graph.outputs {
            match self.ids.get(&output) {
                Some(&id) if graph.value(output).constant.is_none() => self.made.outputs.push(id),
                _ => {
                    let message = "the output is a constant, expected the result of a node".to_owned();
                    self.problem(&graph.value(output).name, message.into());
                }
            }
        }
    }

    fn problem(&mut self, node: &str, refusal: Refusal) {
        self.problems.push(Problem { node: node.to_owned(), message: refusal.message, hint: refusal.hint });
    }

    fn add(&mut self, value: QuantizedValue, origin: Option<ValueId>) -> TensorId {
        self.made.values.push(value);
        self.origin.push(origin);
        TensorId((self.made.values.len() - 1) as u32)
    }

    fn constant_floats(&self, id: ValueId) -> Option<&[f32]> {
        self.graph.value(id).constant.as_ref().and_then(|tensor| tensor.as_f32())
    }

    /// The encoding of a float value: that of its root.
    fn encoding(&self, id: ValueId) -> Result<Encoding, Refusal> {
        let root = self.sharing.root[id.index()];
        let name = &self.graph.value(root).name;
        let range = match (self.ranges.get(&root), self.constant_floats(root)) {
            (Some(&range), _) => range,
            (None, Some(values)) => bounds(values),
            (None, None) => return Err(format!("calibration did not see `{name}`").into()),
        };
        Encoding::of_range(range.0, range.1)
            .ok_or_else(|| format!("the range of `{name}`, {:e} to {:e}, cannot be quantized", range.0, range.1).into())
    }

    /// The int8 value of an activation, made at its first use.
    fn activation(&mut self, id: ValueId) -> Result<TensorId, Refusal> {
        if let Some(&made) = self.ids.get(&id) {
            return Ok(made);
        }
        let encoding = self.encoding(id)?;
        let value = self.graph.value(id);
        let made = QuantizedValue {
            name: value.name.clone(),
            shape: value.shape.clone(),
            encoding,
            channels: if self.private.contains(&id) { self.channel_encodings(id)? } else { Vec::new() },
            constant: self.constant_floats(id).map(|values| values.iter().map(|&x| encoding.quantize(x)).collect()),
        };
        if value.constant.is_some() && made.constant.is_none() {
            return Err(format!("the constant `{}` holds integers, expected floats", value.name).into());
        }
        let made = self.add(made, Some(id));
        self.ids.insert(id, made);
        Ok(made)
    }

    fn node(&mut self, index: usize, node: &Node) -> Result<(), Refusal> {
        let output_value = self.sharing.output(self.graph, index);
        let activation = self.sharing.fused[index].map(|(function, _)| finite(function));
        let mut inputs = node.inputs.clone();
        let output_encoding = self.encoding(output_value)?;
        let operator = match &node.operator {
            Operator::Convolution(attributes) => {
                if self.by_channel.contains_key(&node.inputs[0]) && is_depthwise(self.graph, node) {
                    return self.depthwise((index, node), attributes, activation, output_value);
                }
                let scale = self.encoding(node.inputs[0])?.scale;
                let weights = self.weights(index, node, &|_| scale)?;
                inputs.truncate(1);
                QuantizedOperator::Convolution { attributes: attributes.clone(), weights }
            }
            Operator::TransposedConvolution(attributes) => {
                let scale = self.encoding(node.inputs[0])?.scale;
                let weights = self.weights(index, node, &|_| scale)?;
                inputs.truncate(1);
                QuantizedOperator::TransposedConvolution { attributes: attributes.clone(), weights }
            }
            Operator::Dense => {
                let scale = self.encoding(node.inputs[0])?.scale;
                let weights = self.weights(index, node, &|_| scale)?;
                inputs.truncate(1);
                QuantizedOperator::Dense { weights }
            }
            Operator::MatrixProduct => {
                let length = self.graph.value(node.inputs[0]).shape.last().copied().unwrap_or(0);
                check_sum(length)?;
                QuantizedOperator::MatrixProduct
            }
            Operator::Arithmetic(Arithmetic::Divide) if self.constant_floats(node.inputs[1]).is_some() => {
                return self.division_by_constant(node, output_value);
            }
            Operator::Arithmetic(arithmetic) => QuantizedOperator::Arithmetic(*arithmetic),
            Operator::Function(function) => {
                let input = self.encoding(node.inputs[0])?;
                let table = function_table(input, output_encoding, |x| evaluate(*function, x));
                QuantizedOperator::Function { function: finite(*function), table: table.to_vec() }
            }
            Operator::Pool(pool) => QuantizedOperator::Pool(pool.clone()),
            Operator::GlobalPool(kind) => QuantizedOperator::GlobalPool(*kind),
            Operator::Reshape => {
                inputs.truncate(1);
                QuantizedOperator::Reshape
            }
            Operator::Transpose { permutation } => QuantizedOperator::Transpose { permutation: permutation.clone() },
            Operator::Slice(slice) => QuantizedOperator::Slice(slice.clone()),
            Operator::Pad { before, after, value } => QuantizedOperator::Pad {
                before: before.clone(),
                after: after.clone(),
                value: padding(output_encoding, *value)?,
            },
            Operator::Extension(extension) => QuantizedOperator::Extension(extension.clone()),
            Operator::Concat { axis } => QuantizedOperator::Concat { axis: *axis },
            Operator::Resize(resize) => QuantizedOperator::Resize(resize.clone()),
            Operator::Softmax { axis } => QuantizedOperator::Softmax { axis: *axis },
            Operator::InstanceNormalization { epsilon } => {
                let constant = |place: usize| {
                    let floats = node.inputs.get(place).and_then(|&id| self.constant_floats(id));
                    floats.map(<[f32]>::to_vec).ok_or_else(|| "its scale or bias is computed".to_owned())
                };
                let (scale, bias) = (constant(1)?, constant(2)?);
                inputs.truncate(1);
                QuantizedOperator::InstanceNormalization { epsilon: *epsilon, scale, bias }
            }
            Operator::BatchNormalization { .. } => {
                return Err(Refusal {
                    message: "a BatchNormalization is left, expected it folded into a convolution".to_owned(),
                    hint: Some("clean the graph before quantizing it"),
                });
            }
        };
        self.push(node, operator, &inputs, activation, output_value)
    }

    fn push(
        &mut self,
        node: &Node,
        operator: QuantizedOperator,
        inputs: &[ValueId],
        activation: Option<Function>,
        output: ValueId,
    ) -> Result<(), Refusal> {
        let inputs = inputs.iter().map(|&input| self.activation(input)).collect::<Result<Vec<_>, _>>()?;
        let output = self.activation(output)?;
        self.push_made(node, operator, inputs, activation, output);
        Ok(())
    }

    fn push_made(
        &mut self,
        node: &Node,
        operator: QuantizedOperator,
        inputs: Vec<TensorId>,
        activation: Option<Function>,
        output: TensorId,
    ) {
        let value = self.made.value(output);
        // The bounds of channels follow from their encodings and the activation.
        let clamp = match value.channels.len() {
            0 => clamp_behind(value.encoding, activation),
            _ => [i8::MIN, i8::MAX],
        };
        self.made.nodes.push(QuantizedNode { name: node.name.clone(), operator, activation, clamp, inputs, output });
    }

    fn channel_encodings(&self, id: ValueId) -> Result<Vec<Encoding>, Refusal> {
        let ranges = self.by_channel.get(&id).map(Vec::as_slice).unwrap_or_default();
        let of = |&(low, high): &(f32, f32)| {
            let name = &self.graph.value(id).name;
            let message = || format!("the range of a channel of `{name}`, {low:e} to {high:e}, cannot be quantized");
            Encoding::of_range(low, high).ok_or_else(|| message().into())
        };
        ranges.iter().map(of).collect()
    }

    /// What depth-wise convolutions read of a value that has another encoding as well: made from the accumulator of the
    /// layer that writes it, else by a requantization.
    fn by_channels(&mut self, id: ValueId) -> Result<TensorId, Refusal> {
        let whole = self.activation(id)?;
        if self.private.contains(&id) {
            return Ok(whole);
        }
        if let Some(&made) = self.channel_ids.get(&id) {
            return Ok(made);
        }
        let value = self.made.value(whole).clone();
        let name = self.graph.unused_name(&format!("{}/channels", value.name));
        let channels = self.channel_encodings(id)?;
        let made = self.add(QuantizedValue { name: name.clone(), channels, ..value }, Some(id));
        self.channel_ids.insert(id, made);
        let layer = self
            .made
            .nodes
            .iter()
            .find(|node| node.output == whole && matches!(node.operator, QuantizedOperator::Convolution { .. }));
        let (operator, activation, inputs) = match layer.cloned() {
            Some(layer) => (layer.operator, layer.activation, layer.inputs),
            None => (QuantizedOperator::Requantize, None, vec![whole]),
        };
        let clamp = [i8::MIN, i8::MAX];
        self.made.nodes.push(QuantizedNode { name, operator, activation, clamp, inputs, output: made });
        Ok(made)
    }

    fn depthwise(
        &mut self,
        (index, node): (usize, &Node),
        attributes: &Convolution,
        activation: Option<Function>,
        output: ValueId,
    ) -> Result<(), Refusal> {
        let input = self.by_channels(node.inputs[0])?;
        let scales: Vec<f32> = self.made.value(input).channels.iter().map(|encoding| encoding.scale).collect();
        let outputs = self.graph.value(node.inputs[1]).shape.first().copied().unwrap_or(1).max(1);
        let scale = |output: usize| scales.get(output * scales.len() / outputs).copied().unwrap_or(1.0);
        let weights = self.weights(index, node, &scale)?;
        let operator = QuantizedOperator::Convolution { attributes: attributes.clone(), weights };
        let output = self.activation(output)?;
        self.push_made(node, operator, vec![input], activation, output);
        Ok(())
    }

    /// x/c is x·(1/c): the reciprocal in f32 is the constant that is quantized.
    fn division_by_constant(&mut self, node: &Node, output: ValueId) -> Result<(), Refusal> {
        let divisor = self.graph.value(node.inputs[1]);
        let values = self.constant_floats(node.inputs[1]).unwrap_or_default();
        let reciprocals: Vec<f32> = values.iter().map(|value| 1.0 / value).collect();
        if let Some(bad) = values.iter().zip(&reciprocals).find(|(_, reciprocal)| !reciprocal.is_finite()) {
            return Err(format!("divides by {}", bad.0).into());
        }
        let (min, max) = bounds(&reciprocals);
        let encoding = Encoding::of_range(min, max)
            .ok_or_else(|| Refusal::from(format!("the reciprocals of `{}` cannot be quantized", divisor.name)))?;
        let reciprocal = QuantizedValue {
            name: self.graph.unused_name(&format!("{}_reciprocal_{}", divisor.name, self.made.nodes.len())),
            shape: divisor.shape.clone(),
            encoding,
            channels: Vec::new(),
            constant: Some(reciprocals.iter().map(|&x| encoding.quantize(x)).collect()),
        };
        let dividend = self.activation(node.inputs[0])?;
        let reciprocal = self.add(reciprocal, None);
        let output = self.activation(output)?;
        let operator = QuantizedOperator::Arithmetic(Arithmetic::Multiply);
        self.push_made(node, operator, vec![dividend, reciprocal], None, output);
        Ok(())
    }

    /// Weights of a layer and their bias.
    fn weights(&self, index: usize, node: &Node, input_scale: &dyn Fn(usize) -> f32) -> Result<Weights, Refusal> {
        let weights = self.graph.value(node.inputs[1]);
        let Some(layer) = self.layers.layer(index) else {
            let message = format!("the weights `{}` are computed, expected a constant", weights.name);
            return Err(Refusal { message, hint: Some("only the activations of a layer may change between runs") });
        };
        let channels = layer.outputs();
        if channels == 0 {
            return Err(format!("the weights `{}` have the shape {:?}", weights.name, weights.shape).into());
        }
        let bias = match node.inputs.get(2) {
            None => vec![0.0; channels],
            Some(&id) => self.bias(id, channels)?,
        };
        let mut made = Weights {
            shape: layer.shape.clone(),
            values: layer.values.clone(),
            scales: Vec::with_capacity(channels),
            bias: Vec::with_capacity(channels),
            name: weights.name.clone(),
            bias_name: node.inputs.get(2).map(|&id| self.graph.value(id).name.clone()),
        };
        for (channel, &bias) in bias.iter().enumerate() {
            let (scale, bias) = layer
                .channel((self.graph, node), channel, (bias, input_scale(channel)), &mut made.values)
                .map_err(|error| Refusal::from(format!("output channel {channel}: {error}")))?;
            made.scales.push(scale);
            made.bias.push(bias);
        }
        Ok(made)
    }

    fn bias(&self, id: ValueId, channels: usize) -> Result<Vec<f32>, Refusal> {
        let value = self.graph.value(id);
        match self.constant_floats(id) {
            Some(floats) if floats.len() == channels && value.shape.last() == Some(&channels) => Ok(floats.to_vec()),
            Some(&[one]) => Ok(vec![one; channels]),
            Some(_) => {
                Err(format!("the bias `{}` has the shape {:?}, expected [{channels}]", value.name, value.shape).into())
            }
            None => Err(format!("the bias `{}` is computed, expected a constant", value.name).into()),
        }
    }
}

/// Whether a node is a convolution of which each output reads one channel: one group for each channel of an image.
pub(super) fn is_depthwise(graph: &Graph, node: &Node) -> bool {
    match (&node.operator, graph.value(node.inputs[0]).shape.as_slice()) {
        (Operator::Convolution(convolution), &[1, channels, _, _]) => {
            convolution.group == channels && channels > 1 && graph.value(node.inputs[1]).constant.is_some()
        }
        _ => false,
    }
}

/// The values with ranges of channels that need no other encoding: written by a convolution, read by depth-wise ones only, of an encoding
/// that they share with nothing.
fn private_channels(
    graph: &Graph,
    sharing: &Sharing,
    by_channel: &BTreeMap<ValueId, Vec<(f32, f32)>>,
) -> BTreeSet<ValueId> {
    let consumers = graph.consumers();
    let written: BTreeSet<ValueId> = (0..graph.nodes.len())
        .filter(|&node| matches!(graph.nodes[node].operator, Operator::Convolution(_)))
        .map(|node| sharing.output(graph, node))
        .collect();
    let is_private = |id: &ValueId| {
        let alone = sharing.root.iter().enumerate().all(|(other, root)| (*root == *id) == (other == id.index()));
        let readers = &consumers[id.index()];
        let read = readers.iter().all(|reader| is_depthwise(graph, &graph.nodes[reader.index()]));
        written.contains(id) && alone && read && !graph.outputs.contains(id)
    };
    by_channel.keys().copied().filter(is_private).collect()
}

/// Absent bounds of a Clip as the largest floats, which mean the same and can be written as JSON.
fn finite(function: Function) -> Function {
    match function {
        Function::Clip { low, high } => Function::Clip { low: low.max(f32::MIN), high: high.min(f32::MAX) },
        other => other,
    }
}

/// Smallest and largest of some values, with 0; not a number where one of them is not finite.
fn bounds(values: &[f32]) -> (f32, f32) {
    if values.iter().any(|x| !x.is_finite()) {
        return (f32::NAN, f32::NAN);
    }
    values.iter().fold((0.0, 0.0), |(min, max), &x| (x.min(min), x.max(max)))
}

/// The int8 value to pad with; refused where the encoding cannot hold the padded number.
fn padding(encoding: Encoding, value: f32) -> Result<i8, Refusal> {
    let q = encoding.quantize(value);
    if (encoding.dequantize(q) - value).abs() > encoding.scale {
        return Err(format!("pads with {value}, which lies outside the range of its input").into());
    }
    Ok(q)
}
