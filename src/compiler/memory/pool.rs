//! The device's memories and how much of each a model may hold (`int8-contract.md`, "Memory").

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::Share;
use crate::properties::CompilerConfig;
use crate::properties::MemoryPool;

/// A memory, the nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// A core's own.
    L1,
    /// Shared by the cores of a device.
    L2,
    /// The card's DRAM.
    Ddr,
}

impl Pool {
    /// All of them, the nearest first.
    pub const ALL: [Self; 3] = [Self::L1, Self::L2, Self::Ddr];

    /// As in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::L1 => "L1",
            Self::L2 => "L2",
            Self::Ddr => "DDR",
        }
    }

    /// Place in [`Pool::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<MemoryPool> for Pool {
    fn from(pool: MemoryPool) -> Self {
        match pool {
            MemoryPool::L1 => Self::L1,
            MemoryPool::L2 => Self::L2,
            MemoryPool::Ddr => Self::Ddr,
        }
    }
}

/// What bounds each pool: the configuration's sizes, and the share of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Cores that one instance of the model runs on.
    pub cores: u32,
    /// The share of L2 and DDR that one instance may hold.
    pub resources: Share,
    /// The properties that bound each pool, with their bytes before anything is reserved: the least counts.
    bounds: [Vec<(&'static str, usize)>; 3],
    /// What the system keeps of each pool.
    reserved: [usize; 3],
    /// What each core keeps of L2 for its task list.
    tasklist: usize,
}

/// A property's bytes; none is below 0.
fn bytes(value: i64) -> usize {
    usize::try_from(value).unwrap_or(0)
}

impl Budget {
    /// The budget that a configuration gives.
    #[must_use]
    pub fn of(config: &CompilerConfig) -> Self {
        let bounds = |all: &[(&'static str, Option<i64>)]| {
            all.iter().filter_map(|&(name, size)| Some((name, bytes(size?)))).collect()
        };
        Self {
            cores: config.aipu_cores_used,
            resources: config.resources_used,
            bounds: [
                bounds(&[("l1_size_used", Some(config.l1_size_used)), ("l1_constraint", config.l1_constraint)]),
                bounds(&[("l2_size_used", Some(config.l2_size_used)), ("l2_constraint", config.l2_constraint)]),
                bounds(&[
                    ("ddr_size_used", Some(config.ddr_size_used)),
                    ("ddr_size_max", Some(config.ddr_size_max)),
                    ("ddr_constraint", config.ddr_constraint),
                ]),
            ],
            reserved: [config.l1_size_reserved, config.l2_size_reserved, config.ddr_size_reserved].map(bytes),
            tasklist: bytes(config.l2_size_reserved_tasklist),
        }
    }

    /// The properties of a pool that are below a size, in ticks: all of them have to be raised for it to have that.
    #[must_use]
    pub fn below(&self, pool: Pool, size: usize) -> String {
        let below = self.bounds[pool.index()].iter().filter(|(_, bound)| *bound < size);
        let names: Vec<String> = below.map(|(name, _)| format!("`{name}`")).collect();
        match names.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => names.concat(),
        }
    }

    /// Raises the properties of a pool that are below a size to it.
    pub fn raise(&mut self, pool: Pool, size: usize) {
        for (_, bound) in &mut self.bounds[pool.index()] {
            *bound = size.max(*bound);
        }
    }

    /// Bytes of a pool before anything is reserved.
    fn size(&self, pool: Pool) -> usize {
        self.bounds[pool.index()].iter().map(|(_, bound)| *bound).min().unwrap_or(0)
    }

    /// Bytes of a pool that one instance may hold; of L1 each core.
    #[must_use]
    pub fn bytes(&self, pool: Pool) -> usize {
        self.bytes_with(pool, self.resources)
    }

    /// The same with another share.
    #[must_use]
    pub fn bytes_with(&self, pool: Pool, share: Share) -> usize {
        let own = self.size(pool).saturating_sub(self.reserved[pool.index()]);
        let shared = (own as u128 * u128::from(share.count()) / u128::from(Share::WHOLE.count())) as usize;
        match pool {
            Pool::L1 => own,
            Pool::L2 => shared.saturating_sub(self.tasklist.saturating_mul(self.cores as usize)),
            Pool::Ddr => shared,
        }
    }

    /// Shares larger than the present one with which a pool has so many bytes, the smallest first; none for L1, of which each core
    /// has its own. They are multiples of a quarter, which every board accepts; one with eight cores has eighths, too.
    pub fn shares_for(&self, pool: Pool, bytes: usize) -> impl Iterator<Item = Share> + '_ {
        let larger = (self.resources.count() + 1..=Share::WHOLE.count()).map(Share::eighths);
        let accepted = larger.filter(move |share| pool != Pool::L1 && share.count().is_multiple_of(2));
        accepted.filter(move |&share| self.bytes_with(pool, share) >= bytes)
    }

    /// What the properties that bound a pool would have to be, all else equal, for a pool to have so many bytes; `None` where that is more
    /// than can be written.
    #[must_use]
    pub fn size_for(&self, pool: Pool, bytes: usize) -> Option<usize> {
        let reserved = self.reserved[pool.index()];
        let share = u128::from(self.resources.count().max(1));
        let needed = match pool {
            Pool::L1 => bytes as u128,
            Pool::L2 => {
                let tasklists = self.tasklist as u128 * u128::from(self.cores);
                ((bytes as u128 + tasklists) * u128::from(Share::WHOLE.count())).div_ceil(share)
            }
            Pool::Ddr => (bytes as u128 * u128::from(Share::WHOLE.count())).div_ceil(share),
        };
        usize::try_from(needed + reserved as u128).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change of the defaults, and what each pool then has.
    struct Case(fn(&mut CompilerConfig), [usize; 3]);

    #[test]
    fn pools_are_as_large_as_the_contract_says() {
        const L1: usize = 4_194_304 - 524_288;
        const DDR: usize = 1_073_741_824 - 33_554_432;
        let quarter = |config: &mut CompilerConfig| config.resources_used = Share::eighths(2);
        let cases = [
            Case(|_| (), [L1, 33_554_432 - 1_245_184 - 1_048_576, DDR]),
            Case(quarter, [L1, 7_028_736, DDR / 4]),
            Case(|config| config.aipu_cores_used = 4, [L1, 33_554_432 - 1_245_184 - 4 * 1_048_576, DDR]),
            Case(|config| config.l1_constraint = Some(1 << 20), [(1 << 20) - 524_288, 31_260_672, DDR]),
            Case(|config| config.l2_constraint = Some(1 << 20), [L1, 0, DDR]),
            Case(|config| config.ddr_constraint = Some(50_000_000), [L1, 31_260_672, 50_000_000 - 33_554_432]),
            Case(|config| config.ddr_size_max = 40_000_000, [L1, 31_260_672, 40_000_000 - 33_554_432]),
            Case(|config| config.l2_size_reserved_tasklist = 0, [L1, 32_309_248, DDR]),
        ];
        for (place, Case(change, expected)) in cases.into_iter().enumerate() {
            let mut config = CompilerConfig::default();
            change(&mut config);
            assert_eq!(Pool::ALL.map(|pool| Budget::of(&config).bytes(pool)), expected, "case {place}");
        }
    }

    #[test]
    fn what_is_said_to_help_helps_and_less_does_not() {
        let mut config = CompilerConfig {
            resources_used: Share::eighths(2),
            // More than what is tried: it does not bind.
            ddr_size_used: 2 << 30,
            ddr_size_max: 40_000_000,
            ddr_constraint: Some(2 << 30),
            l2_constraint: Some(33_554_432),
            ..CompilerConfig::default()
        };
        let budget = Budget::of(&config);
        assert_eq!(budget.shares_for(Pool::L2, 7_028_737).next(), Some(Share::eighths(4)));
        assert_eq!(budget.shares_for(Pool::L2, 40_000_000).next(), None);
        assert_eq!(budget.shares_for(Pool::L1, 1).next(), None);
        let cases = [
            (Pool::L1, 5_000_001, "`l1_size_used`"),
            (Pool::L2, 9_000_003, "`l2_size_used` and `l2_constraint`"),
            (Pool::Ddr, 300_000_001, "`ddr_size_max`"),
        ];
        for (pool, wanted, names) in cases {
            let size = budget.size_for(pool, wanted).expect("a size");
            assert_eq!(budget.below(pool, size), names);
            let mut raised = budget.clone();
            raised.raise(pool, size);
            assert!(raised.bytes(pool) >= wanted, "{pool}");
            let has = |config: &mut CompilerConfig, size: usize| {
                let size = size as i64;
                match pool {
                    Pool::L1 => config.l1_size_used = size,
                    Pool::L2 => (config.l2_size_used, config.l2_constraint) = (size, Some(size)),
                    Pool::Ddr => config.ddr_size_max = size,
                }
                Budget::of(config).bytes(pool)
            };
            assert!(has(&mut config, size) >= wanted, "{pool}");
            assert!(has(&mut config, size - 4) < wanted, "{pool}");
        }
    }
}
