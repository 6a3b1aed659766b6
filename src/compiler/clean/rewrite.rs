//! What a rewrite is: it looks at one node and proposes an edit; the driver checks and applies it.

use crate::compiler::graph::Graph;
use crate::compiler::graph::Node;
use crate::compiler::graph::NodeId;
use crate::compiler::graph::Tensor;
use crate::compiler::graph::ValueId;
use crate::compiler::operators::Operator;

/// A graph with what rewrites ask of it, computed once for each state.
pub(super) struct View<'a> {
    pub(super) graph: &'a Graph,
    consumers: Vec<Vec<NodeId>>,
    producers: Vec<Option<NodeId>>,
}

/// What a new node reads.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    /// A value that is there.
    Value(ValueId),
    /// A new constant; the text is its role, for its name.
    Constant(&'static str, Tensor),
    /// What the new node before this one writes.
    Previous,
}

/// A node to be made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NewNode {
    pub(super) operator: Operator,
    pub(super) inputs: Vec<Operand>,
}

/// A change of the graph around one node, the root.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Edit {
    /// The root goes, and with it `removed`, whose outputs nothing else reads. The new nodes stand in its place; the
    /// last writes what the root wrote, those before it values of the same shape. They are named after the first
    /// removed node.
    Replace { removed: Vec<NodeId>, nodes: Vec<NewNode> },
    /// The root goes; who read its output reads this value. When the root wrote an output of the network, the producer
    /// of the value writes that instead.
    Bypass(ValueId),
}

impl Edit {
    /// One node in the place of the root and of `removed`.
    pub(super) fn replace(removed: Vec<NodeId>, operator: Operator, inputs: Vec<Operand>) -> Self {
        Self::Replace { removed, nodes: vec![NewNode { operator, inputs }] }
    }
}

/// A rewrite.
pub(super) trait Rewrite {
    /// In kebab-case; stands in the report.
    fn name(&self) -> &'static str;

    /// The edit for the pattern that ends in `root`; `None` where there is none, or where it would not be exact.
    fn propose(&self, view: &View<'_>, root: NodeId) -> Option<Edit>;
}

impl<'a> View<'a> {
    pub(super) fn new(graph: &'a Graph) -> Self {
        Self { graph, consumers: graph.consumers(), producers: graph.producers() }
    }

    pub(super) fn node(&self, id: NodeId) -> &'a Node {
        &self.graph.nodes[id.index()]
    }

    pub(super) fn shape(&self, id: ValueId) -> &'a [usize] {
        &self.graph.value(id).shape
    }

    /// The floats of a constant.
    pub(super) fn floats(&self, id: ValueId) -> Option<&'a [f32]> {
        self.graph.value(id).constant.as_ref()?.as_f32()
    }

    /// The floats of an input of a node that is a constant.
    pub(super) fn input_floats(&self, node: &Node, place: usize) -> Option<&'a [f32]> {
        self.floats(*node.inputs.get(place)?)
    }

    /// Whether the value is an output of the network.
    pub(super) fn is_output(&self, id: ValueId) -> bool {
        self.graph.outputs.contains(&id)
    }

    /// The node that writes a value.
    pub(super) fn producer(&self, id: ValueId) -> Option<NodeId> {
        self.producers.get(id.index()).copied().flatten()
    }

    /// [`Edit::Bypass`] of a root by the value it reads, where names of outputs allow it.
    pub(super) fn bypass(&self, root: NodeId, value: ValueId) -> Option<Edit> {
        let free = !self.is_output(self.node(root).output);
        let renamed = self.producer(value).is_some() && !self.is_output(value);
        let same = self.shape(value) == self.shape(self.node(root).output);
        ((free || renamed) && same).then_some(Edit::Bypass(value))
    }

    /// The node that writes a value which nothing but one reader reads: it may be merged into that reader.
    pub(super) fn only_for_reader(&self, id: ValueId) -> Option<NodeId> {
        let alone = self.consumers.get(id.index()).is_some_and(|readers| readers.len() == 1) && !self.is_output(id);
        self.producer(id).filter(|_| alone)
    }
}
