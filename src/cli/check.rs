//! `axzoo check`: everything that can be found with nothing but the cards.

use std::path::Path;

use serde_json::json;

use super::args::{CheckArgs, Format};
use super::failure::Failure;
use super::output::Output;
use super::settings::Flags;
use super::zoo::Zoo;
use crate::check::ModelToCheck;
use crate::check::check_card;
use crate::check::check_weights;
use crate::diag::Severity;
use crate::diag::count;
use crate::diag::counted;
use crate::diag::to_json;

/// Checks what the targets name; errors make it fail.
pub(super) fn check(arguments: &CheckArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let zoo = Zoo::load(&arguments.zoo, Flags::new(), directory)?;
    let networks = zoo.networks(&arguments.targets, &arguments.config)?;
    let mut problems = zoo.card_problems(&networks, &arguments.targets);
    for network in &networks {
        problems.extend(zoo.graded(check_card(network.card, network.only)));
        problems.extend(network.problems.iter().cloned());
    }
    let models = networks.iter().flat_map(|network| network.models.iter().map(move |model| (network, model)));
    let asked = models.filter(|(network, one)| network.only.is_none_or(|only| only == one.model.name.value));
    let weights: Vec<ModelToCheck<'_>> = asked
        .map(|(network, one)| ModelToCheck {
            card: network.card,
            model: one.model,
            run_graph_cleaner: one.config.effective().run_graph_cleaner,
        })
        .collect();
    problems.extend(zoo.graded(check_weights(&weights)));
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
                "checked {} with {}: {}, {}, {}\n",
                counted(networks.len(), "network"),
                counted(models, "model"),
                counted(errors, "error"),
                counted(warnings, "warning"),
                counted(notes, "note"),
            ));
        }
    }
    if problems.iter().any(|problem| problem.severity == Severity::Error) { Err(Failure::Reported) } else { Ok(()) }
}
