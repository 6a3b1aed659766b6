//! A zoo as commands see it: settings, cards, and for each selected network its configurations and its budget.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::args::{ConfigFlags, ZooFlags};
use super::failure::Failure;
use super::settings::{Flags, Resolved, find_root, resolve};
use crate::base::Digest;
use crate::base::Looked;
use crate::base::fs;
use crate::base::relative;
use crate::base::shown;
use crate::base::watched;
use crate::cards::BrokenCard;
use crate::cards::Card;
use crate::cards::CardFile;
use crate::cards::Catalog;
use crate::cards::CatalogOptions;
use crate::cards::Model;
use crate::cards::ModelKind;
use crate::cards::Operator;
use crate::cards::Selected;
use crate::cards::read_card_file;
use crate::cards::read_cards;
use crate::cards::read_catalog;
use crate::cards::select;
use crate::cascade::Budget;
use crate::cascade::ModelCores;
use crate::cascade::budget;
use crate::cli::remarks::remarks;
use crate::config::Board;
use crate::config::Config;
use crate::config::CoreSettings;
use crate::config::Device;
use crate::config::LayerKind;
use crate::config::Request;
use crate::config::Resolver;
use crate::config::SearchPath;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Severity;
use crate::diag::Source;
use crate::diag::Span;
use crate::yaml::Node;

/// Settings and cards.
pub(super) struct Zoo {
    pub(super) resolved: Resolved,
    pub(super) catalog: Catalog,
    pub(super) device: Device,
    pub(super) resolver: Resolver,
    /// Where the user stands: paths of cards as targets are relative to it.
    pub(super) standing: PathBuf,
    options: CatalogOptions,
    /// The checkout that a workflow of GitHub works in (`GITHUB_WORKSPACE`).
    checkout: Option<PathBuf>,
}

/// One model with its configuration.
pub(super) struct ResolvedModel<'a> {
    pub(super) model: &'a Model,
    pub(super) config: Config,
    /// The core settings of the card, the board's over the general ones.
    pub(super) cores: CoreSettings,
}

/// One selected network.
pub(super) struct Network<'a> {
    pub(super) card: &'a Card,
    /// The one model asked for; `None`: all.
    pub(super) only: Option<&'a str>,
    /// All models of the card, in its order.
    pub(super) models: Vec<ResolvedModel<'a>>,
    pub(super) budget: Budget,
    /// What configurations and budget have to say.
    pub(super) problems: Vec<Diagnostic>,
    /// What was looked at for them.
    pub(super) looked: Looked,
}

impl Zoo {
    /// Finds the root, layers the settings, reads the cards.
    pub(super) fn load(flags: &ZooFlags, more: Flags, directory: Option<&Path>) -> Result<Self, Failure> {
        let mut zoo = Self::without_cards(flags, more, directory)?;
        zoo.read_cards(None);
        Ok(zoo)
    }

    /// As [`Zoo::load`], but of a large zoo only the cards that may bear a name among the targets are read; no targets mean
    /// none. Where a target is not the name of a network, all are.
    pub(super) fn load_named(
        flags: &ZooFlags,
        more: Flags,
        directory: Option<&Path>,
        targets: &[String],
    ) -> Result<Self, Failure> {
        let mut zoo = Self::without_cards(flags, more, directory)?;
        if targets.is_empty() {
            return Ok(zoo);
        }
        let names: Option<Vec<String>> = targets.iter().map(|target| network_named(target)).collect();
        let some = names.is_some();
        zoo.read_cards(names);
        // A name that no card bears: the nearest ones are to be found among all.
        if some && select(&zoo.catalog, targets, zoo.root()).is_err() {
            zoo.read_cards(None);
        }
        Ok(zoo)
    }

    /// Reads the cards: all, or those that may bear one of the names.
    pub(super) fn read_cards(&mut self, names: Option<Vec<String>>) {
        let options = CatalogOptions { names, ..self.options.clone() };
        self.catalog = read_catalog(&options);
        let problems = std::mem::take(&mut self.catalog.problems);
        self.catalog.problems = self.graded(problems);
    }

