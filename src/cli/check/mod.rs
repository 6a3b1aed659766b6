//! `axzoo check`: everything that can be found with nothing but the cards.

mod memory;
mod whole;

use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use super::args::{CheckArgs, CheckFormat, ConfigFlags};
use super::failure::Failure;
use super::output::Output;
use super::settings::Flags;
use super::zoo::Network;
use super::zoo::Zoo;
use crate::cards::Card;
use crate::check::ModelToCheck;
use crate::check::check_card;
use crate::check::check_weights;
use crate::diag;
use crate::diag::Diagnostic;
use crate::diag::JsonDiagnostic;
use crate::diag::Severity;
use crate::diag::catalogue;

/// What was checked, and everything that is wrong with it.
#[derive(Default)]
struct Checked {
    networks: usize,
    models: usize,
    problems: Vec<Diagnostic>,
    /// The zoo's folder within a checkout of GitHub's, with a `/` at its end, or nothing.
    folder: String,
}

/// Checks what the targets name, or explains one code; errors make it fail.
pub(super) fn check(arguments: &CheckArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    if let Some(code) = &arguments.explain {
        let entry = catalogue::look_up(code).map_err(|unknown| {
            let problem = Diagnostic::error("usage/unknown-code", unknown.to_string());
            Failure::Usage(vec![problem.hint(unknown.hint)])
        })?;
        output.data(&catalogue::explain(entry));
        return Ok(());
    }
    match found(arguments, directory) {
        Ok(checked) => {
            report(&checked, arguments.format, output);
            let failed = checked.problems.iter().any(|problem| problem.severity == Severity::Error);
            if failed { Err(Failure::Reported) } else { Ok(()) }
        }
        // Who reads a format for programs reads it although the settings are wrong; people read why below it.
        Err(Failure::Usage(problems)) => {
            if arguments.format != CheckFormat::Human {
                let problems = problems.clone();
                report(&Checked { problems, ..Checked::default() }, arguments.format, output);
            }
            Err(Failure::Usage(problems))
        }
        Err(failure) => Err(failure),
    }
}

fn found(arguments: &CheckArgs, directory: Option<&Path>) -> Result<Checked, Failure> {
    let flags: Flags = arguments.cache.iter().map(|folder| ("cache", folder.clone())).collect();
    let mut zoo = Zoo::without_cards(&arguments.zoo, flags, directory)?;
    let everything = arguments.targets.iter().all(|target| target == "all") && arguments.config.is_empty();
    let whole = if everything { whole::check(&zoo)? } else { None };
    let mut checked = if let Some(checked) = whole {
        checked
    } else {
        zoo.read_cards(None);
        named(&zoo, arguments)?
    };
    checked.folder = zoo.folder_in_checkout();
    diag::sort(&mut checked.problems);
    Ok(checked)
}

/// Checks what the targets name, all cards of the zoo being known.
fn named(zoo: &Zoo, arguments: &CheckArgs) -> Result<Checked, Failure> {
    let networks = zoo.networks(&arguments.targets, &arguments.config)?;
    let mut problems = zoo.card_problems(&networks, &arguments.targets);
    for broken in zoo.broken(&arguments.targets) {
        let parts = zoo.catalog.parts.iter().filter(|card| card.file == broken.file);
        for card in parts {
            problems.extend(problems_of_parts(zoo, card, &zoo.catalog.problems)?);
        }
    }
    problems.par_extend(networks.par_iter().flat_map_iter(|network| problems_of(zoo, network)));
    let models = networks.iter().map(|network| network.models.len()).sum();
    Ok(Checked { networks: networks.len(), models, problems, folder: String::new() })
}

/// What is wrong with a network beyond what reading its card found: pipeline, files, configurations, budget, weights.
fn problems_of(zoo: &Zoo, network: &Network<'_>) -> Vec<Diagnostic> {
    let mut problems = zoo.graded(check_card(network.card, network.only));
    problems.extend(network.problems.iter().cloned());
    let asked = network.models.iter().filter(|one| network.only.is_none_or(|only| only == one.model.name.value));
    let weights: Vec<ModelToCheck<'_>> = asked
        .map(|one| ModelToCheck {
            card: network.card,
            model: one.model,
            run_graph_cleaner: one.config.effective().run_graph_cleaner,
        })
        .collect();
    problems.extend(zoo.graded(check_weights(&weights)));
    problems
}

/// What else is wrong with a card that has errors, as far as what is left of it can tell: its files, templates and
/// configurations. `known` is what reading it found.
fn problems_of_parts(zoo: &Zoo, card: &Card, known: &[Diagnostic]) -> Result<Vec<Diagnostic>, Failure> {
    let network = zoo.network_of(card, &ConfigFlags::default())?;
    let mut problems = problems_of(zoo, &network);
    problems
        .retain(|problem| INDEPENDENT.iter().any(|code| problem.code.starts_with(code)) && !known.contains(problem));
    Ok(problems)
}

/// Codes, or their beginnings, of what is wrong with a card whatever else is: the others may follow from a task, a model or a value
/// that was refused and is not there.
const INDEPENDENT: [&str; 8] = [
    "file/",
    "config/",
    "onnx/",
    "card/undefined-variable",
    "card/template",
    "card/operator",
    "card/expression",
    "card/substitution",
];

fn report(checked: &Checked, format: CheckFormat, output: Output) {
    if format == CheckFormat::Json {
        output.data(&json_of(checked));
        return;
    }
    let distinct = diag::distinct(&checked.problems);
    let summary = format!(
        "checked {} with {}: {}\n",
        diag::counted(checked.networks, "network"),
        diag::counted(checked.models, "model"),
        diag::tally(&distinct)
    );
    match format {
        CheckFormat::Human => {
            output.diagnostics(&distinct);
            output.data(&summary);
        }
        CheckFormat::Json => {}
        CheckFormat::Sarif => {
            output.data(&format!("{:#}\n", diag::to_sarif(&distinct, &checked.folder)));
            output.note(&summary);
        }
        CheckFormat::Github => {
            let lines: Vec<String> = distinct.iter().map(|problem| diag::to_github(problem, &checked.folder)).collect();
            output.data(&lines.concat());
            output.note(&summary);
        }
    }
}

/// What `--format json` prints.
#[derive(Serialize)]
struct JsonReport<'a> {
    diagnostics: Vec<JsonDiagnostic<'a>>,
    summary: JsonSummary,
}

#[derive(Serialize)]
struct JsonSummary {
    errors: usize,
    models: usize,
    networks: usize,
    notes: usize,
    warnings: usize,
}

fn json_of(checked: &Checked) -> String {
    let (errors, warnings, notes) = diag::count(&checked.problems);
    let report = JsonReport {
        diagnostics: checked.problems.iter().map(JsonDiagnostic::from).collect(),
        summary: JsonSummary { errors, models: checked.models, networks: checked.networks, notes, warnings },
    };
    let text = serde_json::to_string_pretty(&report).unwrap_or_default();
    format!("{text}\n")
}
