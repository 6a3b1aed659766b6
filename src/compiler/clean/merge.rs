//! Normalization and arithmetic with constants that the weights before them can hold. New weights are computed in
//! 64-bit floats and rounded once.

use crate::compiler::clean::rewrite::Edit;
use crate::compiler::clean::rewrite::NewNode;
use crate::compiler::clean::rewrite::Operand;
use crate::compiler::clean::rewrite::Rewrite;
use crate::compiler::clean::rewrite::View;
use crate::compiler::graph::Node;
use crate::compiler::graph::NodeId;
use crate::compiler::graph::Tensor;
use crate::compiler::graph::ValueId;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::Operator;
use crate::compiler::operators::transposed::by_input_channel;
use crate::compiler::operators::transposed::by_output_channel;

/// y = scale·x + offset, one of each a channel.
struct Affine {
    scale: Vec<f64>,
    offset: Vec<f64>,
}

impl Affine {
    fn is_finite(&self) -> bool {
        self.scale.iter().chain(&self.offset).all(|value| value.is_finite())
    }

    /// The normalization of a node as a scale and an offset.
    fn of_normalization(view: &View<'_>, node: &Node) -> Option<Self> {
        let Operator::BatchNormalization { epsilon } = node.operator else { return None };
        let statistic = |place| view.input_floats(node, place);
        let (gamma, beta, mean, variance) = (statistic(1)?, statistic(2)?, statistic(3)?, statistic(4)?);
        let spread = variance.iter().map(|&variance| (f64::from(variance) + f64::from(epsilon)).sqrt());
        let scale: Vec<f64> = gamma.iter().zip(spread).map(|(&gamma, spread)| f64::from(gamma) / spread).collect();
        let shifts = beta.iter().zip(mean).zip(&scale);
        let offset = shifts.map(|((&beta, &mean), scale)| f64::from(beta) - f64::from(mean) * scale).collect();
        Some(Self { scale, offset }).filter(Self::is_finite)
    }

    /// The arithmetic of a node with a constant that has one value a channel of `axis`, and the other operand.
    fn of_arithmetic(view: &View<'_>, node: &Node, axis: impl Fn(usize) -> usize) -> Option<(Self, ValueId)> {
        let Operator::Arithmetic(operation) = node.operator else { return None };
        let &[a, b] = node.inputs.as_slice() else { return None };
        let (x, constant, constant_first) = if view.floats(b).is_some() { (a, b, false) } else { (b, a, true) };
        let shape = view.shape(x);
        if shape != view.shape(node.output) || shape.is_empty() {
            return None;
        }
        let values = per_channel(view, constant, shape, axis(shape.len()))?;
        let (ones, zeros) = (vec![1.0; values.len()], vec![0.0; values.len()]);
        let affine = match (operation, constant_first) {
            (Arithmetic::Add, _) => Self { scale: ones, offset: values },
            (Arithmetic::Subtract, false) => {
                Self { scale: ones, offset: values.into_iter().map(|value| -value).collect() }
            }
            (Arithmetic::Subtract, true) => Self { scale: vec![-1.0; values.len()], offset: values },
            (Arithmetic::Multiply, _) => Self { scale: values, offset: zeros },
            (Arithmetic::Divide, false) => {
                Self { scale: values.into_iter().map(|value| 1.0 / value).collect(), offset: zeros }
            }
            (Arithmetic::Divide, true) => return None,
        };
        Some((affine, x)).filter(|(affine, _)| affine.is_finite())
    }
}

/// The values of a constant along `axis` of `shape`, when it has one element on every other axis.
fn per_channel(view: &View<'_>, constant: ValueId, shape: &[usize], axis: usize) -> Option<Vec<f64>> {
    let values = view.floats(constant)?;
    let own = view.shape(constant);
    let missing = shape.len().checked_sub(own.len())?;
    let channels = shape[axis];
    let alone = own.iter().enumerate().all(|(at, &size)| size == 1 || at + missing == axis);
    match values {
        &[value] if alone => Some(vec![f64::from(value); channels]),
        values if alone && values.len() == channels => Some(values.iter().map(|&value| f64::from(value)).collect()),
        _ => None,
    }
}

/// The axis of channels that weights of `layer` make.
fn channel_axis(layer: &Node) -> Option<fn(usize) -> usize> {
    match layer.operator {
        Operator::Convolution(_) | Operator::TransposedConvolution(_) => Some(|_| 1),
        Operator::Dense => Some(|rank| rank - 1),
        _ => None,
    }
}

/// Rows of weights, one an output channel, times the scale of each.
fn scaled_rows(elements: &[f32], scales: &[f64]) -> Vec<f32> {
    let rows = elements.chunks((elements.len() / scales.len()).max(1)).zip(scales);
    rows.flat_map(|(row, scale)| row.iter().map(move |&weight| (f64::from(weight) * scale) as f32)).collect()
}

