//! The functions, their float meaning and export.

use crate::compiler::onnx::ExportedNode;
use crate::compiler::onnx::Writer;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::operators::function::integer::evaluate;

/// A function of one element.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Function {
    /// max(x, 0)
    Relu,
    /// x limited to `[low, high]`; an absent bound is infinite.
    Clip {
        /// Lower bound.
        low: f32,
        /// Upper bound.
        high: f32,
    },
    /// 1 / (1 + e⁻ˣ)
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// eˣ
    Exponential,
    /// x below zero times alpha.
    LeakyRelu {
        /// Slope below zero.
        alpha: f32,
    },
    /// alpha·x + beta limited to `[0, 1]`.
    HardSigmoid {
        /// Slope.
        alpha: f32,
        /// Offset.
        beta: f32,
    },
    /// x · hard sigmoid of x with 1/6 and 1/2.
    HardSwish,
    /// √x
    SquareRoot,
    /// −x
    Negate,
    /// |x|
    Absolute,
    /// x below zero is alpha·(eˣ − 1).
    Elu {
        /// What it tends to below zero, negated.
        alpha: f32,
    },
    /// gamma times Elu.
    Selu {
        /// Of the Elu.
        alpha: f32,
        /// Slope above zero.
        gamma: f32,
    },
    /// ln(1 + eˣ)
    Softplus,
    /// x / (1 + |x|)
    Softsign,
    /// The error function.
    ErrorFunction,
    /// The natural logarithm.
    Logarithm,
    /// x to a power.
    Power {
        /// The exponent.
        exponent: f32,
    },
}

impl Function {
    /// The function in one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Clip { .. } => "clip",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Exponential => "exponential",
            Self::LeakyRelu { .. } => "leaky-relu",
            Self::HardSigmoid { .. } => "hard-sigmoid",
            Self::HardSwish => "hard-swish",
            Self::SquareRoot => "square-root",
            Self::Negate => "negate",
            Self::Absolute => "absolute",
            Self::Elu { .. } => "elu",
            Self::Selu { .. } => "selu",
            Self::Softplus => "softplus",
            Self::Softsign => "softsign",
            Self::ErrorFunction => "error-function",
            Self::Logarithm => "logarithm",
            Self::Power { .. } => "power",
        }
    }

    /// The function of one float.
    #[must_use]
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Self::Relu => x.max(0.0),
            Self::Clip { low, high } => x.max(low).min(high),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Tanh => x.tanh(),
            Self::Exponential => x.exp(),
            Self::LeakyRelu { alpha } => {
                if x < 0.0 {
                    alpha * x
                } else {
                    x
                }
            }
            Self::HardSigmoid { alpha, beta } => (alpha * x + beta).clamp(0.0, 1.0),
            Self::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Self::SquareRoot => x.sqrt(),
            Self::Negate => -x,
            Self::Absolute => x.abs(),
            Self::Elu { .. }
            | Self::Selu { .. }
            | Self::Softplus
            | Self::Softsign
            | Self::ErrorFunction
            | Self::Logarithm
            | Self::Power { .. } => evaluate(self, f64::from(x)) as f32,
        }
    }

    pub(crate) fn export(self, node: &ExportedNode<'_>, writer: &mut Writer) {
        let (operator, attributes) = match self {
            Self::Relu => ("Relu", vec![]),
            Self::Clip { low, high } => {
                let low = writer.optional_float(node, "min", low.is_finite().then_some(low));
                let high = writer.optional_float(node, "max", high.is_finite().then_some(high));
                writer.node("Clip", node, &[&low, &high], vec![]);
                return;
            }
            Self::Sigmoid => ("Sigmoid", vec![]),
            Self::Tanh => ("Tanh", vec![]),
            Self::Exponential => ("Exp", vec![]),
            Self::LeakyRelu { alpha } => ("LeakyRelu", vec![AttributeProto::float("alpha", alpha)]),
            Self::HardSigmoid { alpha, beta } => {
                ("HardSigmoid", vec![AttributeProto::float("alpha", alpha), AttributeProto::float("beta", beta)])
            }
            Self::HardSwish => ("HardSwish", vec![]),
            Self::SquareRoot => ("Sqrt", vec![]),
            Self::Negate => ("Neg", vec![]),
            Self::Absolute => ("Abs", vec![]),
            Self::Elu { alpha } => ("Elu", vec![AttributeProto::float("alpha", alpha)]),
            // As an Elu and a product, which runtimes without Selu have too.
            Self::Selu { alpha, gamma } => {
                let inner = writer.unused_name(&format!("{}/elu", node.output));
                let gamma = writer.float(node, "gamma", gamma);
                let alpha = vec![AttributeProto::float("alpha", alpha)];
                writer.raw_node("Elu", node.name, &node.inputs, &inner, alpha);
                writer.raw_node("Mul", node.name, &[&inner, &gamma], node.output, vec![]);
                return;
            }
            Self::Softplus => ("Softplus", vec![]),
            Self::Softsign => ("Softsign", vec![]),
            Self::ErrorFunction => ("Erf", vec![]),
            Self::Logarithm => ("Log", vec![]),
            Self::Power { exponent } => {
                let exponent = writer.float(node, "exponent", exponent);
                writer.node("Pow", node, &[&exponent], vec![]);
                return;
            }
        };
        writer.node(operator, node, &[], attributes);
    }
}
