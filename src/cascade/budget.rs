//! The budget of one network: execution cores, instances and shares of its models, their sums, and what is wrong.

use std::collections::BTreeSet;

use crate::base::Share;
use crate::config::BoardRequest;
use crate::config::Config;
use crate::config::CoreSettings;
use crate::config::Device;
use crate::config::LayerKind;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Source;
use crate::diag::Span;
use crate::properties::Value;

use super::fit;
use super::fit::DecidedBy;
use super::fit::Demand;
use super::sdk;
use super::site::Site;

/// What the budget has to know of one model.
#[derive(Debug, Clone)]
pub struct ModelCores<'a> {
    /// The model's name.
    pub name: &'a str,
    /// The core settings that hold: the card's with the board's over them.
    pub settings: CoreSettings,
    /// What the board's block says itself, where the card has one.
    pub block: Option<BoardRequest<'a>>,
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
    /// The cores that were asked for, where those are more than the device has; the rest is lost.
    pub asked_cores: Option<u32>,
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
    /// Where those settings stand.
    pub(super) sites: Vec<Site>,
}

/// Counts one network. A model that two tasks use, and that is therefore given twice, counts once.
#[must_use]
pub fn budget(network: &str, models: &[ModelCores<'_>], device: Device) -> (Budget, Vec<Diagnostic>) {
    let mut seen = BTreeSet::new();
    let models: Vec<&ModelCores<'_>> = models.iter().filter(|model| seen.insert(model.name)).collect();
    let alone = models.iter().filter(|model| model.deep_learning).count() == 1;
    let mut problems = Vec::new();
    let (mut demands, mut sites) = (Vec::new(), Vec::new());
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
                asked_cores: None,
            });
            continue;
        }
        let mut demand = demand(model, alone, device);
        let site = Site::of(network, model, device.board);
        let asked_cores = asked_in_vain(model, device);
        problems.extend(asked_cores.map(|asked| too_many_cores(model, &site, asked, device)));
        if !alone && !has_core_settings(model) {
            problems.push(without_settings(model, device));
        } else {
            problems.extend(sdk::other_folder(model, &site, demand.cores, alone, device));
            problems.extend(sdk::refused(model, alone));
        }
        let mut instances = demand.instances();
        if instances.is_none() {
            problems.push(no_whole_instances(model, &demand, &site, device));
        } else if let Some(problem) = more_than_allowed(model, &demand, &site, device) {
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
            asked_cores,
        });
        problems.extend(starved(model, &demand, device));
        demands.push(demand);
        sites.push(site);
    }
    let mut budget = Budget::of(network, counted, device.cores, demands, sites);
    // Sums that lack a model say nothing about the network.
    let complete = problems.iter().all(|problem| problem.severity != crate::diag::Severity::Error);
    if complete {
        problems.extend(judge(&budget, device));
    }
    budget.ok = budget.fits() && complete;
    let problems = problems.into_iter().map(|problem| problem.network(network)).collect();
    (budget, problems)
}

