//! A card, validated: types, not text.

use std::path::PathBuf;
use std::sync::Arc;

use super::Dataset;
use super::Model;
use super::Spanned;
use super::Task;
use super::fields::Fields;
use super::model::printable;
use super::paths::Variables;
use super::raw::RawCard;
use super::template::Templates;
use super::versions;
use crate::base::check_name;
use crate::base::did_you_mean;
use crate::base::nearest;
use crate::diag::Diagnostic;
use crate::diag::Source;
use crate::yaml::Node;

/// One card: a network with its models, pipeline and datasets. Whatever can be known from the card alone has been
/// checked; what depends on other files has not.
#[derive(Debug, Clone)]
pub struct Card {
    /// The card's path relative to the zoo's root, with `/` between the parts.
    pub file: String,
    /// The folder that the card lies in; what relative paths start from.
    pub folder: PathBuf,
    /// The card's text.
    pub source: Source,
    /// The network's name; it becomes a folder below `build/`.
    pub name: Spanned<String>,
    /// `description`.
    pub description: Option<Spanned<String>>,
    /// The tasks of `pipeline:` in order; none for `pipeline: null`.
    pub tasks: Vec<Task>,
    /// The entries of `models:` in order.
    pub models: Vec<Model>,
    /// The entries of `datasets:` in order.
    pub datasets: Vec<Dataset>,
    /// The whole tree, for sections that only the SDK reads.
    pub node: Node,
    /// The folder that `data_dir_name` is looked for in.
    pub data_root: PathBuf,
    /// The environment as data.
    pub variables: Arc<Variables>,
    pub(super) templates: Arc<Templates>,
}

/// What a card is read with.
pub(super) struct Reading<'a> {
    pub(super) file: &'a str,
    pub(super) folder: PathBuf,
    pub(super) data_root: PathBuf,
    pub(super) variables: &'a Arc<Variables>,
    pub(super) templates: &'a Arc<Templates>,
    pub(super) allow_keys: &'a [String],
}

impl Card {
    /// The model of that name.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.name.value == name)
    }

    /// The tasks that use a model, in order.
    pub fn tasks_of(&self, model: &str) -> impl Iterator<Item = &Task> {
        self.tasks.iter().filter(move |task| task.model.value == model)
    }

    /// Validates a card's tree. The problems come in the order of the text; with an error among them there is no card.
    pub(super) fn read(source: &Source, node: Node, reading: Reading<'_>) -> (Option<Self>, Vec<Diagnostic>) {
        let mut fields = Fields {
            source,
            folder: &reading.folder,
            variables: reading.variables,
            allow_keys: reading.allow_keys,
            problems: Vec::new(),
            model: None,
        };
        let raw = RawCard::read(&mut fields, &node);
        if let Some(name) = &raw.name
            && let Err(error) = check_name(&name.value)
        {
            let message = format!("the network `{}`: {error}", printable(&name.value));
            fields.error("card/name", name.span, message, Some("a network's name becomes a folder below `build/`"));
        }
        let tasks: Vec<Task> =
            raw.pipeline.into_iter().flat_map(Node::items).filter_map(|item| Task::read(&mut fields, item)).collect();
        let models = entries(&mut fields, raw.models, Model::read);
        let datasets = entries(&mut fields, raw.datasets, Dataset::read);
        check_tasks(&mut fields, &tasks, &models, raw.models.map_or(0, |models| models.entries().len()));
        versions::warn(&mut fields, &node);
        let mut problems = fields.problems;
        problems.sort_by_key(|problem| problem.place.as_ref().map_or(0, |place| place.span.start));
        let fits = problems.iter().all(|problem| problem.severity != crate::diag::Severity::Error);
        for problem in &mut problems {
            problem.network = raw.name.as_ref().map(|name| name.value.clone());
        }
        let (RawCard { description, .. }, Some(name), true) = (&raw, &raw.name, fits) else { return (None, problems) };
        let (name, description) = (name.clone(), description.clone());
        let card = Self {
            file: reading.file.to_owned(),
            folder: reading.folder,
            source: source.clone(),
            name,
            description,
            tasks,
            models,
            datasets,
            node,
            data_root: reading.data_root,
            variables: Arc::clone(reading.variables),
            templates: Arc::clone(reading.templates),
        };
        (Some(card), problems)
    }
}

fn entries<T>(
    fields: &mut Fields<'_>,
    mapping: Option<&Node>,
    read: impl Fn(&mut Fields<'_>, &Node, &Node) -> Option<T>,
) -> Vec<T> {
    let mut found = Vec::new();
    for (key, node) in mapping.into_iter().flat_map(Node::entries) {
        if key.as_text().is_none() {
            let message = format!("expected a name, found {}", key.describe());
            fields.error("card/type", key.span, message, None);
            continue;
        }
        found.extend(read(fields, key, node));
        fields.model = None;
    }
    found
}

/// Task names are unique and each task's model is defined (voyager-semantics 3.1). `defined` counts the models as
/// written: where some could not be read, nothing is said about them twice.
fn check_tasks(fields: &mut Fields<'_>, tasks: &[Task], models: &[Model], defined: usize) {
    for (index, task) in tasks.iter().enumerate() {
        if let Some(first) = tasks[..index].iter().find(|first| first.name.value == task.name.value) {
            let line = fields.source.position(first.name.span.start).line;
            let message = format!("two tasks are named `{}`; the first is in line {line}", task.name.value);
            fields.error("pipeline/duplicate-task", task.name.span, message, Some("give each task a name of its own"));
        }
        let names = models.iter().map(|model| model.name.value.as_str());
        if defined == models.len() && !names.clone().any(|name| name == task.model.value) {
            let near = nearest(&task.model.value, names.clone());
            let known: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            let message = format!(
                "the task `{}` uses the model `{}`, which is not defined under `models:`",
                task.name.value, task.model.value
            );
            let hint = did_you_mean(&near).unwrap_or_else(|| format!("the card defines {}", known.join(", ")));
            fields.error("pipeline/unknown-model", task.model.span, message, Some(&hint));
        }
    }
}