/// `layer` with the affine function behind it in its weights and bias.
fn merged(view: &View<'_>, layer: &Node, affine: &Affine) -> Option<(Operator, Vec<Operand>)> {
    let &[x, weights, ..] = layer.inputs.as_slice() else { return None };
    let elements = view.floats(weights)?;
    let shape = view.shape(weights);
    let channels = affine.scale.len();
    let scaled: Vec<f32> = match layer.operator {
        Operator::Convolution(_) if shape.first() == Some(&channels) => scaled_rows(elements, &affine.scale),
        Operator::TransposedConvolution(ref transposed) => {
            let group = transposed.group;
            let (rows_shape, rows) = by_output_channel(shape, elements, group);
            if rows_shape.first() != Some(&channels) {
                return None;
            }
            let scaled = scaled_rows(&rows, &affine.scale);
            by_input_channel(&rows_shape, &scaled, group).1
        }
        Operator::Dense if shape.last() == Some(&channels) => {
            let scales = affine.scale.iter().cycle();
            elements.iter().zip(scales).map(|(&weight, scale)| (f64::from(weight) * scale) as f32).collect()
        }
        _ => return None,
    };
    let bias: Vec<f32> = match layer.inputs.get(2) {
        Some(&bias) => {
            let values = view.floats(bias).filter(|values| values.len() == channels)?;
            let pairs = values.iter().zip(&affine.scale).zip(&affine.offset);
            pairs.map(|((&bias, scale), offset)| (f64::from(bias) * scale + offset) as f32).collect()
        }
        None => affine.offset.iter().map(|&offset| offset as f32).collect(),
    };
    let kept = affine.scale.iter().all(|scale| scale.to_bits() == 1.0_f64.to_bits());
    let weights = if kept {
        Operand::Value(weights)
    } else {
        Operand::Constant("weights", Tensor::from_f32(shape.to_vec(), scaled)?)
    };
    let bias = Operand::Constant("bias", Tensor::from_f32(vec![channels], bias)?);
    Some((layer.operator.clone(), vec![Operand::Value(x), weights, bias]))
}

/// Batch normalization behind a convolution or a dense layer goes into its weights.
pub(super) struct NormalizationIntoWeights;

impl Rewrite for NormalizationIntoWeights {
    fn name(&self) -> &'static str {
        "normalization-into-weights"
    }

    fn propose(&self, view: &View<'_>, root: NodeId) -> Option<Edit> {
        let node = view.node(root);
        let affine = Affine::of_normalization(view, node)?;
        let before = view.only_for_reader(node.inputs[0])?;
        let layer = view.node(before);
        let rank = view.shape(node.output).len();
        if channel_axis(layer)?(rank) != 1 {
            return None;
        }
        let (operator, inputs) = merged(view, layer, &affine)?;
        Some(Edit::replace(vec![before], operator, inputs))
    }
}

/// A sum, difference, product or quotient with one constant a channel behind a convolution or a dense layer goes into
/// its weights.
pub(super) struct ArithmeticIntoWeights;

impl Rewrite for ArithmeticIntoWeights {
    fn name(&self) -> &'static str {
        "arithmetic-into-weights"
    }

    fn propose(&self, view: &View<'_>, root: NodeId) -> Option<Edit> {
        let node = view.node(root);
        // The layer is behind either operand; of_arithmetic says which one is computed.
        let axis = node.inputs.iter().find_map(|&input| channel_axis(view.node(view.producer(input)?)))?;
        let (affine, x) = Affine::of_arithmetic(view, node, axis)?;
        let before = view.only_for_reader(x)?;
        let (operator, inputs) = merged(view, view.node(before), &affine)?;
        Some(Edit::replace(vec![before], operator, inputs))
    }
}

/// Batch normalization of `[N,C,H,W]` that nothing can hold is a depth-wise convolution of 1×1.
pub(super) struct NormalizationToConvolution;

impl Rewrite for NormalizationToConvolution {
    fn name(&self) -> &'static str {
        "normalization-to-convolution"
    }

    fn propose(&self, view: &View<'_>, root: NodeId) -> Option<Edit> {
        let node = view.node(root);
        let affine = Affine::of_normalization(view, node)?;
        if view.shape(node.output).len() != 4 {
            return None;
        }
        let channels = affine.scale.len();
        let weights = Tensor::from_f32(vec![channels, 1, 1, 1], single(&affine.scale))?;
        let bias = Tensor::from_f32(vec![channels], single(&affine.offset))?;
        let convolution = Convolution { strides: [1; 2], pads: [0; 4], dilations: [1; 2], group: channels };
        let operands = [Operand::Constant("weights", weights), Operand::Constant("bias", bias)];
        let inputs = std::iter::once(Operand::Value(node.inputs[0])).chain(operands).collect();
        Some(Edit::replace(vec![], Operator::Convolution(convolution), inputs))
    }
}

/// Batch normalization of any other rank is a product and a sum.
pub(super) struct NormalizationToArithmetic;

impl Rewrite for NormalizationToArithmetic {
    fn name(&self) -> &'static str {
        "normalization-to-arithmetic"
    }

    fn propose(&self, view: &View<'_>, root: NodeId) -> Option<Edit> {
        let node = view.node(root);
        let affine = Affine::of_normalization(view, node)?;
        let mut shape = vec![1; view.shape(node.output).len().checked_sub(1)?];
        *shape.first_mut()? = affine.scale.len();
        let scale = Operand::Constant("scale", Tensor::from_f32(shape.clone(), single(&affine.scale))?);
        let offset = Operand::Constant("offset", Tensor::from_f32(shape, single(&affine.offset))?);
        let product = NewNode {
            operator: Operator::Arithmetic(Arithmetic::Multiply),
            inputs: vec![Operand::Value(node.inputs[0]), scale],
        };
        let sum = NewNode { operator: Operator::Arithmetic(Arithmetic::Add), inputs: vec![Operand::Previous, offset] };
        Some(Edit::Replace { removed: vec![], nodes: vec![product, sum] })
    }
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}
