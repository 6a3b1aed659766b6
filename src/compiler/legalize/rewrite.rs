//! What a rewrite is: it looks at one node and proposes an edit; the driver checks and applies it.

use crate::compiler::operators::Function;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::QuantizedValue;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::contract::Encoding;

/// A quantized graph with what rewrites ask of it, computed once for each state.
pub(super) struct View<'a> {
    pub(super) graph: &'a QuantizedGraph,
    readers: Vec<usize>,
    producers: Vec<Option<usize>>,
}

/// What a new node reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Operand {
    /// A value that is there.
    Value(TensorId),
    /// What a new node writes, by its place among the new ones; one before this.
    New(usize),
}

/// A node to be made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NewNode {
    pub(super) operator: QuantizedOperator,
    pub(super) activation: Option<Function>,
    pub(super) clamp: [i8; 2],
    pub(super) inputs: Vec<Operand>,
    /// Shape and encoding of what it writes; of the last new node those of the root's output, whatever stands here.
    pub(super) output: (Vec<usize>, Encoding),
}

/// A change of the graph around one node, the root.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Edit {
    /// The new nodes stand in the root's place; the last writes what the root wrote. They are named after the root. Nodes
    /// whose results nobody reads any more go by themselves.
    Replace(Vec<NewNode>),
    /// The root goes; who read its output reads this value. When the root wrote an output of the network, the producer of
    /// the value writes that instead.
    Bypass(TensorId),
}

/// A rewrite that changes no bit of any output.
pub(super) trait Rewrite {
    /// In kebab-case; stands in the report.
    fn name(&self) -> &'static str;

    /// The edit for the pattern that ends in the node `root`; `None` where there is none, or where it would not be exact.
    fn propose(&self, view: &View<'_>, root: usize) -> Option<Edit>;
}

impl NewNode {
    /// A node without activation or clamp.
    pub(super) const fn plain(
        operator: QuantizedOperator,
        inputs: Vec<Operand>,
        output: (Vec<usize>, Encoding),
    ) -> Self {
        Self { operator, activation: None, clamp: [i8::MIN, i8::MAX], inputs, output }
    }
}

impl<'a> View<'a> {
    pub(super) fn new(graph: &'a QuantizedGraph) -> Self {
        let mut readers = vec![0; graph.values.len()];
        let mut producers = vec![None; graph.values.len()];
        for (place, node) in graph.nodes.iter().enumerate() {
            producers[node.output.index()] = Some(place);
            for input in &node.inputs {
                readers[input.index()] += 1;
            }
        }
        Self { graph, readers, producers }
    }

    pub(super) fn node(&self, place: usize) -> &'a QuantizedNode {
        &self.graph.nodes[place]
    }

    pub(super) fn value(&self, id: TensorId) -> &'a QuantizedValue {
        self.graph.value(id)
    }

    /// Shape and encoding of a value.
    pub(super) fn form(&self, id: TensorId) -> (Vec<usize>, Encoding) {
        (self.value(id).shape.clone(), self.value(id).encoding)
    }

    /// The node that writes a value.
    pub(super) fn producer(&self, id: TensorId) -> Option<&'a QuantizedNode> {
        self.producers[id.index()].map(|place| self.node(place))
    }

    /// The node that writes a value which nothing but one reader reads: it may be merged into that reader.
    pub(super) fn only_for_reader(&self, id: TensorId) -> Option<&'a QuantizedNode> {
        let alone = self.readers[id.index()] == 1 && !self.graph.outputs.contains(&id);
        self.producer(id).filter(|_| alone)
    }

    /// [`Edit::Bypass`] of a root by the value it reads, where both are stored alike and the names of outputs allow it.
    pub(super) fn bypass(&self, root: usize, value: TensorId) -> Option<Edit> {
        let (from, to) = (self.value(value), self.value(self.node(root).output));
        let same = from.shape == to.shape && from.encoding == to.encoding && from.channels == to.channels;
        let free = !self.graph.outputs.contains(&self.node(root).output);
        let renamed = self.producer(value).is_some() && !self.graph.outputs.contains(&value);
        (same && (free || renamed)).then_some(Edit::Bypass(value))
    }
}
