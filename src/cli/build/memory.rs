//! What the last build of the whole zoo found to be up to date, so that a card of which nothing has changed is not read again.
//!
//! The rules are those of `store::fresh`: it only saves work. Warnings are remembered with the card that they are of, and told
//! again; a card with an error is looked at again.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Path;

use rayon::prelude::*;

use crate::base::Digest;
use crate::base::Fingerprint;
use crate::base::Looked;
use crate::base::fs;
use crate::cards::CardFile;
use crate::cards::find_cards;
use crate::cli::kept::KeptProblem;
use crate::cli::kept::can_be_kept;
use crate::cli::zoo::Network;
use crate::cli::zoo::Zoo;
use crate::diag::Diagnostic;
use crate::diag::Severity;
use crate::exec::Outcome;
use crate::exec::StepSummary;
use crate::exec::Summary;
use crate::plan::Graph;
use crate::plan::Input;
use crate::plan::StepId;
use crate::plan::StepWork;
use crate::report::Refusal;
use crate::report::StepLabel;
use crate::store::Basis;
use crate::store::FreshCard;
use crate::store::FreshCards;
use crate::store::FreshStep;
use crate::store::SlotName;
use crate::store::Store;
use crate::store::Variables;
use crate::store::encode_fresh;

/// What is remembered, and what has to be looked at.
pub(super) struct Memory {
    circumstances: Digest,
    /// When this run began, in nanoseconds since 1970.
    began: i64,
    fresh: Option<FreshCards>,
    /// What `fresh` was made on.
    basis: Option<Basis>,
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
    /// What was shown to the user and is not remembered yet.
    pub(super) shown: &'a [Said],
    pub(super) refusals: &'a [Refusal],
}

/// A problem that is shown, and when: first those of cards, then those of configurations, then those of the plan.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) turn: u8,
    pub(super) problem: Diagnostic,
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
            let is_so = |name: &str, value: Option<&str>| variables.get(name).map(String::as_str) == value;
            Some((FreshCards::load(bytes, &basis, zoo.root(), is_so)?, basis))
        };
        let ((files, problems), found) = rayon::join(|| find_cards(zoo.options()), load);
        let (mut fresh, basis) = found.filter(|_| problems.is_empty()).unzip();
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
        let order = places(&files);
        Self { circumstances, began, fresh, basis, read: rest.into_iter().zip(looked).collect(), order }
    }

    /// Whether there is something that another run can have made void.
    pub(super) const fn is_of_use(&self) -> bool {
        self.fresh.is_some()
    }

    /// Looks whether what was recalled still counts, now that nobody else can change results; if it does not, all cards are
    /// read. Prerequisite: the store is locked.
    pub(super) fn look_again(&mut self, zoo: &mut Zoo, store: &Store) {
        if !self.is_of_use() || Store::basis(store.cache(), store.build_root(), self.circumstances) == self.basis {
            return;
        }
        self.fresh = None;
        let (files, problems) = find_cards(zoo.options());
        let looked = zoo.read_these(&files, &problems);
        self.order = places(&files);
        self.read = files.into_iter().zip(looked).collect();
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

    /// What there is to say: of cards that are remembered, and `now` of the others.
    pub(super) fn said(&self, zoo: &Zoo, networks: &[Network<'_>], now: &[Said]) -> Vec<Diagnostic> {
        let before: Vec<(&str, &[u8])> = self.fresh.iter().flat_map(FreshCards::said).collect();
        if before.is_empty() {
            return now.iter().map(|said| said.problem.clone()).collect();
        }
        let recalled = before.par_iter().with_min_len(32).flat_map_iter(|(file, bytes)| {
            let mut texts = Vec::new();
            let kept: Vec<(u8, KeptProblem)> = serde_json::from_slice(bytes).unwrap_or_default();
            let place = self.order.get(*file).copied();
            let told = kept.into_iter().filter_map(|(turn, kept)| {
                let problem = kept.recalled(zoo.root(), &mut texts)?;
                // Its lines are read here, on several threads.
                problem.place.as_ref().map(|place| place.source.text().len());
                Some((turn, place, problem))
            });
            told.collect::<Vec<_>>()
        });
        let mut all: Vec<(u8, Option<usize>, Diagnostic)> = recalled.collect();
        let owners = Owners::new(networks, &self.read);
        all.extend(now.iter().map(|Said { turn, problem }| {
            let place = owners.file_of(problem).and_then(|file| self.order.get(file)).copied();
            (*turn, place, problem.clone())
        }));
        all.sort_by_key(|(turn, place, _)| (*turn, *place));
        all.into_iter().map(|(.., problem)| problem).collect()
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
        let owners = Owners::new(built.networks, &self.read);
        let mut said: HashMap<&str, Vec<&Said>> = HashMap::new();
        for it in built.shown {
            // What is of no card would not be told again.
            let Some(file) = owners.file_of(&it.problem) else { return };
            said.entry(file).or_default().push(it);
        }
        let mut variables: Variables = self.fresh.as_ref().map(|fresh| fresh.variables().clone()).unwrap_or_default();
        let mut cards: Vec<FreshCard> = self.fresh.iter().flat_map(FreshCards::whole).collect();
        let before = cards.len();
        let finder = Finder::new(zoo, store, built, said, self.began);
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

/// Each card's place in the order of the zoo, by its file.
fn places(files: &[CardFile]) -> BTreeMap<String, usize> {
    files.iter().enumerate().map(|(place, file)| (file.name.clone(), place)).collect()
}

fn steps_by_network(summary: &Summary) -> BTreeMap<&str, Vec<&StepSummary>> {
    let mut steps: BTreeMap<&str, Vec<&StepSummary>> = BTreeMap::new();
    for step in &summary.steps {
        steps.entry(&step.network).or_default().push(step);
    }
    steps
}

/// Which card a problem is of.
struct Owners<'a> {
    /// By the network's name.
    networks: HashMap<&'a str, &'a str>,
    /// The cards that were looked at.
    files: HashSet<&'a str>,
}

impl<'a> Owners<'a> {
    fn new(networks: &'a [Network<'a>], read: &'a [(CardFile, Looked)]) -> Self {
        let networks = networks.iter().map(|network| (network.name(), network.card.source.name())).collect();
        Self { networks, files: read.iter().map(|(file, _)| file.name.as_str()).collect() }
    }

    /// The card's file.
    fn file_of(&self, problem: &Diagnostic) -> Option<&'a str> {
        let of_network = || self.networks.get(problem.network.as_deref()?).copied();
        problem.file_name().and_then(|file| self.files.get(file).copied()).or_else(of_network)
    }
}