    /// Reads some of the cards that were found, `problems` being what was wrong with finding them; says what was looked at for
    /// each.
    pub(super) fn read_these(&mut self, files: &[CardFile], problems: &[Diagnostic]) -> Vec<Looked> {
        let (mut catalog, looked) = read_cards(&self.options, files);
        catalog.problems.splice(0..0, problems.iter().cloned());
        catalog.problems = self.graded(catalog.problems);
        self.catalog = catalog;
        looked
    }

    /// Finds the root and layers the settings, and reads no card.
    pub(super) fn without_cards(flags: &ZooFlags, mut more: Flags, directory: Option<&Path>) -> Result<Self, Failure> {
        let standing = std::env::current_dir()
            .map_err(|error| folder_failure(format!("the current folder cannot be read: {error}")))?;
        let root = match directory {
            Some(folder) => {
                let root = standing.join(folder);
                if !fs::is_folder(&root) {
                    return Err(folder_failure(format!("`-C {}`: there is no such folder", folder.display())));
                }
                fs::canonical(&root).map_err(|error| folder_failure(error.to_string()))?
            }
            None => find_root(&standing).unwrap_or_else(|| standing.clone()),
        };
        flags.add_to(&mut more);
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        // As with `make -C` and `git -C`, everything else that is typed is meant from there.
        let typed_from = if directory.is_some() { root.as_path() } else { standing.as_path() };
        let resolved = resolve(&root, typed_from, &more, &variables).map_err(Failure::Usage)?;
        let settings = &resolved.settings;
        let said = |name: &str| variables.get(name).filter(|text| !text.is_empty());
        let names_cards = more.iter().any(|(flag, _)| *flag == "cards") || said("AXZOO_CARDS").is_some();
        if directory.is_none() && !names_cards && find_root(&standing).is_none() {
            let message = format!("there is no zoo at `{}` or above it", standing.display());
            let hint = "a zoo has `model_cards/` or `axzoo.toml` at its root; go there, or name it with `-C DIR`";
            return Err(Failure::Usage(vec![Diagnostic::error("settings/no-zoo", message).hint(hint)]));
        }
        let board = Board::from_word(&settings.device.board).unwrap_or_default();
        let cores = settings.device.cores.unwrap_or(board.cores());
        if cores == 0 || cores > board.cores() {
            let (name, most) = (&settings.device.board, board.cores());
            let message = format!("`device.cores` is {cores}, but the board `{name}` has {most} cores");
            let hint = format!("{} says so; say a number from 1 to {most}, or another board", resolved.cores_said_by);
            return Err(Failure::Usage(vec![Diagnostic::error("settings/value", message).hint(hint)]));
        }
        let device = Device { board, cores };
        let search = SearchPath {
            root: root.clone(),
            config_folders: settings.zoo.configs.iter().map(|folder| root.join(folder)).collect(),
            sdk_roots: [
                settings.toolchain.sdk.as_ref().map(|folder| root.join(folder)),
                said("VIRTUAL_ENV").map(|folder| typed_from.join(folder)),
                said("AXELERA_FRAMEWORK").map(|folder| typed_from.join(folder)),
            ]
            .into_iter()
            .flatten()
            .collect(),
        };
        let mut resolver = Resolver::new(search, device);
        resolver.max_compiler_cores = max_compiler_cores(&variables)?;
        resolver.allow_keys.clone_from(&settings.zoo.allow_keys);
        let checkout = variables.get("GITHUB_WORKSPACE").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let options = CatalogOptions {
            root: root.clone(),
            card_roots: settings.zoo.cards.iter().map(PathBuf::from).collect(),
            exclude: settings.zoo.exclude.clone(),
            data_root: root.join(&settings.zoo.data),
            variables,
            allow_keys: settings.zoo.allow_keys.clone(),
            names: None,
        };
        Ok(Self { resolved, catalog: Catalog::default(), device, resolver, standing, options, checkout })
    }

