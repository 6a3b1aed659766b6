//! Every card of a zoo.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;

use super::card::Card;
use super::card::Fit;
use super::card::Reading;
use super::file::read_text;
use super::paths::Variables;
use super::raw::looks_like_a_card;
use super::template::Templates;
use crate::base::Looked;
use crate::base::fs;
use crate::base::shown;
use crate::base::tidy;
use crate::base::watched;
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
    /// Only cards whose network may have one of these names are read; `None` for all. Cards that share such a name are among
    /// them, so that a name given twice is noticed.
    pub names: Option<Vec<String>>,
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
    /// What is left of the cards with errors, sorted by path: enough to look for more errors, and for nothing else.
    pub parts: Vec<Card>,
    /// Every problem found while reading, by path and then by place.
    pub problems: Vec<Diagnostic>,
}

/// Files with one of these extensions are cards.
const EXTENSIONS: [&str; 2] = ["yaml", "yml"];

/// A file that may be a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardFile {
    /// Its path relative to the root, as users see it.
    pub name: String,
    /// The path to open.
    pub path: PathBuf,
}

/// What was read from one file.
#[derive(Debug, Default)]
pub struct CardReading {
    /// The card, where it can be used.
    pub card: Option<Card>,
    /// The card, where it cannot; neither where the file is no card.
    pub broken: Option<BrokenCard>,
    /// What is left of a card with errors.
    pub parts: Option<Card>,
    /// Every problem found, by place.
    pub problems: Vec<Diagnostic>,
}

/// Reads cards one by one, each template once however many of them name it.
#[derive(Debug)]
pub struct CardReader<'a> {
    options: &'a CatalogOptions,
    templates: Arc<Templates>,
    variables: Arc<Variables>,
}

impl<'a> CardReader<'a> {
    /// A reader for the cards of a zoo.
    #[must_use]
    pub fn new(options: &'a CatalogOptions) -> Self {
        let templates = Arc::new(Templates::new(&options.root));
        Self { options, templates, variables: Arc::new(options.variables.clone()) }
    }

    /// Reads one file.
    #[must_use]
    pub fn read(&self, file: &CardFile) -> CardReading {
        read_one(&file.name, &file.path, self.options, &self.variables, &self.templates)
    }
}

/// The files below the card roots that may be cards, sorted by name, and what is wrong with the roots.
#[must_use]
pub fn find_cards(options: &CatalogOptions) -> (Vec<CardFile>, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let files = find(options, &mut problems);
    (files.into_iter().map(|(name, path)| CardFile { name, path }).collect(), problems)
}

/// Reads every card below the card roots. The result does not depend on the number of threads.
#[must_use]
pub fn read_catalog(options: &CatalogOptions) -> Catalog {
    let (files, problems) = find_cards(options);
    let (mut catalog, _) = read_cards(options, &files);
    catalog.problems.splice(0..0, problems);
    catalog
}

/// Reads some of the cards that [`find_cards`] found, and says what was looked at for each. The result does not depend on
/// the number of threads.
#[must_use]
pub fn read_cards(options: &CatalogOptions, files: &[CardFile]) -> (Catalog, Vec<Looked>) {
    let reader = CardReader::new(options);
    let read: Vec<(CardReading, Looked)> = files.par_iter().map(|file| watched(|| reader.read(file))).collect();
    let (read, looked): (Vec<CardReading>, Vec<Looked>) = read.into_iter().unzip();
    let mut catalog = Catalog::default();
    for reading in read {
        catalog.problems.extend(reading.problems);
        catalog.cards.extend(reading.card);
        catalog.broken.extend(reading.broken);
        catalog.parts.extend(reading.parts);
    }
    refuse_duplicate_names(&mut catalog);
    (catalog, looked)
}

/// Reads one card, wherever it lies; the folders of cards in `options` do not matter.
#[must_use]
pub fn read_card_file(path: &Path, options: &CatalogOptions) -> Catalog {
    let options = CatalogOptions { names: None, ..options.clone() };
    let file = CardFile { name: relative(path, &options.root), path: path.to_owned() };
    let outcome = CardReader::new(&options).read(&file);
    Catalog {
        cards: outcome.card.into_iter().collect(),
        broken: outcome.broken.into_iter().collect(),
        parts: outcome.parts.into_iter().collect(),
        problems: outcome.problems,
    }
}

/// The cards' paths relative to the root, sorted, with the paths to open.
fn find(options: &CatalogOptions, problems: &mut Vec<Diagnostic>) -> Vec<(String, PathBuf)> {
    let exclude = excluded(&options.exclude, problems);
    let mut found = BTreeMap::new();
    for card_root in &options.card_roots {
        let folder = options.root.join(card_root);
        let (files, errors) = fs::find_files(&folder, is_card);
        for error in errors {
            let is_root = error.is_not_found() && error.path == folder;
            let file = shown(&error.path, &options.root);
            if fs::is_link(&error.path) && !is_root {
                problems.extend(bad_link(&error, &file).filter(|_| !exclude.is_match(&file)));
                continue;
            }
            let error = error.shown_as(file.as_str());
            let problem = if is_root {
                let message = format!("the folder of cards `{}` does not exist", card_root.display());
                Diagnostic::error("card/root-missing", message)
                    .hint("create it, or name the right folders with `--cards` or `cards` under `[zoo]` in axzoo.toml")
            } else {
                Diagnostic::error("card/unreadable", error.to_string()).maybe_hint(error.hint())
            };
            problems.push(problem.in_file(file));
        }
        for path in files {
            let name = relative(&path, &options.root);
            if !exclude.is_match(&name) {
                // By the path too: two names may read alike.
                found.insert((name, tidy(&path)), path);
            }
        }
    }
    if found.is_empty() && problems.is_empty() {
        problems.push(no_cards(options));
    }
    found.into_iter().map(|((name, _), path)| (name, path)).collect()
}

