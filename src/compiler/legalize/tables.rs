//! Tables of 256 values: composed where one follows another, and made part of what comes before them.

use crate::compiler::legalize::rewrite::Edit;
use crate::compiler::legalize::rewrite::NewNode;
use crate::compiler::legalize::rewrite::Operand;
use crate::compiler::legalize::rewrite::Rewrite;
use crate::compiler::legalize::rewrite::View;
use crate::compiler::operators::Function;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::contract::concat_table;
use crate::compiler::quantize::contract::place;

/// The second table of what the first gives; `None` for tables that are none.
fn composed(first: &[i8], second: &[i8]) -> Option<Vec<i8>> {
    first.iter().map(|&q| second.get(place(q)).copied()).collect()
}

/// A table of a table is one table.
pub(super) struct MergeTables;

impl Rewrite for MergeTables {
    fn name(&self) -> &'static str {
        "merge-tables"
    }

    fn propose(&self, view: &View<'_>, root: usize) -> Option<Edit> {
        let node = view.node(root);
        let before = view.only_for_reader(*node.inputs.first()?)?;
        let (QuantizedOperator::Function { function, table: second }, QuantizedOperator::Function { table: first, .. }) =
            (&node.operator, &before.operator)
        else {
            return None;
        };
        let operator = QuantizedOperator::Function { function: *function, table: composed(first, second)? };
        let from = Operand::Value(*before.inputs.first()?);
        Some(Edit::Replace(vec![NewNode::plain(operator, vec![from], view.form(node.output))]))
    }
}

/// A table that only cuts off what is too low or too high is the clamp of the layer before it.
pub(super) struct TableIntoClamp;

/// The bounds of a table that does nothing else than keep values within them.
fn bounds(table: &[i8]) -> Option<[i8; 2]> {
    let (low, high) = (*table.first()?, *table.last()?);
    let clamps = low <= high && table.iter().copied().eq((i8::MIN..=i8::MAX).map(|q| q.clamp(low, high)));
    clamps.then_some([low, high])
}

impl Rewrite for TableIntoClamp {
    fn name(&self) -> &'static str {
        "table-into-clamp"
    }

    fn propose(&self, view: &View<'_>, root: usize) -> Option<Edit> {
        let node = view.node(root);
        let input = *node.inputs.first()?;
        let before = view.only_for_reader(input)?;
        let QuantizedOperator::Function { function, table } = &node.operator else { return None };
        let [low, high] = bounds(table)?;
        let alike = view.value(input).encoding == view.value(node.output).encoding;
        let plain = view.value(input).channels.is_empty() && before.activation.is_none();
        if !alike || !plain || !before.operator.requantizes() {
            return None;
        }
        let activation = matches!(function, Function::Relu | Function::Clip { .. }).then_some(*function);
        let merged = NewNode {
            operator: before.operator.clone(),
            activation,
            // One clamp after another: the bounds of the first, moved within those of the second.
            clamp: before.clamp.map(|bound| bound.clamp(low, high)),
            inputs: before.inputs.iter().map(|&id| Operand::Value(id)).collect(),
            output: view.form(node.output),
        };
        Some(Edit::Replace(vec![merged]))
    }
}

/// What a table writes for a join of another encoding alone is written in that encoding at once: the join's own table is
/// composed with it, so that no value is rounded otherwise.
pub(super) struct RequantizationIntoTable;

impl Rewrite for RequantizationIntoTable {
    fn name(&self) -> &'static str {
        "requantization-into-table"
    }

    fn propose(&self, view: &View<'_>, root: usize) -> Option<Edit> {
        let node = view.node(root);
        let QuantizedOperator::Concat { .. } = node.operator else { return None };
        let encoding = view.value(node.output).encoding;
        let mut nodes = Vec::new();
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for &input in &node.inputs {
            let translated = view.only_for_reader(input).and_then(|before| {
                let QuantizedOperator::Function { function, table } = &before.operator else { return None };
                let second = concat_table(view.value(input).encoding, encoding)?;
                let operator = QuantizedOperator::Function { function: *function, table: composed(table, &second)? };
                let from = Operand::Value(*before.inputs.first()?);
                Some(NewNode::plain(operator, vec![from], (view.value(input).shape.clone(), encoding)))
            });
            inputs.push(match translated {
                Some(node) => {
                    nodes.push(node);
                    Operand::New(nodes.len() - 1)
                }
                None => Operand::Value(input),
            });
        }
        if nodes.is_empty() {
            return None;
        }
        nodes.push(NewNode::plain(node.operator.clone(), inputs, view.form(node.output)));
        Some(Edit::Replace(nodes))
    }
}
