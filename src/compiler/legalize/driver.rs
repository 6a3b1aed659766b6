//! Applying rewrites until none has anything to say.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::base::CancelToken;
use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::legalize::concat;
use crate::compiler::legalize::dense;
use crate::compiler::legalize::derived;
use crate::compiler::legalize::nothing;
use crate::compiler::legalize::rewrite::Edit;
use crate::compiler::legalize::rewrite::NewNode;
use crate::compiler::legalize::rewrite::Operand;
use crate::compiler::legalize::rewrite::Rewrite;
use crate::compiler::legalize::rewrite::View;
use crate::compiler::legalize::tables;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedValue;
use crate::compiler::quantize::TensorId;
use crate::properties::CompilerConfig;

/// Which rewrites are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct LegalizeOptions {
    /// Joins of channels become sums where these do not begin at words.
    pub concat_to_addition: bool,
    /// Dense layers become convolutions.
    pub dense_to_convolution: bool,
    /// What changes nothing goes, and chains of movements become one.
    pub simplify: bool,
    /// Tables are composed and made part of what comes before them.
    pub merge_tables: bool,
}

impl LegalizeOptions {
    /// As a configuration says.
    #[must_use]
    pub fn of(config: &CompilerConfig) -> Self {
        Self {
            concat_to_addition: config.rewrite_concat_to_resadd,
            dense_to_convolution: config.rewrite_dense_to_conv2d,
            simplify: config.apply_arithmetic_simplification,
            merge_tables: config.simplify_mac_before_after_lut,
        }
    }

    /// Those that serve any program: what only the device needs (sums for joins, convolutions for layers) is left out.
    #[must_use]
    pub const fn for_any_program(self) -> Self {
        Self { concat_to_addition: false, dense_to_convolution: false, ..self }
    }

    /// The rewrites, in the order in which they are tried at a node.
    fn rewrites(self) -> Vec<Box<dyn Rewrite>> {
        let all: [(bool, Box<dyn Rewrite>); 8] = [
            (self.simplify, Box::new(nothing::RemoveNothing)),
            (self.simplify, Box::new(nothing::MergeReshapes)),
            (self.merge_tables, Box::new(tables::MergeTables)),
            (self.merge_tables, Box::new(derived::ArithmeticIntoTable)),
            (self.merge_tables, Box::new(tables::TableIntoClamp)),
            (self.merge_tables, Box::new(tables::RequantizationIntoTable)),
            (self.dense_to_convolution, Box::new(dense::DenseToConvolution)),
            (self.concat_to_addition, Box::new(concat::ConcatToAddition)),
        ];
        all.into_iter().filter(|(wanted, _)| *wanted).map(|(_, rewrite)| rewrite).collect()
    }
}

/// A graph in the forms that the device has.
#[derive(Debug, Clone, PartialEq)]
pub struct Legalized {
    /// The graph; its inputs and outputs have the names, shapes, encodings and order of the one before.
    pub graph: QuantizedGraph,
    /// Name of each rewrite that applied, with how often; in the order of their names.
    pub applied: Vec<(String, usize)>,
}

/// Nodes that are looked at, each time one is edited: four thousand edits of five thousand nodes. A larger network stays as it is
/// from there on; every form of it is a valid one.
const WORK_LIMIT: usize = 20_000_000;

/// Names that are or were taken.
struct Names {
    values: BTreeSet<String>,
    nodes: BTreeSet<String>,
}

/// Rewrites a verified graph; the int8 outputs for all int8 inputs stay the same.
pub fn legalize(
    graph: QuantizedGraph,
    options: &LegalizeOptions,
    cancel: &CancelToken,
) -> Result<Legalized, StageError> {
    let mut graph = graph;
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let rewrites = options.rewrites();
    // Each edit removes a node or brings one into a form that no rewrite undoes, so this ends; the limit is a safeguard.
    let limit = 100 + 20 * graph.nodes.len();
    let (mut edits, mut work) = (0, 0_usize);
    let mut names = Names {
        values: graph.values.iter().map(|value| value.name.clone()).collect(),
        nodes: graph.nodes.iter().map(|node| node.name.clone()).collect(),
    };
    remove_dead(&mut graph);
    let mut from = 0;
    while let Some((name, root, edit)) = next_edit(&graph, &rewrites, from) {
        StageError::if_stopped(cancel)?;
        let nodes = graph.nodes.len();
        apply(&mut graph, &mut names, root, edit);
        remove_dead(&mut graph);
        edits += 1;
        *counts.entry(name).or_default() += 1;
        if edits > limit {
            return Err(broken(format!("legalization does not end: {counts:?}")));
        }
        work += nodes;
        if work > WORK_LIMIT {
            break;
        }
        // What was edited may be part of the next pattern; what died lay before it.
        from = root.saturating_sub(8);
    }
    graph.verify().map_err(|(node, message)| {
        let error = broken(message);
        match node {
            Some(node) => error.node(node),
            None => error,
        }
    })?;
    let applied = counts.into_iter().map(|(name, times)| (name.to_owned(), times)).collect();
    Ok(Legalized { graph, applied })
}

