//! The smallest change that makes a network fit, found by trying all: a device has at most eight cores, so the ways to
//! shrink one model are few and the ways for all models are counted by dynamic programming over what is left.

use std::collections::BTreeMap;

use crate::base::Share;
use crate::config::Device;
use crate::diag::Diagnostic;

use super::site::Setting;
use super::site::Site;

/// What one model takes, and which of its numbers follow from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Demand {
    pub(super) name: String,
    pub(super) cores: u32,
    pub(super) execution_cores: u32,
    pub(super) resources: Share,
    /// The most cores that its instances may run on.
    pub(super) limit: u32,
    /// What decides the execution cores.
    pub(super) decided_by: DecidedBy,
    /// Whether `aipu_cores_used` follows from `aipu_cores`.
    pub(super) cores_follow: bool,
    /// Whether `resources_used` follows from it too.
    pub(super) resources_follow: bool,
    /// Whether the model says what a network of several needs, and keeps its own limits.
    pub(super) settled: bool,
}

/// What decides how many cores a model runs on (SPEC 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecidedBy {
    /// `aipu_cores` or `--aipu-cores`.
    AipuCores,
    /// It is the network's only deep-learning model and fills the device by itself.
    Alone {
        /// Whether nothing says `aipu_cores_used` or `resources_used`.
        plain: bool,
    },
    /// One instance on the cores it is compiled for.
    OneInstance,
}

impl Demand {
    fn wanted(&self) -> bool {
        self.decided_by == DecidedBy::AipuCores
    }

    /// Execution cores ÷ cores, when that is a whole number.
    pub(super) fn instances(&self) -> Option<u32> {
        let whole = self.cores > 0 && self.execution_cores.is_multiple_of(self.cores) && self.execution_cores > 0;
        whole.then(|| self.execution_cores / self.cores)
    }

    fn total(&self) -> Option<(u32, u32)> {
        Some((self.execution_cores, self.resources.times(self.instances()?).count()))
    }

    /// Every smaller form that settings can say, this one first.
    fn options(&self, device: Device) -> Vec<Self> {
        let mut options = vec![self.clone()];
        let mut shares_of = |option: Self| {
            let due = device.board.share_of(option.cores);
            if option.resources > due {
                let execution_cores = match option.decided_by {
                    DecidedBy::Alone { .. } => execution_cores_alone(option.cores, due, option.limit),
                    DecidedBy::AipuCores | DecidedBy::OneInstance => option.execution_cores,
                };
                options.push(Self { resources: due, execution_cores, ..option.clone() });
            }
            options.push(option);
        };
        if self.wanted() {
            for execution_cores in 1..=self.execution_cores {
                let most = self.cores.min(execution_cores);
                let least = if self.cores_follow { most } else { 1 };
                // Of two forms that take the same the one nearer to what is there comes first.
                for cores in (least..=most).rev() {
                    let resources = if self.resources_follow { device.board.share_of(cores) } else { self.resources };
                    shares_of(Self { cores, execution_cores, resources, ..self.clone() });
                }
            }
        } else {
            for cores in 1..=self.cores {
                let resources = if self.resources_follow { device.board.share_of(cores) } else { self.resources };
                let execution_cores = match self.decided_by {
                    DecidedBy::Alone { .. } => execution_cores_alone(cores, resources, self.limit),
                    DecidedBy::AipuCores | DecidedBy::OneInstance => cores,
                };
                shares_of(Self { cores, execution_cores, resources, ..self.clone() });
            }
            options.extend(self.limited(device));
        }
        options.retain(|option| option.instances().is_some());
        options
    }

    /// The forms of a model that fills the device by itself with an `aipu_cores` that keeps it from that.
    fn limited(&self, device: Device) -> Vec<Self> {
        let DecidedBy::Alone { plain } = self.decided_by else { return Vec::new() };
        let on = |cores: u32, execution_cores: u32, resources: Share| Self {
            cores,
            execution_cores,
            resources,
            decided_by: DecidedBy::AipuCores,
            ..self.clone()
        };
        if plain {
            // With `aipu_cores` the share of one core follows where nothing was said.
            return (1..=self.limit).map(|cores| on(1, cores, device.board.quantum())).collect();
        }
        let fewer = 1..self.instances().unwrap_or(1);
        fewer.map(|instances| on(self.cores, instances * self.cores, self.resources)).collect()
    }

