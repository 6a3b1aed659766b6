//! Every card of a zoo.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;

use super::card::Card;
use super::card::Reading;
use super::file::read_source;
use super::paths::Variables;
use super::raw::looks_like_a_card;
use super::template::Templates;
use crate::base::fs;
use crate::diag::Diagnostic;
use crate::diag::Source;
use crate::yaml;

/// What cards are found and read with.
#[derive(Debug, Clone, Default)]
pub struct CatalogOptions {
    /// The zoo's root; paths in output are relative to it.
    pub root: PathBuf,
    /// Folders of cards, relative to the root or absolute, in order.
    pub card_roots: Vec<PathBuf>,
    /// Globs over paths relative to the root; what they match is no card.
    pub exclude: Vec<String>,
    /// The folder that `data_dir_name` is looked for in.
    pub data_root: PathBuf,
    /// The environment as data: `HOME` and whatever `$NAME` in a path may mean.
    pub variables: Variables,
    /// Card keys that the near-miss rule lets through.
    pub allow_keys: Vec<String>,
}

/// A card that cannot be built; its problems say why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenCard {
    /// The card's path relative to the root.
    pub file: String,
    /// The network's name, where the text gives one.
    pub name: Option<String>,
}

/// The cards of a zoo, and everything that is wrong with them.
#[derive(Debug, Default)]
pub struct Catalog {
    /// The cards that can be used, sorted by path.
    pub cards: Vec<Card>,
    /// The cards that cannot, sorted by path.
    pub broken: Vec<BrokenCard>,
    /// Every problem found while reading, by path and then by place.
    pub problems: Vec<Diagnostic>,
}

/// Files with one of these extensions are cards.
const EXTENSIONS: [&str; 2] = ["yaml", "yml"];

/// Reads every card below the card roots. The result does not depend on the number of threads.
#[must_use]
pub fn read_catalog(options: &CatalogOptions) -> Catalog {
    let mut problems = Vec::new();
    let files = find(options, &mut problems);
    let templates = Arc::new(Templates::new(&options.root));
    let variables = Arc::new(options.variables.clone());
    let read: Vec<Outcome> =
        files.par_iter().map(|(file, path)| read_card(file, path, options, &variables, &templates)).collect();
    let mut catalog = Catalog { problems, ..Catalog::default() };
    for outcome in read {
        catalog.problems.extend(outcome.problems);
        match outcome.card {
            Some(card) => catalog.cards.push(card),
            None => catalog.broken.extend(outcome.broken),
        }
    }
    refuse_duplicate_names(&mut catalog);
    catalog
}

/// The cards' paths relative to the root, sorted, with the paths to open.
fn find(options: &CatalogOptions, problems: &mut Vec<Diagnostic>) -> Vec<(String, PathBuf)> {
    let exclude = excluded(&options.exclude, problems);
    let mut found = BTreeMap::new();
    for card_root in &options.card_roots {
        let folder = options.root.join(card_root);
        let (files, errors) = fs::find_files(&folder, |path| {
            path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
        });
        for error in errors {
            let problem = if error.is_not_found() && error.path == folder {
                let message = format!("the folder of cards `{}` does not exist", card_root.display());
                Diagnostic::error("card/root-missing", message)
                    .hint("create it, or name the right folders with `--cards` or `cards` under `[zoo]` in axzoo.toml")
            } else {
                Diagnostic::error("card/unreadable", error.to_string()).maybe_hint(error.hint())
            };
            problems.push(problem.in_file(relative(&error.path, &options.root)));
        }
        for path in files {
            let name = relative(&path, &options.root);
            if !exclude.is_match(&name) {
                found.insert(name, path);
            }
        }
    }
    found.into_iter().collect()
}

