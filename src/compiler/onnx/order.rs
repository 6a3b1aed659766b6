//! Which nodes are needed, and in which order: a file may list them in any.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::BinaryHeap;

use crate::compiler::error::shortened;
use crate::compiler::onnx::proto::GraphProto;
use crate::compiler::onnx::proto::NodeProto;

/// What messages call a node: its name, or its first output's where it has none.
pub(super) fn label(node: &NodeProto) -> String {
    if node.name.is_empty() {
        node.output.iter().find(|output| !output.is_empty()).cloned().unwrap_or_else(|| node.op_type.clone())
    } else {
        node.name.clone()
    }
}

/// The nodes that the outputs depend on, in topological order; the file's order where it is one. `given` are the names
/// of inputs and initializers. The error lists names written twice, names that nothing writes, or names a node of a
/// cycle.
pub(super) fn needed_nodes(graph: &GraphProto, given: &BTreeSet<&str>) -> Result<Vec<usize>, String> {
    let mut writers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut twice = BTreeSet::new();
    for (place, node) in graph.node.iter().enumerate() {
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            if given.contains(output.as_str()) || writers.insert(output, place).is_some() {
                twice.insert(output.as_str());
            }
        }
    }
    if !twice.is_empty() {
        return Err(format!("{} written more than once", list(&twice)));
    }
    let mut needed = vec![false; graph.node.len()];
    let mut missing = BTreeSet::new();
    let mut waiting: Vec<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
    while let Some(name) = waiting.pop() {
        match writers.get(name) {
            Some(&place) if !needed[place] => {
                needed[place] = true;
                let inputs = graph.node[place].input.iter();
                waiting.extend(inputs.map(String::as_str).filter(|input| !input.is_empty()));
            }
            None if !given.contains(name) => {
                missing.insert(name);
            }
            _ => {}
        }
    }
    if !missing.is_empty() {
        return Err(format!("{} neither an input nor an initializer nor written by a node", list(&missing)));
    }
    sorted(graph, &writers, &needed)
}

/// "`a`, `b` are" or "`a` is", at most ten names.
fn list(names: &BTreeSet<&str>) -> String {
    let mut ticked: Vec<String> =
        names.iter().take(10).map(|name| format!("`{}`", shortened((*name).to_owned()))).collect();
    if names.len() > ticked.len() {
        ticked.push(format!("{} more", names.len() - ticked.len()));
    }
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", ticked.join(", "))
}

fn sorted(graph: &GraphProto, writers: &BTreeMap<&str, usize>, needed: &[bool]) -> Result<Vec<usize>, String> {
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); needed.len()];
    let mut open = vec![0_usize; needed.len()];
    for (place, node) in graph.node.iter().enumerate().filter(|(place, _)| needed[*place]) {
        let before: BTreeSet<usize> =
            node.input.iter().filter_map(|input| writers.get(input.as_str())).copied().collect();
        open[place] = before.len();
        for writer in before {
            readers[writer].push(place);
        }
    }
    // The earliest ready node first, so that a file in order keeps its order.
    let ready = (0..needed.len()).filter(|&place| needed[place] && open[place] == 0);
    let mut ready: BinaryHeap<Reverse<usize>> = ready.map(Reverse).collect();
    let mut order = Vec::new();
    while let Some(Reverse(place)) = ready.pop() {
        order.push(place);
        for &reader in &readers[place] {
            open[reader] -= 1;
            if open[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    match (0..needed.len()).find(|&place| needed[place] && open[place] > 0) {
        Some(place) => Err(format!("the nodes form a cycle through or before `{}`", label(&graph.node[place]))),
        None => Ok(order),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::onnx::proto::ValueInfoProto;

    fn graph(nodes: &[(&[&str], &[&str])], outputs: &[&str]) -> GraphProto {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let node = |(input, output): &(&[&str], &[&str])| NodeProto {
            input: names(input),
            output: names(output),
            ..NodeProto::default()
        };
        GraphProto {
            node: nodes.iter().map(node).collect(),
            output: outputs.iter().map(|name| ValueInfoProto::tensor(name, 1, &[1])).collect(),
            ..GraphProto::default()
        }
    }

    #[test]
    fn nodes_come_in_an_order_that_can_run() {
        let unordered = graph(&[(&["b"], &["c"]), (&["x"], &["a"]), (&["a"], &["b"]), (&["a"], &["dead"])], &["c"]);
        assert_eq!(needed_nodes(&unordered, &BTreeSet::from(["x"])), Ok(vec![1, 2, 0]));
    }

    #[test]
    fn broken_graphs_are_refused_with_the_names() {
        struct Case(GraphProto, &'static str);
        let cases = [
            Case(graph(&[(&["b"], &["a"]), (&["a"], &["b"])], &["b"]), "cycle"),
            Case(graph(&[(&["a"], &["a"])], &["a"]), "cycle"),
            Case(graph(&[(&["x"], &["a"]), (&["x"], &["a"])], &["a"]), "`a` is written more than once"),
            Case(graph(&[(&["x"], &["x"])], &["x"]), "`x` is written more than once"),
            Case(graph(&[(&["y", "z"], &["a"])], &["a"]), "`y`, `z` are neither"),
            Case(graph(&[], &["a"]), "`a` is neither"),
        ];
        for Case(graph, expected) in cases {
            let message = needed_nodes(&graph, &BTreeSet::from(["x"])).expect_err(expected);
            assert!(message.contains(expected), "{message}");
        }
    }
}