    /// The root within the checkout that a service shows, with a `/` at its end; nothing when it is the checkout, or lies
    /// in none.
    pub(super) fn folder_in_checkout(&self) -> String {
        let below = self.checkout.as_ref().and_then(|checkout| self.root().strip_prefix(checkout).ok());
        let below = below.filter(|folder| !folder.as_os_str().is_empty());
        below.map(|folder| format!("{}/", folder.display())).unwrap_or_default()
    }

    /// The root.
    pub(super) fn root(&self) -> &Path {
        &self.resolved.root
    }

    /// What cards are found and read with.
    pub(super) fn options(&self) -> &CatalogOptions {
        &self.options
    }

    /// The store's folder.
    pub(super) fn cache(&self) -> PathBuf {
        self.root().join(&self.resolved.settings.zoo.cache)
    }

    /// A digest of everything but cards, files and variables that a check's result depends on: the program itself,
    /// the settings, the device, and who asks.
    pub(super) fn circumstances(&self) -> Digest {
        let program = std::env::current_exe().ok().and_then(|path| fs::stat(&path));
        let resolver = (&self.resolver.search, self.resolver.max_compiler_cores);
        let user = rustix::process::geteuid().as_raw();
        let text = format!(
            "{} {program:?} {user} {:?} {:?} {resolver:?}",
            env!("CARGO_PKG_VERSION"),
            self.resolved,
            self.device
        );
        Digest::of(text.as_bytes())
    }

    /// Where configs are looked for.
    pub(super) fn search(&self) -> &SearchPath {
        &self.resolver.search
    }

    /// A path as users see it: relative to the root where it lies below it.
    pub(super) fn shown(&self, path: &Path) -> String {
        shown(path, self.root())
    }

    /// Text with the paths below the root relative to it.
    pub(super) fn relative(&self, text: &str) -> String {
        relative(text, self.root())
    }

    /// Makes errors of warnings, where the settings are strict, and paths in messages relative to the root.
    pub(super) fn graded(&self, problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
        grade(problems, self.resolved.settings.zoo.strict, self.root())
    }

    /// Cards that the targets mean and that cannot be read; no targets mean all.
    pub(super) fn broken(&self, targets: &[String]) -> Vec<&BrokenCard> {
        let targets: Vec<String> = targets.iter().map(|target| self.relative_target(target)).collect();
        let meant =
            |card: &&BrokenCard| targets.is_empty() || targets.iter().any(|it| card.is_meant_by(it, self.root()));
        self.catalog.broken.iter().filter(meant).collect()
    }

