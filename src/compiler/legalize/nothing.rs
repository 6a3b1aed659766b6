//! Nodes that change nothing, and chains that one node does as well.

use crate::compiler::legalize::rewrite::Edit;
use crate::compiler::legalize::rewrite::NewNode;
use crate::compiler::legalize::rewrite::Operand;
use crate::compiler::legalize::rewrite::Rewrite;
use crate::compiler::legalize::rewrite::View;
use crate::compiler::quantize::QuantizedOperator;

/// Removes a node whose int8 output is its int8 input, element for element.
pub(super) struct RemoveNothing;

impl Rewrite for RemoveNothing {
    fn name(&self) -> &'static str {
        "remove-nothing"
    }

    fn propose(&self, view: &View<'_>, root: usize) -> Option<Edit> {
        let node = view.node(root);
        let input = *node.inputs.first()?;
        let same = view.value(input).shape == view.value(node.output).shape;
        let nothing = match &node.operator {
            QuantizedOperator::Reshape | QuantizedOperator::Pad { .. } => same,
            QuantizedOperator::Transpose { permutation } => permutation.is_sorted(),
            QuantizedOperator::Slice(slice) => same && slice.steps.iter().all(|&step| step == 1),
            QuantizedOperator::Concat { .. } => node.inputs.len() == 1,
            QuantizedOperator::Function { table, .. } => table.iter().copied().eq(i8::MIN..=i8::MAX),
            _ => false,
        };
        if nothing { view.bypass(root, input) } else { None }
    }
}

/// A reshape of a reshape is one reshape.
pub(super) struct MergeReshapes;

impl Rewrite for MergeReshapes {
    fn name(&self) -> &'static str {
        "merge-reshapes"
    }

    fn propose(&self, view: &View<'_>, root: usize) -> Option<Edit> {
        let node = view.node(root);
        let before = view.producer(*node.inputs.first()?)?;
        let both = [node, before].iter().all(|node| node.operator == QuantizedOperator::Reshape);
        let from = Operand::Value(*before.inputs.first()?);
        let merged = NewNode::plain(QuantizedOperator::Reshape, vec![from], view.form(node.output));
        both.then(|| Edit::Replace(vec![merged]))
    }
}
