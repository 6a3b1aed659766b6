//! Reading ONNX operators that are a function of one element.

use crate::compiler::graph::ValueId;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Function;
use crate::compiler::operators::Operator;

type Imported = Result<Vec<ValueId>, Refusal>;

fn unary(function: Function, x: ValueId, builder: &mut Builder) -> Imported {
    let shape = builder.shape(x).to_vec();
    Ok(vec![builder.push(Operator::Function(function), vec![x], shape)?])
}

/// Relu.
pub(crate) fn relu(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    unary(Function::Relu, node.input(0)?, builder)
}

/// Sigmoid.
pub(crate) fn sigmoid(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    unary(Function::Sigmoid, node.input(0)?, builder)
}

/// Tanh.
pub(crate) fn tanh(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    unary(Function::Tanh, node.input(0)?, builder)
}

/// Exp.
pub(crate) fn exponential(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    unary(Function::Exponential, node.input(0)?, builder)
}

/// Sqrt.
pub(crate) fn square_root(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    unary(Function::SquareRoot, node.input(0)?, builder)
}

/// Neg.
pub(crate) fn negate(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    unary(Function::Negate, node.input(0)?, builder)
}

/// Abs.
pub(crate) fn absolute(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    unary(Function::Absolute, node.input(0)?, builder)
}

/// Softplus.
pub(crate) fn softplus(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    unary(Function::Softplus, node.input(0)?, builder)
}

/// Softsign.
pub(crate) fn softsign(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    unary(Function::Softsign, node.input(0)?, builder)
}

/// Erf.
pub(crate) fn error_function(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    unary(Function::ErrorFunction, node.input(0)?, builder)
}

/// Log.
pub(crate) fn logarithm(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    unary(Function::Logarithm, node.input(0)?, builder)
}

/// Elu; alpha is 1 where it is absent.
pub(crate) fn elu(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let alpha = node.float("alpha")?.unwrap_or(1.0);
    unary(Function::Elu { alpha }, node.input(0)?, builder)
}

/// Selu; alpha and gamma are those of the paper where they are absent.
pub(crate) fn selu(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let alpha = node.float("alpha")?.unwrap_or(1.673_263_2);
    let gamma = node.float("gamma")?.unwrap_or(1.050_701);
    unary(Function::Selu { alpha, gamma }, node.input(0)?, builder)
}

/// `HardSwish` (opset 14).
pub(crate) fn hard_swish(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    unary(Function::HardSwish, node.input(0)?, builder)
}

/// `LeakyRelu`; alpha is 0.01 where it is absent.
pub(crate) fn leaky_relu(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let alpha = node.float("alpha")?.unwrap_or(0.01);
    unary(Function::LeakyRelu { alpha }, node.input(0)?, builder)
}

/// `HardSigmoid`; alpha is 0.2 and beta 0.5 where they are absent.
pub(crate) fn hard_sigmoid(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let alpha = node.float("alpha")?.unwrap_or(0.2);
    let beta = node.float("beta")?.unwrap_or(0.5);
    unary(Function::HardSigmoid { alpha, beta }, node.input(0)?, builder)
}

/// `PRelu`. With one slope for all it is a leaky Relu; else the positive part, plus the negative part times the slopes.
pub(crate) fn parametric_relu(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let (x, slope) = (node.input(0)?, node.input(1)?);
    let slopes = builder.floats(slope, "slope")?;
    if let Some(found) = slopes.iter().find(|slope| !slope.is_finite()) {
        return Err(Refusal::new(format!("its `slope` has the value {found}; expected finite numbers")));
    }
    if let Some(&alpha) = slopes.first()
        && slopes.iter().all(|&other| other.to_bits() == alpha.to_bits())
    {
        return unary(Function::LeakyRelu { alpha }, x, builder);
    }
    let shape = builder.shape(x).to_vec();
    if Arithmetic::output_shape(&shape, builder.shape(slope))? != shape {
        let found = builder.shape(slope);
        return Err(Refusal::new(format!("its slopes {found:?} have a larger shape than its input {shape:?}")));
    }
    let positive = builder.push(Operator::Function(Function::Relu), vec![x], shape.clone())?;
    let below = Function::Clip { low: f32::NEG_INFINITY, high: 0.0 };
    let negative = builder.push(Operator::Function(below), vec![x], shape.clone())?;
    let product = Operator::Arithmetic(Arithmetic::Multiply);
    let negative = builder.push(product, vec![negative, slope], shape.clone())?;
    Ok(vec![builder.push(Operator::Arithmetic(Arithmetic::Add), vec![positive, negative], shape)?])
}