    /// Problems of the cards that the targets mean, and those of no card; all when everything is meant.
    pub(super) fn card_problems(&self, networks: &[Network<'_>], targets: &[String]) -> Vec<Diagnostic> {
        let everything = targets.is_empty() || targets.iter().any(|target| target == "all");
        let broken = self.broken(targets);
        let concerns = |problem: &&Diagnostic| match problem.file_name() {
            Some(file) if !everything => {
                networks.iter().any(|network| network.card.source.name() == file)
                    || broken.iter().any(|card| card.file == file)
            }
            _ => true,
        };
        self.catalog.problems.iter().filter(concerns).cloned().collect()
    }

    /// Reads one card by its path from where the user stands; it need lie in no folder of cards.
    pub(super) fn read_card(&self, path: &str) -> Result<(Option<Card>, Vec<Diagnostic>), Failure> {
        let path = self.standing.join(path);
        if !fs::exists(&path) {
            let message = format!("there is no card `{}`", self.shown(&path));
            return Err(Failure::Usage(vec![Diagnostic::error("target/unknown", message)]));
        }
        let mut catalog = read_card_file(&path, &self.options);
        Ok((catalog.cards.pop(), self.graded(catalog.problems)))
    }

    /// What targets name; no targets mean all.
    pub(super) fn select(&self, targets: &[String]) -> Result<Vec<Selected<'_>>, Failure> {
        let targets: Vec<String> = targets.iter().map(|target| self.relative_target(target)).collect();
        select(&self.catalog, &targets, self.root()).map_err(|unknown| {
            let of = |target: &crate::cards::UnknownTarget| {
                let names: Vec<&str> = target.nearest.iter().map(String::as_str).collect();
                let hint = crate::base::did_you_mean(&names)
                    .unwrap_or_else(|| "`axzoo list` shows the networks of this zoo".to_owned());
                let parts = target.target.split_once('/');
                let card =
                    parts.and_then(|(network, _)| self.catalog.cards.iter().find(|card| card.name.value == network));
                if let (Some((network, model)), Some(card)) = (parts, card) {
                    let models: Vec<String> =
                        card.models.iter().map(|model| format!("`{}`", model.name.value)).collect();
                    let message = format!("`{network}` has no model `{model}`");
                    return Diagnostic::error("target/unknown", message).hint(format!("it has {}", models.join(", ")));
                }
                let name = &target.target;
                let (message, hint) = if fs::is_file(&self.standing.join(name)) {
                    let hint =
                        "`--cards` names the folders of cards; `axzoo convert --from-yaml` takes a card from anywhere";
                    (format!("`{name}` is none of the zoo's cards"), hint.to_owned())
                } else if name.contains(['*', '?', '[']) {
                    (format!("no network matches `{name}`"), hint)
                } else {
                    (format!("there is no network `{name}`"), hint)
                };
                Diagnostic::error("target/unknown", message).hint(hint)
            };
            Failure::Usage(unknown.0.iter().map(of).collect())
        })
    }

