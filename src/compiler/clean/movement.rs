//! Chains of operators that only move elements.

use crate::compiler::clean::rewrite::Edit;
use crate::compiler::clean::rewrite::Operand;
use crate::compiler::clean::rewrite::Rewrite;
use crate::compiler::clean::rewrite::View;
use crate::compiler::graph::NodeId;
use crate::compiler::operators::Operator;

/// A reshape of a reshape is one reshape.
pub(super) struct MergeReshapes;

impl Rewrite for MergeReshapes {
    fn name(&self) -> &'static str {
        "merge-reshapes"
    }

    fn propose(&self, view: &View<'_>, root: NodeId) -> Option<Edit> {
        let node = view.node(root);
        let before = view.node(view.producer(*node.inputs.first()?)?);
        let both = node.operator == Operator::Reshape && before.operator == Operator::Reshape;
        both.then(|| Edit::replace(vec![], Operator::Reshape, vec![Operand::Value(before.inputs[0])]))
    }
}

/// A transpose of a transpose is one transpose.
pub(super) struct MergeTransposes;

impl Rewrite for MergeTransposes {
    fn name(&self) -> &'static str {
        "merge-transposes"
    }

    fn propose(&self, view: &View<'_>, root: NodeId) -> Option<Edit> {
        let node = view.node(root);
        let before = view.node(view.producer(*node.inputs.first()?)?);
        let (Operator::Transpose { permutation: outer }, Operator::Transpose { permutation: inner }) =
            (&node.operator, &before.operator)
        else {
            return None;
        };
        let permutation = outer.iter().map(|&axis| inner.get(axis).copied()).collect::<Option<Vec<_>>>()?;
        Some(Edit::replace(vec![], Operator::Transpose { permutation }, vec![Operand::Value(before.inputs[0])]))
    }
}

/// A transpose that moves only axes of one element leaves the elements where they are.
pub(super) struct TransposeToReshape;

impl Rewrite for TransposeToReshape {
    fn name(&self) -> &'static str {
        "transpose-to-reshape"
    }

    fn propose(&self, view: &View<'_>, root: NodeId) -> Option<Edit> {
        let node = view.node(root);
        let Operator::Transpose { permutation } = &node.operator else { return None };
        let input = *node.inputs.first()?;
        let shape = view.shape(input);
        let moved: Vec<usize> = permutation.iter().copied().filter(|&axis| shape[axis] != 1).collect();
        moved.is_sorted().then(|| Edit::replace(vec![], Operator::Reshape, vec![Operand::Value(input)]))
    }
}
