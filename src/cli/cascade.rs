//! `axzoo cascade`: how networks share the device, with the arithmetic.

use super::args::{CascadeArgs, Format};
use super::failure::Failure;
use super::output::Output;
use super::settings::Flags;
use super::zoo::Zoo;
use crate::cascade;
use crate::cascade::Budget;
use crate::diag::Diagnostic;

/// Shows the budget of each network; of several named ones also together.
pub(super) fn cascade(arguments: &CascadeArgs, output: Output) -> Result<(), Failure> {
    let zoo = Zoo::load(&arguments.zoo, Flags::new())?;
    let networks = zoo.networks(&arguments.targets, &arguments.config)?;
    let mut budgets: Vec<Budget> = networks.iter().map(|network| network.budget.clone()).collect();
    let mut problems: Vec<Diagnostic> = networks.iter().flat_map(|network| network.problems.clone()).collect();
    if arguments.targets.len() > 1 && networks.len() > 1 {
        let (together, more) = Budget::combine(&budgets);
        budgets.push(together);
        problems.extend(more);
    }
    output.diagnostics(&problems);
    match arguments.format {
        Format::Human => {
            let tables: Vec<String> = budgets.iter().map(cascade::render).collect();
            output.data(&tables.join("\n"));
        }
        Format::Json => output.data(&format!("{:#}\n", cascade::to_json(&budgets))),
    }
    let failed = budgets.iter().any(|budget| !budget.ok) || problems.iter().any(|problem| zoo.is_error(problem));
    if failed || (networks.is_empty() && !zoo.catalog.broken.is_empty()) { Err(Failure::Reported) } else { Ok(()) }
}