    /// The networks that targets name, resolved; no targets mean all.
    pub(super) fn networks(&self, targets: &[String], flags: &ConfigFlags) -> Result<Vec<Network<'_>>, Failure> {
        self.resolve_selected(self.select(targets)?, flags)
    }

    /// The whole network of a card, resolved.
    pub(super) fn network_of<'a>(&self, card: &'a Card, flags: &ConfigFlags) -> Result<Network<'a>, Failure> {
        let mut networks = self.resolve_selected(vec![Selected { card, model: None }], flags)?;
        networks.pop().ok_or(Failure::Reported)
    }

    fn resolve_selected<'a>(
        &self,
        selected: Vec<Selected<'a>>,
        flags: &ConfigFlags,
    ) -> Result<Vec<Network<'a>>, Failure> {
        let set = parse_set(&flags.set)?;
        let networks = selected.into_iter().map(|selected| {
            let card = selected.card;
            if flags.aipu_cores.is_some() && deep_models(card) > 1 {
                let message = format!(
                    "`--aipu-cores` is for networks of one model; `{}` has {}",
                    card.name.value,
                    deep_models(card)
                );
                let hint = "say `aipu_cores` of each model in the card";
                return Err(Failure::Usage(vec![Diagnostic::error("target/aipu-cores", message).hint(hint)]));
            }
            Ok(self.resolve_network(card, selected.model, &set, flags.aipu_cores))
        });
        let networks: Vec<Network<'a>> = networks.collect::<Result<_, Failure>>()?;
        // What was typed is wrong once, for however many models it was meant.
        let typed = networks
            .iter()
            .flat_map(|network| &network.problems)
            .filter(|problem| problem.severity == Severity::Error && problem.file_name() == Some("--set"));
        let typed: Vec<Diagnostic> = typed.cloned().collect();
        if typed.is_empty() { Ok(networks) } else { Err(Failure::Usage(typed)) }
    }

    /// Resolves the configurations of a card's models and counts its budget; a card need not be of the catalog.
    pub(super) fn resolve_network<'a>(
        &self,
        card: &'a Card,
        only: Option<&'a str>,
        set: &[(String, String)],
        aipu_cores_flag: Option<u32>,
    ) -> Network<'a> {
        let (mut network, looked) = watched(|| Self::resolve_on(&self.resolver, card, set, aipu_cores_flag));
        network.only = only;
        network.looked = looked;
        network.problems = self.graded(network.problems);
        network
    }

    /// The same on the device of a resolver, which need not be the one built for; problems are not graded.
    pub(super) fn resolve_on<'a>(
        resolver: &Resolver,
        card: &'a Card,
        set: &[(String, String)],
        aipu_cores_flag: Option<u32>,
    ) -> Network<'a> {
        let mut problems = Vec::new();
        let mut models = Vec::new();
        for model in &card.models {
            let request = Request { set, aipu_cores_flag, ..card.request(model, resolver.device.board) };
            let resolution = resolver.resolve(&request);
            problems.extend(resolution.diagnostics);
            if model.kind == ModelKind::DeepLearning {
                problems.extend(host_notes(card, model, &resolution.config, resolver.device.board));
            }
            let deploy_cores = resolver.deploy_cores(&request).cores;
            models.push((model, resolution.config, Resolver::core_settings(&request), request.board, deploy_cores));
        }
        let cores: Vec<ModelCores<'_>> = models
            .iter()
            .map(|(model, config, settings, block, deploy_cores)| ModelCores {
                name: &model.name.value,
                settings: settings.clone(),
                block: block.clone(),
                aipu_cores_flag,
                config,
                deploy_cores: *deploy_cores,
                deep_learning: model.kind == ModelKind::DeepLearning,
                place: Some(Place::new(&card.source, model.name.span)),
            })
            .collect();
        let (budget, more) = budget(&card.name.value, &cores, resolver.device);
        // Sums over a configuration that could not be read say nothing.
        let readable =
            |problem: &Diagnostic| problem.severity != Severity::Error || !problem.code.starts_with("config/");
        if problems.iter().all(readable) {
            problems.extend(more);
        }
        let models =
            models.into_iter().map(|(model, config, cores, ..)| ResolvedModel { model, config, cores }).collect();
        Network { card, only: None, models, budget, problems, looked: Looked::default() }
    }
}

/// What the embedded compiler makes of a configuration: a scheme that it does not have makes its build fail, a
/// property that it ignores is worth a note.
fn host_notes(card: &Card, model: &Model, config: &Config, board: Board) -> Vec<Diagnostic> {
    let about = |problem: Diagnostic| problem.network(card.name.value.as_str()).model(model.name.value.as_str());
    let mut problems: Vec<Diagnostic> = config
        .ignored_by_host()
        // What follows from `aipu_cores` nobody said.
        .filter(|(_, traced)| traced.origin.layer != LayerKind::Cores)
        .map(|(property, traced)| {
            let why = property.without_effect(&traced.value).unwrap_or_default();
            let message = format!("`{}` has no effect with the embedded compiler: {why}", property.name);
            about(Diagnostic::note("config/ignored", message).at_place(traced.origin.place.as_ref()))
        })
        .collect();
    problems.extend(remarks(config, board).into_iter().map(about));
    problems
}

/// `$AXELERA_MAX_COMPILER_CORES`, which stands in for a `max_compiler_cores` that a card does not say.
fn max_compiler_cores(variables: &BTreeMap<String, String>) -> Result<Option<u32>, Failure> {
    let Some(text) = variables.get("AXELERA_MAX_COMPILER_CORES").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match text.trim().parse() {
        Ok(cores) if cores > 0 => Ok(Some(cores)),
        _ => {
            let message = format!("`AXELERA_MAX_COMPILER_CORES` takes a whole number from 1, found `{text}`");
            Err(Failure::Usage(vec![Diagnostic::error("settings/value", message)]))
        }
    }
}

