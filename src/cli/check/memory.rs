//! What `check` found last time, so that a card need not be read again while nothing that it depends on has changed.
//!
//! It lies in the cache folder and only saves time: without it, or when it cannot be read, everything is looked at. What
//! a card depends on is not guessed but watched ([`crate::base::watched`]): every path that was asked about while the
//! card was checked, there or not, and every variable.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;

use rayon::prelude::*;
use serde::Deserialize;
use serde::Serialize;

use crate::base::Digest;
use crate::base::Fingerprint;
use crate::base::Looked;
use crate::base::fs;
use crate::cards::CardFile;
use crate::cli::kept::KeptProblem;
use crate::cli::kept::can_be_kept;
use crate::diag::Diagnostic;
use crate::diag::Source;

/// What was found in one card.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Found {
    /// The network's name, where the text gives one.
    pub(super) name: Option<String>,
    /// Its models; `None` for a card that cannot be read, or a file that is no card.
    pub(super) models: Option<usize>,
    /// Everything that is wrong with it, in the order of the text.
    pub(super) problems: Vec<Diagnostic>,
}

/// The first line of the file; every line is one value in JSON, so that lines can be read on several threads.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Head {
    /// Settings, program and folder: all that counts for every card.
    circumstances: String,
    variables: BTreeMap<String, Option<String>>,
    /// The number of lines with a path, once however many cards share it; a [`SeenPath`] each.
    paths: usize,
    /// The number of lines with a card that follow them.
    cards: usize,
}

/// A line with a card.
#[derive(Debug, Serialize, Deserialize)]
struct Card {
    file: String,
    name: Option<String>,
    models: Option<usize>,
    /// Indices into the paths.
    looked: Vec<usize>,
    problems: Vec<KeptProblem>,
}

/// What counts for every card of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    /// The zoo's root.
    pub(super) root: &'a Path,
    /// Of settings, program and folder.
    pub(super) circumstances: Digest,
    /// The environment.
    pub(super) variables: &'a BTreeMap<String, String>,
    /// When it began, in nanoseconds since 1970.
    pub(super) began: i64,
}

/// Where an answer comes from.
#[derive(Debug)]
pub(super) enum Seen {
    /// From the memory, and the paths it had been made from.
    Before(Vec<usize>),
    /// From the card itself, and what was looked at for it.
    Now(Looked),
}

/// What is known from the last time and still holds.
#[derive(Debug, Default)]
pub(super) struct Memory {
    variables: BTreeMap<String, Option<String>>,
    paths: Vec<SeenPath>,
    /// The number of cards that are kept, whether they still hold or not.
    kept: usize,
    cards: HashMap<String, Card>,
}

impl Memory {
    /// Reads what the last run left, and looks at every path in it again.
    pub(super) fn load(file: &Path, run: &Run<'_>) -> Self {
        Self::read(file, run).unwrap_or_default()
    }

    fn read(file: &Path, run: &Run<'_>) -> Option<Self> {
        let text = String::from_utf8(fs::read(file).ok()?).ok()?;
        let mut lines = text.lines();
        let head: Head = serde_json::from_str(lines.next()?).ok()?;
        let is_as_before = |(name, value): (&String, &Option<String>)| run.variables.get(name) == value.as_ref();
        if head.circumstances != run.circumstances.to_string() || !head.variables.iter().all(is_as_before) {
            return None;
        }
        let lines: Vec<&str> = lines.collect();
        if Some(lines.len()) != head.paths.checked_add(head.cards) {
            return None;
        }
        let (paths, cards) = lines.split_at_checked(head.paths)?;
        let look = |line: &&str| {
            let seen: SeenPath = serde_json::from_str(line).ok()?;
            let is_same = Fingerprint::of(&run.root.join(&seen.0)) == seen.1;
            Some((seen, is_same))
        };
        let (paths, same): (Vec<SeenPath>, Vec<bool>) =
            paths.par_iter().with_min_len(64).map(look).collect::<Option<Vec<_>>>()?.into_iter().unzip();
        let holds = |card: &Card| card.looked.iter().all(|&index| same.get(index).copied().unwrap_or(false));
        let read = |line: &&str| serde_json::from_str::<Card>(line).ok();
        let cards = cards.par_iter().with_min_len(64).map(read).collect::<Option<Vec<Card>>>()?;
        let cards = cards.into_iter().filter(holds).map(|card| (card.file.clone(), card)).collect();
        Some(Self { variables: head.variables, paths, kept: head.cards, cards })
    }

