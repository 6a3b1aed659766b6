//! The budget of one network: execution cores, instances and shares of its models, their sums, and what is wrong.

use std::collections::BTreeSet;

use crate::base::Share;
use crate::config::Config;
use crate::config::CoreSettings;
use crate::config::Device;
use crate::config::LayerKind;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::properties::Value;

use super::fit;
use super::fit::DecidedBy;
use super::fit::Demand;
use super::sdk;

/// What the budget has to know of one model.
#[derive(Debug, Clone)]
pub struct ModelCores<'a> {
    /// The model's name.
    pub name: &'a str,
    /// The core settings that hold: the card's with the board's over them.
    pub settings: CoreSettings,
    /// `--aipu-cores`, which stands in for an absent `aipu_cores`.
    pub aipu_cores_flag: Option<u32>,
    /// The effective configuration.
    pub config: &'a Config,
    /// The cores that the SDK takes the model to be compiled for: min(desired, cmax, emax), from `extra_kwargs` alone.
    pub deploy_cores: u32,
    /// Whether the model runs on the device; `CLASSICAL_CV` uses no cores.
    pub deep_learning: bool,
    /// Where the model stands in the card.
    pub place: Option<Place>,
}

/// What one model takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelBudget {
    /// The model's name.
    pub name: String,
    /// Cores of one instance: the effective `aipu_cores_used`; 0 for a model that needs no device.
    pub cores: u32,
    /// Cores that all instances run on.
    pub execution_cores: u32,
    /// How many copies run: execution cores ÷ cores; 0 when that is no whole number, which is an error.
    pub instances: u32,
    /// The share of memory of one instance: the effective `resources_used`.
    pub resources: Share,
}

impl ModelBudget {
    /// The share of all instances.
    #[must_use]
    pub const fn total_resources(&self) -> Share {
        self.resources.times(self.instances)
    }
}

/// What one network, or several that run together, take of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The network's name; several joined by ` + `.
    pub network: String,
    /// The models in the order of the card, each once.
    pub models: Vec<ModelBudget>,
    /// Σ execution cores.
    pub total_cores: u32,
    /// Σ instances × resources.
    pub total_resources: Share,
    /// The device's cores.
    pub device_cores: u32,
    /// Whether both sums fit and every model could be counted.
    pub ok: bool,
    /// What was counted, as settings that can be changed.
    pub(super) demands: Vec<Demand>,
}

