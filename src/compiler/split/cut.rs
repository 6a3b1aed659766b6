//! On which side of the cuts each node is.

use std::collections::BTreeMap;
use std::io::Cursor;

use prost::Message;

use crate::compiler::StageError;
use crate::compiler::Status;
use crate::compiler::aipu;
use crate::compiler::aipu::Place;
use crate::compiler::graph::Graph;
use crate::compiler::graph::Node;
use crate::compiler::graph::NodeId;
use crate::compiler::graph::ValueId;
use crate::compiler::graph::element_count;
use crate::compiler::onnx::ImportOptions;
use crate::compiler::onnx::NoExternalData;
use crate::compiler::onnx::OnnxFile;
use crate::compiler::onnx::Survey;
use crate::compiler::onnx::export_proto;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::onnx::proto::ModelProto;
use crate::compiler::onnx::proto::TensorProto;
use crate::compiler::operators::Function;
use crate::compiler::operators::Operator;
use crate::compiler::split::Parts;
use crate::compiler::split::parts::parts;

/// The part of a network's multiplications that the table may leave to the host: the rest is the core's, which the embedded
/// compiler runs whatever the AIPU would say to it.
const HOST_PART: u64 = 100;

/// What the graph cleaner's properties say of the cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitOptions {
    /// Whether anything is cut off (`run_graph_cleaner` and `graph_cleaner_split_pre_post_processing`).
    pub cuts: bool,
    /// The node at which the postamble begins, whatever the table says of it and what is behind it.
    pub point: Option<NodeId>,
}

/// The side of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Preamble,
    Core,
    Postamble,
}

/// For each label of a node of the file, as it was given, whether the table takes it: what cleaning made of such a node
/// stays in the core, though the table may not know its form.
#[must_use]
pub fn accelerated(survey: &Survey<'_>) -> BTreeMap<String, bool> {
    let mut labels = BTreeMap::new();
    for (place, _, fault) in aipu::place(survey, false).nodes {
        let Some(node) = survey.nodes.get(place) else { continue };
        // Nothing keeps a file from having two nodes of one name.
        let is_taken = labels.entry(node.label.clone()).or_insert(true);
        *is_taken &= fault.is_none();
    }
    labels
}