    /// Takes out what was found in each of some cards and still holds.
    pub(super) fn recall(&mut self, files: &[CardFile], root: &Path) -> Vec<Option<(Found, Seen)>> {
        let kept: Vec<Option<Card>> = files.iter().map(|file| self.cards.remove(&file.name)).collect();
        kept.into_par_iter().with_min_len(64).map(|card| card?.recalled(root)).collect()
    }

    /// The file for the next run: the cards of this one, those that were looked at now and those that still hold. `None`
    /// when that is what is kept already.
    pub(super) fn next(&self, run: &Run<'_>, cards: &[(&str, &Found, &Seen)]) -> Option<Vec<u8>> {
        let news = cards.iter().any(|(_, _, seen)| matches!(seen, Seen::Now(_)));
        if !news && cards.len() == self.kept {
            return None;
        }
        let mut variables = self.variables.clone();
        let mut paths = Vec::new();
        let mut indices = HashMap::new();
        let mut kept = Vec::new();
        for &(file, found, seen) in cards {
            let looked: Vec<usize> = match seen {
                Seen::Before(looked) => {
                    let looked = looked.iter().filter_map(|&index| self.paths.get(index));
                    looked.map(|seen| intern(seen.clone(), &mut paths, &mut indices)).collect()
                }
                Seen::Now(looked) => {
                    if !is_to_be_trusted(looked, found, run) {
                        continue;
                    }
                    for name in &looked.variables {
                        variables.insert(name.clone(), run.variables.get(name).cloned());
                    }
                    let relative = |path: &PathBuf| path.strip_prefix(run.root).unwrap_or(path).to_owned();
                    let looked = looked.paths.iter().map(|(path, before)| (relative(path), *before));
                    looked.map(|seen| intern(seen, &mut paths, &mut indices)).collect()
                }
            };
            kept.push((file, found, looked));
        }
        let circumstances = run.circumstances.to_string();
        let head = Head { circumstances, variables, paths: paths.len(), cards: kept.len() };
        let cards = kept.into_par_iter().with_min_len(64).map(|(file, found, looked)| {
            let problems = found.problems.iter().map(KeptProblem::of).collect();
            line(&Card { file: file.to_owned(), name: found.name.clone(), models: found.models, looked, problems })
        });
        let lines = std::iter::once(line(&head)).chain(paths.iter().map(line));
        let mut bytes = lines.collect::<Option<Vec<_>>>()?.concat();
        bytes.extend(cards.collect::<Option<Vec<_>>>()?.concat());
        Some(bytes)
    }
}

fn line(value: &impl Serialize) -> Option<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value).ok()?;
    bytes.push(b'\n');
    Some(bytes)
}

/// Whether what was found may be kept: a change in the same tick of the clock would not show, and a text that is not the
/// file's as it stands, such as one without its byte order mark, cannot be read again for its lines.
fn is_to_be_trusted(looked: &Looked, found: &Found, run: &Run<'_>) -> bool {
    let size = |name: &str| looked.paths.get(&run.root.join(name)).copied().flatten().map(|it| it.size());
    looked.paths.values().flatten().all(|fingerprint| fingerprint.is_settled(run.began))
        && found.problems.iter().all(|problem| can_be_kept(problem, size))
}

impl Card {
    fn recalled(self, root: &Path) -> Option<(Found, Seen)> {
        let mut texts: Vec<Source> = Vec::new();
        let problems = self.problems.into_iter().map(|problem| problem.recalled(root, &mut texts));
        let problems = problems.collect::<Option<Vec<_>>>()?;
        Some((Found { name: self.name, models: self.models, problems }, Seen::Before(self.looked)))
    }
}

type SeenPath = (PathBuf, Option<Fingerprint>);

/// The index of a path as it was seen: a path that changed while the run went on is there twice.
fn intern(seen: SeenPath, paths: &mut Vec<SeenPath>, indices: &mut HashMap<SeenPath, usize>) -> usize {
    *indices.entry(seen).or_insert_with_key(|seen| {
        paths.push(seen.clone());
        paths.len() - 1
    })
}