/// What to say of a link below a folder of cards that cannot be followed: nothing where it could be no card, such as the lock
/// that an editor makes beside a file it changes.
fn bad_link(error: &fs::FsError, file: &str) -> Option<Diagnostic> {
    let leave_out = "remove the link, mend it, or leave it out with `exclude`";
    if !error.is_not_found() {
        let message = format!("the link `{file}` leads back to a folder that it lies in, and is not followed");
        return Some(Diagnostic::warning("card/unreadable", message).in_file(file).hint(leave_out));
    }
    let is_hidden = error.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let message = format!("the link `{file}` leads to nothing");
    // It may have led to a folder of cards.
    let is_folder = error.path.extension().is_none();
    let problem = match () {
        () if is_hidden => return None,
        () if is_card(&error.path) => Diagnostic::error("card/unreadable", message),
        () if is_folder => Diagnostic::warning("card/unreadable", message),
        () => return None,
    };
    Some(problem.in_file(file).hint(leave_out))
}

fn is_card(path: &Path) -> bool {
    path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
}

fn no_cards(options: &CatalogOptions) -> Diagnostic {
    let folders: Vec<String> =
        options.card_roots.iter().map(|root| format!("`{}`", shown(&options.root.join(root), &options.root))).collect();
    let message = match folders.as_slice() {
        [] => "no folder of cards is named, so there is nothing to do".to_owned(),
        _ => format!("there is no card in {}, so there is nothing to do", folders.join(" or ")),
    };
    Diagnostic::warning("card/none", message).hint(
        "cards are `*.yaml` files; `--cards` or `cards` under `[zoo]` in axzoo.toml names their folders, and `exclude` \
         leaves files out",
    )
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

/// The path relative to the root with `/` between its parts; as it is, but tidy, when it lies elsewhere.
fn relative(path: &Path, root: &Path) -> String {
    shown(path, root)
}

/// Whether a card of this text may describe a network of this name: what stands as `name` in YAML stands in the text as it
/// is, unless it has an escape, or is folded from several lines or has a doubled quote, which a name with a blank or a
/// quote may have.
fn may_be_named(text: &str, name: &str) -> bool {
    let plain = !name.contains(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '\\'));
    !plain || text.contains(name) || text.contains('\\')
}

fn read_one(
    file: &str,
    path: &Path,
    options: &CatalogOptions,
    variables: &Arc<Variables>,
    templates: &Arc<Templates>,
) -> CardReading {
    let broken = |name: Option<String>, problems| CardReading {
        card: None,
        broken: Some(BrokenCard { file: file.to_owned(), name }),
        parts: None,
        problems,
    };
    let text = match read_text(path, file) {
        Ok(text) => text,
        Err(problem) => return broken(None, vec![*problem]),
    };
    if let Some(names) = &options.names
        && !names.iter().any(|name| may_be_named(&text, name))
    {
        return CardReading::default();
    }
    let source = Source::new(file, text);
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
        return CardReading { problems: vec![problem], ..CardReading::default() };
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
        (Fit::Whole(card), problems) => CardReading { card: Some(*card), problems, ..CardReading::default() },
        (Fit::Parts(card), problems) => CardReading { parts: Some(*card), ..broken(name, problems) },
        (Fit::Nothing, problems) => broken(name, problems),
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
        let (Some(&first), Some(&second)) = (indices.first(), indices.get(1)) else { continue };
        for &index in &indices {
            refused[index] = true;
            let card = &catalog.cards[index];
            // Whoever looks at one of the files is told of another.
            let other = &catalog.cards[if index == first { second } else { first }];
            let line = other.source.position(other.name.span.start).line;
            let message = format!("two cards are named `{name}`: `{}` and `{}:{line}`", card.file, other.file);
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

#[cfg(test)]
mod tests {
    use super::super::tests::{GOOD, Zoo};
    use super::*;

    /// Whatever way YAML has of writing a name, the card is among those that may bear it.
    #[test]
    fn a_card_is_found_by_its_name_however_it_is_written() {
        let ways = [
            "name: net",
            "name: 'net'",
            "\"name\": \"net\"",
            r#"name: "\x6e\u0065t""#,
            "name: \"n\\\n  et\"",
            "name: !!str net",
            "name: &anchor net",
            "name: |-\n  net",
            "name: >-\n  net",
            "name:\n  net",
            "? name\n: net",
        ];
        for way in ways {
            let other = GOOD.replace("name: net\n", "name: another\n");
            let zoo =
                Zoo::new(&[("model_cards/a.yaml", &GOOD.replace("name: net", way)), ("model_cards/b.yaml", &other)]);
            let named = |name: &str| {
                let options = CatalogOptions { names: Some(vec![name.to_owned()]), ..zoo.options.clone() };
                let catalog = read_catalog(&options);
                catalog.cards.iter().map(|card| card.name.value.clone()).collect::<Vec<_>>()
            };
            assert!(named("net").contains(&"net".to_owned()), "{way}");
            assert!(named("another").contains(&"another".to_owned()), "{way}");
            assert!(!named("nobody").contains(&"another".to_owned()), "{way}");
        }
        for (written, name) in [("name: two\n  words", "two words"), ("name: 'it''s'", "it's")] {
            let zoo = Zoo::new(&[("model_cards/a.yaml", &GOOD.replace("name: net", written))]);
            let options = CatalogOptions { names: Some(vec![name.to_owned()]), ..zoo.options.clone() };
            assert_eq!(read_catalog(&options).cards.len(), 1, "{written}");
        }
    }
}