    /// The settings to write that make `other` of this.
    fn settings_for(&self, other: &Self) -> Vec<Setting> {
        let mut settings = Vec::new();
        let becomes_wanted = other.wanted() && !self.wanted();
        if other.wanted() && (becomes_wanted || self.execution_cores != other.execution_cores) {
            settings.push(("aipu_cores", other.execution_cores.to_string()));
        }
        if self.cores != other.cores && !(self.wanted() && self.cores_follow) {
            settings.push(("aipu_cores_used", other.cores.to_string()));
        }
        let was_plain = matches!(self.decided_by, DecidedBy::Alone { plain: true });
        let follows = self.wanted() && self.resources_follow || becomes_wanted && was_plain;
        if self.resources != other.resources && !follows {
            settings.push(("resources_used", other.resources.to_string()));
        }
        settings
    }
}

/// How many cores a network's only model runs on when nothing says so: as many instances as cores and memory allow.
pub(super) fn execution_cores_alone(cores: u32, resources: Share, most: u32) -> u32 {
    let by_cores = most / cores.max(1);
    let by_memory = Share::WHOLE.count() / resources.count().max(1);
    // A model that does not fit at all still shows what it asks for.
    cores * by_cores.min(by_memory).max(1)
}

/// What a set of choices costs: fewer changed models first, then fewer cores taken away, less memory, fewer settings, and
/// then the most even split.
type Cost = (u32, u32, u32, usize, u32);

/// What it costs to run with `option` instead of `demand`.
fn cost_of(demand: &Demand, option: &Demand) -> Cost {
    let (had, takes) = (demand.total().unwrap_or_default(), option.total().unwrap_or_default());
    let settings = demand.settings_for(option).len();
    (
        u32::from(option != demand),
        had.0.saturating_sub(takes.0),
        had.1.saturating_sub(takes.1),
        settings,
        takes.0 * takes.0,
    )
}

fn add(a: Cost, b: Cost) -> Cost {
    (a.0 + b.0, a.1 + b.1, a.2 + b.2, a.3 + b.3, a.4 + b.4)
}

/// The forms of all models that fit the device together at the least cost; `None` when none do.
fn smallest(demands: &[Demand], device: Device) -> Option<Vec<Demand>> {
    // (cores used, eighths used) → the cheapest choices so far.
    type Reached = BTreeMap<(u32, u32), (Cost, Vec<Demand>)>;
    let mut reached: Reached = BTreeMap::from([((0, 0), (Cost::default(), Vec::new()))]);
    for demand in demands {
        let options = demand.options(device);
        let mut next = Reached::new();
        for (used, (cost, chosen)) in &reached {
            for option in &options {
                let Some(takes) = option.total() else { continue };
                let now = (used.0 + takes.0, used.1 + takes.1);
                if now.0 > device.cores || now.1 > Share::WHOLE.count() {
                    continue;
                }
                let cost = add(*cost, cost_of(demand, option));
                if next.get(&now).is_none_or(|(best, _)| cost < *best) {
                    let chosen = chosen.iter().chain([option]).cloned().collect();
                    next.insert(now, (cost, chosen));
                }
            }
        }
        reached = next;
    }
    reached.into_values().min_by_key(|(cost, _)| *cost).map(|(_, chosen)| chosen)
}

/// Points an error at the value to change, and hints at the smallest change that fits. Minimal in the number of models that
/// change, then in what they lose. `sites` are those of the demands, which a hint calls by the demands' names.
pub(super) fn smallest_change(problem: Diagnostic, demands: &[Demand], sites: &[Site], device: Device) -> Diagnostic {
    let Some(chosen) = smallest(demands, device) else {
        let place = sites.first().and_then(|site| site.place_of(&[]));
        return problem.at_place(place).hint(too_many(demands, device));
    };
    let changed = demands.iter().zip(sites).zip(&chosen).filter(|((demand, _), option)| demand != option);
    let changed: Vec<(&Demand, &Site, Vec<Setting>)> =
        changed.map(|((demand, site), option)| (demand, site, demand.settings_for(option))).collect();
    let changes: Vec<String> =
        changed.iter().map(|(demand, site, to)| format!("{} for `{}`", site.write(to), demand.name)).collect();
    let totals: Vec<(u32, u32)> = chosen.iter().filter_map(Demand::total).collect();
    let hint = format!(
        "the smallest change that fits: {}\nthen {} of {} cores and {} of 1.0 of the memory are used",
        changes.join(", "),
        totals.iter().map(|total| total.0).sum::<u32>(),
        device.cores,
        Share::eighths(totals.iter().map(|total| total.1).sum())
    );
    let problem = problem.hint(hint);
    match changed.first() {
        Some((_, site, settings)) => site.point(problem, settings),
        None => problem,
    }
}

