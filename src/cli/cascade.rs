//! `axzoo cascade`: how networks share the device, with the arithmetic.

use std::path::Path;

use super::args::{CascadeArgs, Format};
use super::failure::Failure;
use super::output::Output;
use super::settings::Flags;
use super::zoo::{Network, Zoo};
use crate::cascade;
use crate::cascade::Budget;
use crate::diag::Severity;

/// Shows the budget of each network; of several named ones also together.
pub(super) fn cascade(arguments: &CascadeArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let zoo = Zoo::load(&arguments.zoo, Flags::new(), directory)?;
    let networks = zoo.networks(&arguments.targets, &arguments.config)?;
    // Sums over a configuration that could not be read say nothing.
    let readable = |network: &&Network<'_>| {
        !network
            .problems
            .iter()
            .any(|problem| problem.severity == Severity::Error && problem.code.starts_with("config/"))
    };
    let mut budgets: Vec<Budget> = networks.iter().filter(readable).map(|network| network.budget.clone()).collect();
    let mut problems = zoo.card_problems(&networks, &arguments.targets);
    problems.extend(networks.iter().flat_map(|network| network.problems.clone()));
    if arguments.targets.len() > 1 && networks.len() > 1 {
        let (together, more) = Budget::combine(&budgets, zoo.device);
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
    let failed =
        budgets.iter().any(|budget| !budget.ok) || problems.iter().any(|problem| problem.severity == Severity::Error);
    if failed { Err(Failure::Reported) } else { Ok(()) }
}
