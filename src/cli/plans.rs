//! From resolved networks to a graph of steps, for the commands that need one: `build`, `why`, `list`.

use std::collections::BTreeMap;

use super::args::StoreFlags;
use super::build::identity;
use super::failure::Failure;
use super::output::Output;
use super::quantity::Memory;
use super::zoo::{Network, Zoo};
use crate::base::CancelToken;
use crate::base::Looked;
use crate::base::fs;
use crate::base::tidy;
use crate::base::watched;
use crate::diag::Diagnostic;
use crate::diag::Severity;
use crate::exec;
use crate::exec::Explanation;
use crate::plan::Graph;
use crate::plan::ModelRequest;
use crate::plan::NetworkRequest;
use crate::plan::Plan;
use crate::plan::PlanOptions;
use crate::plan::StepKind;
use crate::plan::StepWork;
use crate::plan::plan;
use crate::report::Refusal;
use crate::store::Holder;
use crate::store::Store;
use crate::store::StoreError;
use crate::toolchains::Host;
use crate::toolchains::Scripted;
use crate::toolchains::Toolchain;

/// A plan, and what keeps the rest from being planned.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) refusals: Vec<Refusal>,
    pub(super) problems: Vec<Diagnostic>,
    /// What was looked at for each network that was planned.
    pub(super) looked: BTreeMap<String, Looked>,
}

impl Zoo {
    /// Plans every network that has no error of its own.
    pub(super) fn plan(&self, networks: &[Network<'_>], flags: &StoreFlags, quantize_only: bool) -> Planned {
        let mut refusals = Vec::new();
        let mut requests = Vec::new();
        let mut looked = BTreeMap::new();
        for network in networks {
            let card_problems =
                self.catalog.problems.iter().filter(|problem| problem.file_name() == Some(network.card.source.name()));
            if let Some(problem) =
                network.problems.iter().chain(card_problems).find(|problem| problem.severity == Severity::Error)
            {
                refusals.push(Refusal {
                    network: network.name().to_owned(),
                    model: problem.model.clone(),
                    step: StepKind::Fetch,
                    message: problem.message.clone(),
                    unsupported: false,
                });
                continue;
            }
            let models = network.wanted().map(|resolved| {
                let name = &resolved.model.name.value;
                let execution = network.budget.models.iter().find(|model| model.name == *name);
                ModelRequest {
                    model: resolved.model,
                    config: &resolved.config,
                    execution_cores: execution.map_or(1, |model| model.execution_cores),
                }
            });
            let (description, seen) = watched(|| network.description(self.device));
            looked.insert(network.name().to_owned(), seen);
            requests.push(NetworkRequest {
                card: network.card,
                models: models.collect(),
                whole: network.only.is_none(),
                description,
            });
        }
        let settings = &self.resolved.settings;
        let toolchain = self.toolchain();
        let plan = plan(
            &requests,
            &PlanOptions {
                images: settings.calibration.images,
                images_are_explicit: self.resolved.images_are_explicit,
                seed: flags.cal_seed,
                allow_random: settings.calibration.allow_random,
                board: self.device.board,
                quantize_only,
                strict: settings.zoo.strict,
                tool: &|kind| identity(toolchain.as_ref(), kind),
            },
        );
        for (request, more) in requests.iter().zip(&plan.looked) {
            looked.entry(request.card.name.value.clone()).or_default().add(more);
        }
        let mut problems = plan.warnings.clone();
        for unplanned in &plan.unplanned {
            problems.extend(unplanned.problems.iter().cloned());
            refusals.push(Refusal {
                network: unplanned.network.clone(),
                model: Some(unplanned.model.clone()),
                step: unplanned.step,
                message: unplanned.problems.first().map(|problem| problem.message.clone()).unwrap_or_default(),
                unsupported: unplanned.unsupported,
            });
        }
        // Where a warning keeps a network from being planned, it is told as the error that it is.
        let problems = self.graded(problems);
        Planned { plan, refusals, problems, looked }
    }

    /// The toolchain that the settings name.
    pub(super) fn toolchain(&self) -> Box<dyn Toolchain> {
        let settings = &self.resolved.settings;
        if settings.toolchain.r#use != "scripted" {
            return Box::new(Host);
        }
        let scripts = &settings.scripted;
        let commands = [
            (StepKind::Clean, &scripts.clean),
            (StepKind::Quantize, &scripts.quantize),
            (StepKind::Lower, &scripts.lower),
        ];
        let variables = &self.options().variables;
        let environment = ["PATH", "HOME"].map(|name| Some((name.to_owned(), variables.get(name)?.clone())));
        Box::new(Scripted {
            commands: commands.into_iter().filter_map(|(kind, command)| Some((kind, command.clone()?))).collect(),
            retries: settings.toolchain.retries,
            environment: environment.into_iter().flatten().collect(),
        })
    }