fn broken(message: String) -> StageError {
    StageError::new(Status::LowerFrontendError, message).hint("this is a mistake in axzoo; please report it")
}

/// The first edit at or behind a place, else the first of all.
fn next_edit(
    graph: &QuantizedGraph,
    rewrites: &[Box<dyn Rewrite>],
    from: usize,
) -> Option<(&'static str, usize, Edit)> {
    let view = View::new(graph);
    (from..graph.nodes.len()).chain(0..from.min(graph.nodes.len())).find_map(|root| {
        rewrites.iter().find_map(|rewrite| rewrite.propose(&view, root).map(|edit| (rewrite.name(), root, edit)))
    })
}

fn apply(graph: &mut QuantizedGraph, names: &mut Names, root: usize, edit: Edit) {
    match edit {
        Edit::Bypass(value) => bypass(graph, root, value),
        Edit::Replace(nodes) => replace(graph, names, root, nodes),
    }
}

fn bypass(graph: &mut QuantizedGraph, root: usize, value: TensorId) {
    let output = graph.nodes.remove(root).output;
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

fn replace(graph: &mut QuantizedGraph, names: &mut Names, root: usize, nodes: Vec<NewNode>) {
    let old = graph.nodes[root].clone();
    let count = nodes.len();
    let mut made: Vec<QuantizedNode> = Vec::with_capacity(count);
    for (place, new) in nodes.into_iter().enumerate() {
        let inputs = new.inputs.iter().map(|operand| match operand {
            Operand::Value(value) => *value,
            Operand::New(before) => made.get(*before).map_or(old.output, |node| node.output),
        });
        let inputs = inputs.collect();
        let is_last = place + 1 == count;
        let word = new.operator.name().to_lowercase();
        let output = if is_last {
            old.output
        } else {
            let name = unused(&mut names.values, &format!("{}/{word}", graph.value(old.output).name));
            let (shape, encoding) = new.output;
            graph.values.push(QuantizedValue { name, shape, encoding, channels: Vec::new(), constant: None });
            TensorId((graph.values.len() - 1) as u32)
        };
        let name = if is_last { old.name.clone() } else { unused(&mut names.nodes, &format!("{}/{word}", old.name)) };
        let NewNode { operator, activation, clamp, .. } = new;
        made.push(QuantizedNode { name, operator, activation, clamp, inputs, output });
    }
    graph.nodes.splice(root..=root, made);
}

/// The name, with a number behind it where it is taken; it is taken then.
fn unused(taken: &mut BTreeSet<String>, name: &str) -> String {
    let mut found = name.to_owned();
    let mut number = 1;
    while !taken.insert(found.clone()) {
        number += 1;
        found = format!("{name}_{number}");
    }
    found
}

/// Drops nodes that no output depends on, and values that nothing names. Inputs stay.
fn remove_dead(graph: &mut QuantizedGraph) {
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
    graph.nodes = kept;
    if needed.iter().all(|&needed| needed) {
        return;
    }
    let mut places = vec![TensorId(0); graph.values.len()];
    let mut values = Vec::with_capacity(graph.values.len());
    for (index, value) in std::mem::take(&mut graph.values).into_iter().enumerate() {
        if needed[index] {
            places[index] = TensorId(values.len() as u32);
            values.push(value);
        }
    }
    for node in &mut graph.nodes {
        node.output = places[node.output.index()];
        for input in &mut node.inputs {
            *input = places[input.index()];
        }
    }
    for id in graph.inputs.iter_mut().chain(&mut graph.outputs) {
        *id = places[id.index()];
    }
    graph.values = values;
}
