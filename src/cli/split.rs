//! `axzoo cascade --suggest` and `--apply`: the best split of a network, and that split written into its card.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;
use serde_json::json;

use super::args::{CascadeArgs, Format};
use super::cascade::{add, is_readable};
use super::failure::Failure;
use super::output::Output;
use super::zoo::{Network, ResolvedModel, Zoo};
use crate::base::fs;
use crate::cards::Card;
use crate::cascade;
use crate::cascade::Board;
use crate::cascade::Change;
use crate::cascade::ModelSettings;
use crate::cascade::Scope;
use crate::cascade::Split;
use crate::cascade::Suggestion;
use crate::config::Config;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Severity;

/// The properties that a split decides; `multicore_mode` follows from `aipu_cores` (SPEC 4).
const DECIDED: [&str; 3] = ["aipu_cores_used", "resources_used", "multicore_mode"];

/// The suggestion for one network. Reads the weights of its models.
pub(super) fn suggestion(zoo: &Zoo, network: &Network<'_>) -> Suggestion {
    let most = zoo.resolver.max_compiler_cores;
    cascade::suggest(network.card, &network.budget, &settings(network), most, zoo.device)
}

fn settings<'a>(network: &'a Network<'_>) -> BTreeMap<&'a str, ModelSettings<'a>> {
    let of_model = |resolved: &'a ResolvedModel<'_>| {
        let settings = ModelSettings { cores: resolved.cores.clone(), config: &resolved.config };
        (resolved.model.name.value.as_str(), settings)
    };
    network.models.iter().map(of_model).collect()
}

/// Writes the best split into the card of the one network named, unless it is there already.
pub(super) fn apply(
    zoo: &Zoo,
    networks: &[Network<'_>],
    arguments: &CascadeArgs,
    output: Output,
) -> Result<(), Failure> {
    let usage = |message: String, hint: &str| {
        Err(Failure::Usage(vec![Diagnostic::error("usage/arguments", message).hint(hint.to_owned())]))
    };
    let [network] = networks else {
        let message = format!("`--apply` edits one card; {} networks are meant here", networks.len());
        return usage(message, "name the network");
    };
    if let Some(model) = network.only {
        let message = format!("`--apply` splits the device over a whole network; `{model}` is one model of it");
        return usage(message, &format!("name `{}`", network.name()));
    }
    if !arguments.config.set.is_empty() || arguments.config.aipu_cores.is_some() {
        let message = "`--set` and `--aipu-cores` hold for one run; a card is not edited for an experiment".to_owned();
        return usage(message, "try them with `--suggest`; leave them out with `--apply`");
    }
    let mut problems = zoo.card_problems(networks, &arguments.targets);
    // What the present split does wrong goes with it, or is said of the new one.
    let others = network.problems.iter().filter(|problem| !problem.code.starts_with("cascade/"));
    problems.extend(others.cloned());
    if !is_readable(network) || problems.iter().any(|problem| problem.severity == Severity::Error) {
        output.diagnostics(&problems);
        return Err(Failure::Reported);
    }
    let suggestion = suggestion(zoo, network);
    let Some(best) = suggestion.best().filter(|_| !suggestion.is_present()) else {
        problems.extend(network.problems.iter().cloned());
        output.diagnostics(&problems);
        show(&suggestion, network, None, arguments.format, output);
        return if network.budget.ok { Ok(()) } else { Err(Failure::Reported) };
    };
    problems.extend(zoo.graded(guess(network, &suggestion).into_iter().collect()));
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        output.diagnostics(&problems);
        return Err(Failure::Reported);
    }
    let (card, changes) = match edited(zoo, network, &suggestion, best) {
        Ok(edited) => edited,
        Err(refusal) => {
            output.diagnostics(&refusal.problems);
            return Err(Failure::Failed(refusal.summary));
        }
    };
    write(zoo, network.card, &card)?;
    let now = zoo.resolve_network(&card, None, &[], None);
    problems.extend(now.problems.iter().filter(|problem| problem.code.starts_with("cascade/")).cloned());
    output.diagnostics(&problems);
    show(&suggestion, &now, Some(&changes), arguments.format, output);
    Ok(())
}

