//! Reading ONNX Softmax.

use crate::compiler::graph::ValueId;
use crate::compiler::graph::element_count;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;
use crate::compiler::operators::Operator;
use crate::compiler::operators::movement;

/// Softmax. Since opset 13 over one axis, the last by default; before, over all axes from `axis` (1 by default) on
/// together, which is written with reshapes unless only one of them is larger than 1.
pub(crate) fn softmax(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    let x = node.input(0)?;
    let shape = builder.shape(x).to_vec();
    let wanted = node.integer("axis")?;
    if node.opset() >= 13 {
        let axis = movement::axis(wanted.unwrap_or(-1), shape.len())?;
        return Ok(vec![builder.push(Operator::Softmax { axis }, vec![x], shape)?]);
    }
    let first = movement::axis(wanted.unwrap_or(1), shape.len())?;
    let mut large = (first..shape.len()).filter(|&axis| shape[axis] != 1);
    if let (axis, None) = (large.next().unwrap_or(first), large.next()) {
        return Ok(vec![builder.push(Operator::Softmax { axis }, vec![x], shape)?]);
    }
    let (Some(outer), Some(inner)) = (element_count(&shape[..first]), element_count(&shape[first..])) else {
        return Err(Refusal::new("the number of elements is out of range"));
    };
    let flat = builder.push(Operator::Reshape, vec![x], vec![outer, inner])?;
    let soft = builder.push(Operator::Softmax { axis: 1 }, vec![flat], vec![outer, inner])?;
    Ok(vec![builder.push(Operator::Reshape, vec![soft], shape)?])
}

#[cfg(test)]
mod tests {
    use crate::compiler::onnx::sample::Case;
    use crate::compiler::onnx::sample::check;

    #[test]
    fn softmax_before_opset_13_is_over_all_axes_behind_its_own() {
        check(&[
            Case("Softmax-9", "x[1,5,1,1]", "", Ok("[1, 5, 1, 1] = softmax axis=1 (%0)")),
            Case("Softmax-11", "x[1,5,2,1]", "", Ok("[1, 10] = softmax axis=1 (%1)")),
            Case("Softmax-11", "x[1,5,2]", "axis=2", Ok("[1, 5, 2] = softmax axis=2 (%0)")),
            Case("Softmax-13", "x[1,5,2]", "", Ok("softmax axis=2 (%0)")),
            Case("Softmax-13", "x[1,5,2]", "axis=1", Ok("softmax axis=1 (%0)")),
            Case("Softmax-13", "x[1,5,2]", "axis=3", Err("the axis 3 is outside a tensor of 3 axes")),
        ]);
    }
}
