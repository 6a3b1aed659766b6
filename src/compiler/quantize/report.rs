//! How good a quantization is.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::compiler::calibrate::Scheme;
use crate::compiler::quantize::evaluate::STAGED;

/// How one int8 tensor agrees with the float one, over all evaluation images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValueQuality {
    /// The tensor.
    pub name: String,
    /// The node that writes it.
    pub node: String,
    /// The operator that writes it.
    pub operator: String,
    /// Whether the operator runs on integers alone.
    pub integer: bool,
    /// 10·log10(Σx²/Σ(x − y)²), x the float and y the dequantized int8 tensor; absent when one of the sums is 0.
    pub sqnr_db: Option<f64>,
    /// The same with x less its mean over the images, which says how much of what *varies* survives. Of the network's outputs
    /// alone; absent for one image.
    pub centred_sqnr_db: Option<f64>,
    /// Σxy/√(Σx²·Σy²); absent when one of the sums is 0.
    pub cosine: Option<f64>,
    /// Share of elements whose float value lies outside what int8 can stand for. Absent for what the host computes in float.
    pub saturated: Option<f64>,
    /// The smallest and the largest number that int8 stands for; of a tensor with an encoding for each channel, of any. Absent
    /// for what the host computes in float.
    pub range: Option<[f64; 2]>,
}

/// Classes of a classifier on the evaluation images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The output whose largest element is the class.
    pub output: String,
    /// Images compared.
    pub images: usize,
    /// Share of images on which float and int8 name the same class.
    pub top1_agreement: f64,
    /// Images whose class is known.
    pub labelled: usize,
    /// Share of these that float gets right; absent without labels.
    pub float_top1: Option<f64>,
    /// Share of these that int8 gets right; absent without labels.
    pub int8_top1: Option<f64>,
}

/// What the evaluation images say: the float network against the integer reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The number of images.
    pub images: usize,
    /// The SQNR of all outputs taken as one tensor.
    pub sqnr_db: Option<f64>,
    /// The same with the signal less its mean over the images.
    pub centred_sqnr_db: Option<f64>,
    /// Each output, in the network's order.
    pub outputs: Vec<ValueQuality>,
    /// Each node that computes (movements left out), lowest SQNR first.
    pub layers: Vec<ValueQuality>,
    /// For classifiers.
    pub classification: Option<Agreement>,
}

/// What makes int8 better inside the same arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Technique {
    /// Ranges are wider than what fits each tensor best by itself: less of the largest values is cut off.
    MilderClipping,
    /// Ranges are those seen, nothing is cut off.
    NoClipping,
    /// Channels of one activation brought to ranges alike.
    CrossLayerEqualization,
    /// Weights rounded up or down for what their layers read, not each by itself.
    RoundingByReconstruction,
    /// Shifts of the mean of each layer taken off in its bias.
    BiasCorrection,
}

impl Technique {
    /// As in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MilderClipping => "milder clipping",
            Self::NoClipping => "no clipping",
            Self::CrossLayerEqualization => "cross-layer equalization",
            Self::RoundingByReconstruction => "rounding by reconstruction",
            Self::BiasCorrection => "bias correction",
        }
    }
}

/// A technique that was tried, those kept before it applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// Which.
    pub technique: Technique,
    /// Whether it was kept.
    pub kept: bool,
    /// By how much the noise of the outputs (before a last softmax or sigmoid) fell on the calibration images that it was
    /// judged on.
    pub judged_gain_db: f64,
    /// The standard error of this gain, from image to image.
    pub judged_error_db: f64,
    /// How much the SQNR of all outputs rose with it on the first 4 evaluation images; absent without any, and where it was
    /// not kept.
    pub gain_db: Option<f64>,
}

/// The report of one quantization.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuantizationReport {
    /// How ranges were chosen.
    pub scheme: Scheme,
    /// Images whose activations made the ranges.
    pub calibration_images: usize,
    /// The techniques that were tried, in order.
    pub techniques: Vec<Tried>,
    /// What the evaluation images say; absent when there were none.
    pub evaluation: Option<Evaluation>,
    /// Multiplications with weights in one run.
    pub macs: u64,
    /// How many of these run on integers.
    pub integer_macs: u64,
    /// The same as a share of all; 1 where there are none.
    pub integer_mac_share: f64,
    /// Nodes of the quantized network.
    pub nodes: usize,
    /// Nodes that are computed in float between a dequantization and a quantization.
    pub float_islands: Vec<String>,
}

