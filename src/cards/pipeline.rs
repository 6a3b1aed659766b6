//! Whether the parts of one card name each other rightly: tasks, models, datasets (SPEC 5, voyager-semantics 3.1).

use super::Dataset;
use super::Model;
use super::Task;
use super::fields::Fields;
use crate::base::did_you_mean;
use crate::base::nearest;

/// Task names are unique, each task's model is defined, and `where` names an earlier task. `defined` counts the models
/// as written: where some could not be read, nothing is said about them twice.
pub(super) fn check_tasks(fields: &mut Fields<'_>, tasks: &[Task], models: &[Model], defined: usize) {
    for (index, task) in tasks.iter().enumerate() {
        let earlier = tasks.get(..index).unwrap_or_default();
        if let Some(first) = earlier.iter().find(|first| first.name.value == task.name.value) {
            let line = fields.source.position(first.name.span.start).line;
            let message = format!("two tasks are named `{}`; the first is in line {line}", task.name.value);
            fields.error("pipeline/duplicate-task", task.name.span, message, Some("give each task a name of its own"));
        }
        if defined == models.len() {
            check_model(fields, task, models);
        }
        check_region(fields, task, earlier, tasks);
    }
}

fn check_model(fields: &mut Fields<'_>, task: &Task, models: &[Model]) {
    let names = models.iter().map(|model| model.name.value.as_str());
    if names.clone().any(|name| name == task.model.value) {
        return;
    }
    let near = nearest(&task.model.value, names.clone());
    let known: Vec<String> = names.take(8).map(|name| format!("`{name}`")).collect();
    let message = format!(
        "the task `{}` uses the model `{}`, which is not defined under `models:`",
        task.name.value, task.model.value
    );
    let all = if known.is_empty() { "no models".to_owned() } else { known.join(", ") };
    let hint = did_you_mean(&near).unwrap_or_else(|| format!("the card defines {all}"));
    fields.error("pipeline/unknown-model", task.model.span, message, Some(&hint));
}

fn check_region(fields: &mut Fields<'_>, task: &Task, earlier: &[Task], tasks: &[Task]) {
    let Some(region_of) = &task.input.region_of else {
        if let Some(source) = task.input.source.as_ref().filter(|source| source.value == "roi") {
            let message = format!("the task `{}` takes regions, but does not say of which task", task.name.value);
            fields.error("pipeline/where", source.span, message, Some("name an earlier task with `where:`"));
        }
        return;
    };
    let name = region_of.value.as_str();
    if name.contains("{{") || earlier.iter().any(|task| task.name.value == name) {
        return;
    }
    let (message, hint) = if name == task.name.value {
        (format!("the task `{name}` takes the regions of itself"), None)
    } else if tasks.iter().any(|task| task.name.value == name) {
        let message = format!("`where`: the task `{name}` comes only after `{}`", task.name.value);
        (message, Some("a task takes the regions of an earlier one; change the order".to_owned()))
    } else {
        let near = nearest(name, earlier.iter().map(|task| task.name.value.as_str()));
        (format!("`where`: there is no task `{name}` before `{}`", task.name.value), did_you_mean(&near))
    };
    fields.error("pipeline/where", region_of.span, message, hint.as_deref());
}

/// Each model's `dataset:` is defined under `datasets:`.
pub(super) fn check_datasets(fields: &mut Fields<'_>, models: &[Model], datasets: &[Dataset]) {
    for model in models {
        let Some(name) = &model.dataset else { continue };
        let names = datasets.iter().map(|dataset| dataset.name.value.as_str());
        if names.clone().any(|known| known == name.value) {
            continue;
        }
        let hint = did_you_mean(&nearest(&name.value, names))
            .unwrap_or_else(|| format!("describe `{}` there, or correct the name", name.value));
        fields.model = Some(model.name.value.clone());
        let message = format!("the dataset `{}` is not defined under `datasets:`", name.value);
        fields.error("card/dataset-undefined", name.span, message, Some(&hint));
        fields.model = None;
    }
}