fn excluded(globs: &[String], problems: &mut Vec<Diagnostic>) -> globset::GlobSet {
    let mut builder = globset::GlobSetBuilder::new();
    for glob in globs {
        match globset::GlobBuilder::new(glob).literal_separator(true).build() {
            Ok(glob) => {
                builder.add(glob);
            }
            Err(error) => {
                let message = format!("`exclude`: `{glob}` is not a glob: {}", error.kind());
                let hint = "write a glob over paths of cards, such as `model_cards/drafts/**`";
                problems.push(Diagnostic::error("card/exclude", message).hint(hint));
            }
        }
    }
    builder.build().unwrap_or_else(|_| globset::GlobSet::empty())
}

/// The path relative to the root with `/` between its parts; as it is when it lies elsewhere.
fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

#[derive(Default)]
struct Outcome {
    card: Option<Card>,
    broken: Option<BrokenCard>,
    problems: Vec<Diagnostic>,
}

fn read_card(
    file: &str,
    path: &Path,
    options: &CatalogOptions,
    variables: &Arc<Variables>,
    templates: &Arc<Templates>,
) -> Outcome {
    let broken = |name: Option<String>, problems| Outcome {
        card: None,
        broken: Some(BrokenCard { file: file.to_owned(), name }),
        problems,
    };
    let source = match read_source(path, file.to_owned()) {
        Ok(source) => source,
        Err(problem) => return broken(None, vec![*problem]),
    };
    let node = match yaml::parse(&source) {
        Ok(node) => node,
        Err(error) => {
            let name = name_in(&source);
            let mut problem = error.diagnostic(&source);
            problem.network.clone_from(&name);
            return broken(name, vec![problem]);
        }
    };
    if !looks_like_a_card(&node) {
        let problem = Diagnostic::warning("card/not-a-card", "this is no model card, so it is left out")
            .in_file(file)
            .hint("a card has `axelera-model-format`, `name` and `models`; leave other files out with `exclude`");
        return Outcome { problems: vec![problem], ..Outcome::default() };
    }
    let name = node.get("name").and_then(yaml::Node::as_text).map(str::to_owned);
    let reading = Reading {
        file,
        folder: path.parent().unwrap_or(&options.root).to_owned(),
        data_root: options.root.join(&options.data_root),
        variables,
        templates,
        allow_keys: &options.allow_keys,
    };
    match Card::read(&source, node, reading) {
        (Some(card), problems) => Outcome { card: Some(card), broken: None, problems },
        (None, problems) => broken(name, problems),
    }
}

/// The name in a text that is not YAML, so that its network can be asked for by name and the answer is its error.
fn name_in(source: &Source) -> Option<String> {
    let line = source.text().lines().find_map(|line| line.strip_prefix("name:"))?;
    let name = line.split(" #").next()?.trim().trim_matches(['"', '\'']);
    (!name.is_empty()).then(|| name.to_owned())
}

/// Two cards of one name: an error naming both files, and neither can be built.
fn refuse_duplicate_names(catalog: &mut Catalog) {
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, card) in catalog.cards.iter().enumerate() {
        by_name.entry(&card.name.value).or_default().push(index);
    }
    let mut refused = vec![false; catalog.cards.len()];
    let mut problems = Vec::new();
    for (name, indices) in by_name {
        let Some((&first, others)) = indices.split_first().filter(|(_, others)| !others.is_empty()) else { continue };
        refused[first] = true;
        let original = &catalog.cards[first];
        let line = original.source.position(original.name.span.start).line;
        for &other in others {
            refused[other] = true;
            let card = &catalog.cards[other];
            let message = format!("two cards are named `{name}`: `{}` and `{}:{line}`", card.file, original.file);
            problems.push(
                Diagnostic::error("card/duplicate-name", message)
                    .at(&card.source, card.name.span)
                    .hint("give one of them another name; neither is built until then")
                    .network(name),
            );
        }
    }
    catalog.problems.extend(problems);
    let mut index = 0;
    catalog.cards.retain(|card| {
        let keep = !refused[index];
        index += 1;
        if !keep {
            catalog.broken.push(BrokenCard { file: card.file.clone(), name: Some(card.name.value.clone()) });
        }
        keep
    });
    catalog.broken.sort_by(|left, right| left.file.cmp(&right.file));
}