/// Layers that the text shows.
const WORST: usize = 10;

/// The SQNR in dB under which next to nothing of a layer is left: noise has as much power as what it should be, nearly.
const LEAST_SQNR: f64 = 1.0;

fn decibels(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2} dB"))
}

fn share(value: f64) -> String {
    format!("{:.2} %", value * 100.0)
}

impl QuantizationReport {
    /// The report as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The report for people.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        let scheme = self.scheme.name();
        line(format!("scheme: {scheme}, {} calibration images", self.calibration_images));
        let integer = share(self.integer_mac_share);
        line(format!("multiplications: {}, of these {} on integers ({integer})", self.macs, self.integer_macs));
        if !self.float_islands.is_empty() {
            let (count, names) = (self.float_islands.len(), self.float_islands.join(", "));
            line(format!("computed in float: {count} of {} nodes: {names}", self.nodes));
        }
        let images = self.evaluation.as_ref().map_or(0, |evaluation| evaluation.images);
        let first = if images > STAGED { format!("first {STAGED} ") } else { String::new() };
        for tried in &self.techniques {
            let (name, gain, error) = (tried.technique.name(), tried.judged_gain_db, tried.judged_error_db);
            let kept = match (tried.kept, tried.gain_db) {
                (false, _) => "left out".to_owned(),
                (true, None) => "kept".to_owned(),
                (true, Some(gain)) => format!("kept, {gain:+.2} dB on the {first}evaluation images"),
            };
            line(format!("{name}: {gain:+.2} ± {error:.2} dB on calibration images, {kept}"));
        }
        let Some(evaluation) = &self.evaluation else {
            line("quality: not measured, there were no evaluation images".to_owned());
            return text;
        };
        let (plain, centred) = (decibels(evaluation.sqnr_db), decibels(evaluation.centred_sqnr_db));
        line(format!("quality on {} evaluation images: SQNR {plain}, centred {centred}", evaluation.images));
        if let Some(agreement) = &evaluation.classification {
            let mut classes = format!("same class as float: {}", share(agreement.top1_agreement));
            if let (Some(float), Some(int8)) = (agreement.float_top1, agreement.int8_top1) {
                let _ = write!(classes, "; top-1 float {}, int8 {}", share(float), share(int8));
            }
            line(classes);
        }
        for layer in evaluation.lost() {
            line(format!("LOST: {}", told_lost(layer)));
        }
        for output in &evaluation.outputs {
            line(format!("output {}", described(output)));
        }
        line(format!("worst of {} layers:", evaluation.layers.len()));
        for layer in evaluation.layers.iter().take(WORST) {
            line(format!("  {} {}", layer.operator, described(layer)));
        }
        text
    }
}

/// That next to nothing of a layer is left.
#[must_use]
pub fn told_lost(layer: &ValueQuality) -> String {
    let (operator, name, sqnr) = (&layer.operator, &layer.name, decibels(layer.sqnr_db));
    format!(
        "int8 keeps next to nothing of `{name}` ({operator}), SQNR {sqnr}: its numbers are small for the range that they share"
    )
}

impl Evaluation {
    /// Layers of which int8 keeps next to nothing, worst first: an output that is made of one says nothing, however good the
    /// figures of all outputs together are.
    pub fn lost(&self) -> impl Iterator<Item = &ValueQuality> {
        self.layers.iter().filter(|layer| layer.sqnr_db.is_some_and(|sqnr| sqnr < LEAST_SQNR))
    }
}

fn described(quality: &ValueQuality) -> String {
    let range = quality.range.map_or_else(String::new, |[low, high]| format!(", range {low:.4} to {high:.4}"));
    let cosine = quality.cosine.map_or_else(|| "-".to_owned(), |cosine| format!("{cosine:.5}"));
    let centred = quality.centred_sqnr_db.map_or_else(String::new, |db| format!(", centred {db:.2} dB"));
    let saturated = quality.saturated.map_or_else(String::new, |part| format!(", saturated {}", share(part)));
    let (name, sqnr) = (&quality.name, decibels(quality.sqnr_db));
    format!("`{name}`: SQNR {sqnr}{centred}, cosine {cosine}{saturated}{range}")
}