/// Clip: bounds are attributes before opset 11 and constant inputs since.
pub(crate) fn clip(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let (low, high) = if node.opset() < 11 {
        (node.any_float("min")?, node.any_float("max")?)
    } else {
        (bound(node.optional(1), "min", builder)?, bound(node.optional(2), "max", builder)?)
    };
    let low = low.filter(|&low| low > f32::MIN || low.is_nan()).unwrap_or(f32::NEG_INFINITY);
    let high = high.filter(|&high| high < f32::MAX || high.is_nan()).unwrap_or(f32::INFINITY);
    clipped(low, high, node.input(0)?, builder)
}

/// `x` limited to bounds; −∞ below and ∞ above are none. Bounds that leave no finite number are refused.
fn clipped(low: f32, high: f32, x: ValueId, builder: &mut Builder) -> Imported {
    let is_empty = low > high || low == f32::INFINITY || high == f32::NEG_INFINITY;
    if low.is_nan() || high.is_nan() || is_empty {
        return Err(Refusal::new(format!(
            "its bounds are {low} and {high}; expected a finite number that lies from the first to the second"
        )));
    }
    if low == f32::NEG_INFINITY && high == f32::INFINITY {
        return Ok(vec![x]);
    }
    unary(Function::Clip { low, high }, x, builder)
}

fn bound(id: Option<ValueId>, name: &str, builder: &Builder) -> Result<Option<f32>, Refusal> {
    let Some(id) = id else { return Ok(None) };
    match builder.floats(id, name)? {
        &[value] => Ok(Some(value)),
        other => Err(Refusal::new(format!("`{name}` has {} values; expected one", other.len()))),
    }
}

/// Max with a constant scalar: a lower bound.
pub(crate) fn maximum(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let (x, low) = with_scalar(node, builder)?;
    clipped(low, f32::INFINITY, x, builder)
}

/// Min with a constant scalar: an upper bound.
pub(crate) fn minimum(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let (x, high) = with_scalar(node, builder)?;
    clipped(f32::NEG_INFINITY, high, x, builder)
}

/// The computed and the constant one of two inputs, the constant being one value that does not widen the shape.
fn with_scalar(node: &OnnxNode<'_>, builder: &Builder) -> Result<(ValueId, f32), Refusal> {
    let refusal = || Refusal::new("expected two inputs, one of them a constant of one value");
    if node.input_count() != 2 {
        return Err(refusal());
    }
    let (a, b) = (node.input(0)?, node.input(1)?);
    for (x, scalar) in [(a, b), (b, a)] {
        if let Some([value]) = builder.constant(scalar).and_then(|tensor| tensor.as_f32())
            && builder.shape(scalar).len() <= builder.shape(x).len()
        {
            return Ok((x, *value));
        }
    }
    Err(refusal())
}

#[cfg(test)]
mod tests {
    use crate::compiler::onnx::proto::AttributeProto;
    use crate::compiler::onnx::sample::Case;
    use crate::compiler::onnx::sample::Sample;
    use crate::compiler::onnx::sample::check;

