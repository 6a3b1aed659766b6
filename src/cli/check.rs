//! `axzoo check`: everything that can be found with nothing but the cards.

use serde_json::json;

use super::args::{CheckArgs, Format};
use super::failure::Failure;
use super::output::Output;
use super::settings::Flags;
use super::zoo::Zoo;
use crate::check::check_card;
use crate::diag::Diagnostic;
use crate::diag::count;
use crate::diag::to_json;

/// Checks what the targets name; errors make it fail.
pub(super) fn check(arguments: &CheckArgs, output: Output) -> Result<(), Failure> {
    let zoo = Zoo::load(&arguments.zoo, Flags::new())?;
    let networks = zoo.networks(&arguments.targets, &arguments.config)?;
    let everything = arguments.targets.is_empty() || arguments.targets.iter().any(|target| target == "all");
    let selected = |problem: &&Diagnostic| {
        let file = problem.file_name();
        everything || networks.iter().any(|network| Some(network.card.source.name()) == file)
    };
    let mut problems: Vec<Diagnostic> = zoo.catalog.problems.iter().filter(selected).cloned().collect();
    for network in &networks {
        problems.extend(check_card(network.card, network.only));
        problems.extend(network.problems.iter().cloned());
    }
    problems.sort_by_key(|problem| {
        let offset = problem.place.as_ref().map_or(0, |place| place.span.start);
        (problem.file_name().map(ToOwned::to_owned), offset)
    });
    let models: usize = networks.iter().map(|network| network.models.len()).sum();
    let (errors, warnings, notes) = count(&problems);
    match arguments.format {
        Format::Json => {
            let all: Vec<_> = problems.iter().map(to_json).collect();
            let summary = json!({
                "errors": errors, "warnings": warnings, "notes": notes,
                "networks": networks.len(), "models": models,
            });
            output.data(&format!("{:#}\n", json!({ "diagnostics": all, "summary": summary })));
        }
        Format::Human => {
            output.diagnostics(&problems);
            output.data(&format!(
                "checked {} networks with {models} models: {errors} errors, {warnings} warnings, {notes} notes\n",
                networks.len()
            ));
        }
    }
    if problems.iter().any(|problem| zoo.is_error(problem)) { Err(Failure::Reported) } else { Ok(()) }
}