    /// Bytes that running steps may take together; 0 for no limit, where the machine does not say what it has.
    pub(super) fn memory_limit(&self) -> u64 {
        match Memory::parse(&self.resolved.settings.jobs.memory) {
            Some(Memory::Bytes(bytes)) => bytes,
            Some(Memory::Part(part)) => (fs::memory_of_machine() as f64 * part) as u64,
            None => 0,
        }
    }

    /// What a build would do with each step, and why.
    pub(super) fn explain(&self, graph: &Graph<StepWork>) -> Result<Vec<Explanation>, Failure> {
        let failed = |message: String, hint: Option<&str>| {
            Failure::Failed(Diagnostic::error("build/run", self.relative(&message)).maybe_hint(hint))
        };
        let mut store = self.store().map_err(|error| failed(error.to_string(), error.hint()))?;
        exec::explain(graph, &mut store, &[]).map_err(|error| failed(error.to_string(), error.hint()))
    }

    /// Opens the store that the settings name; why it cannot be opened is the command's failure.
    pub(super) fn opened_store(&self) -> Result<Store, Failure> {
        self.store().map_err(|error| self.store_failure(&error))
    }

    /// What went wrong with the store.
    pub(super) fn store_failure(&self, error: &StoreError) -> Failure {
        let message = self.relative(&error.to_string());
        Failure::Failed(Diagnostic::error("build/run", message).maybe_hint(error.hint()))
    }

    /// Opens the store that the settings name.
    pub(super) fn store(&self) -> Result<Store, StoreError> {
        let zoo = &self.resolved.settings.zoo;
        Store::open(&self.root().join(&zoo.cache), &self.root().join(&zoo.build))
    }
}

/// Takes the store for writing; says for whom it waits.
pub(super) fn take(store: &mut Store, purpose: &str, zoo: &Zoo, output: Output) -> Result<(), Failure> {
    let waiting = |holder: &Holder| output.note(&format!("waiting for {holder}, which is using the cache\n"));
    store.lock(purpose, &CancelToken::new(), waiting).map_err(|error| zoo.store_failure(&error))
}

/// Refuses to take away what only cards that were not found may need: where a folder of cards is missing or cannot be listed, or
/// holds no card at all. `instead` is the command for whoever means it.
pub(super) fn check_cards_are_known(zoo: &Zoo, instead: &str) -> Result<(), Failure> {
    let is_read = |problem: &Diagnostic| {
        zoo.catalog.broken.iter().any(|broken| Some(broken.file.as_str()) == problem.file_name())
    };
    let leads_nowhere =
        |problem: &Diagnostic| problem.file_name().is_some_and(|file| !fs::exists(&zoo.root().join(file)));
    let is_of_finding = |problem: &&Diagnostic| match problem.code {
        "card/none" | "card/root-missing" => true,
        "card/unreadable" => !is_read(problem) && (problem.severity == Severity::Error || leads_nowhere(problem)),
        _ => false,
    };
    let mut problems: Vec<String> =
        zoo.catalog.problems.iter().filter(is_of_finding).map(|problem| problem.message.clone()).collect();
    let files = || {
        let cards = zoo.catalog.cards.iter().map(|card| &card.file);
        cards.chain(zoo.catalog.broken.iter().map(|broken| &broken.file))
    };
    for folder in zoo.options().card_roots.iter().map(|folder| zoo.root().join(folder)) {
        let has_card = files().any(|file| zoo.root().join(file).starts_with(tidy(&folder)));
        if problems.is_empty() && !has_card {
            problems.push(format!("there is no card in `{}`", zoo.shown(&folder)));
        }
    }
    let refused = problems.into_iter().map(|problem| {
        let message = format!("{problem}: it is not known which networks are gone");
        let hint =
            format!("bring the cards back, or name their folders with `--cards`; if all of it shall go: `{instead}`");
        Diagnostic::error("build/unknown-owner", message).hint(hint)
    });
    let refused: Vec<Diagnostic> = refused.collect();
    if refused.is_empty() { Ok(()) } else { Err(Failure::Problems(refused)) }
}