impl Budget {
    fn of(network: &str, models: Vec<ModelBudget>, device_cores: u32, demands: Vec<Demand>, sites: Vec<Site>) -> Self {
        let total_cores = models.iter().fold(0_u32, |sum, model| sum.saturating_add(model.execution_cores));
        let total_resources = models.iter().map(ModelBudget::total_resources).sum();
        let network = network.to_owned();
        let mut budget = Self { network, models, total_cores, total_resources, device_cores, ok: true, demands, sites };
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
        let (mut models, mut demands, mut sites) = (Vec::new(), Vec::new(), Vec::new());
        for budget in budgets {
            let qualified = |name: &str| format!("{}/{name}", budget.network);
            models.extend(
                budget.models.iter().map(|model| ModelBudget { name: qualified(&model.name), ..model.clone() }),
            );
            demands
                .extend(budget.demands.iter().map(|demand| Demand { name: qualified(&demand.name), ..demand.clone() }));
            // By the name that this network goes by among the others.
            sites.extend(budget.sites.iter().map(|site| site.of_network(&budget.network)));
        }
        let mut whole = Self::of(&names.join(" + "), models, device.cores, demands, sites);
        // A network that is over budget by itself says so itself.
        let each = budgets.iter().all(|budget| budget.ok);
        let mut problems = Vec::new();
        if !whole.fits() && each {
            let message = format!("these networks do not fit the device together: {}", whole.arithmetic());
            let error = Diagnostic::error("cascade/over-budget", message);
            problems.push(fit::smallest_change(error, &whole.demands, &whole.sites, device));
        } else if each {
            let hint = match whole.demands.len() {
                1 => fit::use_of_idle(&whole.demands, &whole.sites, device),
                _ => Some("raise the `aipu_cores` of a model, or run another network beside these".to_owned()),
            };
            problems.extend(whole.idle_note(hint));
        }
        whole.ok = whole.fits() && each;
        (whole, problems)
    }

    /// Both sums as a person would write them: `cores 3 + 1 = 4 of 4, memory 3 × 0.25 + 0.25 = 1.0 of 1.0`.
    #[must_use]
    pub fn arithmetic(&self) -> String {
        let used = || self.models.iter().filter(|model| model.instances > 0);
        let with_cores = self.models.iter().filter(|model| model.execution_cores > 0);
        let cores: Vec<String> = with_cores
            .map(|model| match model.asked_cores {
                None => model.execution_cores.to_string(),
                Some(asked) => format!("{} ({asked} asked for)", model.execution_cores),
            })
            .collect();
        let shares: Vec<String> = used()
            .map(|model| match model.instances {
                1 => model.resources.to_string(),
                instances => format!("{instances} × {}", model.resources),
            })
            .collect();
        let sum = |terms: &[String], total: String| match terms {
            [] => total,
            [only] if only.split(' ').next() == Some(total.as_str()) => only.clone(),
            terms => format!("{} = {total}", terms.join(" + ")),
        };
        format!(
            "cores {} of {}, memory {} of 1.0",
            sum(&cores, self.total_cores.to_string()),
            self.device_cores,
            sum(&shares, self.total_resources.to_string())
        )
    }