fn grade(mut problems: Vec<Diagnostic>, strict: bool, root: &Path) -> Vec<Diagnostic> {
    for problem in &mut problems {
        if strict && problem.severity == Severity::Warning {
            problem.severity = Severity::Error;
        }
        problem.message = relative(&problem.message, root);
    }
    problems
}

/// File errors name whole paths; users know the root.
fn deep_models(card: &Card) -> usize {
    card.models.iter().filter(|model| model.kind == ModelKind::DeepLearning).count()
}

/// The network that a target names by its plain name, or by one of its models; `None` for `all`, globs and paths.
pub(super) fn network_named(target: &str) -> Option<String> {
    let is_path = Path::new(target).extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let plain = target != "all" && !is_path && !target.contains(['*', '?', '[', '{']);
    plain.then(|| target.split('/').next().unwrap_or(target).to_owned())
}

/// A folder on the command line cannot be used.
pub(super) fn folder_failure(message: String) -> Failure {
    let hint = "name an existing folder after `-C`, or go to one";
    Failure::Usage(vec![Diagnostic::error("usage/folder", message).hint(hint)])
}

fn parse_set(set: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let parse = |text: &String| match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => {
            let source = Source::typed("--set", text.as_str());
            let problem = Diagnostic::error("usage/set", format!("expected KEY=VALUE, found `{text}`"));
            let problem = problem.at(&source, Span::new(0, text.len()));
            Err(Failure::Usage(vec![problem.hint("write for example `--set resources_used=0.25`")]))
        }
    };
    set.iter().map(parse).collect()
}

impl Network<'_> {
    /// The name.
    pub(super) fn name(&self) -> &str {
        &self.card.name.value
    }

    /// The models that the target names and that need compiling.
    pub(super) fn wanted(&self) -> impl Iterator<Item = &ResolvedModel<'_>> {
        self.models.iter().filter(|resolved| {
            resolved.model.kind == ModelKind::DeepLearning
                && self.only.is_none_or(|name| name == resolved.model.name.value)
        })
    }

    /// What a model's `extra_kwargs` say for a board under a key that is no compiler setting; null where nothing.
    fn of_board(&self, model: &str, board: Board, key: &str) -> Value {
        let settings = self.card.model(model).map(|model| &model.extra);
        settings.and_then(|extra| extra.for_board(board.word(), key)).map_or(Value::Null, Node::to_json)
    }

    /// `network.json` without digests: pipeline, device, and how the models share it.
    pub(super) fn description(&self, device: Device) -> Value {
        let list = |operators: &[Operator]| {
            let one = |operator: &Operator| json!({ &operator.name.value: operator.arguments.to_json() });
            operators.iter().map(one).collect::<Vec<_>>()
        };
        let pipeline = self.card.tasks.iter().map(|task| {
            // A template that cannot be read keeps the network from being planned, and says so there.
            let resolved = self.card.resolve_task(task).ok();
            json!({
                "task": task.name.value,
                "model": task.model.value,
                "input": resolved.as_ref().map(|task| task.input.to_json()),
                "preprocess": resolved.as_ref().map(|task| list(&task.preprocess)),
                "postprocess": resolved.as_ref().map(|task| list(&task.postprocess)),
            })
        });
        let models = self.budget.models.iter().map(|model| {
            let of_board = |name| self.of_board(&model.name, device.board, name);
            json!({
                "name": model.name,
                "cores": model.cores,
                "execution_cores": model.execution_cores,
                "instances": model.instances,
                "resources": model.resources.decimal(),
                "clock_profile": of_board("clock_profile"),
                "mvm_limitation": of_board("mvm_limitation"),
            })
        });
        json!({
            "format": "axzoo-network",
            "version": 1,
            "name": self.name(),
            "description": self.card.description.as_ref().map(|text| &text.value),
            "device": { "board": device.board.word(), "cores": device.cores },
            "pipeline": pipeline.collect::<Vec<_>>(),
            "models": models.collect::<Vec<_>>(),
        })
    }
}
