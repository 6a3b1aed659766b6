//! A graph of each side of the cuts.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::compiler::StageError;
use crate::compiler::Status;
use crate::compiler::graph::DataType;
use crate::compiler::graph::Graph;
use crate::compiler::graph::Node;
use crate::compiler::graph::Value;
use crate::compiler::graph::ValueId;
use crate::compiler::operators::Operator;
use crate::compiler::split::cut::Side;
use crate::compiler::split::cut::multiplications;

/// A graph in three. Between two parts a value has one name in both. The preamble's outputs begin with the core's inputs, in
/// order; the postamble's inputs begin with the core's outputs, in order, and its outputs are the network's. A value that
/// the postamble reads from before the core is one more output of the preamble, or an input of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// What runs on the host before the core, where there is something.
    pub preamble: Option<Graph>,
    /// What is quantized.
    pub core: Graph,
    /// What runs on the host after the core, where there is something.
    pub postamble: Option<Graph>,
}

impl Parts {
    /// A graph of which nothing is cut off.
    #[must_use]
    pub const fn whole(core: Graph) -> Self {
        Self { preamble: None, core, postamble: None }
    }

    /// Multiplications that the host does in one run.
    #[must_use]
    pub fn host_macs(&self) -> u64 {
        let parts = [&self.preamble, &self.postamble].into_iter().flatten();
        let macs = parts.flat_map(|part| part.nodes.iter().map(|node| multiplications(part, node)));
        macs.fold(0, u64::saturating_add)
    }
}

/// Where a value that is no constant comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Input,
    Made(Side),
}

/// A part being made.
struct Assembly<'a> {
    whole: &'a Graph,
    /// Names that values have in the part, if not their own.
    names: &'a BTreeMap<ValueId, String>,
    part: Graph,
    places: BTreeMap<ValueId, ValueId>,
}

impl Assembly<'_> {
    /// A value of the whole in the part.
    fn value(&mut self, id: ValueId) -> ValueId {
        if let Some(&place) = self.places.get(&id) {
            return place;
        }
        let mut value = self.whole.value(id).clone();
        if let Some(name) = self.names.get(&id) {
            value.name.clone_from(name);
        }
        let place = self.part.add_value(value);
        self.places.insert(id, place);
        place
    }

    fn node(&mut self, node: &Node) {
        let inputs = node.inputs.iter().map(|&input| self.value(input)).collect();
        let output = self.value(node.output);
        self.part.nodes.push(Node { name: node.name.clone(), operator: node.operator.clone(), inputs, output });
    }

    /// A value as an output of the part: itself, or the same elements under another name.
    fn handed_on(&mut self, id: ValueId, name: Option<&String>) -> ValueId {
        let place = self.value(id);
        let Some(name) = name else { return place };
        let shape = self.whole.value(id).shape.clone();
        let output = self.part.add_value(Value { name: name.clone(), shape, data_type: DataType::F32, constant: None });
        self.part.nodes.push(Node { name: name.clone(), operator: Operator::Reshape, inputs: vec![place], output });
        output
    }

    fn finish(self) -> Result<Graph, StageError> {
        let broken = |cause: crate::compiler::graph::Inconsistent| {
            let error = StageError::new(Status::OnnxGraphCleanerError, format!("after the split {cause}"));
            error.hint("this is a mistake in axzoo; please report it")
        };
        self.part.verify().map_err(broken)?;
        Ok(self.part)
    }
}

/// Which values cross the cuts.
struct Crossings {
    /// What the core reads: inputs of the network, then what the preamble makes.
    into_core: Vec<ValueId>,
    /// What the core makes for the postamble, or for the network.
    out_of_core: Vec<ValueId>,
    /// What the postamble reads or hands on from before the core.
    past_core: Vec<ValueId>,
    /// Inputs of the network that the first part takes.
    inputs: Vec<ValueId>,
}

