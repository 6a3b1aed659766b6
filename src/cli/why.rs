//! `axzoo why`: what would run, and every reason.

use std::path::Path;

use serde_json::{Value, json};

use super::args::{Format, WhyArgs};
use super::build::broken_cards;
use super::failure::Failure;
use super::output::Output;
use super::settings::Flags;
use super::zoo::Zoo;
use crate::diag::Diagnostic;
use crate::diag::Severity;
use crate::diag::printable;
use crate::exec::Explanation;
use crate::exec::Outcome;
use crate::plan::Graph;
use crate::plan::StepWork;
use crate::plan::readable;
use crate::report::Refusal;
use crate::store::Difference;

/// Differences that text shows of one step; JSON has all.
const SHOWN: usize = 20;

/// Explains what the targets name.
pub(super) fn why(arguments: &WhyArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let mut flags = Flags::new();
    arguments.store.add_to(&mut flags);
    let zoo = Zoo::load(&arguments.zoo, flags, directory)?;
    let networks = zoo.networks(&arguments.targets, &arguments.config)?;
    let planned = zoo.plan(&networks, &arguments.store, false);
    output.diagnostics(&zoo.card_problems(&networks, &arguments.targets));
    output.diagnostics(&planned.problems);
    for network in &networks {
        let errors: Vec<Diagnostic> =
            network.problems.iter().filter(|problem| problem.severity == Severity::Error).cloned().collect();
        output.diagnostics(&errors);
    }
    let mut refusals = broken_cards(&zoo, &arguments.targets);
    refusals.extend(planned.refusals);
    let graph = &planned.plan.graph;
    let explanations = zoo.explain(graph)?;
    let shown = |path: &Path| zoo.shown(path);
    match arguments.format {
        Format::Human => output.data(&(text(graph, &explanations, &shown) + &refused(&refusals))),
        Format::Json => output.data(&(lines(graph, &explanations, &shown) + &refused_lines(&refusals))),
    }
    if refusals.is_empty() { Ok(()) } else { Err(Failure::Reported) }
}

/// What no step can be made of, and why.
fn refused(refusals: &[Refusal]) -> String {
    let subject = |refusal: &Refusal| match &refusal.model {
        Some(model) => format!("{}/{model}", refusal.network),
        None => refusal.network.clone(),
    };
    let line = |refusal: &Refusal| {
        let verdict = if refusal.unsupported { "will be skipped" } else { "cannot be built" };
        let step = refusal.step;
        let message = printable(&refusal.message);
        format!("{}\n  {step}: {verdict}: {message}\n", printable(&subject(refusal)))
    };
    refusals.iter().map(line).collect()
}

fn refused_lines(refusals: &[Refusal]) -> String {
    let line = |refusal: &Refusal| {
        let fields = json!({
            "network": refusal.network, "model": refusal.model, "steps": [], "verdict": refusal.word(),
            "message": refusal.message,
        });
        format!("{fields}\n")
    };
    refusals.iter().map(line).collect()
}

fn verdict(explanation: &Explanation) -> &'static str {
    match explanation.verdict {
        Outcome::UpToDate => "up to date",
        Outcome::Restored => "will be restored from the store",
        Outcome::MayRun => "may run, depending on what comes before",
        _ if !explanation.is_known => "will run: never built here",
        _ => "will run",
    }
}

