//! Reading ONNX `BatchNormalization`, `InstanceNormalization` and `LayerNormalization`.

use crate::compiler::graph::Tensor;
use crate::compiler::graph::ValueId;
use crate::compiler::graph::element_count;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Operator;
use crate::compiler::operators::movement;
use crate::compiler::operators::normalization::instance_output_shape;
use crate::compiler::operators::normalization::output_shape;

/// `BatchNormalization` as at inference: statistics are constants.
pub(crate) fn batch_normalization(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    let epsilon = node.float("epsilon")?.unwrap_or(1e-5);
    // How the statistics were gathered says nothing of how they are used.
    node.ignore(&["momentum"]);
    if node.integer("training_mode")?.unwrap_or(0) != 0 {
        return Err(Refusal::new("`training_mode` is 1; only inference is supported"));
    }
    if node.integer("spatial")?.unwrap_or(1) != 1 {
        return Err(Refusal::new("`spatial` is 0; only one statistic a channel is supported"));
    }
    let mut inputs = vec![node.input(0)?];
    for (place, what) in [(1, "scale"), (2, "bias"), (3, "mean"), (4, "variance")] {
        let id = node.input(place)?;
        builder.floats(id, what)?;
        inputs.push(id);
    }
    let shapes: Vec<&[usize]> = inputs.iter().map(|&id| builder.shape(id)).collect();
    let shape = output_shape(&shapes)?;
    Ok(vec![builder.push(Operator::BatchNormalization { epsilon }, inputs, shape)?])
}

/// `InstanceNormalization` with a constant scale and bias.
pub(crate) fn instance_normalization(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    let epsilon = node.float("epsilon")?.unwrap_or(1e-5);
    let inputs = vec![node.input(0)?, node.input(1)?, node.input(2)?];
    for (place, what) in [(1, "scale"), (2, "B")] {
        if builder.floats(inputs[place], what)?.iter().any(|value| !value.is_finite()) {
            return Err(Refusal::new(format!("its `{what}` has a value that is not finite")));
        }
    }
    let shapes: Vec<&[usize]> = inputs.iter().map(|&id| builder.shape(id)).collect();
    let shape = instance_output_shape(&shapes)?;
    Ok(vec![builder.push(Operator::InstanceNormalization { epsilon }, inputs, shape)?])
}

/// `LayerNormalization` (opset 17): the rows from `axis` on as planes that are normalized, then times the scale, plus the
/// bias where there is one.
pub(crate) fn layer_normalization(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    let (x, scale) = (node.input(0)?, node.input(1)?);
    let epsilon = node.float("epsilon")?.unwrap_or(1e-5);
    // In which type the statistics are kept changes nothing in floats.
    node.ignore(&["stash_type"]);
    let shape = builder.shape(x).to_vec();
    let axis = movement::axis(node.integer("axis")?.unwrap_or(-1), shape.len())?;
    let (Some(rows), Some(length)) = (element_count(&shape[..axis]), element_count(&shape[axis..])) else {
        return Err(Refusal::new("the number of elements is out of range"));
    };
    let one = builder.constant_of(Tensor::from_f32(vec![rows], vec![1.0; rows]), "one")?;
    let zero = builder.constant_of(Tensor::from_f32(vec![rows], vec![0.0; rows]), "zero")?;
    let planes = builder.push(Operator::Reshape, vec![x], vec![1, rows, length])?;
    let operator = Operator::InstanceNormalization { epsilon };
    let normal = builder.push(operator, vec![planes, one, zero], vec![1, rows, length])?;
    let mut output = builder.push(Operator::Reshape, vec![normal], shape.clone())?;
    let more = [(Arithmetic::Multiply, Some(scale)), (Arithmetic::Add, node.optional(2))];
    for (operation, operand) in more {
        let Some(operand) = operand else { continue };
        if Arithmetic::output_shape(&shape, builder.shape(operand))? != shape {
            let found = builder.shape(operand);
            return Err(Refusal::new(format!(
                "its scale or bias {found:?} has a larger shape than its input {shape:?}"
            )));
        }
        output = builder.push(Operator::Arithmetic(operation), vec![output, operand], shape.clone())?;
    }
    Ok(vec![output])
}

#[cfg(test)]
mod tests {
    use crate::compiler::onnx::sample::Case;
    use crate::compiler::onnx::sample::check;

    #[test]
    fn normalization_of_an_instance_needs_constants() {
        check(&[
            Case("InstanceNormalization-7", "x[1,2,3,3] w[2] w[2]", "", Ok("instance-normalization epsilon=1e-5")),
            Case("InstanceNormalization-7", "x[1,2,9] w[2] w[2]", "epsilon=0.001", Ok("[1, 2, 9] = instance")),
            Case(
                "LayerNormalization-17",
                "x[2,3,4] w[4] w[4]",
                "",
                Ok("[1, 6, 4] = instance-normalization epsilon=1e-5"),
            ),
            Case("LayerNormalization-17", "x[2,3,4] w[3,4] w[4]", "axis=1", Ok("[2, 3, 4] = add (%")),
            Case("LayerNormalization-17", "x[2,3,4] w[2,2,3,4]", "", Err("has a larger shape than its input")),
            Case("InstanceNormalization-7", "x[1,2,3,3] w[3] w[2]", "", Err("has the shape [3]; expected [2]")),
            Case("InstanceNormalization-7", "x[1,2,3,3] w[2] x[2]", "", Err("its `B` is computed at run time")),
            Case("InstanceNormalization-7", "x[1,2] w[2] w[2]", "", Err("at least one axis more")),
        ]);
    }

    #[test]
    fn normalization_is_read_as_at_inference() {
        check(&[
            Case(
                "BatchNormalization-7",
                "x[1,2,3,3] w[2] w[2] w[2] w[2]",
                "momentum=0.9 spatial=1",
                Ok("batch-normalization epsilon=1e-5"),
            ),
            Case("BatchNormalization-15", "x[1,2,3,3] w[2] w[2] w[2] w[2]", "epsilon=0.001", Ok("epsilon=0.001")),
            Case(
                "BatchNormalization-15",
                "x[1,2,3,3] w[2] w[2] w[2] w[2]",
                "training_mode=1",
                Err("`training_mode` is 1"),
            ),
            Case("BatchNormalization-7", "x[1,2,3,3] w[2] w[2] w[2] w[2]", "spatial=0", Err("`spatial` is 0")),
            Case(
                "BatchNormalization-7",
                "x[1,2,3,3] w[2] w[2] w[3] w[2]",
                "",
                Err("a statistic has the shape [3]; expected [2]"),
            ),
            Case(
                "BatchNormalization-7",
                "x[1,2,3,3] w[2] x[2] w[2] w[2]",
                "",
                Err("its `bias` is computed at run time"),
            ),
        ]);
    }
}
