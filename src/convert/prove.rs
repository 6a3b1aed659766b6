//! The proof: every effective configuration, and every tree outside the edited entries, is as before.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::select::FILE;
use super::select::INLINE;
use crate::cards::Card;
use crate::config::Board;
use crate::config::Config;
use crate::config::Resolver;
use crate::diag::Diagnostic;
use crate::diag::Severity;
use crate::properties::Value;
use crate::yaml::Kind;
use crate::yaml::Node;

/// Compares every model of the cards, on every board: `pairs` are a card and what becomes of it, `overlay` the new files
/// by their real places.
///
/// # Errors
/// Each value that would change, with network, model, board and both values.
pub(super) fn same_configurations(
    pairs: &[(&Card, &Card)],
    resolver: &Resolver,
    overlay: &BTreeMap<PathBuf, String>,
) -> Result<(), Vec<Diagnostic>> {
    let overlay = Arc::new(overlay.clone());
    let mut problems = Vec::new();
    for board in Board::WORDS.iter().filter_map(|word| Board::from_word(word)) {
        let before = resolver.with_overlay(board, Arc::default());
        let after = resolver.with_overlay(board, Arc::clone(&overlay));
        for (old, new) in pairs {
            if old.models.len() != new.models.len() {
                problems.push(differs(old, "", board, "the number of models"));
            }
            for (model, again) in old.models.iter().zip(&new.models) {
                let left = before.resolve(&old.request(model, board));
                let right = after.resolve(&new.request(again, board));
                let name = model.name.value.as_str();
                for (key, left, right) in differences(&left.config, &right.config) {
                    problems.push(differs(old, name, board, &format!("`{key}`: {left} before, {right} after")));
                }
                let (left, right) = (errors(&left.diagnostics), errors(&right.diagnostics));
                if left != right {
                    let what = format!("its errors: {left:?} before, {right:?} after");
                    problems.push(differs(old, name, board, &what));
                }
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn differs(card: &Card, model: &str, board: Board, what: &str) -> Diagnostic {
    let message = format!("the conversion would change {what} (board {board}); nothing is written");
    let problem = Diagnostic::error("convert/not-equal", message).in_file(card.file.as_str());
    problem
        .hint("convert the other models one by one with NETWORK/MODEL, and report this")
        .network(card.name.value.as_str())
        .model(model)
}

fn errors(problems: &[Diagnostic]) -> Vec<&'static str> {
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    let mut codes: Vec<&'static str> = errors.map(|problem| problem.code).collect();
    codes.sort_unstable();
    codes
}

/// Effective values that differ. A kept key that is null says nothing.
fn differences(left: &Config, right: &Config) -> Vec<(String, String, String)> {
    let values = |config: &Config| {
        let kept = config.extra().iter().filter(|(_, traced)| traced.value != Value::Null);
        let kept = kept.map(|(name, traced)| (name.clone(), traced.value.canonical()));
        let own = config.properties().map(|(name, traced)| (name.to_owned(), traced.value.canonical()));
        own.chain(kept).collect::<BTreeMap<String, String>>()
    };
    let (left, right) = (values(left), values(right));
    let names: Vec<&String> = left.keys().chain(right.keys().filter(|name| !left.contains_key(*name))).collect();
    let text = |value: Option<&String>| value.cloned().unwrap_or_else(|| "nothing".to_owned());
    let pair = |name: &String| (name.clone(), text(left.get(name)), text(right.get(name)));
    names.into_iter().map(pair).filter(|(_, left, right)| left != right).collect()
}

/// Whether two trees are equal but for the edited entries of the mappings that `edited` knows, those of the old tree.
pub(super) fn same_trees(old: &Node, new: &Node, edited: &dyn Fn(&Node) -> bool) -> bool {
    match (&old.kind, &new.kind) {
        (Kind::Scalar(old), Kind::Scalar(new)) => old == new,
        (Kind::Sequence(left), Kind::Sequence(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(old, new)| same_trees(old, new, edited))
        }
        (Kind::Mapping(left), Kind::Mapping(right)) => {
            let skip = edited(old);
            let keep =
                |(key, _): &&(Node, Node)| !skip || !key.as_text().is_some_and(|key| [INLINE, FILE].contains(&key));
            let left: Vec<_> = left.iter().filter(keep).collect();
            let right: Vec<_> = right.iter().filter(keep).collect();
            let same = |((key, value), (other, new)): (&&(Node, Node), &&(Node, Node))| {
                same_trees(key, other, edited) && same_trees(value, new, edited)
            };
            left.len() == right.len() && left.iter().zip(&right).all(same)
        }
        _ => false,
    }
}