/// Counts one network. A model that two tasks use, and that is therefore given twice, counts once.
#[must_use]
pub fn budget(network: &str, models: &[ModelCores<'_>], device: Device) -> (Budget, Vec<Diagnostic>) {
    let mut seen = BTreeSet::new();
    let models: Vec<&ModelCores<'_>> = models.iter().filter(|model| seen.insert(model.name)).collect();
    let alone = models.iter().filter(|model| model.deep_learning).count() == 1;
    let mut problems = Vec::new();
    let mut demands = Vec::new();
    let mut counted = Vec::new();
    for model in &models {
        if !model.deep_learning {
            let none = Share::default();
            counted.push(ModelBudget {
                name: model.name.to_owned(),
                cores: 0,
                execution_cores: 0,
                instances: 0,
                resources: none,
            });
            continue;
        }
        let mut demand = demand(model, alone, device);
        if !alone && !has_core_settings(model) {
            problems.push(without_settings(model, device));
        } else {
            problems.extend(sdk::other_folder(model, demand.cores, alone, device));
            problems.extend(sdk::refused(model, alone));
        }
        let mut instances = demand.instances();
        if instances.is_none() {
            problems.push(no_whole_instances(model, &demand));
        } else if let Some(problem) = more_than_allowed(model, &demand) {
            problems.push(problem);
            instances = None;
            demand.settled = false;
        }
        counted.push(ModelBudget {
            name: model.name.to_owned(),
            cores: demand.cores,
            execution_cores: demand.execution_cores,
            instances: instances.unwrap_or(0),
            resources: demand.resources,
        });
        problems.extend(starved(model, &demand, device));
        demands.push(demand);
    }
    let mut budget = Budget::of(network, counted, device.cores, demands);
    // Sums that lack a model say nothing about the network.
    let complete = problems.iter().all(|problem| problem.severity != crate::diag::Severity::Error);
    if complete {
        let place = models.iter().find(|model| model.deep_learning).and_then(|model| model.place.as_ref());
        problems.extend(judge(&budget, device, place));
    }
    budget.ok = budget.fits() && complete;
    let problems = problems.into_iter().map(|problem| problem.network(network)).collect();
    (budget, problems)
}

impl Budget {
    fn of(network: &str, models: Vec<ModelBudget>, device_cores: u32, demands: Vec<Demand>) -> Self {
        let total_cores = models.iter().fold(0_u32, |sum, model| sum.saturating_add(model.execution_cores));
        let total_resources = models.iter().map(ModelBudget::total_resources).sum();
        let network = network.to_owned();
        let mut budget = Self { network, models, total_cores, total_resources, device_cores, ok: true, demands };
        budget.ok = budget.fits();
        budget
    }

    /// Whether both sums are within the device.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.total_cores <= self.device_cores && self.total_resources <= Share::WHOLE
    }

    /// Several networks that run on one device at the same time: each model with its network before its name. Fits only
    /// when each network could be counted and the sums over all fit.
    #[must_use]
    pub fn combine(budgets: &[Self], device: Device) -> (Self, Vec<Diagnostic>) {
        let names: Vec<&str> = budgets.iter().map(|budget| budget.network.as_str()).collect();
        let (mut models, mut demands) = (Vec::new(), Vec::new());
        for budget in budgets {
            let qualified = |name: &str| format!("{}/{name}", budget.network);
            models.extend(
                budget.models.iter().map(|model| ModelBudget { name: qualified(&model.name), ..model.clone() }),
            );
            demands
                .extend(budget.demands.iter().map(|demand| Demand { name: qualified(&demand.name), ..demand.clone() }));
        }
        let mut whole = Self::of(&names.join(" + "), models, device.cores, demands);
        // A network that is over budget by itself says so itself.
        let each = budgets.iter().all(|budget| budget.ok);
        let mut problems = Vec::new();
        if !whole.fits() && each {
            let message = format!("these networks do not fit the device together: {}", whole.arithmetic());
            let hint = fit::smallest_change(&whole.demands, device);
            problems.push(Diagnostic::error("cascade/over-budget", message).hint(hint));
        } else if each {
            problems.extend(whole.idle().map(|idle| Diagnostic::note("cascade/idle", idle)));
        }
        whole.ok = whole.fits() && each;
        (whole, problems)
    }

    /// Both sums as a person would write them: `cores 3 + 1 = 4 of 4, memory 3 × 0.25 + 0.25 = 1.0 of 1.0`.
    #[must_use]
    pub fn arithmetic(&self) -> String {
        let used = || self.models.iter().filter(|model| model.instances > 0);
        let with_cores = self.models.iter().filter(|model| model.execution_cores > 0);
        let cores: Vec<String> = with_cores.map(|model| model.execution_cores.to_string()).collect();
        let shares: Vec<String> = used()
            .map(|model| match model.instances {
                1 => model.resources.to_string(),
                instances => format!("{instances} × {}", model.resources),
            })
            .collect();
        let sum = |terms: &[String], total: String| match terms {
            [] => total,
            [only] if *only == total => total,
            terms => format!("{} = {total}", terms.join(" + ")),
        };
        format!(
            "cores {} of {}, memory {} of 1.0",
            sum(&cores, self.total_cores.to_string()),
            self.device_cores,
            sum(&shares, self.total_resources.to_string())
        )
    }

    /// What is idle, in words, when nothing is over; `None` when all is used, or nothing runs on the device.
    #[must_use]
    pub fn idle(&self) -> Option<String> {
        let cores = self.device_cores.checked_sub(self.total_cores)?;
        let memory = Share::WHOLE.count().checked_sub(self.total_resources.count()).map(Share::eighths)?;
        if self.total_cores == 0 {
            return None;
        }
        let cores = match cores {
            0 => None,
            1 => Some("1 core".to_owned()),
            cores => Some(format!("{cores} cores")),
        };
        let memory = (memory.count() > 0).then(|| format!("{memory} of the memory"));
        let idle: Vec<String> = cores.into_iter().chain(memory).collect();
        (!idle.is_empty()).then(|| format!("{} idle: {}", join_is(&idle), self.arithmetic()))
    }
}

fn join_is(parts: &[String]) -> String {
    let verb = if parts.len() == 1 && parts.iter().all(|part| !part.ends_with("cores")) { "is" } else { "are" };
    format!("{} {verb}", parts.join(" and "))
}

/// Whether a cascade's model says its cores: `aipu_cores`, or both properties from any layer.
fn has_core_settings(model: &ModelCores<'_>) -> bool {
    model.settings.wanted_cores(model.aipu_cores_flag).is_some()
        || (model.config.is_said("aipu_cores_used") && model.config.is_said("resources_used"))
}

/// What the model takes, as settings that can be changed.
fn demand(model: &ModelCores<'_>, alone: bool, device: Device) -> Demand {
    let config = model.config;
    let cores = match config.get("aipu_cores_used").map(|traced| &traced.value) {
        Some(Value::Int(cores)) => u32::try_from(*cores).unwrap_or(1).max(1),
        _ => 1,
    };
    let resources = match config.get("resources_used").map(|traced| &traced.value) {
        Some(Value::Float(share)) => Share::from_decimal(*share).unwrap_or(Share::WHOLE),
        _ => Share::WHOLE,
    };
    let from_cores_layer = |name: &str| config.get(name).is_some_and(|traced| traced.origin.layer == LayerKind::Cores);
    let most = model.settings.most_execution_cores(device);
    let wanted = model.settings.wanted_cores(model.aipu_cores_flag).map(|wanted| wanted.max(1).min(most));
    let (execution_cores, decided_by) = match wanted {
        Some(wanted) => (wanted, DecidedBy::AipuCores),
        None if alone => {
            let plain = !config.is_said("aipu_cores_used") && !config.is_said("resources_used");
            let most = most.min(device.cores);
            (fit::execution_cores_alone(cores, resources, most), DecidedBy::Alone { most, plain })
        }
        None => (cores, DecidedBy::OneInstance),
    };
    Demand {
        name: model.name.to_owned(),
        cores,
        execution_cores,
        resources,
        decided_by,
        cores_follow: from_cores_layer("aipu_cores_used"),
        resources_follow: from_cores_layer("resources_used"),
        settled: alone || has_core_settings(model),
    }
}

