//! Padding that the operator after it can do itself.

use crate::compiler::clean::rewrite::Edit;
use crate::compiler::clean::rewrite::Operand;
use crate::compiler::clean::rewrite::Rewrite;
use crate::compiler::clean::rewrite::View;
use crate::compiler::graph::Node;
use crate::compiler::graph::NodeId;
use crate::compiler::graph::ValueId;
use crate::compiler::operators::Function;
use crate::compiler::operators::Operator;
use crate::compiler::operators::PoolKind;

/// Padding of H and W only, as a convolution writes it, with the value and what is padded.
struct Padding {
    pads: [usize; 4],
    value: f32,
    input: ValueId,
}

fn padding_before(view: &View<'_>, node: &Node) -> Option<Padding> {
    let pad = view.node(view.producer(*node.inputs.first()?)?);
    let Operator::Pad { before, after, value } = &pad.operator else { return None };
    match (before.as_slice(), after.as_slice()) {
        (&[0, 0, top, left], &[0, 0, bottom, right]) => {
            Some(Padding { pads: [top, left, bottom, right], value: *value, input: *pad.inputs.first()? })
        }
        _ => None,
    }
}

fn sum(a: [usize; 4], b: [usize; 4]) -> [usize; 4] {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]]
}

/// Zeros padded before a convolution are its own padding.
pub(super) struct PadIntoConvolution;

impl Rewrite for PadIntoConvolution {
    fn name(&self) -> &'static str {
        "pad-into-convolution"
    }

    fn propose(&self, view: &View<'_>, root: NodeId) -> Option<Edit> {
        let node = view.node(root);
        let Operator::Convolution(convolution) = &node.operator else { return None };
        let padding = padding_before(view, node).filter(|padding| padding.value == 0.0)?;
        let mut merged = convolution.clone();
        merged.pads = sum(convolution.pads, padding.pads);
        let mut inputs = vec![Operand::Value(padding.input)];
        inputs.extend(node.inputs.iter().skip(1).map(|&input| Operand::Value(input)));
        Some(Edit::replace(vec![], Operator::Convolution(merged), inputs))
    }
}

/// Padding before pooling is its own where the result is the same: zeros before a mean that counts its padding; what
/// never wins before a maximum.
pub(super) struct PadIntoPool;

impl Rewrite for PadIntoPool {
    fn name(&self) -> &'static str {
        "pad-into-pool"
    }

    fn propose(&self, view: &View<'_>, root: NodeId) -> Option<Edit> {
        let node = view.node(root);
        let Operator::Pool(pool) = &node.operator else { return None };
        let padding = padding_before(view, node)?;
        let exact = match pool.kind {
            PoolKind::Average => padding.value == 0.0 && (pool.pads == [0; 4] || pool.count_include_pad),
            PoolKind::Maximum => {
                padding.value <= f32::MIN || (padding.value <= 0.0 && never_negative(view, padding.input))
            }
        };
        let mut merged = pool.clone();
        merged.pads = sum(pool.pads, padding.pads);
        merged.count_include_pad = pool.kind == PoolKind::Average;
        let fits = merged.output_shape(view.shape(padding.input)).ok()? == view.shape(node.output);
        (exact && fits).then(|| Edit::replace(vec![], Operator::Pool(merged), vec![Operand::Value(padding.input)]))
    }
}

fn never_negative(view: &View<'_>, id: ValueId) -> bool {
    let Some(producer) = view.producer(id) else { return false };
    match view.node(producer).operator {
        Operator::Function(function) => match function {
            Function::Relu | Function::Sigmoid | Function::HardSigmoid { .. } | Function::Absolute => true,
            Function::Clip { low, .. } => low >= 0.0,
            _ => false,
        },
        _ => false,
    }
}
