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
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Severity;
use crate::diag::Source;
use crate::diag::Span;
use crate::diag::catalogue;

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

/// The file's contents: paths and texts once, however many cards share them.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// Settings, program and folder: all that counts for every card.
    circumstances: String,
    variables: BTreeMap<String, Option<String>>,
    paths: Vec<SeenPath>,
    cards: BTreeMap<String, Card>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Card {
    name: Option<String>,
    models: Option<usize>,
    /// Indices into `paths`.
    looked: Vec<usize>,
    problems: Vec<Problem>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Problem {
    code: String,
    severity: u8,
    message: String,
    /// The text's name and length, and the span in it.
    place: Option<(String, usize, usize, usize)>,
    file: Option<String>,
    hint: Option<String>,
    network: Option<String>,
    model: Option<String>,
}

const SEVERITIES: [Severity; 3] = [Severity::Note, Severity::Warning, Severity::Error];

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
    /// From the memory.
    Before,
    /// From the card itself, and what was looked at for it.
    Now(Looked),
}

/// What is known from the last time and still holds.
#[derive(Debug, Default)]
pub(super) struct Memory {
    variables: BTreeMap<String, Option<String>>,
    cards: BTreeMap<String, Card>,
    /// Of each index in `paths`, whether it is as it was.
    same: Vec<bool>,
    paths: Vec<SeenPath>,
    root: PathBuf,
}

impl Memory {
    /// Reads what the last run left, and looks at every path in it again.
    pub(super) fn load(file: &Path, run: &Run<'_>) -> Self {
        let nothing = || Self { root: run.root.to_owned(), ..Self::default() };
        let kept = fs::read(file).ok().and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
        let Some(kept) = kept.filter(|kept| kept.circumstances == run.circumstances.to_string()) else {
            return nothing();
        };
        if kept.variables.iter().any(|(name, value)| run.variables.get(name) != value.as_ref()) {
            return nothing();
        }
        let same = |(path, before): &SeenPath| Fingerprint::of(&run.root.join(path)) == *before;
        let same = kept.paths.par_iter().with_min_len(64).map(same).collect();
        Self { variables: kept.variables, cards: kept.cards, same, paths: kept.paths, root: run.root.to_owned() }
    }

    /// What was found in a card and still holds. `texts` are read where a problem points into them.
    pub(super) fn recall(&self, file: &str) -> Option<Found> {
        let card = self.still_holds(file)?;
        let mut texts: HashMap<&str, Source> = HashMap::new();
        let mut problems = Vec::with_capacity(card.problems.len());
        for problem in &card.problems {
            problems.push(self.diagnostic(problem, &mut texts)?);
        }
        Some(Found { name: card.name.clone(), models: card.models, problems })
    }

    fn still_holds(&self, file: &str) -> Option<&Card> {
        let card = self.cards.get(file)?;
        card.looked.iter().all(|&index| self.same.get(index).copied().unwrap_or(false)).then_some(card)
    }

    fn diagnostic<'a>(&'a self, problem: &'a Problem, texts: &mut HashMap<&'a str, Source>) -> Option<Diagnostic> {
        let place = match &problem.place {
            None => None,
            Some((name, length, start, end)) => {
                if !texts.contains_key(name.as_str()) {
                    let text = String::from_utf8(fs::read(&self.root.join(name)).ok()?).ok()?;
                    texts.insert(name, Source::new(name.as_str(), text));
                }
                // A text that is not the file's as it stands, such as one without its byte order mark, is read anew.
                let source = texts.get(name.as_str()).filter(|source| source.text().len() == *length)?;
                Some(Place::new(source, Span::new(*start, *end)))
            }
        };
        Some(Diagnostic {
            code: catalogue::find(&problem.code)?.code,
            severity: *SEVERITIES.get(usize::from(problem.severity))?,
            message: problem.message.clone(),
            place,
            file: problem.file.clone(),
            hint: problem.hint.clone(),
            network: problem.network.clone(),
            model: problem.model.clone(),
        })
    }

    /// The file for the next run: the cards of this one, those that were looked at now and those that still hold. `None`
    /// when that is what is kept already.
    pub(super) fn next(&self, run: &Run<'_>, cards: &[(&str, &Found, &Seen)]) -> Option<Vec<u8>> {
        let news = cards.iter().any(|(_, _, seen)| matches!(seen, Seen::Now(_)));
        if !news && cards.len() == self.cards.len() {
            return None;
        }
        let circumstances = run.circumstances.to_string();
        let mut kept = Kept { circumstances, variables: self.variables.clone(), ..Kept::default() };
        let mut indices = HashMap::new();
        for &(file, found, seen) in cards {
            let looked: Vec<usize> = match seen {
                Seen::Before => {
                    let Some(card) = self.cards.get(file) else { continue };
                    let paths = card.looked.iter().filter_map(|&index| self.paths.get(index));
                    paths.map(|seen| intern(seen.clone(), &mut kept.paths, &mut indices)).collect()
                }
                Seen::Now(looked) => {
                    // A change in the same tick of the clock would not show.
                    if looked.paths.values().flatten().any(|fingerprint| !fingerprint.is_settled(run.began)) {
                        continue;
                    }
                    for name in &looked.variables {
                        kept.variables.insert(name.clone(), run.variables.get(name).cloned());
                    }
                    let relative = |path: &PathBuf| path.strip_prefix(run.root).unwrap_or(path).to_owned();
                    let paths = looked.paths.iter().map(|(path, before)| (relative(path), *before));
                    paths.map(|seen| intern(seen, &mut kept.paths, &mut indices)).collect()
                }
            };
            let problems = found.problems.iter().map(Problem::of).collect();
            kept.cards
                .insert(file.to_owned(), Card { name: found.name.clone(), models: found.models, looked, problems });
        }
        serde_json::to_vec(&kept).ok()
    }
}

impl Problem {
    fn of(problem: &Diagnostic) -> Self {
        Self {
            code: problem.code.to_owned(),
            severity: problem.severity as u8,
            message: problem.message.clone(),
            place: problem.place.as_ref().map(|place| {
                (place.source.name().to_owned(), place.source.text().len(), place.span.start, place.span.end)
            }),
            file: problem.file.clone(),
            hint: problem.hint.clone(),
            network: problem.network.clone(),
            model: problem.model.clone(),
        }
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
