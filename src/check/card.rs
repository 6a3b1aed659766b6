//! One card: its pipeline with templates, the variables in its paths, and then its files.

use std::collections::BTreeMap;

use super::files;
use crate::cards::Card;
use crate::cards::Model;
use crate::cards::ModelKind;
use crate::cards::expand;
use crate::cards::is_path_key;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Severity;
use crate::diag::Span;
use crate::yaml::Kind;
use crate::yaml::Node;

/// Everything that is wrong with a card beyond what reading it found, in the order of the text. With `model`, only what
/// concerns the network as a whole or that model.
///
/// Severities are those of SPEC 10: what is absent is a note where a URL is given and a warning otherwise; a file with
/// the wrong checksum, and a template that is absent, are errors.
#[must_use]
pub fn check_card(card: &Card, model: Option<&str>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    unset_variables(card, &mut problems);
    unused_models(card, &mut problems);
    for model in &card.models {
        preprocess(card, model, &mut problems);
        not_buildable(card, model, &mut problems);
        files::of_model(card, model, &mut problems);
    }
    templates(card, &mut problems);
    files::of_datasets(card, &mut problems);
    files::of_operators(card, &mut problems);
    if let Some(model) = model {
        problems.retain(|problem| problem.model.as_deref().is_none_or(|concerned| concerned == model));
    }
    for problem in &mut problems {
        problem.network.get_or_insert_with(|| card.name.value.clone());
    }
    // Problems in templates come behind those of the card.
    let order = |problem: &Diagnostic| {
        let place = problem.place.as_ref();
        let elsewhere = place.is_none_or(|place| place.source.name() != card.source.name());
        (elsewhere, place.map_or(0, |place| place.span.start))
    };
    problems.sort_by(|left, right| {
        order(left).cmp(&order(right)).then_with(|| (left.code, &left.message).cmp(&(right.code, &right.message)))
    });
    problems.dedup();
    problems
}

/// A warning for every variable that a path of the card has and that is not set, at the first such path.
fn unset_variables(card: &Card, problems: &mut Vec<Diagnostic>) {
    let mut found = Vec::new();
    walk_paths(&card.node, &mut |node, text| {
        if let Err(error) = expand(text, &card.variables) {
            found.push((node.span, error.name));
        }
    });
    let mut uses: BTreeMap<String, (Span, usize)> = BTreeMap::new();
    for (span, name) in found {
        uses.entry(name).or_insert((span, 0)).1 += 1;
    }
    for (name, (span, count)) in uses {
        let message = match count {
            1 => format!("the variable `{name}` is not set"),
            _ => format!("the variable `{name}` is not set; {count} paths of this card have it"),
        };
        let hint = format!("set it, for example `export {name}=…`; a build needs it where it needs the path");
        problems.push(Diagnostic::warning("card/undefined-variable", message).at(&card.source, span).hint(hint));
    }
}

/// Every text under a key whose value is a path, at any depth.
fn walk_paths(node: &Node, found: &mut dyn FnMut(&Node, &str)) {
    match &node.kind {
        Kind::Scalar(_) => {}
        Kind::Sequence(items) => items.iter().for_each(|item| walk_paths(item, found)),
        Kind::Mapping(entries) => {
            for (key, value) in entries {
                match value.as_text() {
                    Some(text) if key.as_text().is_some_and(is_path_key) => found(value, text),
                    _ => walk_paths(value, found),
                }
            }
        }
    }
}

fn unused_models(card: &Card, problems: &mut Vec<Diagnostic>) {
    if card.tasks.is_empty() {
        return;
    }
    for model in card.models.iter().filter(|model| card.tasks_of(&model.name.value).next().is_none()) {
        let message = format!("no task of the pipeline uses the model `{}`", model.name.value);
        problems.push(
            Diagnostic::warning("pipeline/unused-model", message)
                .at(&card.source, model.name.span)
                .hint("name it as `model_name` of a task, or remove it")
                .model(model.name.value.as_str()),
        );
    }
}

/// Whether the preprocess of every task of a model can be read, and says the same. Where a template's path has an unset
/// variable, that has been said.
fn preprocess(card: &Card, model: &Model, problems: &mut Vec<Diagnostic>) {
    let unset = card
        .tasks_of(&model.name.value)
        .any(|task| task.template.as_ref().is_some_and(|template| template.resolved.is_err()));
    if model.kind == ModelKind::ClassicalCv || unset {
        return;
    }
    let ready = model.weights.is_none() && (model.prequantized.is_given() || model.precompiled.is_given());
    if ready {
        return;
    }
    match card.preprocess_of(model) {
        Ok(first) => {
            for task in card.tasks_of(&model.name.value).skip(1) {
                if let Ok((Some(other), _)) = card.preprocess_in(model, task)
                    && other != first
                {
                    let message = format!(
                        "the task `{}` gives the model `{}` another preprocess than the first task that uses it",
                        task.name.value, model.name.value
                    );
                    problems.push(
                        Diagnostic::warning("pipeline/preprocess", message)
                            .at(&card.source, task.name.span)
                            .hint("calibration takes the first one; use two models if both are meant")
                            .model(model.name.value.as_str()),
                    );
                }
            }
        }
        Err(found) => problems.extend(found.into_iter().map(|mut problem| {
            if problem.code == "card/no-preprocess" {
                // The SDK takes it from the model's class then; only our own calibration needs it.
                problem.severity = Severity::Warning;
            }
            problem
        })),
    }
}

/// What keeps a model from being built although nothing is wrong with its card: other toolchains may build it.
fn not_buildable(card: &Card, model: &Model, problems: &mut Vec<Diagnostic>) {
    if model.kind == ModelKind::ClassicalCv {
        return;
    }
    let about = |problem: Diagnostic| problem.model(model.name.value.as_str());
    if let Some(message) = model.weights_not_supported() {
        let place = model.weights.as_ref().map(|weights| weights.place.clone());
        let place = place.unwrap_or_else(|| Place::new(&card.source, model.name.span));
        let hint = "export the model to ONNX and name the file as `weight_path`, or build it with the SDK";
        let problem = Diagnostic::note("build/not-supported", format!("{message}: `build` skips the model"));
        problems.push(about(problem.at_place(Some(&place)).hint(hint)));
    } else if model.dataset.is_none()
        && let Err(problem) = card.calibration(model)
    {
        problems.push(Diagnostic { severity: Severity::Warning, ..*problem });
    }
}

/// Problems of every task's template and marks, postprocess included; those that `preprocess` found are dropped later.
fn templates(card: &Card, problems: &mut Vec<Diagnostic>) {
    for task in &card.tasks {
        if task.template.as_ref().is_some_and(|template| template.resolved.is_err()) {
            continue;
        }
        if let Err(found) = card.resolve_task(task) {
            problems.extend(found);
        }
        problems.extend(card.template_warnings(task));
    }
}
