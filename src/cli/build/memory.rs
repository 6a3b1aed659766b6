//! What the last build of the whole zoo found to be up to date, so that a card of which nothing has changed is not read again.
//!
//! The rules are those of `store::fresh`: it only saves work. Only cards that nothing was to be said of are remembered, so a
//! warning is never lost.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Path;

use crate::base::Digest;
use crate::base::Fingerprint;
use crate::base::Looked;
use crate::base::fs;
use crate::cards::CardFile;
use crate::cards::find_cards;
use crate::cli::zoo::Network;
use crate::cli::zoo::Zoo;
use crate::diag::Diagnostic;
use crate::exec::Outcome;
use crate::exec::StepSummary;
use crate::exec::Summary;
use crate::plan::Graph;
use crate::plan::Input;
use crate::plan::StepId;
use crate::plan::StepWork;
use crate::report::Refusal;
use crate::report::StepLabel;
use crate::store::FreshCard;
use crate::store::FreshCards;
use crate::store::FreshStep;
use crate::store::Store;
use crate::store::Variables;
use crate::store::encode_fresh;

/// What is remembered, and what has to be looked at.
pub(super) struct Memory {
    circumstances: Digest,
    /// When this run began, in nanoseconds since 1970.
    began: i64,
    fresh: Option<FreshCards>,
    /// The cards that are to be looked at, with what was looked at to read each.
    read: Vec<(CardFile, Looked)>,
    /// Every card's place in the order of the zoo.
    order: BTreeMap<String, usize>,
}

/// What a build came to, to be remembered.
pub(super) struct Built<'a> {
    pub(super) networks: &'a [Network<'a>],
    /// What planning looked at for each network.
    pub(super) looked: &'a BTreeMap<String, Looked>,
    pub(super) graph: &'a Graph<StepWork>,
    pub(super) summary: &'a Summary,
    /// What was shown to the user.
    pub(super) shown: &'a [Diagnostic],
    pub(super) refusals: &'a [Refusal],
}

impl Memory {
    /// Reads the cards of a zoo, except those that are known to be up to date. `more` is what of the command line the plan
    /// depends on besides the settings.
    pub(super) fn recall(zoo: &mut Zoo, more: &str, began: i64) -> Self {
        let circumstances = Digest::of(format!("{} {more}", zoo.circumstances()).as_bytes());
        let settings = &zoo.resolved.settings.zoo;
        let (cache, build) = (zoo.root().join(&settings.cache), zoo.root().join(&settings.build));
        let variables = &zoo.options().variables;
        let load = || {
            let basis = Store::basis(&cache, &build, circumstances)?;
            let bytes = fs::read_if_there(&Store::fresh_path(&cache, &build)).ok()??;
            FreshCards::load(bytes, &basis, zoo.root(), |name, value| variables.get(name).map(String::as_str) == value)
        };
        let ((files, problems), found) = rayon::join(|| find_cards(zoo.options()), load);
        let mut fresh = found.filter(|_| problems.is_empty());
        let held: HashSet<&str> = fresh.iter().flat_map(FreshCards::holding).map(|(file, ..)| file).collect();
        let rest: Vec<CardFile> = files.iter().filter(|file| !held.contains(file.name.as_str())).cloned().collect();
        let mut rest = rest;
        let mut looked = zoo.read_these(&rest, &problems);
        let names: HashSet<&str> = fresh.iter().flat_map(FreshCards::holding).filter_map(|(_, name, _)| name).collect();
        // Two cards of one name, or a card that is gone: the whole is to be seen together.
        let is_double = zoo.catalog.cards.iter().any(|card| names.contains(card.name.value.as_str()));
        if is_double || held.len() + rest.len() != files.len() {
            fresh = None;
            rest.clone_from(&files);
            looked = zoo.read_these(&rest, &problems);
        }
        let order = files.into_iter().enumerate().map(|(place, file)| (file.name, place)).collect();
        Self { circumstances, began, fresh, read: rest.into_iter().zip(looked).collect(), order }
    }

    /// Steps that are known to be up to date.
    pub(super) fn steps(&self) -> usize {
        self.fresh.iter().flat_map(FreshCards::holding).map(|(.., steps)| steps).sum()
    }

    /// Networks that are known to be up to date.
    pub(super) fn networks(&self) -> usize {
        self.fresh.iter().flat_map(FreshCards::holding).filter(|(.., steps)| *steps > 0).count()
    }

    /// Whether no card has to be looked at, and there is one.
    pub(super) fn is_all(&self) -> bool {
        self.read.is_empty() && self.fresh.as_ref().is_some_and(|fresh| fresh.kept() > 0)
    }

    /// The steps that are known to be up to date, each with its label; ids are given from `first`.
    pub(super) fn steps_from(&self, first: usize) -> Vec<(StepLabel, StepSummary)> {
        let cards = self.fresh.iter().flat_map(FreshCards::whole);
        let steps = cards.flat_map(|card| {
            let network = card.network.unwrap_or_default();
            card.steps.into_iter().map(move |step| (network.clone(), step))
        });
        let summary = |(place, (network, FreshStep { model, kind, key })): (usize, (String, FreshStep))| {
            let label = StepLabel { kind, network: network.clone(), model: model.clone() };
            let step = StepSummary {
                id: StepId::at(first + place),
                network,
                model,
                step: kind,
                outcome: Outcome::UpToDate,
                duration_ms: 0,
                key: Some(key),
            };
            (label, step)
        };
        steps.enumerate().map(summary).collect()
    }

