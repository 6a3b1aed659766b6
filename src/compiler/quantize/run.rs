//! The stage as a whole: calibrate, choose ranges, convert, measure.

use std::collections::BTreeMap;

use crate::compiler::calibrate::Samples;
use crate::compiler::calibrate::Scheme;
use crate::compiler::calibrate::Watch;
use crate::compiler::calibrate::choose_range;
use crate::compiler::calibrate::observe;
use crate::compiler::error::StageError;
use crate::compiler::graph::Graph;
use crate::compiler::graph::ValueId;
use crate::compiler::quantize::Evaluation;
use crate::compiler::quantize::QuantizationReport;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::Sharing;
use crate::compiler::quantize::convert;
use crate::compiler::quantize::evaluate;

/// What the quantizer is told.
#[derive(Debug, Clone, Copy)]
pub struct QuantizeOptions {
    /// How ranges are chosen.
    pub scheme: Scheme,
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
    let sharing = Sharing::of(graph);
    let observed = sharing.observed(graph);
    let observations = observe(graph, &observed, calibration, options.scheme, options.threads, watch)?;
    let ranges: BTreeMap<ValueId, (f32, f32)> = observations
        .iter()
        .filter_map(|(&id, observation)| Some((id, choose_range(observation, options.scheme)?)))
        .collect();
    watch.check()?;
    let converted = convert(graph, &sharing, &ranges)?;
    let evaluation = evaluate(graph, &converted, evaluation, options, watch)?;
    let report = report(&converted.graph, calibration.len(), evaluation, options.scheme);
    Ok(Quantized { graph: converted.graph, report })
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
        evaluation,
        macs,
        integer_macs: integer,
        nodes: graph.nodes.len(),
        integer_mac_share: if macs == 0 { 1.0 } else { integer as f64 / macs as f64 },
        float_islands: islands.map(|node| node.name.clone()).collect(),
    }
}
