//! What a network would take, before anything is calibrated.

use std::collections::BTreeMap;

use crate::base::CancelToken;
use crate::compiler::error::StageError;
use crate::compiler::graph::Graph;
use crate::compiler::legalize::legalize;
use crate::compiler::lower::LowerOptions;
use crate::compiler::memory;
use crate::compiler::quantize::LayerWeights;
use crate::compiler::quantize::Sharing;
use crate::compiler::quantize::convert;
use crate::compiler::schedule;
use crate::compiler::schedule::Estimate;

/// Estimates a cleaned float graph as [`lower`](super::lower) estimates the quantized one. Every range is taken to be −1 to 1: ranges
/// decide no shape and no place, only whether a join needs a table. Fails where the graph cannot be quantized or does not
/// fit.
pub fn preview(graph: &Graph, options: &LowerOptions) -> Result<Estimate, StageError> {
    let sharing = Sharing::of(graph);
    let ranges = sharing.observed(graph).into_iter().map(|value| (value, (-1.0, 1.0))).collect();
    let layers = LayerWeights::of(graph, 1)?;
    let quantized = convert(graph, &layers, &sharing, &ranges, &BTreeMap::new())?.graph;
    let never = CancelToken::new();
    let device = legalize(quantized, &options.legalize, &never)?.graph;
    let plan = memory::plan(&device, &options.memory, &never)?;
    Ok(schedule::estimate(&device, &plan, &options.schedule))
}
