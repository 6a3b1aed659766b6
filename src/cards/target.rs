//! What a user asks for: `all`, a network, `NETWORK/MODEL`, a card's path, or a glob over network names.

use std::collections::BTreeMap;
use std::path::Path;

use super::BrokenCard;
use super::Card;
use super::Catalog;
use crate::base::did_you_mean;
use crate::base::nearest;
use crate::base::shown;

/// A network, or one of its models, that targets name.
#[derive(Debug, Clone, Copy)]
pub struct Selected<'a> {
    /// The card.
    pub card: &'a Card,
    /// The one model asked for; `None` for all of them.
    pub model: Option<&'a str>,
}

/// A target that names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no network `{target}`{}", suggestion(nearest))]
pub struct UnknownTarget {
    /// The target as given.
    pub target: String,
    /// Names that look like it, nearest first.
    pub nearest: Vec<String>,
}

fn suggestion(names: &[String]) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    did_you_mean(&names).map(|text| format!("; {text}")).unwrap_or_default()
}

/// Every target that names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct UnknownTargets(pub Vec<UnknownTarget>);

/// What the targets name, in the order of the catalog, each once; no targets mean `all`. A network asked for as a
/// whole and by one of its models is meant as a whole.
///
/// A target that names a card which cannot be used selects nothing and is no error here: the catalog's problems say
/// what is wrong with the card (see [`Catalog::broken`]).
///
/// # Errors
/// Every target that names nothing, with the nearest names.
pub fn select<'a>(catalog: &'a Catalog, targets: &[String], root: &Path) -> Result<Vec<Selected<'a>>, UnknownTargets> {
    // Card → the models asked for; an empty list means all.
    let mut wanted: BTreeMap<usize, Vec<&'a str>> = BTreeMap::new();
    let mut unknown = Vec::new();
    if targets.is_empty() {
        wanted.extend((0..catalog.cards.len()).map(|index| (index, Vec::new())));
    }
    for target in targets {
        let found = matches(catalog, target, root);
        if found.is_empty() && !names_broken(catalog, target, root) {
            unknown.push(UnknownTarget { target: target.clone(), nearest: near(catalog, target) });
        }
        for (index, model) in found {
            match (wanted.get_mut(&index), model) {
                (None, model) => {
                    wanted.insert(index, model.into_iter().collect());
                }
                (Some(models), None) => models.clear(),
                (Some(models), Some(model)) if !models.is_empty() && !models.contains(&model) => models.push(model),
                _ => {}
            }
        }
    }
    if !unknown.is_empty() {
        return Err(UnknownTargets(unknown));
    }
    let mut selected = Vec::new();
    for (index, models) in wanted {
        let Some(card) = catalog.cards.get(index) else { continue };
        if models.is_empty() {
            selected.push(Selected { card, model: None });
        }
        for model in card.models.iter().filter(|model| models.contains(&model.name.value.as_str())) {
            selected.push(Selected { card, model: Some(&model.name.value) });
        }
    }
    Ok(selected)
}

fn is_glob(target: &str) -> bool {
    target.contains(['*', '?', '[', '{'])
}

fn matches<'a>(catalog: &'a Catalog, target: &str, root: &Path) -> Vec<(usize, Option<&'a str>)> {
    let cards = || catalog.cards.iter().enumerate();
    if let Some((index, _)) = cards().find(|(_, card)| card.name.value == target) {
        return vec![(index, None)];
    }
    if target == "all" {
        return cards().map(|(index, _)| (index, None)).collect();
    }
    if let Some(file) = card_path(target, root)
        && let Some((index, _)) = cards().find(|(_, card)| card.file == file)
    {
        return vec![(index, None)];
    }
    if let Some((network, model)) = target.split_once('/')
        && let Some((index, card)) = cards().find(|(_, card)| card.name.value == network)
    {
        return card.model(model).map(|model| (index, Some(model.name.value.as_str()))).into_iter().collect();
    }
    if !is_glob(target) {
        return Vec::new();
    }
    match globset::Glob::new(target) {
        Ok(glob) => {
            let matcher = glob.compile_matcher();
            cards().filter(|(_, card)| matcher.is_match(&card.name.value)).map(|(index, _)| (index, None)).collect()
        }
        Err(_) => Vec::new(),
    }
}

fn names_broken(catalog: &Catalog, target: &str, root: &Path) -> bool {
    target == "all" || catalog.broken.iter().any(|card| card.is_meant_by(target, root))
}

impl BrokenCard {
    /// Whether a target names this card: by its network's name, by its path, or by a glob over names.
    #[must_use]
    pub fn is_meant_by(&self, target: &str, root: &Path) -> bool {
        if target == "all" || card_path(target, root).as_deref() == Some(self.file.as_str()) {
            return true;
        }
        let Some(name) = self.name.as_deref() else { return false };
        let network = target.split('/').next().unwrap_or(target);
        let glob = is_glob(target).then(|| globset::Glob::new(target).ok()).flatten();
        name == target || name == network || glob.is_some_and(|glob| glob.compile_matcher().is_match(name))
    }
}

fn is_card_path(target: &str) -> bool {
    Path::new(target).extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// The target as a card's path relative to the root: `./`, `folder/..` and the root itself dropped.
fn card_path(target: &str, root: &Path) -> Option<String> {
    if !is_card_path(target) {
        return None;
    }
    Some(shown(Path::new(target), root))
}

fn near(catalog: &Catalog, target: &str) -> Vec<String> {
    let mut names: Vec<String> = catalog.cards.iter().map(|card| card.name.value.clone()).collect();
    names.extend(catalog.broken.iter().filter_map(|card| card.name.clone()));
    if is_card_path(target) {
        names = catalog.cards.iter().map(|card| card.file.clone()).collect();
    } else if let Some((network, _)) = target.split_once('/')
        && let Some(card) = catalog.cards.iter().find(|card| card.name.value == network)
    {
        names = card.models.iter().map(|model| format!("{network}/{}", model.name.value)).collect();
    }
    nearest(target, names.iter().map(String::as_str)).into_iter().map(str::to_owned).collect()
}