    #[test]
    fn functions_are_read_at_every_opset() {
        check(&[
            Case("Clip-7", "x[1,3,2,2]", "min=-1.0 max=6.0", Ok("clip low=-1.0 high=6.0 (%0)")),
            Case("Clip-7", "x[1,3,2,2]", "max=6.0", Ok("clip low=-inf high=6.0")),
            Case("Clip-11", "x[1,3,2,2] f0.0 f6.0", "", Ok("clip low=0.0 high=6.0")),
            Case("Clip-12", "x[1,3,2,2] - f[6.0]", "", Ok("clip low=-inf high=6.0")),
            Case("LeakyRelu-13", "x[1,3,2,2]", "", Ok("leaky-relu alpha=0.01")),
            Case("HardSigmoid-13", "x[1,3,2,2]", "", Ok("hard-sigmoid alpha=0.2 beta=0.5")),
            Case("HardSwish-14", "x[1,3,2,2]", "", Ok("hard-swish (%0)")),
            Case("Elu-7", "x[1,3,2,2]", "alpha=0.5", Ok("elu alpha=0.5 (%0)")),
            Case("Selu-7", "x[1,3,2,2]", "", Ok("selu alpha=1.6732632 gamma=1.050701 (%0)")),
            Case("Selu-7", "x[1,3,2,2]", "gamma=2.5", Ok("gamma=2.5")),
            Case("Softplus-7", "x[1,3,2,2]", "", Ok("softplus (%0)")),
            Case("Softsign-7", "x[1,3,2,2]", "", Ok("softsign (%0)")),
            Case("Erf-13", "x[1,3,2,2]", "", Ok("error-function (%0)")),
            Case("Log-13", "x[1,3,2,2]", "", Ok("logarithm (%0)")),
            Case("PRelu-13", "x[1,3,2,2] f[0.25]", "", Ok("leaky-relu alpha=0.25")),
            Case("PRelu-13", "x[1,3,2,2] w[3,1,1]", "", Ok("= add (%1, %3)")),
            Case("Max-13", "f-1.0 x[1,3,2,2]", "", Ok("clip low=-1.0 high=inf (%0)")),
            Case("Clip-11", "x[1,3,2,2] f-inf f6.0", "", Ok("clip low=-inf high=6.0")),
            Case("Min-13", "x[1,3,2,2] f1.0", "", Ok("clip low=-inf high=1.0 (%0)")),
        ]);
    }

    #[test]
    fn functions_without_a_meaning_here_are_refused() {
        check(&[
            Case("Clip-11", "x[1,3,2,2] x[1,3,2,2]", "", Err("its `min` is computed at run time")),
            Case("Clip-11", "x[1,3,2,2]", "min=0.0", Err("its attribute `min` has no known meaning at opset 11")),
            Case("Clip-11", "x[1,3,2,2] f2.0 f1.0", "", Err("its bounds are 2 and 1")),
            Case("Clip-11", "x[1,3,2,2] fNaN f1.0", "", Err("its bounds are NaN and 1")),
            Case("Clip-11", "x[1,3,2,2] finf", "", Err("its bounds are inf and inf")),
            Case("Clip-11", "x[1,3,2,2] - f-inf", "", Err("its bounds are -inf and -inf")),
            Case("Max-13", "x[1,3,2,2] finf", "", Err("node `make_y`: `Max`: its bounds are inf and inf")),
            Case("Max-13", "x[1,3,2,2] fNaN", "", Err("its bounds are NaN and inf")),
            Case("Min-13", "x[1,3,2,2] f-inf", "", Err("its bounds are -inf and -inf")),
            Case("PRelu-13", "x[1,3,2,2] f[inf]", "", Err("`PRelu`: its `slope` has the value inf")),
            Case("Clip-11", "x[1,3,2,2] f[1.0,2.0]", "", Err("`min` has 2 values")),
            Case("PRelu-13", "x[1,3,2,2] x[1,3,2,2]", "", Err("its `slope` is computed at run time")),
            Case("Max-13", "x[1,3,2,2] x[1,3,2,2]", "", Err("expected two inputs, one of them a constant")),
            Case("LeakyRelu-13", "x[1,3,2,2]", "alpha=1", Err("its attribute `alpha` has another type")),
        ]);
    }

    #[test]
    fn attributes_that_are_no_finite_number_are_refused() {
        struct Given(&'static str, &'static str, f32, &'static str);
        let cases = [
            Given("LeakyRelu", "alpha", f32::INFINITY, "`LeakyRelu`: its attribute `alpha` is inf; expected a finite"),
            Given("HardSigmoid", "alpha", f32::NAN, "`HardSigmoid`: its attribute `alpha` is NaN; expected a finite"),
            Given("HardSigmoid", "beta", f32::NEG_INFINITY, "its attribute `beta` is -inf; expected a finite number"),
        ];
        for Given(operator, name, value, expected) in cases {
            let attributes = [AttributeProto::float(name, value)];
            let sample = Sample::new(13).input("x", &[1, 3]).node(operator, &["x"], &["y"], &attributes).output("y");
            let message = sample.import().expect_err("refused").to_string();
            assert!(message.contains(expected), "{operator} {name}={value}: {message}");
        }
    }
}
