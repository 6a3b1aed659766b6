//! The functions, their float meaning and export.

use crate::compiler::onnx::ExportedNode;
use crate::compiler::onnx::Writer;
use crate::compiler::onnx::proto::AttributeProto;

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
        };
        writer.node(operator, node, &[], attributes);
    }
}
