//! `axzoo config show`: each value with its layer, its place and what it hides.

use std::path::Path;

use super::args::{ConfigShowArgs, Format};
use super::failure::Failure;
use super::output::Output;
use super::settings::Flags;
use super::zoo::Zoo;
use crate::config;
use crate::diag::Diagnostic;
use crate::diag::Severity;

/// Shows the configuration of every model that the target names.
pub(super) fn show(arguments: &ConfigShowArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let zoo = Zoo::load(&arguments.zoo, Flags::new(), directory)?;
    let networks = zoo.networks(std::slice::from_ref(&arguments.target), &arguments.config)?;
    let targets = std::slice::from_ref(&arguments.target);
    let mut failed = !zoo.broken(targets).is_empty();
    output.diagnostics(&zoo.card_problems(&networks, targets));
    let mut shown = Vec::new();
    for network in &networks {
        // What the budget says is for `cascade` and `check`.
        let problems: Vec<Diagnostic> =
            network.problems.iter().filter(|problem| problem.code.starts_with("config/")).cloned().collect();
        output.diagnostics(&problems);
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            // Values that could not be read would be shown as defaults.
            failed = true;
            continue;
        }
        shown.extend(network.wanted().map(|resolved| match arguments.format {
            Format::Human => {
                config::render(network.name(), &resolved.model.name.value, &resolved.config, arguments.all)
            }
            Format::Json => {
                format!("{}\n", config::to_json(network.name(), &resolved.model.name.value, &resolved.config))
            }
        }));
    }
    let separator = if arguments.format == Format::Human { "\n" } else { "" };
    output.data(&shown.join(separator));
    if failed { Err(Failure::Reported) } else { Ok(()) }
}
