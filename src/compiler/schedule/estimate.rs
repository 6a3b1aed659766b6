//! Cycles and bytes of one run.

use crate::compiler::device::MACS_PER_CYCLE;
use crate::compiler::device::Rates;
use crate::compiler::device::Transfers;
use crate::compiler::device::Work;
use crate::compiler::memory::MemoryPlan;
use crate::compiler::memory::Pool;
use crate::compiler::memory::Tiling;
use crate::compiler::quantize::QuantizedGraph;
use crate::properties::CompilerConfig;
use crate::properties::MulticoreMode;

/// What the estimate is told.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleOptions {
    /// Rates of one run: where only one image is worked on, or with `batch` one on every core.
    pub alone: Rates,
    /// Rates where every core, or group of cores, works on an image.
    pub together: Rates,
    /// Whether the next node's weights are loaded while a node still computes.
    pub overlaps_nodes: bool,
    /// Where operands that are constants live.
    pub constants: Pool,
}

impl ScheduleOptions {
    /// As a configuration says.
    #[must_use]
    pub fn of(config: &CompilerConfig) -> Self {
        let cores = config.aipu_cores_used.max(1);
        let [images, together] = match config.multicore_mode {
            MulticoreMode::Cooperative => [1, cores],
            _ => [cores, 1],
        };
        // A run of a batch is an image on every core: none is done before all are.
        let alone = if config.multicore_mode == MulticoreMode::Batch { images } else { 1 };
        Self {
            alone: Rates::of(config, alone, together),
            together: Rates::of(config, images, together),
            overlaps_nodes: config.inter_operator_async,
            constants: config.constant_memory_pool.into(),
        }
    }
}

/// What one node is estimated to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeEstimate {
    /// Cycles of the arithmetic.
    pub compute: u64,
    /// Cycles of loading tensors.
    pub load: u64,
    /// Cycles of loading weights.
    pub weights: u64,
    /// Cycles of storing.
    pub store: u64,
    /// Cycles from its beginning to its end, what overlaps counted once.
    pub cycles: u64,
    /// Bytes moved.
    pub moved: Transfers,
}

/// A run of one image, or of one on every core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Images.
    pub images: u64,
    /// Cycles from the first to the last node.
    pub cycles: u64,
    /// Each node, in order.
    pub nodes: Vec<NodeEstimate>,
}

/// The estimate of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// Clock in Hz.
    pub frequency: u64,
    /// Multiplications of one image.
    pub macs: u64,
    /// Cores that work on an image.
    pub cores_an_image: u64,
    /// One image at a time.
    pub alone: Run,
    /// An image on each core at the same time.
    pub together: Run,
}

impl Run {
    /// Milliseconds at a clock.
    #[must_use]
    pub fn milliseconds(&self, frequency: u64) -> f64 {
        self.cycles as f64 * 1e3 / frequency as f64
    }

    /// Images in a second at a clock.
    #[must_use]
    pub fn images_per_second(&self, frequency: u64) -> f64 {
        self.images as f64 * frequency as f64 / self.cycles.max(1) as f64
    }

    /// Bytes moved by one image.
    #[must_use]
    pub fn moved(&self) -> Transfers {
        self.nodes.iter().fold(Transfers::default(), |sum, node| sum + node.moved)
    }
}

impl Estimate {
    /// The part of the matrix unit's multiplications that are used, from 0 to 1, over a run of one image.
    #[must_use]
    pub fn utilization(&self) -> f64 {
        let possible = self.alone.cycles.max(1) as f64 * (MACS_PER_CYCLE * self.cores_an_image) as f64;
        self.macs as f64 / possible
    }
}

/// Estimates a planned graph.
#[must_use]
pub fn estimate(graph: &QuantizedGraph, plan: &MemoryPlan, options: &ScheduleOptions) -> Estimate {
    let run = |rates: &Rates| run(graph, plan, rates, options);
    Estimate {
        frequency: options.alone.frequency,
        macs: plan.works.iter().map(|work| work.macs).sum(),
        cores_an_image: options.alone.together,
        alone: run(&options.alone),
        together: run(&options.together),
    }
}

fn run(graph: &QuantizedGraph, plan: &MemoryPlan, rates: &Rates, options: &ScheduleOptions) -> Run {
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    let mut idle_before = 0;
    for (place, (work, tiling)) in plan.works.iter().zip(&plan.tilings).enumerate() {
        let home = plan.weights.get(place).copied().unwrap_or(Pool::Ddr);
        let (tensors, weights) = (tensors(plan, options, work, tiling), weights(work, tiling, home));
        let [load, store] = rates.transfer(&tensors);
        let [loading, _] = rates.transfer(&weights);
        let compute = tiling.computed(work, rates);
        let tiles = tiling.tiles() as u64;
        let rest = rates.node([load, store], compute, tiles, tiling.overlaps);
        // Weights stand before the work but for what is hidden: the node before hides as much as its transfers leave room
        // for, and where there are two buffers the work itself hides what comes behind the first block.
        let hidden = if options.overlaps_nodes { loading.min(idle_before) } else { 0 };
        let beside = if tiling.doubles_weights { compute } else { 0 };
        let exposed = (loading - hidden).saturating_sub(beside);
        let busy = load + store + if tiling.doubles_weights { loading } else { 0 };
        idle_before = rest.saturating_sub(busy);
        let moved = tensors + weights;
        nodes.push(NodeEstimate { compute, load, weights: loading, store, cycles: rest + exposed, moved });
    }
    let images = rates.images.saturating_mul(batch(graph));
    Run { images, cycles: nodes.iter().map(|node| node.cycles).sum(), nodes }
}

/// Images in one run of the network: the first dimension of its inputs where these are images.
fn batch(graph: &QuantizedGraph) -> u64 {
    let shapes = graph.inputs.iter().map(|&id| &graph.value(id).shape);
    shapes.filter(|shape| shape.len() == 4).filter_map(|shape| shape.first()).copied().max().unwrap_or(1).max(1) as u64
}

/// What a node's operands and constants move.
fn tensors(plan: &MemoryPlan, options: &ScheduleOptions, work: &Work, tiling: &Tiling) -> Transfers {
    let mut moved = Transfers::default();
    let mut load = |pool: Pool, bytes: u64| match pool {
        Pool::L1 => {}
        Pool::L2 => moved.from_l2 += bytes,
        Pool::Ddr => moved.from_ddr += bytes,
    };
    for access in &work.reads {
        load(plan.passes_through(access.id), tiling.loaded(work, access));
    }
    load(plan.tables, work.tables as u64);
    load(options.constants, work.constants as u64);
    let bytes = work.writes.total() as u64;
    match plan.passes_through(work.writes.id) {
        Pool::L1 => {}
        Pool::L2 => moved.to_l2 += bytes,
        Pool::Ddr => moved.to_ddr += bytes,
    }
    moved
}

fn weights(work: &Work, tiling: &Tiling, home: Pool) -> Transfers {
    let bytes = tiling.loaded_weights(work);
    match home {
        Pool::L1 => Transfers::default(),
        Pool::L2 => Transfers { from_l2: bytes, ..Transfers::default() },
        Pool::Ddr => Transfers { from_ddr: bytes, weights_from_ddr: bytes, ..Transfers::default() },
    }
}
