//! Reading ONNX Add, Sub, Mul, Div, Sum, Reciprocal, Pow, and the old Affine and `ImageScaler`.

use crate::compiler::graph::DataType;
use crate::compiler::graph::Tensor;
use crate::compiler::graph::ValueId;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Function;
use crate::compiler::operators::Operator;
use crate::compiler::operators::window;

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

/// Affine, which opset 10 took back: alpha·x + beta.
pub(crate) fn affine(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    node.experimental()?;
    let alpha = node.float("alpha")?.unwrap_or(1.0);
    let beta = node.float("beta")?.unwrap_or(0.0);
    let product = scaled(node.input(0)?, alpha, builder)?;
    Ok(vec![shifted(product, &[], vec![beta], builder)?])
}

/// `ImageScaler`, which opset 10 took back: scale·x + bias, one bias a channel.
pub(crate) fn image_scaler(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    node.experimental()?;
    let x = node.input(0)?;
    let scale = node.float("scale")?.unwrap_or(1.0);
    let bias = node.floats("bias")?.unwrap_or_default();
    window::spatial(builder.shape(x))?;
    let channels = builder.shape(x)[1];
    if bias.len() != channels || bias.iter().any(|value| !value.is_finite()) {
        return Err(Refusal::new(format!("`bias` is {bias:?}; expected {channels} finite numbers, one a channel")));
    }
    let product = scaled(x, scale, builder)?;
    Ok(vec![shifted(product, &[channels, 1, 1], bias, builder)?])
}

/// The value times a number; the value itself where that is 1.
fn scaled(x: ValueId, factor: f32, builder: &mut Builder) -> Result<ValueId, Refusal> {
    if factor.to_bits() == 1.0_f32.to_bits() {
        return Ok(x);
    }
    let factor = builder.constant_of(Tensor::from_f32(vec![], vec![factor]), "scale")?;
    binary(Arithmetic::Multiply, [x, factor], builder)
}

/// The value plus constants of a shape; the value itself where all are 0.
fn shifted(x: ValueId, shape: &[usize], offsets: Vec<f32>, builder: &mut Builder) -> Result<ValueId, Refusal> {
    if offsets.iter().all(|offset| offset.abs().to_bits() == 0) {
        return Ok(x);
    }
    let offset = builder.constant_of(Tensor::from_f32(shape.to_vec(), offsets), "bias")?;
    binary(Arithmetic::Add, [x, offset], builder)
}

/// Pow with a constant exponent that is the same everywhere.
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
        Some(exponent) if exponent.is_finite() => {
            Ok(vec![builder.push(Operator::Function(Function::Power { exponent }), vec![x], shape)?])
        }
        _ => Err(Refusal::new("its exponent is not one finite number everywhere; other powers are not supported")),
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
            Case("Pow-13", "x[1,3,2,2] f3.0", "", Ok("= power exponent=3.0 (%0)")),
        ]);
    }

    #[test]
    fn experimental_operators_are_arithmetic_until_opset_9() {
        check(&[
            Case("Affine-7", "x[1,3,2,2]", "alpha=150.0 beta=0.0", Ok("= multiply (%0, [][150.0])")),
            Case("Affine-9", "x[1,3,2,2]", "beta=2.0", Ok("= add (%0, [][2.0])")),
            Case("Affine-10", "x[1,3,2,2]", "alpha=2.0", Err("it was taken back at opset 10")),
            Case("ImageScaler-7", "x[1,2,2,2]", "bias=[-1.5,2.0] scale=1.0", Ok("= add (%0, [2, 1, 1][-1.5, 2.0])")),
            Case("ImageScaler-7", "x[1,2,2,2]", "bias=[-1.5,2.0] scale=0.5", Ok("= add (%1, [2, 1, 1][-1.5, 2.0])")),
            Case("ImageScaler-7", "x[1,3,2,2]", "bias=[-1.5,2.0]", Err("expected 3 finite numbers, one a channel")),
        ]);
    }

    #[test]
    fn operands_that_do_not_fit_are_refused() {
        check(&[
            Case("Add-13", "x[1,3,2,2] w[4]", "", Err("[1, 3, 2, 2] and [4] cannot be broadcast")),
            Case("Add-13", "x[1,3,2,2] i2", "", Err("one operand is a float and the other an integer")),
            Case("Mul-13", "x[1,3,2,2]", "", Err("its input 1 is missing")),
            Case("Pow-13", "x[1,3,2,2] f[2.0,3.0]", "", Err("other powers are not supported")),
        ]);
    }
}
