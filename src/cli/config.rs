//! `axzoo config show`: each value with its layer, its place and what it hides.

use super::args::{ConfigShowArgs, Format};
use super::failure::Failure;
use super::output::Output;
use super::settings::Flags;
use super::zoo::Zoo;
use crate::config;
use crate::diag::Diagnostic;

/// Shows the configuration of every model that the target names.
pub(super) fn show(arguments: &ConfigShowArgs, output: Output) -> Result<(), Failure> {
    let zoo = Zoo::load(&arguments.zoo, Flags::new())?;
    let networks = zoo.networks(std::slice::from_ref(&arguments.target), &arguments.config)?;
    let mut failed = networks.is_empty();
    if networks.is_empty() {
        // The target names a card that cannot be read: say why.
        output.diagnostics(&zoo.catalog.problems);
    }
    let mut shown = Vec::new();
    for network in &networks {
        // What the budget says is for `cascade` and `check`.
        let problems: Vec<Diagnostic> =
            network.problems.iter().filter(|problem| problem.code.starts_with("config/")).cloned().collect();
        failed |= problems.iter().any(|problem| zoo.is_error(problem));
        output.diagnostics(&problems);
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