/// Makes the graphs. No node of the core reads what the postamble makes, none of the preamble what another part makes.
pub(super) fn parts(graph: &Graph, sides: &[Side]) -> Result<Parts, StageError> {
    let mut sources = vec![Source::Input; graph.values.len()];
    for (node, &side) in graph.nodes.iter().zip(sides) {
        sources[node.output.index()] = Source::Made(side);
    }
    let has_preamble = sides.contains(&Side::Preamble);
    let is_by_core = |output: &ValueId| sources[output.index()] == Source::Made(Side::Core);
    let has_postamble = sides.contains(&Side::Postamble) || !graph.outputs.iter().all(is_by_core);
    let crossings = crossings(graph, sides, has_postamble);

    // A value that the network names and that goes through a part unchanged needs a second name: an output on its way to the
    // postamble in every part, an input on its way through the preamble in the core only.
    let name_in_core = |id: ValueId| graph.unused_name(&format!("{}/core", graph.value(id).name));
    let is_own = |id: &ValueId| sources[id.index()] == Source::Made(Side::Postamble);
    let handed_on = graph.outputs.iter().filter(|id| has_postamble && !is_own(id));
    let outside: BTreeMap<ValueId, String> = handed_on.map(|&id| (id, name_in_core(id))).collect();
    let mut inside = outside.clone();
    for &id in &crossings.into_core {
        if has_preamble && sources[id.index()] == Source::Input {
            inside.insert(id, name_in_core(id));
        }
    }
    let part_of = |side: Side, name: String, names| {
        let part = Graph { name, ..Graph::default() };
        let mut assembly = Assembly { whole: graph, names, part, places: BTreeMap::new() };
        let inputs = match side {
            Side::Core if has_preamble => crossings.into_core.clone(),
            Side::Preamble | Side::Core => crossings.inputs.clone(),
            Side::Postamble => crossings.out_of_core.iter().chain(&crossings.past_core).copied().collect(),
        };
        assembly.part.inputs = inputs.into_iter().map(|id| assembly.value(id)).collect();
        for (node, _) in graph.nodes.iter().zip(sides).filter(|(_, found)| **found == side) {
            assembly.node(node);
        }
        assembly
    };

    let mut core = part_of(Side::Core, graph.name.clone(), &inside);
    core.part.outputs = crossings.out_of_core.iter().map(|&id| core.value(id)).collect();
    let core = core.finish()?;
    let mut parts = Parts::whole(core);
    if has_preamble {
        let mut part = part_of(Side::Preamble, format!("{}-preamble", graph.name), &outside);
        let mut outputs = Vec::new();
        for &id in &crossings.into_core {
            let renamed = inside.get(&id).filter(|_| sources[id.index()] == Source::Input);
            outputs.push(part.handed_on(id, renamed));
        }
        let is_more =
            |id: &&ValueId| sources[id.index()] == Source::Made(Side::Preamble) && !crossings.into_core.contains(id);
        outputs.extend(crossings.past_core.iter().filter(is_more).map(|&id| part.value(id)));
        part.part.outputs = outputs;
        parts.preamble = Some(part.finish()?);
    }
    if has_postamble {
        let mut part = part_of(Side::Postamble, format!("{}-postamble", graph.name), &outside);
        let mut outputs = Vec::new();
        for &id in &graph.outputs {
            let own_name = &graph.value(id).name;
            outputs.push(part.handed_on(id, Some(own_name).filter(|_| !is_own(&id))));
        }
        part.part.outputs = outputs;
        parts.postamble = Some(part.finish()?);
    }
    Ok(parts)
}

fn crossings(graph: &Graph, sides: &[Side], has_postamble: bool) -> Crossings {
    let mut read: [BTreeSet<ValueId>; 3] = Default::default();
    for (node, &side) in graph.nodes.iter().zip(sides) {
        read[side as usize].extend(&node.inputs);
    }
    let [by_preamble, by_core, by_postamble] = &read;
    let made_by = |wanted: Side| {
        let nodes = graph.nodes.iter().zip(sides).filter(move |(_, side)| **side == wanted);
        nodes.map(|(node, _)| node.output)
    };
    let into_core: Vec<ValueId> =
        graph.inputs.iter().copied().chain(made_by(Side::Preamble)).filter(|id| by_core.contains(id)).collect();
    let is_output = |id: &ValueId| graph.outputs.contains(id);
    let out_of_core = if has_postamble {
        made_by(Side::Core).filter(|id| by_postamble.contains(id) || is_output(id)).collect()
    } else {
        graph.outputs.clone()
    };
    let before = graph.inputs.iter().copied().chain(made_by(Side::Preamble));
    let past_core = before.filter(|id| by_postamble.contains(id) || (has_postamble && is_output(id))).collect();
    let only_by_postamble =
        |id: &ValueId| by_postamble.contains(id) && !by_core.contains(id) && !by_preamble.contains(id);
    let inputs = graph.inputs.iter().copied().filter(|id| !only_by_postamble(id)).collect();
    Crossings { into_core, out_of_core, past_core, inputs }
}
