//! The float graph: an arena of values and nodes in topological order, every shape known.

use crate::compiler::graph::{DataType, Tensor};
use crate::compiler::operators::Operator;

/// A value of a [`Graph`]: an input, a constant or the output of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub u32);

/// A node of a [`Graph`]: its place in [`Graph::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

impl ValueId {
    /// Place in [`Graph::values`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl NodeId {
    /// Place in [`Graph::nodes`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A tensor between nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// The ONNX name; unique in the graph.
    pub name: String,
    /// Dimensions, outermost first; all known and at least 1 (a batch of 1 first where the model has a batch).
    pub shape: Vec<usize>,
    /// Element type.
    pub data_type: DataType,
    /// The contents, where the value is a constant.
    pub constant: Option<Tensor>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The ONNX node's name, or one made from its first output; for messages.
    pub name: String,
    /// What it computes, attributes included.
    pub operator: Operator,
    /// What it reads, in the operator's order; an absent optional input at the end is left out.
    pub inputs: Vec<ValueId>,
    /// What it writes. Every operator of this graph writes exactly one value.
    pub output: ValueId,
}

/// A float network with known shapes. Invariants, checked by [`Graph::verify`]: nodes are in topological order, each
/// value has at most one producer and no producer if it is a constant or an input, names are unique, every input of a
/// node is an input, a constant or produced before it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Graph {
    /// The network's name in the file; for messages.
    pub name: String,
    /// All values, by [`ValueId`].
    pub values: Vec<Value>,
    /// All nodes, in topological order.
    pub nodes: Vec<Node>,
    /// The network's inputs, in order.
    pub inputs: Vec<ValueId>,
    /// The network's outputs, in order.
    pub outputs: Vec<ValueId>,
}

/// What [`Graph::verify`] found broken: always a mistake of ours, never of a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the graph is inconsistent: {0}")]
pub struct Inconsistent(pub String);

impl Graph {
    /// The value of an id of this graph.
    ///
    /// # Panics
    /// When the id is of another graph.
    #[must_use]
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.index()]
    }

    /// Adds a value; the name must not be used yet (see [`Graph::unused_name`]).
    pub fn add_value(&mut self, value: Value) -> ValueId {
        self.values.push(value);
        ValueId(u32::try_from(self.values.len() - 1).unwrap_or(u32::MAX))
    }

    /// Adds a constant under a name that is not used yet.
    pub fn add_constant(&mut self, name: impl Into<String>, tensor: Tensor) -> ValueId {
        self.add_value(Value {
            name: name.into(),
            shape: tensor.shape().to_vec(),
            data_type: tensor.data_type(),
            constant: Some(tensor),
        })
    }

    /// `base`, or `base` with the first free number behind it.
    #[must_use]
    pub fn unused_name(&self, base: &str) -> String {
        let used = |name: &str| self.values.iter().any(|value| value.name == name);
        if !used(base) {
            return base.to_owned();
        }
        (1..=u32::MAX).map(|number| format!("{base}_{number}")).find(|name| !used(name)).unwrap_or_default()
    }

    /// For each value the nodes that read it, by place; a node that reads a value twice is named twice.
    #[must_use]
    pub fn consumers(&self) -> Vec<Vec<NodeId>> {
        let mut consumers = vec![Vec::new(); self.values.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for input in &node.inputs {
                consumers[input.index()].push(NodeId(index as u32));
            }
        }
        consumers
    }

    /// For each value the node that writes it.
    #[must_use]
    pub fn producers(&self) -> Vec<Option<NodeId>> {
        let mut producers = vec![None; self.values.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            producers[node.output.index()] = Some(NodeId(index as u32));
        }
        producers
    }

    /// Multiplications with weights that one run needs: convolutions and dense layers.
    #[must_use]
    pub fn macs(&self) -> u64 {
        let product = |sizes: &[usize]| sizes.iter().fold(1_u64, |product, &size| product.saturating_mul(size as u64));
        let weights = |node: &Node| node.inputs.get(1).map(|&id| self.value(id).shape.as_slice()).unwrap_or_default();
        let of_node = |node: &Node| {
            let an_output = match &node.operator {
                Operator::Convolution(_) => product(weights(node).get(1..).unwrap_or_default()),
                Operator::Dense => weights(node).first().map_or(0, |&size| size as u64),
                _ => 0,
            };
            product(&self.value(node.output).shape).saturating_mul(an_output)
        };
        self.nodes.iter().map(of_node).fold(0, u64::saturating_add)
    }

    /// Checks the invariants; run after every pass in debug builds.
    pub fn verify(&self) -> Result<(), Inconsistent> {
        let broken = |text: String| Err(Inconsistent(text));
        let mut names = std::collections::BTreeSet::new();
        for value in &self.values {
            if !names.insert(value.name.as_str()) {
                return broken(format!("two values are called `{}`", value.name));
            }
            if value.constant.as_ref().is_some_and(|constant| constant.shape() != value.shape) {
                return broken(format!("the constant `{}` has another shape than its value", value.name));
            }
        }
        let mut known: Vec<bool> = self.values.iter().map(|value| value.constant.is_some()).collect();
        for input in &self.inputs {
            known[input.index()] = true;
        }
        for node in &self.nodes {
            if let Some(input) = node.inputs.iter().find(|input| !known[input.index()]) {
                return broken(format!("`{}` reads `{}` before it is written", node.name, self.value(*input).name));
            }
            if std::mem::replace(&mut known[node.output.index()], true) {
                return broken(format!("`{}` writes `{}` a second time", node.name, self.value(node.output).name));
            }
        }
        match self.outputs.iter().find(|output| !known[output.index()]) {
            Some(output) => broken(format!("nothing writes the output `{}`", self.value(*output).name)),
            None => Ok(()),
        }
    }
}