/// Warns that a split is written although nobody knows what its models cost.
fn guess(network: &Network<'_>, suggestion: &Suggestion) -> Option<Diagnostic> {
    let model = network.card.model(suggestion.costs.uncounted.as_ref()?)?;
    let reason = suggestion.costs.reason.as_ref()?;
    let weights = model.weights.as_ref().map(|weights| weights.place.clone());
    let place = weights.unwrap_or_else(|| Place::new(&network.card.source, model.name.span));
    let message = format!("the split is a guess: every model counts the same, since {reason}");
    let name = network.name();
    let hint =
        format!("once the ONNX files of all models are in place, `axzoo cascade {name} --apply` weighs the models");
    let problem = Diagnostic::warning("cascade/guess", message).at_place(Some(&place)).hint(hint);
    Some(problem.network(name).model(model.name.value.as_str()))
}

/// Why a split is not written.
struct Refusal {
    /// What is wrong with the edited card.
    problems: Vec<Diagnostic>,
    /// What is not done, and what a person could do.
    summary: Diagnostic,
}

/// The card with a split in it, and what changed: written for every board where none that the card fits suffers from that,
/// else into the blocks of the board that is built for.
fn edited(
    zoo: &Zoo,
    network: &Network<'_>,
    suggestion: &Suggestion,
    split: &Split,
) -> Result<(Card, Vec<Change>), Box<Refusal>> {
    let most = zoo.resolver.max_compiler_cores;
    let edit = |scope: Scope| {
        let changes = cascade::changes(network.card, suggestion, split, &settings(network), most, zoo.device, scope);
        let card = cascade::apply(network.card, &changes)
            .map_err(|problem| vec![*problem])
            .and_then(|text| proven(zoo, network, &text, suggestion, split));
        match card {
            Ok(card) => Ok((card, changes)),
            Err(problems) => Err(Box::new(Refusal { problems, summary: by_hand(network, &changes) })),
        }
    };
    let (card, changes) = edit(Scope::Card)?;
    let Some((board, arithmetic)) = broken_board(zoo, network.card, &card) else { return Ok((card, changes)) };
    if let Ok((card, changes)) = edit(Scope::Board)
        && broken_board(zoo, network.card, &card).is_none()
    {
        return Ok((card, changes));
    }
    // Why blocks are needed says more than why they cannot be written.
    let summary = other_board(zoo, network, &changes, board, &arithmetic);
    Err(Box::new(Refusal { problems: Vec::new(), summary }))
}

/// A board other than the one built for that a card fits and its edited form does not, with the sums of that.
fn broken_board(zoo: &Zoo, before: &Card, after: &Card) -> Option<(Board, String)> {
    let others = Board::WORDS.iter().filter_map(|word| Board::from_word(word));
    others.filter(|board| *board != zoo.device.board).find_map(|board| {
        let resolver = zoo.resolver.with_overlay(board, Arc::clone(&zoo.resolver.overlay));
        let counted = |card: &Card| {
            let network = Zoo::resolve_on(&resolver, card, &[], None);
            (is_readable(&network) && network.budget.ok, network.budget.arithmetic())
        };
        let ((fitted, _), (fits, arithmetic)) = (counted(before), counted(after));
        (fitted && !fits).then_some((board, arithmetic))
    })
}

/// Refuses a split that another board would pay for.
fn other_board(zoo: &Zoo, network: &Network<'_>, changes: &[Change], board: Board, arithmetic: &str) -> Diagnostic {
    let chosen = zoo.device.board;
    let message = format!(
        "`{}` is not written: with the split for `{chosen}` it would no longer fit `{board}`: {arithmetic}",
        network.card.source.name()
    );
    let settings: Vec<String> = changes.iter().map(|change| format!("\n{change}")).collect();
    let hint =
        format!("say what is meant for `{chosen}` only in blocks `{chosen}:` of `extra_kwargs`:{}", settings.concat());
    Diagnostic::error("cascade/not-applied", message).hint(hint).network(network.name())
}

