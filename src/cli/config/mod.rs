//! `axzoo config`: the compiler configurations of models, shown, compared, listed, and described for editors.

mod diff;
mod list;
mod schema;
mod show;

pub(super) use diff::diff;
pub(super) use list::list;
pub(super) use schema::schema;
pub(super) use show::show;

use super::zoo::Network;
use crate::diag::Diagnostic;

/// What the configurations of the models asked for have to say. What the budget says is for `cascade` and `check`.
fn problems_of(network: &Network<'_>) -> Vec<Diagnostic> {
    let concerns = |problem: &&Diagnostic| {
        let model_asked_for = match (network.only, problem.model.as_deref()) {
            (Some(only), Some(model)) => only == model,
            _ => true,
        };
        problem.code.starts_with("config/") && model_asked_for
    };
    network.problems.iter().filter(concerns).cloned().collect()
}

/// That a network has nothing to show or to compare, where that is so: models on the host are not compiled.
fn nothing_compiled(network: &Network<'_>) -> Option<String> {
    let name = network.only.map_or_else(|| network.name().to_owned(), |model| format!("{}/{model}", network.name()));
    let none = network.wanted().next().is_none();
    none.then(|| format!("note: `{name}` is code on the host (`CLASSICAL_CV`): there is nothing to compile\n"))
}
