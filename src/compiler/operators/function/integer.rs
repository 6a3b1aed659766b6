//! Functions of one element: in f64, from which their int8 tables are made.

use crate::compiler::machine;
use crate::compiler::operators::Function;

/// The function in f64. Transcendental ones come from `libm`, whose results do not depend on the platform.
#[must_use]
pub fn evaluate(function: Function, x: f64) -> f64 {
    match function {
        Function::Relu => x.max(0.0),
        Function::Clip { low, high } => x.max(f64::from(low)).min(f64::from(high)),
        Function::Sigmoid => 1.0 / (1.0 + libm::exp(-x)),
        Function::Tanh => libm::tanh(x),
        Function::Exponential => libm::exp(x),
        Function::LeakyRelu { alpha } => {
            if x < 0.0 {
                x * f64::from(alpha)
            } else {
                x
            }
        }
        Function::HardSigmoid { alpha, beta } => hard_sigmoid(x, f64::from(alpha), f64::from(beta)),
        Function::HardSwish => x * hard_sigmoid(x, 1.0 / 6.0, 0.5),
        // The quantized input can lie a step below zero where the float one does not.
        Function::SquareRoot => x.max(0.0).sqrt(),
        Function::Negate => -x,
        Function::Absolute => x.abs(),
        Function::Elu { alpha } => elu(x, f64::from(alpha)),
        Function::Selu { alpha, gamma } => f64::from(gamma) * elu(x, f64::from(alpha)),
        // e^|x| could leave f64, e^−|x| cannot.
        Function::Softplus => x.max(0.0) + libm::log1p(libm::exp(-x.abs())),
        Function::Softsign => x / (1.0 + x.abs()),
        Function::ErrorFunction => libm::erf(x),
        Function::Logarithm => libm::log(x),
        Function::Power { exponent } => libm::pow(x, f64::from(exponent)),
    }
}

fn elu(x: f64, alpha: f64) -> f64 {
    if x < 0.0 { alpha * libm::expm1(x) } else { x }
}

fn hard_sigmoid(x: f64, alpha: f64, beta: f64) -> f64 {
    (alpha * x + beta).clamp(0.0, 1.0)
}

/// Looks every element up; input −128 is the first entry.
pub fn look_up(table: &[i8; 256], input: &[i8], output: &mut [i8]) {
    machine::look_up(table, input, output);
}