    /// Puts the steps of remembered networks where they stand in the order of the cards.
    pub(super) fn merge(&self, summary: &mut Summary, known: Vec<StepSummary>, networks: &[Network<'_>]) {
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for (file, network, _) in self.fresh.iter().flat_map(FreshCards::holding) {
            if let (Some(network), Some(&place)) = (network, self.order.get(file)) {
                places.insert(network.to_owned(), place);
            }
        }
        for network in networks {
            if let Some(&place) = self.order.get(network.card.source.name()) {
                places.insert(network.name().to_owned(), place);
            }
        }
        summary.steps.extend(known);
        summary.steps.sort_by_key(|step| places.get(&step.network).copied());
    }

    /// Keeps what this build found to be right, for the next one. What cannot be kept is found again.
    pub(super) fn keep(&self, zoo: &Zoo, store: &Store, built: &Built<'_>) {
        let Some(basis) = store.own_basis(self.circumstances) else { return };
        if built.shown.iter().any(|problem| problem.network.is_none() && problem.file_name().is_none()) {
            return;
        }
        let mut variables: Variables = self.fresh.as_ref().map(|fresh| fresh.variables().clone()).unwrap_or_default();
        let mut cards: Vec<FreshCard> = self.fresh.iter().flat_map(FreshCards::whole).collect();
        let before = cards.len();
        let finder = Finder::new(zoo, store, built, self.began);
        for (file, looked) in &self.read {
            let Some((card, names)) = finder.found(file, looked) else { continue };
            cards.push(card);
            for name in names {
                variables.insert(name.clone(), zoo.options().variables.get(&name).cloned());
            }
        }
        if cards.len() == before && self.fresh.as_ref().is_some_and(|fresh| fresh.kept() == before) {
            return;
        }
        cards.sort_by(|one, other| one.file.cmp(&other.file));
        let path = Store::fresh_path(store.cache(), store.build_root());
        let _ = fs::write_atomic(&path, &encode_fresh(&basis, &variables, &cards));
    }
}

fn steps_by_network(summary: &Summary) -> BTreeMap<&str, Vec<&StepSummary>> {
    let mut steps: BTreeMap<&str, Vec<&StepSummary>> = BTreeMap::new();
    for step in &summary.steps {
        steps.entry(&step.network).or_default().push(step);
    }
    steps
}

/// Finds out what of a build may be remembered.
struct Finder<'a> {
    zoo: &'a Zoo,
    store: &'a Store,
    built: &'a Built<'a>,
    began: i64,
    steps: BTreeMap<&'a str, Vec<&'a StepSummary>>,
    /// Networks by the file of their card.
    networks: HashMap<&'a str, &'a Network<'a>>,
}

impl<'a> Finder<'a> {
    fn new(zoo: &'a Zoo, store: &'a Store, built: &'a Built<'a>, began: i64) -> Self {
        let networks = built.networks.iter().map(|network| (network.card.source.name(), network)).collect();
        Self { zoo, store, built, began, steps: steps_by_network(built.summary), networks }
    }

    /// One card as it may be remembered, and the variables that it depends on; `None` where it may not.
    fn found(&self, file: &CardFile, reading: &Looked) -> Option<(FreshCard, BTreeSet<String>)> {
        let built = self.built;
        let is_of_file = |problem: &&Diagnostic| problem.file_name() == Some(file.name.as_str());
        if built.shown.iter().any(|problem| is_of_file(&problem)) {
            return None;
        }
        if self.zoo.catalog.broken.iter().any(|broken| broken.file == file.name) {
            return None;
        }
        let network = self.networks.get(file.name.as_str());
        let mut paths: BTreeMap<&Path, Option<Fingerprint>> = BTreeMap::new();
        let mut variables = BTreeSet::new();
        let mut lookeds = vec![reading];
        let mut steps = Vec::new();
        let mut certain = Vec::new();
        if let Some(network) = network {
            let name = network.name();
            let is_of_network = |problem: &Diagnostic| problem.network.as_deref() == Some(name);
            if built.shown.iter().any(is_of_network) || built.refusals.iter().any(|it| it.network == name) {
                return None;
            }
            lookeds.push(&network.looked);
            lookeds.push(built.looked.get(name)?);
            for step in self.steps.get(name).map_or(&[][..], Vec::as_slice) {
                let key = step.key.filter(|_| step.outcome.is_good())?;
                steps.push(FreshStep { model: step.model.clone(), kind: step.step, key });
                certain.extend(built.graph.step(step.id).inputs.iter().filter_map(|(_, input)| match input {
                    Input::File(path) => Some(path.clone()),
                    _ => None,
                }));
            }
            certain.extend(self.store.files(name).into_iter().map(|file| self.store.build_root().join(file)));
        }
        for looked in lookeds {
            if !looked.paths.values().flatten().all(|fingerprint| fingerprint.is_settled(self.began)) {
                return None;
            }
            for (path, fingerprint) in &looked.paths {
                paths.entry(path).or_insert(*fingerprint);
            }
            variables.extend(looked.variables.iter().cloned());
        }
        for path in &certain {
            let stat = self.store.stats.certain(path)?;
            let seen = Fingerprint::of(path).filter(|seen| seen.is_of(&stat))?;
            if paths.insert(path, Some(seen)).is_some_and(|before| before != Some(seen)) {
                return None;
            }
        }
        let relative = |path: &Path| path.strip_prefix(self.zoo.root()).unwrap_or(path).to_owned();
        let looked = paths.into_iter().map(|(path, seen)| (relative(path), seen)).collect();
        let network = network.map(|network| network.name().to_owned());
        Some((FreshCard { file: file.name.clone(), network, steps, looked }, variables))
    }
}