/// Whether a node of the graph was made of one that the table takes. Import and cleaning number the nodes that they add.
fn is_made_of_taken(labels: &BTreeMap<String, bool>, name: &str) -> bool {
    let mut rest = name;
    loop {
        if let Some(is_taken) = labels.get(rest) {
            return *is_taken;
        }
        match rest.rsplit_once('_') {
            Some((shorter, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
                rest = shorter;
            }
            _ => return false,
        }
    }
}

/// Cuts a cleaned graph; `accelerated` is what [`accelerated`] says of its file. One of which nothing is cut off is the core as it was, to the last name. Fails when a split point
/// leaves nothing to the core.
pub fn split(graph: Graph, accelerated: &BTreeMap<String, bool>, options: &SplitOptions) -> Result<Parts, StageError> {
    if !options.cuts {
        return Ok(Parts::whole(graph));
    }
    let mut sides = by_table(&graph, accelerated)?;
    if let Some(point) = options.point {
        if let Some(side) = sides.get_mut(point.index()) {
            *side = Side::Postamble;
        }
        close(&graph, &mut sides);
        if !sides.contains(&Side::Core) {
            let node = graph.nodes.get(point.index()).map(|node| node.name.clone()).unwrap_or_default();
            let message = "the graph is to be split here, which leaves nothing to the core";
            return Err(StageError::new(Status::OnnxGraphCleanerError, message)
                .node(node)
                .hint("choose another `graph_cleaner_node`, or raise `graph_cleaner_threshold`"));
        }
    }
    if sides.iter().all(|&side| side == Side::Core) {
        return Ok(Parts::whole(graph));
    }
    parts(&graph, &sides)
}

/// The sides by the table alone; all core where the table finds no core, or no more than a core.
fn by_table(graph: &Graph, accelerated: &BTreeMap<String, bool>) -> Result<Vec<Side>, StageError> {
    let mut sides = vec![Side::Core; graph.nodes.len()];
    let file = judged_file(graph).encode_to_vec();
    let length = file.len() as u64;
    let file = OnnxFile::skim(Cursor::new(file), length)?;
    let survey = file.survey(&NoExternalData, &ImportOptions::default())?;
    // A node of the graph may be several of the file, of which the last writes what it writes.
    let mut node_of = vec![None; survey.nodes.len()];
    let mut waiting = 0;
    let mut index = 0;
    for (place, surveyed) in survey.nodes.iter().enumerate() {
        let written = graph.nodes.get(index).map(|node| graph.value(node.output).name.as_str());
        if written.is_some() && surveyed.output() == written {
            node_of[waiting..=place].fill(Some(index));
            waiting = place + 1;
            index += 1;
        }
    }
    let node_at = |place: usize| node_of.get(place).copied().flatten();
    let is_known =
        |place| node_at(place).is_some_and(|node: usize| is_made_of_taken(accelerated, &graph.nodes[node].name));
    let placement = aipu::place_but(&survey, true, &is_known);
    if !placement.has_core {
        return Ok(sides);
    }
    for &(place, found, _) in &placement.nodes {
        let Some(side) = node_at(place).and_then(|node| sides.get_mut(node)) else { continue };
        match found {
            Place::Preamble => *side = Side::Preamble,
            Place::Postamble => *side = Side::Postamble,
            Place::Core | Place::Refused => {}
        }
    }
    close(graph, &mut sides);
    keep_work(graph, &mut sides);
    if sides.contains(&Side::Core) { Ok(sides) } else { Ok(vec![Side::Core; graph.nodes.len()]) }
}

/// What depends on the postamble belongs to it, and what the preamble depends on to that.
fn close(graph: &Graph, sides: &mut [Side]) {
    let producers = graph.producers();
    let side_of =
        |sides: &[Side], input: &ValueId| producers[input.index()].map(|producer: NodeId| sides[producer.index()]);
    for (place, node) in graph.nodes.iter().enumerate() {
        if node.inputs.iter().any(|input| side_of(sides, input) == Some(Side::Postamble)) {
            sides[place] = Side::Postamble;
        }
    }
    for (place, node) in graph.nodes.iter().enumerate().rev() {
        if sides[place] == Side::Preamble {
            for producer in node.inputs.iter().filter_map(|input| producers[input.index()]) {
                sides[producer.index()] = Side::Preamble;
            }
        }
    }
}

/// Takes layers back into the core where the host's would be more than a [`HOST_PART`]th of the work: of the preamble what
/// depends on a layer, of the postamble what a layer depends on.
fn keep_work(graph: &Graph, sides: &mut [Side]) {
    let work: Vec<u64> = graph.nodes.iter().map(|node| multiplications(graph, node)).collect();
    let sum = |wanted: &dyn Fn(Side) -> bool| {
        let taken = work.iter().zip(&*sides).filter(|(_, side)| wanted(**side)).map(|(work, _)| *work);
        taken.fold(0_u64, u64::saturating_add)
    };
    if sum(&|side| side != Side::Core) <= sum(&|_| true) / HOST_PART {
        return;
    }
    let producers = graph.producers();
    let mut has_layer = vec![false; graph.nodes.len()];
    for (place, node) in graph.nodes.iter().enumerate() {
        let before =
            |input: &ValueId| producers[input.index()].is_some_and(|producer: NodeId| has_layer[producer.index()]);
        has_layer[place] = work[place] > 0 || node.inputs.iter().any(before);
    }
    for (side, _) in sides.iter_mut().zip(has_layer).filter(|(side, after)| **side == Side::Preamble && *after) {
        *side = Side::Core;
    }
    let mut has_layer = vec![false; graph.nodes.len()];
    for (place, node) in graph.nodes.iter().enumerate().rev() {
        has_layer[place] |= work[place] > 0;
        if has_layer[place] {
            for producer in node.inputs.iter().filter_map(|input| producers[input.index()]) {
                has_layer[producer.index()] = true;
            }
        }
    }
    for (side, _) in sides.iter_mut().zip(has_layer).filter(|(side, before)| **side == Side::Postamble && *before) {
        *side = Side::Core;
    }
}

/// Multiplications of one node with weights, or of two computed matrices.
pub(super) fn multiplications(graph: &Graph, node: &Node) -> u64 {
    let shape = |place: usize| node.inputs.get(place).map(|&id| graph.value(id).shape.as_slice()).unwrap_or_default();
    let count = |shape: &[usize]| element_count(shape).map_or(u64::MAX, |count| count as u64);
    let output = graph.value(node.output).shape.as_slice();
    let (positions, each) = match &node.operator {
        Operator::Convolution(_) => (output, shape(1).get(1..).unwrap_or_default()),
        Operator::TransposedConvolution(_) => (shape(0), shape(1).get(1..).unwrap_or_default()),
        Operator::Dense | Operator::MatrixProduct => {
            (output, shape(0).last().map(std::slice::from_ref).unwrap_or_default())
        }
        _ => return 0,
    };
    count(positions).saturating_mul(count(each))
}

/// The graph as the table knows its operators: a Reshape that is a Flatten or a Squeeze is called so, and a Selu is one node.
fn judged_file(graph: &Graph) -> ModelProto {
    let mut model = export_proto(graph);
    let Some(file) = &mut model.graph else { return model };
    let nodes: BTreeMap<&str, &Node> =
        graph.nodes.iter().map(|node| (graph.value(node.output).name.as_str(), node)).collect();
    for written in &mut file.node {
        let node = written.output.first().and_then(|output| nodes.get(output.as_str()));
        let Some((node, from)) = node.and_then(|node| Some((node, graph.value(*node.inputs.first()?)))) else {
            continue;
        };
        let to = graph.value(node.output);
        match &node.operator {
            // The table has a row for this one.
            Operator::Reshape if matches!(*from.shape, [1, n, 1, 1] if *to.shape == [1, n]) => {}
            Operator::Reshape => {
                if let Some(axis) = flattened(&from.shape, &to.shape) {
                    "Flatten".clone_into(&mut written.op_type);
                    written.input.truncate(1);
                    written.attribute = vec![AttributeProto::int("axis", axis)];
                } else if let Some(axes) = squeezed(&from.shape, &to.shape) {
                    "Squeeze".clone_into(&mut written.op_type);
                    let name = format!("{}/axes of a squeeze", to.name);
                    written.input = vec![from.name.clone(), name.clone()];
                    file.initializer.push(TensorProto::from_i64(&name, &[axes.len()], &axes));
                }
            }
            Operator::Function(Function::Selu { alpha, gamma }) => {
                "Selu".clone_into(&mut written.op_type);
                written.input = vec![from.name.clone()];
                written.attribute =
                    vec![AttributeProto::float("alpha", *alpha), AttributeProto::float("gamma", *gamma)];
            }
            _ => {}
        }
    }
    model
}

/// The axis of the Flatten that a reshape is, the first after the batch where there are several.
fn flattened(from: &[usize], to: &[usize]) -> Option<i64> {
    let &[rows, columns] = to else { return None };
    let is_axis = |axis: &usize| {
        let (outer, inner) = from.split_at(*axis);
        element_count(outer) == Some(rows) && element_count(inner) == Some(columns)
    };
    (1..from.len()).chain([0]).find(is_axis).map(|axis| axis as i64)
}

/// The axes of one element that a reshape drops, where it does nothing else.
fn squeezed(from: &[usize], to: &[usize]) -> Option<Vec<i64>> {
    let mut axes = Vec::new();
    let mut kept = to.iter().peekable();
    for (axis, size) in from.iter().enumerate() {
        if kept.peek() == Some(&size) {
            kept.next();
        } else if *size == 1 {
            axes.push(axis as i64);
        } else {
            return None;
        }
    }
    (kept.next().is_none() && !axes.is_empty()).then_some(axes)
}
