//! All ways to split a device's cores over models, the best first (docs/design/cascade-split.md). A device has at most
//! eight cores, so that all of them can be tried.

use std::cmp::Ordering;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::base::Share;
use crate::config::Device;

/// Most that one frame may cost, so that rates compare without overflow.
const COST_LIMIT: u128 = 1 << 100;

/// One model as the search sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The model's name.
    pub name: String,
    /// What one run costs on one core, in any unit that all candidates share; 0 counts as 1.
    pub cost: u64,
    /// What a batch of N costs on N cores, by N, where that is known; otherwise N cores are taken to run a batch of N in
    /// the time of one run on one core.
    pub batch_costs: BTreeMap<u32, u64>,
    /// How often it runs for one frame of the input; 0 counts as 1.
    pub runs: u32,
    /// The most cores to compile it for.
    pub most_cores: u32,
    /// The most cores to run it on.
    pub most_execution_cores: u32,
    /// The most cores that the card compiles it for when nothing else is said: 1, or its `max_compiler_cores`.
    pub usual_cores: u32,
    /// How it is placed now, where it can be.
    pub present: Option<Placement>,
}

/// How one model is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placement {
    /// Cores of one instance.
    pub cores: u32,
    /// How many instances run.
    pub instances: u32,
    /// The share of memory of one instance.
    pub resources: Share,
}

impl Placement {
    /// Cores of all instances.
    #[must_use]
    pub const fn execution_cores(&self) -> u32 {
        self.cores.saturating_mul(self.instances)
    }
}

/// Frames for a cost, as an exact fraction.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    frames: u32,
    cost: u128,
}

impl Rate {
    /// This rate as a multiple of another.
    #[must_use]
    pub fn relative_to(self, other: Self) -> f64 {
        (f64::from(self.frames) * other.cost as f64) / (f64::from(other.frames) * self.cost as f64)
    }
}

impl PartialEq for Rate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Rate {}

impl PartialOrd for Rate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rate {
    fn cmp(&self, other: &Self) -> Ordering {
        (u128::from(self.frames) * other.cost).cmp(&(u128::from(other.frames) * self.cost))
    }
}

/// One way to split the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Each model's placement, in the order of the candidates.
    pub placements: Vec<Placement>,
    /// Each model's rate in frames of the input.
    pub rates: Vec<Rate>,
    /// Which model is the slowest: the first of several.
    pub slowest: usize,
    /// Cores that nothing runs on.
    pub idle_cores: u32,
}

impl Candidate {
    /// The rate of a placement: instances ÷ (cost × runs), times the batch of one instance.
    #[must_use]
    pub fn rate(&self, placement: &Placement) -> Rate {
        let batch_cost = self.batch_costs.get(&placement.cores).copied();
        let cost = u128::from(batch_cost.unwrap_or(self.cost).max(1)) * u128::from(self.runs.max(1));
        Rate { frames: placement.execution_cores(), cost: cost.min(COST_LIMIT) }
    }

    /// Every placement that the card's limits and the device allow, the present one first unless it starves.
    fn options(&self, device: Device) -> Vec<Placement> {
        let due = |cores: u32| device.board.share_of(cores);
        let mut options: Vec<Placement> =
            self.present.into_iter().filter(|present| present.resources >= due(present.cores)).collect();
        for cores in 1..=self.most_cores.min(device.cores) {
            let most = self.most_execution_cores.min(device.cores) / cores;
            options.extend((1..=most).map(|instances| Placement { cores, instances, resources: due(cores) }));
        }
        let mut distinct = Vec::new();
        for option in options {
            if !distinct.contains(&option) {
                distinct.push(option);
            }
        }
        distinct
    }

    /// How far a placement is from what is there: unchanged, the form that the card asks for, another.
    fn distance(&self, placement: &Placement) -> u32 {
        let usual = placement.execution_cores().min(self.usual_cores).max(1);
        match self.present {
            Some(present) if present == *placement => 0,
            _ if placement.cores == usual => 1,
            _ => 2,
        }
    }
}

impl Split {
    /// A split of known placements, one a candidate.
    #[must_use]
    pub fn of(candidates: &[Candidate], placements: Vec<Placement>, device: Device) -> Self {
        let rates: Vec<Rate> =
            candidates.iter().zip(&placements).map(|(candidate, placement)| candidate.rate(placement)).collect();
        let slowest = rates.iter().enumerate().min_by_key(|(_, rate)| **rate).map_or(0, |(place, _)| place);
        let used: u32 = placements.iter().map(Placement::execution_cores).sum();
        Self { placements, rates, slowest, idle_cores: device.cores.saturating_sub(used) }
    }

    /// The rate of the whole: that of the slowest model. `None` without models.
    #[must_use]
    pub fn rate(&self) -> Option<Rate> {
        self.rates.get(self.slowest).copied()
    }

    /// The memory of all instances.
    #[must_use]
    pub fn memory(&self) -> Share {
        self.placements.iter().map(|placement| placement.resources.times(placement.instances)).sum()
    }
}

/// Every split that fits the device, the best first: the slowest model as fast as can be, then the fewest idle cores, then
/// the fewest changes, then the other models as fast as can be, then the forms that the card asks for, then Batch-1, then
/// more for earlier models. Empty when there are more models than cores, or a limit leaves a model nothing.
#[must_use]
pub fn splits(candidates: &[Candidate], device: Device) -> Vec<Split> {
    let mut found: Vec<Vec<Placement>> = vec![Vec::new()];
    for (place, candidate) in candidates.iter().enumerate() {
        let options = candidate.options(device);
        // Each model that is still to come needs a core.
        let left = u32::try_from(candidates.len() - place - 1).unwrap_or(u32::MAX);
        let fits = |placements: &[Placement]| {
            let cores: u32 = placements.iter().map(Placement::execution_cores).sum();
            let memory: Share = placements.iter().map(|one| one.resources.times(one.instances)).sum();
            cores.saturating_add(left) <= device.cores && memory <= Share::WHOLE
        };
        let with = |before: &Vec<Placement>| {
            let all = options.iter().map(|option| before.iter().chain([option]).copied().collect::<Vec<Placement>>());
            all.filter(|placements| fits(placements)).collect::<Vec<_>>()
        };
        found = found.iter().flat_map(with).collect();
    }
    let mut splits: Vec<Split> = found
        .into_iter()
        .filter(|placements| !placements.is_empty())
        .map(|placements| Split::of(candidates, placements, device))
        .collect();
    splits.sort_by_cached_key(|split| order(candidates, split));
    splits
}

/// What splits are ordered by, the least first.
type Order = (Reverse<Option<Rate>>, u32, usize, Reverse<Vec<Rate>>, u32, Reverse<u32>, Reverse<Vec<Placement>>);

fn order(candidates: &[Candidate], split: &Split) -> Order {
    let distances: Vec<u32> =
        candidates.iter().zip(&split.placements).map(|(candidate, placement)| candidate.distance(placement)).collect();
    let mut rates = split.rates.clone();
    rates.sort();
    (
        Reverse(split.rate()),
        split.idle_cores,
        distances.iter().filter(|distance| **distance > 0).count(),
        Reverse(rates),
        distances.iter().sum(),
        Reverse(split.placements.iter().map(|placement| placement.instances).sum()),
        Reverse(split.placements.clone()),
    )
}
