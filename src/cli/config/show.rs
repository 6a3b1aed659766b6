//! `axzoo config show`: each value with its layer, its place and what it hides.

use std::path::Path;

use super::super::args::{ConfigShowArgs, Format};
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::settings::Flags;
use super::super::zoo::Zoo;
use super::nothing_compiled;
use super::problems_of;
use crate::config;
use crate::diag::Severity;

/// Shows the configuration of every model that the target names.
pub(crate) fn show(arguments: &ConfigShowArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let targets = std::slice::from_ref(&arguments.target);
    let zoo = Zoo::load_named(&arguments.zoo, Flags::new(), directory, targets)?;
    let networks = zoo.networks(targets, &arguments.config)?;
    let mut failed = !zoo.broken(targets).is_empty();
    output.diagnostics(&zoo.card_problems(&networks, targets));
    let mut shown = Vec::new();
    for network in &networks {
        let problems = problems_of(network);
        output.diagnostics(&problems);
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            // Values that could not be read would be shown as defaults.
            failed = true;
            continue;
        }
        if let Some(note) = nothing_compiled(network) {
            output.note(&note);
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
