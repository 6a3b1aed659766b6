//! Applying rewrites until none has anything to say.

use std::collections::BTreeMap;

use crate::compiler::StageError;
use crate::compiler::Status;
use crate::compiler::clean::merge;
use crate::compiler::clean::movement;
use crate::compiler::clean::nothing;
use crate::compiler::clean::padding;
use crate::compiler::clean::rewrite::Edit;
use crate::compiler::clean::rewrite::NewNode;
use crate::compiler::clean::rewrite::Operand;
use crate::compiler::clean::rewrite::Rewrite;
use crate::compiler::clean::rewrite::View;
use crate::compiler::graph::DataType;
use crate::compiler::graph::Graph;
use crate::compiler::graph::Node;
use crate::compiler::graph::NodeId;
use crate::compiler::graph::Value;
use crate::compiler::graph::ValueId;

/// What was rewritten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CleanReport {
    /// Name of each rewrite that applied, with how often; in the order of their names.
    pub applied: Vec<(String, usize)>,
}

/// All rewrites, in the order in which they are tried at a node.
fn rewrites() -> Vec<Box<dyn Rewrite>> {
    vec![
        Box::new(nothing::RemoveNothing),
        Box::new(movement::MergeReshapes),
        Box::new(movement::MergeTransposes),
        Box::new(movement::TransposeToReshape),
        Box::new(padding::PadIntoConvolution),
        Box::new(padding::PadIntoPool),
        Box::new(merge::NormalizationIntoWeights),
        Box::new(merge::ArithmeticIntoWeights),
        Box::new(merge::NormalizationToConvolution),
        Box::new(merge::NormalizationToArithmetic),
    ]
}

/// Nodes that are looked at, each time one is edited: ten thousand edits of ten thousand nodes, more than any network needs.
const WORK_LIMIT: usize = 100_000_000;

/// Cleans a graph. Its inputs and outputs keep their names, shapes and order.
pub fn clean(graph: Graph) -> Result<(Graph, CleanReport), StageError> {
    clean_within(WORK_LIMIT, graph)
}

fn clean_within(work_limit: usize, mut graph: Graph) -> Result<(Graph, CleanReport), StageError> {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let rewrites = rewrites();
    // Each edit removes a node or brings one into a form that no rewrite undoes, so this ends; the limit is a safeguard.
    let limit = 100 + 20 * graph.nodes.len();
    let mut edits = 0;
    let mut work = 0_usize;
    loop {
        remove_dead(&mut graph);
        let before = edits;
        let mut place = 0;
        while let Some((name, root, edit)) = next_edit(&graph, &rewrites, place) {
            place = root.index();
            let nodes = graph.nodes.len();
            apply(&mut graph, root, edit);
            edits += 1;
            *counts.entry(name).or_default() += 1;
            if edits > limit {
                return Err(broken(format!("cleaning does not end: {counts:?}")));
            }
            work += nodes;
            if work > work_limit {
                let message = format!("cleaning its {nodes} nodes takes too long: {edits} edits are not all");
                return Err(StageError::new(Status::OnnxGraphCleanerError, message)
                    .hint("simplify the model first, for example by `onnxsim`"));
            }
            if cfg!(debug_assertions) {
                graph.verify().map_err(|cause| broken(format!("after `{name}`: {cause}")))?;
            }
            // The new node may be part of the next pattern, and what was removed moved it forward.
            place = (place + graph.nodes.len()).saturating_sub(nodes);
        }
        if edits == before {
            break;
        }
    }
    graph.verify().map_err(|cause| broken(cause.to_string()))?;
    let applied = counts.into_iter().map(|(name, times)| (name.to_owned(), times)).collect();
    Ok((graph, CleanReport { applied }))
}

fn broken(message: String) -> StageError {
    StageError::new(Status::OnnxGraphCleanerError, message).hint("this is a mistake in axzoo; please report it")
}

/// The first edit at or behind a place.
fn next_edit(graph: &Graph, rewrites: &[Box<dyn Rewrite>], from: usize) -> Option<(&'static str, NodeId, Edit)> {
    let view = View::new(graph);
    (from..graph.nodes.len()).find_map(|place| {
        let root = NodeId(place as u32);
        rewrites.iter().find_map(|rewrite| rewrite.propose(&view, root).map(|edit| (rewrite.name(), root, edit)))
    })
}