/// The card with the new text, when it says what the split says and nothing else; otherwise what is wrong with it.
fn proven(
    zoo: &Zoo,
    before: &Network<'_>,
    text: &str,
    suggestion: &Suggestion,
    split: &Split,
) -> Result<Card, Vec<Diagnostic>> {
    let errors = |problems: Vec<Diagnostic>| -> Vec<Diagnostic> {
        problems.into_iter().filter(|problem| problem.severity == Severity::Error).collect()
    };
    let (card, problems) = before.card.with_text(text, &zoo.resolved.settings.zoo.allow_keys);
    let Some(card) = card else { return Err(errors(problems)) };
    let after = zoo.resolve_network(&card, None, &[], None);
    let problems: Vec<Diagnostic> = errors(after.problems.clone());
    let placed = suggestion.candidates.iter().zip(&split.placements).all(|(candidate, placement)| {
        let model = after.budget.models.iter().find(|model| model.name == candidate.name);
        model.is_some_and(|model| {
            (model.cores, model.instances, model.resources)
                == (placement.cores, placement.instances, placement.resources)
        })
    });
    let others = |config: &Config| {
        let mut values = config.canonical();
        values.retain(|name, _| !DECIDED.contains(&name.as_str()));
        values
    };
    let same = before.models.len() == after.models.len()
        && before
            .models
            .iter()
            .zip(&after.models)
            .all(|(before, after)| others(&before.config) == others(&after.config));
    drop(after);
    if problems.is_empty() && placed && same { Ok(card) } else { Err(problems) }
}

/// Refuses, and names what a person could write instead.
fn by_hand(network: &Network<'_>, changes: &[Change]) -> Diagnostic {
    let message = format!(
        "`{}` is not written: it cannot be edited so that it says the split and nothing else",
        network.card.source.name()
    );
    let settings: Vec<String> = changes.iter().map(|change| format!("\n{change}")).collect();
    let hint = format!("write it by hand, after writing out settings that models share:{}", settings.concat());
    Diagnostic::error("cascade/not-applied", message).hint(hint).network(network.name())
}

fn write(zoo: &Zoo, old: &Card, new: &Card) -> Result<(), Failure> {
    let path = zoo.root().join(&old.file);
    let failed = |message: String, hint: Option<&str>| {
        Failure::Failed(Diagnostic::error("cascade/not-applied", message).maybe_hint(hint))
    };
    let present = fs::read(&path).map_err(|error| failed(error.to_string(), error.hint()))?;
    if present != old.source.text().as_bytes() {
        let message = format!("`{}` has changed since it was read; it is not written", old.file);
        return Err(failed(message, Some("run the same command again")));
    }
    fs::write_durable(&path, new.source.text().as_bytes()).map_err(|error| failed(error.to_string(), error.hint()))
}

/// Shows the suggestion, what was written, and the budget that holds now.
fn show(suggestion: &Suggestion, now: &Network<'_>, written: Option<&[Change]>, format: Format, output: Output) {
    match format {
        Format::Human => {
            let mut text = cascade::render_suggestion(suggestion);
            if let Some(changes) = written {
                let settings: Vec<String> = changes.iter().map(|change| format!("  {change}\n")).collect();
                text = format!("{text}\nwritten to {}:\n{}", now.card.source.name(), settings.concat());
            }
            output.data(&format!("{text}\n{}", cascade::render(&now.budget)));
        }
        Format::Json => {
            let mut json = cascade::to_json(std::slice::from_ref(&now.budget));
            add(&mut json, 0, "suggestion", cascade::suggestion_to_json(suggestion));
            let change = |change: &Change| {
                let number = |text: &str| serde_json::from_str::<Json>(text).unwrap_or(Json::Null);
                json!({
                    "model": change.model,
                    "path": change.path,
                    "key": change.key,
                    "value": number(&change.value),
                    "was": change.was.as_deref().map(number),
                })
            };
            let applied = written.map(|changes| changes.iter().map(change).collect::<Vec<_>>());
            add(&mut json, 0, "applied", json!(applied));
            output.data(&format!("{json:#}\n"));
        }
    }
}