fn without_settings(model: &ModelCores<'_>, device: Device) -> Diagnostic {
    let message = format!("the network has several models, but `{}` does not say how many cores it gets", model.name);
    let hint = format!(
        "say `aipu_cores: 1` in its `extra_kwargs`,\nor both `aipu_cores_used: 1` and `resources_used: {}` in its \
         `compilation_config` or TOML file",
        device.board.quantum()
    );
    let problem = Diagnostic::error("cascade/no-cores", message).at_place(model.place.as_ref());
    problem.hint(hint).model(model.name)
}

fn no_whole_instances(model: &ModelCores<'_>, demand: &Demand) -> Diagnostic {
    let (cores, execution) = (demand.cores, demand.execution_cores);
    let message = format!(
        "`{}` is compiled for {} but is to run on {execution}: {execution} ÷ {cores} is no whole number of instances",
        model.name,
        fit::cores_in_words(cores),
    );
    let place = model.config.get("aipu_cores_used").and_then(|traced| traced.origin.place.as_ref());
    let settings = &model.settings;
    let wanted = settings.aipu_cores.as_ref().or(settings.max_execution_cores.as_ref()).map(|(_, place)| place);
    // The nearest multiple at or below, else one instance.
    let multiple = (execution / cores * cores).max(cores);
    let hint = if multiple <= execution {
        format!("set `aipu_cores: {multiple}`, or compile for a divisor of {execution}")
    } else {
        format!("set `aipu_cores: {multiple}`, or `aipu_cores_used: {execution}`")
    };
    let problem = Diagnostic::error("cascade/instances", message);
    problem.at_place(wanted.or(place).or(model.place.as_ref())).hint(hint).model(model.name)
}

/// Refuses a model that is compiled for more cores than it may run on: no instance of it could start.
fn more_than_allowed(model: &ModelCores<'_>, demand: &Demand) -> Option<Diagnostic> {
    let (most, place) = model.settings.max_execution_cores.as_ref()?;
    if demand.execution_cores <= *most {
        return None;
    }
    let message = format!(
        "`{}` is compiled for {}, but `max_execution_cores: {most}` lets it run on {most}: no instance fits",
        model.name,
        fit::cores_in_words(demand.cores),
    );
    let hint = format!("set `max_execution_cores: {}`, or `aipu_cores_used: {}`", demand.cores, (*most).max(1));
    let problem = Diagnostic::error("cascade/instances", message).at_place(Some(place));
    Some(problem.hint(hint).model(model.name))
}

/// Warns of a model that has less memory than its cores' share: every core is taken, yet memory lies idle.
fn starved(model: &ModelCores<'_>, demand: &Demand, device: Device) -> Option<Diagnostic> {
    let due = device.board.share_of(demand.cores);
    if demand.resources >= due {
        return None;
    }
    let idle = Share::eighths(due.count() - demand.resources.count());
    let message = format!(
        "`{}` uses {} but only {} of the memory, where {due} comes with them",
        model.name,
        fit::cores_in_words(demand.cores),
        demand.resources
    );
    let hint = format!(
        "{idle} of the memory is lost to other models, and smaller tiles make this one slower;\n\
         set `resources_used: {due}`, or `aipu_cores_used: {}`",
        (demand.resources.count() / device.board.quantum().count()).max(1)
    );
    let place = ["resources_used", "aipu_cores_used"].into_iter();
    let place = place.filter_map(|name| model.config.get(name)).find_map(|traced| traced.origin.place.as_ref());
    let problem = Diagnostic::warning("cascade/inconsistent", message);
    Some(problem.at_place(place.or(model.place.as_ref())).hint(hint).model(model.name))
}

fn judge(budget: &Budget, device: Device, place: Option<&Place>) -> Option<Diagnostic> {
    if budget.fits() {
        let note = Diagnostic::note("cascade/idle", budget.idle()?).at_place(place);
        return Some(note.maybe_hint(fit::use_of_idle(budget, &budget.demands, device)));
    }
    let message = format!("the network does not fit the device: {}", budget.arithmetic());
    let error = Diagnostic::error("cascade/over-budget", message).at_place(place);
    Some(error.hint(fit::smallest_change(&budget.demands, device)))
}
