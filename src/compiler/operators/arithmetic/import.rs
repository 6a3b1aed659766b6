//! Reading ONNX Add, Sub, Mul, Div, Sum, Reciprocal and Pow.

use crate::compiler::graph::DataType;
use crate::compiler::graph::Tensor;
use crate::compiler::graph::ValueId;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Function;
use crate::compiler::operators::Operator;

fn binary(operation: Arithmetic, inputs: [ValueId; 2], builder: &mut Builder) -> Result<ValueId, Refusal> {
    let [a, b] = inputs;
    if builder.graph.value(a).data_type != builder.graph.value(b).data_type {
        return Err(Refusal::new("one operand is a float and the other an integer"));
    }
    let shape = Arithmetic::output_shape(builder.shape(a), builder.shape(b))?;
    builder.push(Operator::Arithmetic(operation), vec![a, b], shape)
}

/// Add.
pub(crate) fn add(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    Ok(vec![binary(Arithmetic::Add, [node.input(0)?, node.input(1)?], builder)?])
}

/// Sub.
pub(crate) fn subtract(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    Ok(vec![binary(Arithmetic::Subtract, [node.input(0)?, node.input(1)?], builder)?])
}

/// Mul.
pub(crate) fn multiply(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    Ok(vec![binary(Arithmetic::Multiply, [node.input(0)?, node.input(1)?], builder)?])
}

/// Div.
pub(crate) fn divide(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    Ok(vec![binary(Arithmetic::Divide, [node.input(0)?, node.input(1)?], builder)?])
}

/// Sum of any number of inputs, from the left.
pub(crate) fn sum(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    let mut total = node.input(0)?;
    for place in 1..node.input_count() {
        total = binary(Arithmetic::Add, [total, node.input(place)?], builder)?;
    }
    Ok(vec![total])
}

/// Reciprocal: one divided by the input.
pub(crate) fn reciprocal(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    let x = node.input(0)?;
    let one = builder.constant_of(Tensor::from_f32(vec![], vec![1.0]), "one")?;
    Ok(vec![binary(Arithmetic::Divide, [one, x], builder)?])
}

/// Pow with a constant exponent that is the same everywhere: 1, 2 or one half.
pub(crate) fn power(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    let (x, exponent) = (node.input(0)?, node.input(1)?);
    let values: Vec<f32> = match builder.constant(exponent) {
        Some(tensor) => match (tensor.as_f32(), tensor.as_i64()) {
            (Some(floats), _) => floats.to_vec(),
            (_, Some(integers)) => integers.iter().map(|&value| value as f32).collect(),
            _ => vec![],
        },
        None => return Err(Refusal::new("its exponent is computed at run time; expected a constant")),
    };
    if builder.graph.value(x).data_type != DataType::F32 {
        return Err(Refusal::new("its base is an integer"));
    }
    let shape = Arithmetic::output_shape(builder.shape(x), builder.shape(exponent))?;
    let uniform = values.first().copied().filter(|first| values.iter().all(|value| value.to_bits() == first.to_bits()));
    if shape != builder.shape(x) {
        return Err(Refusal::new("its exponent has a larger shape than its base"));
    }
    match uniform {
        Some(1.0) => Ok(vec![x]),
        Some(2.0) => Ok(vec![builder.push(Operator::Arithmetic(Arithmetic::Multiply), vec![x, x], shape)?]),
        Some(0.5) => Ok(vec![builder.push(Operator::Function(Function::SquareRoot), vec![x], shape)?]),
        _ => Err(Refusal::new("its exponent is not 1, 2 or 0.5 everywhere; other powers are not supported")),
    }
}

#[cfg(test)]
mod tests {
    use crate::compiler::onnx::sample::Case;
    use crate::compiler::onnx::sample::check;

    #[test]
    fn sums_and_products_broadcast() {
        check(&[
            Case("Add-7", "x[1,3,2,2] w[3,1,1]", "", Ok("[1, 3, 2, 2] = add (%0, [3, 1, 1][")),
            Case("Sub-7", "f1.0 x[1,3,2,2]", "", Ok("= subtract ([][1.0], %0)")),
            Case("Div-13", "x[1,3,2,2] x[1,3,2,2]", "", Ok("= divide (%0, %1)")),
            Case("Sum-13", "x[1,3,2,2] x[1,3,2,2] x[1,3,2,2]", "", Ok("[1, 3, 2, 2] = add (%3, %2)")),
            Case("Reciprocal-13", "x[1,3,2,2]", "", Ok("= divide ([][1.0], %0)")),
            Case("Pow-13", "x[1,3,2,2] f2.0", "", Ok("= multiply (%0, %0)")),
            Case("Pow-12", "x[1,3,2,2] i2", "", Ok("= multiply (%0, %0)")),
            Case("Pow-13", "x[1,3,2,2] f0.5", "", Ok("= square-root (%0)")),
        ]);
    }

    #[test]
    fn operands_that_do_not_fit_are_refused() {
        check(&[
            Case("Add-13", "x[1,3,2,2] w[4]", "", Err("[1, 3, 2, 2] and [4] cannot be broadcast")),
            Case("Add-13", "x[1,3,2,2] i2", "", Err("one operand is a float and the other an integer")),
            Case("Mul-13", "x[1,3,2,2]", "", Err("its input 1 is missing")),
            Case("Pow-13", "x[1,3,2,2] f3.0", "", Err("other powers are not supported")),
        ]);
    }
}
