//! Which float values become int8 values, and which of these share an encoding.

use crate::compiler::graph::Graph;
use crate::compiler::graph::Node;
use crate::compiler::graph::ValueId;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Function;
use crate::compiler::operators::Operator;
use crate::compiler::operators::PoolKind;
use crate::compiler::operators::ResizeMode;

/// The plan for the values of a graph.
#[derive(Debug, Clone)]
pub struct Sharing {
    /// For each node the activation fused into it, and the value that then is its output.
    pub fused: Vec<Option<(Function, ValueId)>>,
    /// For each node whether it is gone, fused into its producer.
    pub absorbed: Vec<bool>,
    /// For each value the one whose range decides its encoding.
    pub root: Vec<ValueId>,
}

impl Sharing {
    /// Fuses activations and joins the values that only differ by a movement of elements.
    ///
    /// - `Relu` or `Clip` behind a node that requantizes (Conv, `ConvTranspose`, Dense, Add, Sub, Mul), as its only consumer: only the
    ///   activation's output is quantized.
    /// - A movement (Reshape, Transpose, Slice, Pad, `MaxPool`, nearest Resize) keeps its input's encoding.
    /// - What only a Concat reads is produced in the Concat's encoding at once: one rounding instead of two.
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        let consumers = graph.consumers();
        let producers = graph.producers();
        let mut fused = vec![None; graph.nodes.len()];
        let mut absorbed = vec![false; graph.nodes.len()];
        for (index, node) in graph.nodes.iter().enumerate() {
            if let ([only], false) = (&consumers[node.output.index()][..], graph.outputs.contains(&node.output))
                && let Operator::Function(function @ (Function::Relu | Function::Clip { .. })) =
                    graph.nodes[only.index()].operator
                && requantizes(&node.operator)
                && !absorbed[index]
            {
                fused[index] = Some((function, graph.nodes[only.index()].output));
                absorbed[only.index()] = true;
            }
        }
        let mut parent: Vec<ValueId> = (0..graph.values.len()).map(|index| ValueId(index as u32)).collect();
        for node in graph.nodes.iter().filter(|node| is_movement(&node.operator)) {
            parent[node.output.index()] = find(&parent, node.inputs[0]);
        }
        for node in &graph.nodes {
            if !matches!(node.operator, Operator::Concat { .. }) {
                continue;
            }
            for &input in &node.inputs {
                let private = |value: ValueId| {
                    consumers[value.index()].len() == 1
                        && !graph.outputs.contains(&value)
                        && !graph.inputs.contains(&value)
                        && graph.value(value).constant.is_none()
                };
                let mut value = input;
                let produced = loop {
                    if !private(value) {
                        break false;
                    }
                    let Some(producer) = producers[value.index()] else { break false };
                    let producer: &Node = &graph.nodes[producer.index()];
                    if !is_movement(&producer.operator) {
                        break true;
                    }
                    value = producer.inputs[0];
                };
                let (from, to) = (find(&parent, input), find(&parent, node.output));
                if produced && from != to {
                    parent[from.index()] = to;
                }
            }
        }
        let root = (0..graph.values.len()).map(|index| find(&parent, ValueId(index as u32))).collect();
        Self { fused, absorbed, root }
    }

    /// The value that a node writes, with what is fused into it.
    #[must_use]
    pub fn output(&self, graph: &Graph, node: usize) -> ValueId {
        self.fused[node].map_or(graph.nodes[node].output, |(_, output)| output)
    }

    /// The values whose ranges calibration has to find, ascending: roots that are not constants.
    #[must_use]
    pub fn observed(&self, graph: &Graph) -> Vec<ValueId> {
        let written = (0..graph.nodes.len()).filter(|&node| !self.absorbed[node]).map(|node| self.output(graph, node));
        let mut observed: Vec<ValueId> = graph
            .inputs
            .iter()
            .copied()
            .chain(written)
            .map(|value| self.root[value.index()])
            .filter(|&root| graph.value(root).constant.is_none())
            .collect();
        observed.sort_unstable();
        observed.dedup();
        observed
    }
}

fn find(parent: &[ValueId], mut value: ValueId) -> ValueId {
    while parent[value.index()] != value {
        value = parent[value.index()];
    }
    value
}

fn requantizes(operator: &Operator) -> bool {
    matches!(
        operator,
        Operator::Convolution(_)
            | Operator::TransposedConvolution(_)
            | Operator::Dense
            | Operator::MatrixProduct
            | Operator::Arithmetic(Arithmetic::Add | Arithmetic::Subtract | Arithmetic::Multiply)
    )
}

fn is_movement(operator: &Operator) -> bool {
    match operator {
        Operator::Pool(pool) => pool.kind == PoolKind::Maximum,
        Operator::GlobalPool(kind) => *kind == PoolKind::Maximum,
        Operator::Resize(resize) => resize.mode != ResizeMode::Linear,
        Operator::Reshape
        | Operator::Transpose { .. }
        | Operator::Slice(_)
        | Operator::Pad { .. }
        | Operator::Extension(_) => true,
        _ => false,
    }
}
