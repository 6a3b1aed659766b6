//! `axzoo cascade`: how networks share the device, with the arithmetic, and how they could share it better.

use std::path::Path;

use serde_json::Value as Json;

use super::args::{CascadeArgs, Format};
use super::failure::Failure;
use super::output::Output;
use super::settings::Flags;
use super::split;
use super::zoo::{Network, Zoo};
use crate::cascade;
use crate::cascade::Budget;
use crate::cascade::Suggestion;
use crate::diag::Diagnostic;
use crate::diag::Severity;

/// Shows the budget of each network, of several named ones also together; with `--suggest` the best split of each, with
/// `--apply` writes it into the card.
pub(super) fn cascade(arguments: &CascadeArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let zoo = Zoo::load(&arguments.zoo, Flags::new(), directory)?;
    let networks = zoo.networks(&arguments.targets, &arguments.config)?;
    let suggests = arguments.suggest || arguments.apply;
    if suggests && arguments.targets.len() > 1 {
        let (flag, hint) = if arguments.apply {
            ("--apply", "name one network")
        } else {
            ("--suggest", "name one network, a glob or `all`; each is then split by itself")
        };
        let message =
            format!("`{flag}` splits the device over the models of one network; several run at rates of their own");
        return Err(Failure::Usage(vec![Diagnostic::error("usage/arguments", message).hint(hint)]));
    }
    if arguments.apply {
        return split::apply(&zoo, &networks, arguments, output);
    }
    // Sums over a configuration that could not be read say nothing.
    let readable: Vec<&Network<'_>> = networks.iter().filter(|network| is_readable(network)).collect();
    let mut budgets: Vec<Budget> = readable.iter().map(|network| network.budget.clone()).collect();
    let mut problems = zoo.card_problems(&networks, &arguments.targets);
    let together = arguments.targets.len() > 1 && networks.len() > 1;
    // What one of several leaves idle is there for the others.
    let concerns = |problem: &&Diagnostic| !together || problem.code != "cascade/idle";
    problems.extend(networks.iter().flat_map(|network| network.problems.iter().filter(concerns).cloned()));
    if together {
        let (together, more) = Budget::combine(&budgets, zoo.device);
        budgets.push(together);
        problems.extend(more);
    }
    let suggestions: Vec<Suggestion> =
        if suggests { readable.iter().map(|network| split::suggestion(&zoo, network)).collect() } else { Vec::new() };
    output.diagnostics(&problems);
    match arguments.format {
        Format::Human => {
            let tables = budgets.iter().enumerate().map(|(place, budget)| {
                let suggestion = suggestions.get(place).map(cascade::render_suggestion).unwrap_or_default();
                format!("{}{suggestion}", cascade::render(budget))
            });
            output.data(&tables.collect::<Vec<_>>().join("\n"));
        }
        Format::Json => {
            let mut json = cascade::to_json(&budgets);
            for (place, suggestion) in suggestions.iter().enumerate() {
                add(&mut json, place, "suggestion", cascade::suggestion_to_json(suggestion));
            }
            output.data(&format!("{json:#}\n"));
        }
    }
    let failed =
        budgets.iter().any(|budget| !budget.ok) || problems.iter().any(|problem| problem.severity == Severity::Error);
    if failed { Err(Failure::Reported) } else { Ok(()) }
}

/// Whether the configurations of a network's models could be read.
pub(super) fn is_readable(network: &Network<'_>) -> bool {
    let is_config_error =
        |problem: &Diagnostic| problem.severity == Severity::Error && problem.code.starts_with("config/");
    !network.problems.iter().any(is_config_error)
}

/// Adds a field to one network of the JSON.
pub(super) fn add(json: &mut Json, place: usize, key: &str, value: Json) {
    let network = json.get_mut("networks").and_then(|networks| networks.get_mut(place));
    if let Some(fields) = network.and_then(Json::as_object_mut) {
        fields.insert(key.to_owned(), value);
    }
}