fn too_many(demands: &[Demand], device: Device) -> String {
    let count = demands.len();
    format!(
        "{count} models need at least {count} cores, and the device has {}; make them networks of their own",
        device.cores
    )
}

/// What could be done with cores that a network leaves idle, where its models may use them.
pub(super) fn use_of_idle(demands: &[Demand], sites: &[Site], device: Device) -> Option<String> {
    if demands.iter().map(|demand| demand.execution_cores).sum::<u32>() >= device.cores {
        return None;
    }
    if let ([only], [site]) = (demands, sites)
        && matches!(only.decided_by, DecidedBy::Alone { .. })
    {
        let ways = ways_to_fill(only, site, device);
        return (!ways.is_empty()).then(|| ways.join(";\n"));
    }
    let network = &sites.first()?.network;
    let may_grow = demands.iter().any(|demand| demand.execution_cores < demand.limit);
    may_grow.then(|| format!("`axzoo cascade {network} --suggest` shows how to share out all cores"))
}

/// How a network's only model fills the device: more instances, or one instance on all cores.
fn ways_to_fill(only: &Demand, site: &Site, device: Device) -> Vec<String> {
    let mut ways = Vec::new();
    let due = device.board.share_of(only.cores);
    let instances = only.limit / only.cores.max(1);
    if only.resources > due && instances > 1 {
        let settings = site.write(&[("resources_used", due.to_string())]);
        ways.push(format!("{settings} lets {instances} instances run at once"));
    }
    if only.limit > only.cores && !site.low_latency {
        // The SDK looks for what is compiled by `max_compiler_cores` alone.
        let mut settings = vec![("max_compiler_cores", only.limit.to_string())];
        let share = device.board.share_of(only.limit);
        if site.says("aipu_cores_used") {
            settings.push(("aipu_cores_used", only.limit.to_string()));
        }
        if site.says("resources_used") && only.resources != share {
            settings.push(("resources_used", share.to_string()));
        }
        ways.push(format!("{} uses {} for one instance", site.write(&settings), cores_in_words(only.limit)));
    }
    ways
}

/// `1 core`, `3 cores`.
pub(super) fn cores_in_words(cores: u32) -> String {
    if cores == 1 { "1 core".to_owned() } else { format!("{cores} cores") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Board;

    fn demand() -> impl Strategy<Value = Demand> {
        (1_u32..=4, 1_u32..=4, 1_u32..=4, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
            |(cores, times, quanta, wanted, cores_follow, resources_follow)| {
                let times = if wanted { times } else { 1 };
                Demand {
                    name: "m".to_owned(),
                    cores,
                    execution_cores: cores * times,
                    resources: Share::eighths(2 * quanta),
                    limit: 4,
                    decided_by: if wanted { DecidedBy::AipuCores } else { DecidedBy::OneInstance },
                    cores_follow,
                    resources_follow,
                    settled: true,
                }
            },
        )
    }

    /// Every combination of forms, the slow way.
    fn combinations(demands: &[Demand], device: Device) -> Vec<Vec<Demand>> {
        demands.iter().fold(vec![Vec::new()], |chosen, demand| {
            let options = demand.options(device);
            let with = |before: &Vec<Demand>| {
                options
                    .iter()
                    .map(|option| before.iter().chain([option]).cloned().collect())
                    .collect::<Vec<Vec<Demand>>>()
            };
            chosen.iter().flat_map(with).collect()
        })
    }

    fn fits(chosen: &[Demand], device: Device) -> bool {
        let totals: Vec<(u32, u32)> = chosen.iter().filter_map(Demand::total).collect();
        totals.iter().map(|total| total.0).sum::<u32>() <= device.cores
            && totals.iter().map(|total| total.1).sum::<u32>() <= 8
    }

    fn cost(demands: &[Demand], chosen: &[Demand]) -> Cost {
        demands.iter().zip(chosen).map(|(demand, option)| cost_of(demand, option)).fold(Cost::default(), add)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_change_fits_and_no_other_is_smaller(demands in prop::collection::vec(demand(), 1..=3)) {
            let device = Device::whole(Board::Pcie);
            let best = combinations(&demands, device)
                .into_iter()
                .filter(|chosen| fits(chosen, device))
                .map(|chosen| cost(&demands, &chosen))
                .min();
            let found = smallest(&demands, device);
            prop_assert!(found.as_ref().is_none_or(|found| fits(found, device)));
            prop_assert_eq!(found.map(|found| cost(&demands, &found)), best);
        }
    }
}