    /// The note of what is idle, at the first model that runs on the device.
    fn idle_note(&self, hint: Option<String>) -> Option<Diagnostic> {
        let note = Diagnostic::note("cascade/idle", self.idle()?);
        Some(note.at_place(self.sites.first().and_then(Site::name)).maybe_hint(hint))
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
            (fit::execution_cores_alone(cores, resources, most.min(device.cores)), DecidedBy::Alone { plain })
        }
        None => (cores, DecidedBy::OneInstance),
    };
    Demand {
        name: model.name.to_owned(),
        cores,
        execution_cores,
        resources,
        limit: most.min(device.cores),
        decided_by,
        cores_follow: from_cores_layer("aipu_cores_used"),
        // They follow the deploy cores, which are not those of a configuration that says its own.
        resources_follow: from_cores_layer("resources_used") && from_cores_layer("aipu_cores_used"),
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

/// The `aipu_cores` of a model, or `--aipu-cores`, where the device has fewer and nothing else bounds them.
fn asked_in_vain(model: &ModelCores<'_>, device: Device) -> Option<u32> {
    let bounded = model.settings.max_execution_cores.is_some();
    model.settings.wanted_cores(model.aipu_cores_flag).filter(|asked| *asked > device.cores && !bounded)
}

/// Warns of a model that asks for more cores than there are: it runs on fewer than its card says.
fn too_many_cores(model: &ModelCores<'_>, site: &Site, asked: u32, device: Device) -> Diagnostic {
    let cores = device.cores;
    let message = format!("`{}` asks for {asked} cores, and the device has {cores}; it runs on {cores}", model.name);
    let problem = Diagnostic::warning("cascade/too-many-cores", message).model(model.name);
    let settings = [("aipu_cores", cores.to_string())];
    if model.settings.aipu_cores.is_none() {
        let typed = asked.to_string();
        let place = Place::new(&Source::typed("--aipu-cores", typed.as_str()), Span::new(0, typed.len()));
        return problem.at_place(Some(&place)).hint(format!("say at most `--aipu-cores {cores}`"));
    }
    let hint =
        format!("say {}; what holds for a larger board stands in the block of that board", site.write(&settings));
    problem.at_place(site.place_of(&settings)).hint(hint)
}

fn no_whole_instances(model: &ModelCores<'_>, demand: &Demand, site: &Site, device: Device) -> Diagnostic {
    let (cores, execution) = (demand.cores, demand.execution_cores);
    let message = format!(
        "`{}` is compiled for {} but is to run on {execution}: {execution} ÷ {cores} is no whole number of instances",
        model.name,
        fit::cores_in_words(cores),
    );
    let mut ways = Vec::new();
    let said = |setting: &Option<(u32, Place)>| setting.as_ref().map(|(cores, _)| *cores);
    if execution > cores {
        ways.push(vec![("aipu_cores", (execution / cores * cores).to_string())]);
    } else if cores <= device.cores {
        // One instance: both what is wanted and what is allowed have to reach it.
        let wanted = model.settings.wanted_cores(model.aipu_cores_flag);
        let mut settings = Vec::new();
        if wanted.is_none_or(|wanted| wanted < cores) {
            settings.push(("aipu_cores", cores.to_string()));
        }
        if said(&model.settings.max_execution_cores).is_some_and(|most| most < cores) {
            settings.push(("max_execution_cores", cores.to_string()));
        }
        ways.push(settings);
    }
    let divisor = (1..=cores.min(execution)).rev().find(|cores| execution.is_multiple_of(*cores)).unwrap_or(1);
    let key = if demand.cores_follow { "max_compiler_cores" } else { "aipu_cores_used" };
    let mut settings = vec![(key, divisor.to_string())];
    let due = device.board.share_of(divisor);
    if demand.resources != due && !(demand.cores_follow && demand.resources_follow) {
        settings.push(("resources_used", due.to_string()));
    }
    ways.push(settings);
    let problem = Diagnostic::error("cascade/instances", message).model(model.name);
    let place = ways.first().and_then(|settings| site.place_of(settings)).cloned();
    let ways: Vec<String> = ways.iter().map(|settings| site.write(settings)).collect();
    problem.at_place(place.as_ref()).hint(format!("set {}", ways.join(", or ")))
}

/// Refuses a model that is compiled for more cores than it may run on: no instance of it could start.
fn more_than_allowed(model: &ModelCores<'_>, demand: &Demand, site: &Site, device: Device) -> Option<Diagnostic> {
    let (most, place) = model.settings.max_execution_cores.as_ref()?;
    if demand.execution_cores <= *most {
        return None;
    }
    let message = format!(
        "`{}` is compiled for {}, but `max_execution_cores: {most}` lets it run on {most}: no instance fits",
        model.name,
        fit::cores_in_words(demand.cores),
    );
    let mut ways = Vec::new();
    if demand.cores <= device.cores {
        ways.push(site.write(&[("max_execution_cores", demand.cores.to_string())]));
    }
    ways.push(site.write(&[("aipu_cores_used", (*most).max(1).to_string())]));
    let problem = Diagnostic::error("cascade/instances", message).at_place(Some(place));
    Some(problem.hint(format!("set {}", ways.join(", or "))).model(model.name))
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

fn judge(budget: &Budget, device: Device) -> Option<Diagnostic> {
    if budget.fits() {
        return budget.idle_note(fit::use_of_idle(&budget.demands, &budget.sites, device));
    }
    let message = format!("the network does not fit the device: {}", budget.arithmetic());
    let error = Diagnostic::error("cascade/over-budget", message);
    Some(fit::smallest_change(error, &budget.demands, &budget.sites, device))
}