fn text(graph: &Graph<StepWork>, explanations: &[Explanation], shown: &dyn Fn(&Path) -> String) -> String {
    let mut lines = Vec::new();
    let mut subject = String::new();
    for explanation in explanations {
        let step = graph.step(explanation.step);
        if subject != step.subject() {
            subject = step.subject();
            lines.push(subject.clone());
        }
        lines.push(format!("  {}: {}", step.kind, verdict(explanation)));
        // The package's TOML file holds the properties that are told one by one.
        let told = real(&explanation.differences);
        let is_told = told.iter().any(|difference| difference.what.starts_with("compile_config."));
        let told = told.into_iter().filter(|difference| difference.what != "compiler_config" || !is_told);
        let differences = folded(told, shown);
        lines.extend(differences.iter().take(SHOWN).map(|difference| format!("    {difference}")));
        if let Some(more) = differences.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            lines.push(format!("    and {more} more; `--format json` has all"));
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

/// The differences without those that only say that a list has no entries, where its entries are told.
fn real(differences: &[Difference]) -> Vec<&Difference> {
    let is_nothing = |text: Option<&str>| matches!(text, None | Some("[]" | "{}"));
    let is_emptiness = |difference: &Difference| {
        let is_of_it = |other: &Difference| {
            other.what.strip_prefix(&difference.what).is_some_and(|rest| rest.starts_with(['[', '.']))
        };
        is_nothing(difference.old.as_deref())
            && is_nothing(difference.new.as_deref())
            && differences.iter().any(is_of_it)
    };
    differences.iter().filter(|difference| !is_emptiness(difference)).collect()
}

/// The differences as lines. The classes of images, of which there are as many as images, are one line.
fn folded<'a>(differences: impl Iterator<Item = &'a Difference>, shown: &dyn Fn(&Path) -> String) -> Vec<String> {
    let image = |difference: &Difference| {
        difference.what.strip_prefix("labels[").and_then(|rest| rest.strip_suffix(']')?.parse::<usize>().ok())
    };
    let differences: Vec<&Difference> = differences.collect();
    let labels: Vec<(usize, &Difference)> =
        differences.iter().filter_map(|difference| Some((image(difference)?, *difference))).collect();
    let first = labels.iter().min_by_key(|(image, _)| *image).filter(|_| labels.len() > 1);
    let mut lines = Vec::new();
    for difference in differences {
        match first {
            Some((_, first)) if image(difference).is_some() => {
                if labels.first().is_some_and(|(_, it)| std::ptr::eq(*it, difference)) {
                    lines.push(format!("labels: {} differ, the first is {}", labels.len(), line(first, shown)));
                }
            }
            _ => lines.push(line(difference, shown)),
        }
    }
    lines
}

/// The file that a difference was read from, and the line where there is one.
fn place(difference: &Difference, shown: &dyn Fn(&Path) -> String) -> Option<(String, Option<usize>)> {
    let said = difference.origin.as_ref().map(|(file, line)| (file.clone(), Some(*line)));
    said.or_else(|| difference.source.as_ref().map(|path| (shown(path), None)))
}

fn line(difference: &Difference, shown: &dyn Fn(&Path) -> String) -> String {
    // A text of several lines, such as a whole TOML file, is one line here.
    let flat = |text: &str| readable(text).trim().replace('\n', "; ");
    let side = |text: &Option<String>| text.as_deref().map_or_else(|| "(nothing)".to_owned(), flat);
    let (old, new) = (side(&difference.old), side(&difference.new));
    let place = match place(difference, shown) {
        Some((file, Some(line))) => format!(", {file}:{line}"),
        Some((file, None)) => format!(", {file}"),
        None => String::new(),
    };
    printable(&format!("{}: {old} → {new}{place}", difference.what))
}

fn lines(graph: &Graph<StepWork>, explanations: &[Explanation], shown: &dyn Fn(&Path) -> String) -> String {
    let mut subjects: Vec<(String, Option<String>, Vec<Value>)> = Vec::new();
    for explanation in explanations {
        let step = graph.step(explanation.step);
        let differences: Vec<Value> = real(&explanation.differences)
            .into_iter()
            .map(|difference| {
                let place = place(difference, shown);
                json!({
                    "what": difference.what,
                    "old": difference.old.as_deref().map(readable),
                    "new": difference.new.as_deref().map(readable),
                    "file": place.as_ref().map(|(file, _)| file),
                    "line": place.as_ref().and_then(|(_, line)| *line),
                })
            })
            .collect();
        let value =
            json!({ "step": step.kind.word(), "verdict": explanation.verdict.word(), "differences": differences });
        match subjects.last_mut() {
            Some((network, model, steps)) if *network == step.network && *model == step.model => steps.push(value),
            _ => subjects.push((step.network.clone(), step.model.clone(), vec![value])),
        }
    }
    let line = |(network, model, steps): (String, Option<String>, Vec<Value>)| {
        format!("{}\n", json!({ "network": network, "model": model, "steps": steps }))
    };
    subjects.into_iter().map(line).collect()
}
