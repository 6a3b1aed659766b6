//! Values that are functions of one other value, element by element: each is one table, whatever the operations are that made it
//! (`x·sigmoid(x)` as three nodes is one table of x).

use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::arithmetic::integer::IntegerArithmetic;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::contract::Table;
use crate::compiler::quantize::contract::place;

/// A value as a table of another one.
#[derive(Debug, Clone)]
pub(super) struct Derived {
    /// What it is a function of; itself not derived.
    pub(super) source: TensorId,
    /// Its values; that of −128 first.
    pub(super) table: Box<Table>,
}

/// For each value of a verified graph whether it is a function of one other.
pub(super) fn derived(graph: &QuantizedGraph) -> Vec<Option<Derived>> {
    let mut derived: Vec<Option<Derived>> = vec![None; graph.values.len()];
    for node in &graph.nodes {
        derived[node.output.index()] = derive(graph, node, &derived);
    }
    derived
}

/// What an operand is made of: its source, and what becomes of each of the source's values; a constant of one element has none.
struct Operand {
    source: Option<TensorId>,
    table: Table,
}

fn operand(graph: &QuantizedGraph, id: TensorId, derived: &[Option<Derived>]) -> Operand {
    if let Some(Derived { source, table }) = &derived[id.index()] {
        return Operand { source: Some(*source), table: **table };
    }
    match graph.value(id).constant.as_deref() {
        Some(&[only]) => Operand { source: None, table: [only; 256] },
        _ => Operand { source: Some(id), table: std::array::from_fn(|place| (place as i32 - 128) as i8) },
    }
}

fn derive(graph: &QuantizedGraph, node: &QuantizedNode, derived: &[Option<Derived>]) -> Option<Derived> {
    let output = graph.value(node.output);
    let by_channel = |id: TensorId| !graph.value(id).channels.is_empty();
    if by_channel(node.output) || node.inputs.iter().any(|&id| by_channel(id)) {
        return None;
    }
    match &node.operator {
        QuantizedOperator::Function { table, .. } => {
            let input = operand(graph, *node.inputs.first()?, derived);
            let source = input.source.filter(|&source| graph.value(source).shape == output.shape)?;
            let table = Box::new(input.table.map(|q| table.get(place(q)).copied().unwrap_or_default()));
            Some(Derived { source, table })
        }
        QuantizedOperator::Arithmetic(operation) => {
            let &[left_id, right_id] = node.inputs.as_slice() else { return None };
            let (left, right) = (operand(graph, left_id, derived), operand(graph, right_id, derived));
            let source = match (left.source, right.source) {
                (Some(left), Some(right)) if left == right => left,
                (Some(only), None) | (None, Some(only)) => only,
                _ => return None,
            };
            if graph.value(source).shape != output.shape {
                return None;
            }
            let kernel = arithmetic(graph, node, *operation)?;
            let table = std::array::from_fn(|place| kernel.element(left.table[place], right.table[place]));
            Some(Derived { source, table: Box::new(table) })
        }
        _ => None,
    }
}

fn arithmetic(graph: &QuantizedGraph, node: &QuantizedNode, operation: Arithmetic) -> Option<IntegerArithmetic> {
    let encoding = |place: usize| node.inputs.get(place).map(|&id| graph.value(id).encoding);
    let make = match operation {
        Arithmetic::Add => IntegerArithmetic::add,
        Arithmetic::Subtract => IntegerArithmetic::subtract,
        Arithmetic::Multiply => IntegerArithmetic::multiply,
        Arithmetic::Divide => IntegerArithmetic::divide,
    };
    Some(make(encoding(0)?, encoding(1)?, graph.value(node.output).encoding, node.clamp))
}

/// Whether a derived value is asked for by anything but values of the same source.
pub(super) fn is_needed(graph: &QuantizedGraph, derived: &[Option<Derived>], id: TensorId) -> bool {
    let source = |id: TensorId| derived[id.index()].as_ref().map(|derived| derived.source);
    let mut readers = graph.nodes.iter().filter(|node| node.inputs.contains(&id));
    graph.outputs.contains(&id) || readers.any(|reader| source(reader.output) != source(id))
}

/// Whether nothing but values derived from it reads a value, and of these only `wanted` is asked for.
pub(super) fn is_replaced(
    graph: &QuantizedGraph,
    derived: &[Option<Derived>],
    source: TensorId,
    wanted: TensorId,
) -> bool {
    let is_derived = |id: TensorId| derived[id.index()].as_ref().is_some_and(|derived| derived.source == source);
    let mut readers = graph.nodes.iter().filter(|node| node.inputs.contains(&source));
    let only_derived = readers.all(|reader| is_derived(reader.output));
    let ids = (0..graph.values.len() as u32).map(TensorId);
    let mut needed = ids.filter(|&id| is_derived(id) && is_needed(graph, derived, id));
    !graph.outputs.contains(&source) && only_derived && needed.all(|id| id == wanted)
}
