//! Dense layers as convolutions.

use crate::compiler::legalize::rewrite::Edit;
use crate::compiler::legalize::rewrite::NewNode;
use crate::compiler::legalize::rewrite::Operand;
use crate::compiler::legalize::rewrite::Rewrite;
use crate::compiler::legalize::rewrite::View;
use crate::compiler::operators::Convolution;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::Weights;

/// A dense layer over `[N,K]` is a convolution of `[N,K,1,1]` with a kernel of 1×1: the same products, sums and
/// multipliers. Layers over more axes stay: their rows would be images of one pixel.
pub(super) struct DenseToConvolution;

impl Rewrite for DenseToConvolution {
    fn name(&self) -> &'static str {
        "dense-to-convolution"
    }

    fn propose(&self, view: &View<'_>, root: usize) -> Option<Edit> {
        let node = view.node(root);
        let QuantizedOperator::Dense { weights } = &node.operator else { return None };
        let input = *node.inputs.first()?;
        let (&[rows, depth], &[_, outputs]) = (&view.value(input).shape[..], &view.value(node.output).shape[..]) else {
            return None;
        };
        let transposed = (0..outputs).flat_map(|output| weights.values.iter().skip(output).step_by(outputs).copied());
        let kernel = Weights { shape: vec![outputs, depth, 1, 1], values: transposed.collect(), ..weights.clone() };
        let attributes = Convolution { strides: [1; 2], pads: [0; 4], dilations: [1; 2], group: 1 };
        let (from, to) = (view.value(input).encoding, view.value(node.output).encoding);
        let reshape = |input: Operand, shape: Vec<usize>, encoding| {
            NewNode::plain(QuantizedOperator::Reshape, vec![input], (shape, encoding))
        };
        Some(Edit::Replace(vec![
            reshape(Operand::Value(input), vec![rows, depth, 1, 1], from),
            NewNode {
                operator: QuantizedOperator::Convolution { attributes, weights: kernel },
                activation: node.activation,
                clamp: node.clamp,
                inputs: vec![Operand::New(0)],
                output: (vec![rows, outputs, 1, 1], to),
            },
            reshape(Operand::New(1), vec![rows, outputs], to),
        ]))
    }
}
