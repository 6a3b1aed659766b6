//! Names of the new files: readable, the same on every run, and no two alike.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::cards::Catalog;
use crate::config::Board;

/// Whose settings a file holds: network, model, and the board when they are a board's.
pub(super) type Owner = (String, String, Option<Board>);

/// A name without its extension for every model, and every board of it, of a catalog.
///
/// `<network>` where the model is named like its network, else `<network>-<model>`; `-<board>` behind it. Where that is not
/// unique in the catalog, `<network>--<model>`, and a number behind what still is not.
pub(super) fn names(catalog: &Catalog) -> BTreeMap<Owner, String> {
    let boards = || Board::WORDS.iter().filter_map(|word| Board::from_word(word)).map(Some);
    let owners: Vec<Owner> = catalog
        .cards
        .iter()
        .flat_map(|card| card.models.iter().map(|model| (card.name.value.clone(), model.name.value.clone())))
        .flat_map(|(network, model)| {
            std::iter::once(None).chain(boards()).map(move |board| (network.clone(), model.clone(), board))
        })
        .collect();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for owner in &owners {
        *count.entry(short(owner)).or_default() += 1;
    }
    let mut used = BTreeSet::new();
    let mut names = BTreeMap::new();
    for owner in owners {
        let short = short(&owner);
        let name = if count.get(&short) == Some(&1) { short } else { long(&owner) };
        let name = numbered(&name, |name| !used.contains(name) && (count.get(name).is_none_or(|count| *count == 1)));
        used.insert(name.clone());
        names.insert(owner, name);
    }
    names
}

/// `name`, else `name-2`, `name-3` and so on: the first that is free.
pub(super) fn numbered(name: &str, free: impl Fn(&str) -> bool) -> String {
    let mut candidate = name.to_owned();
    let mut number = 2_u64;
    while !free(&candidate) {
        candidate = format!("{name}-{number}");
        number += 1;
    }
    candidate
}

fn board(owner: &Owner) -> String {
    owner.2.map(|board| format!("-{board}")).unwrap_or_default()
}

fn short(owner: &Owner) -> String {
    let (network, model, _) = owner;
    let name =
        if network == model { file_name(network) } else { format!("{}-{}", file_name(network), file_name(model)) };
    format!("{name}{}", board(owner))
}

fn long(owner: &Owner) -> String {
    format!("{}--{}{}", file_name(&owner.0), file_name(&owner.1), board(owner))
}

/// A name of a card as part of a file's name: a model's may hold anything.
fn file_name(name: &str) -> String {
    let bad = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':' | '\u{2028}' | '\u{2029}');
    let name: String = name.chars().map(|c| if bad(c) { '-' } else { c }).take(80).collect();
    let name = name.trim_start_matches(['.', '-']);
    if name.is_empty() { "model".to_owned() } else { name.to_owned() }
}
