//! How a network could share the device better: costs, runs a frame and limits put together, and all splits tried.

use std::collections::BTreeMap;

use crate::cards::Card;
use crate::cards::Model;
use crate::config::Config;
use crate::config::CoreSettings;
use crate::config::Device;

use super::budget::Budget;
use super::cost::Costs;
use super::fan_out::Runs;
use super::fan_out::runs_per_frame;
use super::fit::Demand;
use super::split::Candidate;
use super::split::Placement;
use super::split::Split;
use super::split::splits;

/// Most splits that are shown.
const SHOWN: usize = 3;

/// What holds for one model of a network.
#[derive(Debug, Clone)]
pub struct ModelSettings<'a> {
    /// The core settings of the card, the board's over the general ones.
    pub cores: CoreSettings,
    /// The effective configuration.
    pub config: &'a Config,
}

/// How the models of one network could be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The network's name.
    pub network: String,
    /// The models that need the device, in the order of the card.
    pub candidates: Vec<Candidate>,
    /// The unit of their costs.
    pub costs: Costs,
    /// How often each runs for one frame, and why.
    pub runs: Vec<Runs>,
    /// The present split; `None` when it does not fit the device, or a model says nothing.
    pub present: Option<Split>,
    /// Others worth knowing, the best first: one form of each distribution of cores; of one model every form of the best.
    /// Empty when nothing fits.
    pub splits: Vec<Split>,
    /// The device's cores.
    pub device_cores: u32,
}

impl Suggestion {
    /// The best split.
    #[must_use]
    pub fn best(&self) -> Option<&Split> {
        self.splits.first()
    }

    /// Whether the present split is the best.
    #[must_use]
    pub fn is_present(&self) -> bool {
        let best = self.best().map(|split| &split.placements);
        best.is_some() && best == self.present.as_ref().map(|split| &split.placements)
    }
}

/// Tries all splits of the device over a network's models. `settings` are those of each model of the card, by
/// name; `max_compiler_cores` stands in for one that the card does not say (`AXELERA_MAX_COMPILER_CORES`).
#[must_use]
pub fn suggest(
    card: &Card,
    budget: &Budget,
    settings: &BTreeMap<&str, ModelSettings<'_>>,
    max_compiler_cores: Option<u32>,
    device: Device,
) -> Suggestion {
    let models: Vec<(&Demand, &Model)> =
        budget.demands.iter().filter_map(|demand| Some((demand, card.model(&demand.name)?))).collect();
    let costs = Costs::of(&models.iter().map(|(_, model)| *model).collect::<Vec<_>>(), device.board);
    let mut runs_of = runs_per_frame(card);
    let runs: Vec<Runs> = models.iter().map(|(demand, _)| runs_of.remove(&demand.name).unwrap_or_default()).collect();
    let candidates: Vec<Candidate> = models
        .iter()
        .zip(costs.costs.iter().zip(&runs))
        .map(|(&(demand, _), (&cost, runs))| {
            let settings = settings.get(demand.name.as_str()).map(|model| model.cores.clone()).unwrap_or_default();
            let said = settings.max_compiler_cores.as_ref().map(|(cores, _)| (*cores).max(1));
            let low_latency = settings.is_low_latency();
            Candidate {
                name: demand.name.clone(),
                cost,
                batch_costs: BTreeMap::new(),
                runs: runs.count,
                most_cores: if low_latency { 1 } else { said.unwrap_or(device.cores) },
                most_execution_cores: settings.most_execution_cores(device),
                usual_cores: if low_latency { 1 } else { said.or(max_compiler_cores).unwrap_or(1) },
                present: present(demand),
            }
        })
        .collect();
    let placements: Option<Vec<Placement>> = candidates.iter().map(|candidate| candidate.present).collect();
    let present = placements.filter(|all| budget.ok && !all.is_empty());
    let present = present.map(|placements| Split::of(&candidates, placements, device));
    let splits = worth_showing(splits(&candidates, device));
    let network = budget.network.clone();
    Suggestion { network, candidates, costs, runs, present, splits, device_cores: device.cores }
}

fn present(demand: &Demand) -> Option<Placement> {
    let instances = demand.instances().filter(|_| demand.settled)?;
    Some(Placement { cores: demand.cores, instances, resources: demand.resources })
}

/// The first form of each distribution of cores; of a single model all forms of the first.
fn worth_showing(splits: Vec<Split>) -> Vec<Split> {
    let cores = |split: &Split| split.placements.iter().map(Placement::execution_cores).collect::<Vec<u32>>();
    let mut shown: Vec<Split> = Vec::new();
    for split in splits {
        let seen = split.placements.len() > 1 && shown.iter().any(|other| cores(other) == cores(&split));
        // One that leaves more unused is another one with less of something.
        let poorer = shown.first().is_some_and(|best| split.idle_cores > best.idle_cores);
        if shown.len() < SHOWN && !seen && !poorer {
            shown.push(split);
        }
    }
    shown
}
