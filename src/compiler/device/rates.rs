//! How fast the device computes and moves: published figures where there are any, else our assumptions, each named in
//! docs/design/cost-model.md.

use crate::compiler::device::Compute;
use crate::compiler::device::Work;
use crate::properties::CompilerConfig;

/// Rows and columns of the matrix unit.
const ARRAY: u64 = 512;

/// Multiplications that a core's matrix unit does in a cycle.
pub(crate) const MACS_PER_CYCLE: u64 = 32_768;

/// Cycles for one vector against the whole matrix unit.
const CYCLES_PER_VECTOR: u64 = ARRAY * ARRAY / MACS_PER_CYCLE;

/// Bytes that one channel of a core's DMA moves between L2 and L1 in a cycle: a word.
const DMA_BYTES: u64 = 64;

/// Bytes that the device moves from or to DDR in a second, all cores together, as users measured.
const DDR_BYTES_PER_SECOND: u64 = 24_000_000_000;

/// Cycles that starting a tile costs.
const TILE_CYCLES: u64 = 200;

/// Bytes moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Transfers {
    /// Into L1 from L2.
    pub from_l2: u64,
    /// Into L1 from DDR.
    pub from_ddr: u64,
    /// Out of L1 to L2.
    pub to_l2: u64,
    /// Out of L1 to DDR.
    pub to_ddr: u64,
    /// Weights from DDR, which the system's DMA may bring in the background; also counted in `from_ddr`.
    pub weights_from_ddr: u64,
}

impl std::ops::Add for Transfers {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            from_l2: self.from_l2 + other.from_l2,
            from_ddr: self.from_ddr + other.from_ddr,
            to_l2: self.to_l2 + other.to_l2,
            to_ddr: self.to_ddr + other.to_ddr,
            weights_from_ddr: self.weights_from_ddr + other.weights_from_ddr,
        }
    }
}

/// The rates under a configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    /// The clock in Hz.
    pub frequency: u64,
    /// Cores that share the way to DDR while each runs its own image.
    pub images: u64,
    /// Cores that work on one image together.
    pub together: u64,
    dma_channels: u64,
    system_dma: bool,
    utilization_limit: f64,
    replicates: bool,
    forced_replication: i64,
    parallel_blocks: u64,
    most_replication: u64,
}

impl Rates {
    /// The rates that a configuration gives; `images` run at once and `together` cores work on each.
    #[must_use]
    pub fn of(config: &CompilerConfig, images: u32, together: u32) -> Self {
        let positive = |value: i64| u64::try_from(value).unwrap_or(1).max(1);
        Self {
            frequency: positive(config.frequency),
            images: u64::from(images.max(1)),
            together: u64::from(together.max(1)),
            dma_channels: if config.dma_dual_channel { 2 } else { 1 },
            system_dma: config.use_sysdma,
            utilization_limit: config.mvm_utilization_limit.clamp(0.125, 1.0),
            replicates: config.enable_icr,
            forced_replication: config.icrx_force,
            parallel_blocks: positive(config.icrx_parallel_block_threshold),
            most_replication: positive(config.icrx_max_factor),
        }
    }

    /// How many pixels beside each other the matrix unit takes at once, its free columns holding the weights again.
    #[must_use]
    pub fn replication(&self, depth: u64, outputs: u64, width: u64) -> u64 {
        let columns = outputs.next_multiple_of(64).max(64);
        let room = (ARRAY / columns).max(1).min(width.max(1));
        let blocks = depth.div_ceil(ARRAY);
        if !self.replicates || blocks > self.parallel_blocks || outputs > ARRAY {
            return 1;
        }
        match u64::try_from(self.forced_replication) {
            Ok(forced) => forced.clamp(1, room),
            Err(_) => room.min(self.most_replication),
        }
    }

    /// Cycles of the arithmetic of a node, on the cores that work on an image together.
    #[must_use]
    pub fn compute(&self, work: &Work) -> u64 {
        let words = (work.writes.total() as u64).div_ceil(64);
        let cycles = match work.compute {
            Compute::Matrix { vectors, width, depth, outputs, groups } => {
                let blocks = depth.div_ceil(ARRAY).max(1) * outputs.div_ceil(ARRAY).max(1);
                let vectors = vectors.div_ceil(self.replication(depth, outputs, width));
                let array = vectors.saturating_mul(blocks).saturating_mul(groups).saturating_mul(CYCLES_PER_VECTOR);
                // The vector unit rounds the results while the matrix unit goes on.
                ((array as f64 / self.utilization_limit).ceil() as u64).max(words)
            }
            Compute::DepthWise { words } | Compute::Vector { words } => words,
            Compute::Movement => 0,
        };
        cycles.div_ceil(self.together)
    }

    /// Cycles in which a core's DMA moves bytes between L2 and L1.
    #[must_use]
    pub const fn between_l2_and_l1(&self, bytes: u64) -> u64 {
        bytes.div_ceil(DMA_BYTES * self.together)
    }

    /// Cycles in which bytes come from or go to DDR, which every image has a share of.
    #[must_use]
    pub fn from_ddr(&self, bytes: u64) -> u64 {
        let cycles = u128::from(bytes) * u128::from(self.images) * u128::from(self.frequency);
        u64::try_from(cycles.div_ceil(u128::from(DDR_BYTES_PER_SECOND))).unwrap_or(u64::MAX)
    }

    /// Cycles of loading and of storing.
    #[must_use]
    pub fn transfer(&self, moved: &Transfers) -> [u64; 2] {
        let background = if self.system_dma { moved.weights_from_ddr } else { 0 };
        // What the system's DMA brings lies in L2 when a core fetches it.
        let load = self.between_l2_and_l1(moved.from_l2 + background)
            + self.from_ddr(moved.from_ddr.saturating_sub(background));
        let load = load.max(self.from_ddr(background));
        [load, self.between_l2_and_l1(moved.to_l2) + self.from_ddr(moved.to_ddr)]
    }

    /// Cycles of a node of `tiles` tiles that loads, computes and stores; `overlapped` where the next tile's transfers go on
    /// while this one is computed.
    #[must_use]
    pub fn node(&self, [load, store]: [u64; 2], compute: u64, tiles: u64, overlapped: bool) -> u64 {
        let starting = tiles.saturating_mul(TILE_CYCLES);
        let moving = if self.dma_channels > 1 { load.max(store) } else { load + store };
        let all = load + compute + store;
        if !overlapped || tiles < 2 {
            return all + starting;
        }
        let longest = moving.max(compute);
        longest + all.saturating_sub(longest) / tiles + starting
    }
}
