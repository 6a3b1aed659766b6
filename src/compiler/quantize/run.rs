//! The stage as a whole: calibrate, choose ranges, convert, measure.

use crate::compiler::calibrate::Samples;
use crate::compiler::calibrate::Scheme;
use crate::compiler::calibrate::Watch;
use crate::compiler::error::StageError;
use crate::compiler::graph::Graph;
use crate::compiler::quantize::Evaluation;
use crate::compiler::quantize::QuantizationReport;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::Tried;
use crate::compiler::quantize::evaluate;
use crate::compiler::quantize::techniques::Improved;
use crate::compiler::quantize::techniques::improve;

/// What the quantizer is told.
#[derive(Debug, Clone, Copy)]
pub struct QuantizeOptions {
    /// How ranges are chosen.
    pub scheme: Scheme,
    /// Whether each channel of what depth-wise convolutions read has a range of its own also under the schemes that are not
    /// hybrid, by the scheme's own observer.
    pub depthwise_channels: bool,
    /// The number of classes, where the network is a classifier: the first output with so many elements is compared by
    /// its largest one.
    pub class_count: Option<usize>,
    /// Threads; results do not depend on it. 0 counts as 1.
    pub threads: usize,
}

/// A quantized network and how good it is.
#[derive(Debug)]
pub struct Quantized {
    /// The network.
    pub graph: QuantizedGraph,
    /// How it was made and how it compares.
    pub report: QuantizationReport,
}

/// Quantizes a cleaned float graph: ranges from the calibration samples, quality from the evaluation samples (which may be
/// none). Fails with a status of the quantizer and the node's name for what cannot be quantized.
pub fn quantize(
    graph: &Graph,
    calibration: &dyn Samples,
    evaluation: &dyn Samples,
    options: &QuantizeOptions,
    watch: &Watch<'_>,
) -> Result<Quantized, StageError> {
    let improved = improve(graph, calibration, options, watch)?;
    let measured = evaluate(graph, &improved.converted, &improved.stages, evaluation, options, watch)?;
    let noise = measured.as_ref().map(|(_, noise)| noise.clone()).unwrap_or_default();
    let mut report = report(
        &improved.converted.graph,
        calibration.len(),
        measured.map(|(evaluation, _)| evaluation),
        options.scheme,
    );
    report.techniques = gains(&improved, &noise);
    Ok(Quantized { graph: improved.converted.graph, report })
}

/// What each technique brought on evaluation images; `noise` is the squared error of the outputs before each, and at last.
fn gains(improved: &Improved, noise: &[f64]) -> Vec<Tried> {
    let after = noise.iter().copied().skip(1);
    let mut gains = noise
        .iter()
        .copied()
        .zip(after)
        .map(|(before, after)| (before > 0.0 && after > 0.0).then(|| 10.0 * libm::log10(before / after)));
    let mut tried = improved.tried.clone();
    for technique in tried.iter_mut().filter(|technique| technique.kept) {
        technique.gain_db = gains.next().flatten();
    }
    tried
}

fn report(
    graph: &QuantizedGraph,
    calibration_images: usize,
    evaluation: Option<Evaluation>,
    scheme: Scheme,
) -> QuantizationReport {
    let macs: u64 = graph.nodes.iter().map(|node| graph.macs(node)).sum();
    let on_integers = graph.nodes.iter().filter(|node| node.operator.is_integer()).map(|node| graph.macs(node));
    let integer: u64 = on_integers.sum();
    let islands = graph.nodes.iter().filter(|node| !node.operator.is_integer());
    QuantizationReport {
        scheme,
        calibration_images,
        techniques: Vec::new(),
        evaluation,
        macs,
        integer_macs: integer,
        nodes: graph.nodes.len(),
        integer_mac_share: if macs == 0 { 1.0 } else { integer as f64 / macs as f64 },
        float_islands: islands.map(|node| node.name.clone()).collect(),
    }
}
