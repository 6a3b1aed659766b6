//! Nodes that change nothing.

use crate::compiler::clean::rewrite::Edit;
use crate::compiler::clean::rewrite::Rewrite;
use crate::compiler::clean::rewrite::View;
use crate::compiler::graph::Node;
use crate::compiler::graph::NodeId;
use crate::compiler::graph::ValueId;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Function;
use crate::compiler::operators::Operator;

/// Removes a node whose output is its input, element for element.
pub(super) struct RemoveNothing;

impl Rewrite for RemoveNothing {
    fn name(&self) -> &'static str {
        "remove-nothing"
    }

    fn propose(&self, view: &View<'_>, root: NodeId) -> Option<Edit> {
        let node = view.node(root);
        view.bypass(root, unchanged(view, node)?)
    }
}

/// The value that the node hands on.
fn unchanged(view: &View<'_>, node: &Node) -> Option<ValueId> {
    let first = *node.inputs.first()?;
    let same = view.shape(first) == view.shape(node.output);
    let nothing = match &node.operator {
        Operator::Reshape | Operator::Pad { .. } | Operator::GlobalPool(_) => same,
        Operator::Transpose { permutation } => permutation.is_sorted(),
        Operator::Slice(slice) => same && slice.steps.iter().all(|&step| step == 1),
        Operator::Concat { .. } => node.inputs.len() == 1,
        Operator::Resize(resize) => same && resize.scales.iter().all(|scale| scale.to_bits() == 1.0_f32.to_bits()),
        Operator::Pool(pool) => pool.kernel == [1, 1] && pool.strides == [1, 1] && same,
        Operator::Function(Function::Clip { low, high }) => *low == f32::NEG_INFINITY && *high == f32::INFINITY,
        Operator::Arithmetic(operation) => return neutral(view, node, *operation),
        _ => false,
    };
    nothing.then_some(first)
}

/// The other operand of a sum with 0 or a product with 1.
fn neutral(view: &View<'_>, node: &Node, operation: Arithmetic) -> Option<ValueId> {
    let &[a, b] = node.inputs.as_slice() else { return None };
    let value: f32 = match operation {
        Arithmetic::Add | Arithmetic::Subtract => 0.0,
        Arithmetic::Multiply | Arithmetic::Divide => 1.0,
    };
    #[expect(clippy::float_cmp, reason = "only exactly 0 and 1 change nothing")]
    let is_neutral = |id| view.floats(id).is_some_and(|elements| elements.iter().all(|&element| element == value));
    let commutes = matches!(operation, Arithmetic::Add | Arithmetic::Multiply);
    let kept = if is_neutral(b) {
        a
    } else if commutes && is_neutral(a) {
        b
    } else {
        return None;
    };
    (view.shape(kept) == view.shape(node.output)).then_some(kept)
}
