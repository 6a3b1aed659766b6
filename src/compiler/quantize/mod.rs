//! Quantization: the float graph and representative images in, the quantized graph and a report of how good it is out.

mod answers;
pub mod contract;
mod convert;
mod correct_bias;
mod equalize;
mod evaluate;
mod json;
mod layers;
mod qdq;
mod quantized;
mod report;
mod rounding;
mod run;
mod sharing;
mod techniques;
mod text;
mod verify;

pub use crate::compiler::calibrate::Scheme;
pub use crate::compiler::calibrate::Watch;
pub(crate) use answers::{Classes, agreement, decibels, largest, names_classes, not_finite};
pub use convert::{Converted, convert};
pub use equalize::{Equalization, equalize};
pub use evaluate::evaluate;
pub use layers::LayerWeights;
pub use quantized::{
    QuantizedGraph, QuantizedNode, QuantizedOperator, QuantizedValue, TensorId, Weights, clamp_behind, function_name,
};
pub use report::{Agreement, Evaluation, QuantizationReport, Technique, Tried, ValueQuality, told_lost};
pub use run::{QuantizeOptions, Quantized, quantize};
pub use sharing::Sharing;

#[cfg(test)]
mod coverage;
#[cfg(test)]
mod measured_tests;
#[cfg(test)]
mod shared_models;
#[cfg(test)]
pub(crate) mod tests;