/// Finds out what of a build may be remembered.
struct Finder<'a> {
    zoo: &'a Zoo,
    store: &'a Store,
    built: &'a Built<'a>,
    /// What there was to say, by the file of the card.
    said: HashMap<&'a str, Vec<&'a Said>>,
    began: i64,
    steps: BTreeMap<&'a str, Vec<&'a StepSummary>>,
    /// Networks by the file of their card.
    networks: HashMap<&'a str, &'a Network<'a>>,
}

impl<'a> Finder<'a> {
    fn new(
        zoo: &'a Zoo,
        store: &'a Store,
        built: &'a Built<'a>,
        said: HashMap<&'a str, Vec<&'a Said>>,
        began: i64,
    ) -> Self {
        let networks = built.networks.iter().map(|network| (network.card.source.name(), network)).collect();
        Self { zoo, store, built, said, began, steps: steps_by_network(built.summary), networks }
    }

    /// One card as it may be remembered, and the variables that it depends on; `None` where it may not.
    fn found(&self, file: &CardFile, reading: &Looked) -> Option<(FreshCard, BTreeSet<String>)> {
        let built = self.built;
        let said = self.said.get(file.name.as_str()).map_or(&[][..], Vec::as_slice);
        if said.iter().any(|said| said.problem.severity == Severity::Error) {
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
        let mut certain = BTreeSet::new();
        if let Some(network) = network {
            let name = network.name();
            let is_left = built.summary.not_removed.iter().any(|it| it.network == name);
            if is_left || built.refusals.iter().any(|it| it.network == name) {
                return None;
            }
            lookeds.push(&network.looked);
            lookeds.push(built.looked.get(name)?);
            for step in self.steps.get(name).map_or(&[][..], Vec::as_slice) {
                let key = step.key.filter(|_| step.outcome.is_good())?;
                steps.push(FreshStep { model: step.model.clone(), kind: step.step, key });
                let planned = built.graph.step(step.id);
                if let Some(install) = &planned.install {
                    // What belongs into the build root is asked for, not what is recorded to be there: a run that stopped
                    // may have recorded nothing.
                    let folder = self.store.build_root().join(install);
                    let slot = self.store.slot(&SlotName::of(planned)).filter(|slot| slot.key == key)?;
                    certain.extend(slot.outputs.iter().map(|output| folder.join(&output.name)));
                }
                certain.extend(planned.inputs.iter().filter_map(|(_, input)| match input {
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
        let size = |name: &str| paths.get(self.zoo.root().join(name).as_path()).copied().flatten().map(|it| it.size());
        if !said.iter().all(|said| can_be_kept(&said.problem, size)) {
            return None;
        }
        let kept: Vec<(u8, KeptProblem)> =
            said.iter().map(|said| (said.turn, KeptProblem::of(&said.problem))).collect();
        let said = if kept.is_empty() { Vec::new() } else { serde_json::to_vec(&kept).ok()? };
        let relative = |path: &Path| path.strip_prefix(self.zoo.root()).unwrap_or(path).to_owned();
        let looked = paths.into_iter().map(|(path, seen)| (relative(path), seen)).collect();
        let network = network.map(|network| network.name().to_owned());
        Some((FreshCard { file: file.name.clone(), network, steps, said, looked }, variables))
    }
}