fn apply(graph: &mut Graph, root: NodeId, edit: Edit) {
    match edit {
        Edit::Bypass(value) => bypass(graph, root, value),
        Edit::Replace { removed, nodes } => replace(graph, root, &removed, nodes),
    }
}

fn bypass(graph: &mut Graph, root: NodeId, value: ValueId) {
    let output = graph.nodes.remove(root.index()).output;
    let (old, new) = if graph.outputs.contains(&output) { (value, output) } else { (output, value) };
    for node in &mut graph.nodes {
        if node.output == old {
            node.output = new;
        }
        for input in node.inputs.iter_mut().filter(|input| **input == old) {
            *input = new;
        }
    }
}

fn replace(graph: &mut Graph, root: NodeId, removed: &[NodeId], nodes: Vec<NewNode>) {
    let old = graph.nodes[root.index()].clone();
    let name = removed.first().map_or(old.name, |first| graph.nodes[first.index()].name.clone());
    let shape = graph.value(old.output).shape.clone();
    let count = nodes.len();
    let mut made: Vec<Node> = Vec::with_capacity(count);
    for (place, new) in nodes.into_iter().enumerate() {
        let mut inputs = Vec::with_capacity(new.inputs.len());
        for operand in new.inputs {
            inputs.push(match operand {
                Operand::Value(value) => value,
                Operand::Constant(role, tensor) => {
                    let constant = graph.unused_name(&format!("{name}/{role}"));
                    graph.add_constant(constant, tensor)
                }
                Operand::Previous => made.last().map_or(old.output, |node| node.output),
            });
        }
        let output = if place + 1 == count {
            old.output
        } else {
            let name = graph.unused_name(&format!("{name}/{}", new.operator.name()));
            graph.add_value(Value { name, shape: shape.clone(), data_type: DataType::F32, constant: None })
        };
        let name = if place == 0 { name.clone() } else { format!("{name}_{place}") };
        made.push(Node { name, operator: new.operator, inputs, output });
    }
    graph.nodes.splice(root.index()..=root.index(), made);
    let mut gone: Vec<usize> = removed.iter().map(|node| node.index()).collect();
    gone.sort_unstable();
    for place in gone.into_iter().rev() {
        graph.nodes.remove(place);
    }
}

/// Drops nodes that no output depends on, and values that nothing names. Inputs stay.
fn remove_dead(graph: &mut Graph) {
    let mut needed = vec![false; graph.values.len()];
    for id in graph.inputs.iter().chain(&graph.outputs) {
        needed[id.index()] = true;
    }
    let mut kept = Vec::with_capacity(graph.nodes.len());
    for node in std::mem::take(&mut graph.nodes).into_iter().rev() {
        if needed[node.output.index()] {
            for input in &node.inputs {
                needed[input.index()] = true;
            }
            kept.push(node);
        }
    }
    kept.reverse();
    let mut places = vec![ValueId(0); graph.values.len()];
    let mut values = Vec::new();
    for (index, value) in std::mem::take(&mut graph.values).into_iter().enumerate() {
        if needed[index] {
            places[index] = ValueId(values.len() as u32);
            values.push(value);
        }
    }
    for node in &mut kept {
        node.output = places[node.output.index()];
        for input in &mut node.inputs {
            *input = places[input.index()];
        }
    }
    for id in graph.inputs.iter_mut().chain(&mut graph.outputs) {
        *id = places[id.index()];
    }
    graph.values = values;
    graph.nodes = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::onnx::sample::Sample;

    #[test]
    fn cleaning_ends_however_much_there_is_to_clean() {
        let mut sample = Sample::new(13).input("x", &[1, 4]).integers("flat", &[1], &[4]).output("n9");
        for place in 0..10 {
            let (from, to) = (format!("n{}", place - 1), format!("n{place}"));
            sample = sample.node("Reshape", &[if place == 0 { "x" } else { &from }, "flat"], &[&to], &[]);
        }
        let graph = sample.import().expect("imported");
        let (cleaned, _) = clean_within(100, graph.clone()).expect("at most ten edits of ten nodes");
        assert!(cleaned.nodes.len() < 10);
        let error = clean_within(20, graph).expect_err("more than two edits of ten nodes");
        assert!(error.message.contains("takes too long"), "{error}");
    }
}
