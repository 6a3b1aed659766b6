//! `report.json` of a compiled model: what was rewritten, what it is estimated to take, and which settings had no effect.

use std::borrow::Cow;

use serde::Serialize;

use crate::compiler::device::Transfers;
use crate::compiler::memory::MemoryPlan;
use crate::compiler::memory::Pool;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::schedule::Estimate;
use crate::compiler::schedule::Run;

/// A property that was set and changes nothing here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IgnoredProperty {
    /// Its name.
    pub property: &'static str,
    /// The value that was asked for.
    pub value: serde_json::Value,
    /// Why nothing follows from it.
    pub why: Cow<'static, str>,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    format: &'static str,
    version: u32,
    network: &'a str,
    rewrites: Vec<Rewritten<'a>>,
    estimate: Estimated<'a>,
    memory: Vec<Memory>,
    ignored_properties: &'a [IgnoredProperty],
}

#[derive(Debug, Serialize)]
struct Rewritten<'a> {
    rewrite: &'a str,
    times: usize,
}

#[derive(Debug, Serialize)]
struct Estimated<'a> {
    note: &'static str,
    frequency_hz: u64,
    multiplications: u64,
    matrix_unit_utilization: f64,
    one_run: Timed,
    all_cores: Timed,
    traffic_bytes: Traffic,
    nodes: Vec<Step<'a>>,
}

#[derive(Debug, Serialize)]
struct Timed {
    images: u64,
    cycles: u64,
    milliseconds: f64,
    images_per_second: f64,
}

#[derive(Debug, Serialize)]
struct Traffic {
    l2_to_l1: u64,
    l1_to_l2: u64,
    ddr_to_l1: u64,
    l1_to_ddr: u64,
}

#[derive(Debug, Serialize)]
struct Step<'a> {
    node: &'a str,
    operator: &'static str,
    cycles: u64,
    compute_cycles: u64,
    load_cycles: u64,
    weight_cycles: u64,
    store_cycles: u64,
    multiplications: u64,
    tiles: usize,
    traffic_bytes: Traffic,
}

#[derive(Debug, Serialize)]
struct Memory {
    pool: Pool,
    used_bytes: usize,
    allowed_bytes: usize,
}

impl From<Transfers> for Traffic {
    fn from(moved: Transfers) -> Self {
        let Transfers { from_l2, from_ddr, to_l2, to_ddr, .. } = moved;
        Self { l2_to_l1: from_l2, l1_to_l2: to_l2, ddr_to_l1: from_ddr, l1_to_ddr: to_ddr }
    }
}

fn timed(run: &Run, frequency: u64) -> Timed {
    Timed {
        images: run.images,
        cycles: run.cycles,
        milliseconds: run.milliseconds(frequency),
        images_per_second: run.images_per_second(frequency),
    }
}

/// The report of a lowered graph as indented JSON.
#[must_use]
pub fn report(
    graph: &QuantizedGraph,
    rewrites: &[(String, usize)],
    plan: &MemoryPlan,
    estimate: &Estimate,
    ignored: &[IgnoredProperty],
) -> Vec<u8> {
    let nodes = graph.nodes.iter().zip(&estimate.alone.nodes).zip(plan.works.iter().zip(&plan.tilings));
    let nodes = nodes.map(|((node, estimated), (work, tiling))| Step {
        node: &node.name,
        operator: node.operator.name(),
        cycles: estimated.cycles,
        compute_cycles: estimated.compute,
        load_cycles: estimated.load,
        weight_cycles: estimated.weights,
        store_cycles: estimated.store,
        multiplications: work.macs,
        tiles: tiling.tiles(),
        traffic_bytes: estimated.moved.into(),
    });
    let frequency = estimate.frequency;
    let estimated = Estimated {
        note: "estimated by a model of the device, not measured",
        frequency_hz: frequency,
        multiplications: estimate.macs,
        matrix_unit_utilization: estimate.utilization(),
        one_run: timed(&estimate.alone, frequency),
        all_cores: timed(&estimate.together, frequency),
        traffic_bytes: estimate.alone.moved().into(),
        nodes: nodes.collect(),
    };
    let memory = Pool::ALL.iter().zip(&plan.pools);
    let memory = memory.map(|(&pool, of)| Memory { pool, used_bytes: of.used(), allowed_bytes: of.allowed });
    let document = Report {
        format: "axzoo-lowering-report",
        version: 1,
        network: &graph.name,
        rewrites: rewrites.iter().map(|(rewrite, times)| Rewritten { rewrite, times: *times }).collect(),
        estimate: estimated,
        memory: memory.collect(),
        ignored_properties: ignored,
    };
    // Writing to memory fails only for maps whose keys are no strings; there are none.
    let mut bytes = serde_json::to_vec_pretty(&document).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
