//! A card, validated: types, not text.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::Dataset;
use super::Model;
use super::PathValue;
use super::Spanned;
use super::Task;
use super::fields::Fields;
use super::model::printable;
use super::paths::Variables;
use super::pipeline;
use super::raw::RawCard;
use super::template::Templates;
use super::versions;
use crate::base::check_name;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Source;
use crate::yaml;
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

/// Most tasks, models or datasets of one card. The largest card of the SDK has three models.
const ENTRY_LIMIT: usize = 1000;

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

    /// A path as users see it: relative to the zoo's root where it lies below it.
    #[must_use]
    pub fn shown(&self, path: &Path) -> String {
        self.templates.shown(path)
    }

    /// The path under `key` of any mapping of this card.
    #[must_use]
    pub fn path_under(&self, mapping: &Node, key: &str) -> Option<PathValue> {
        let node = mapping.get(key)?;
        let place = Place::new(&self.source, node.span);
        Some(PathValue::new(node.as_text()?, place, &self.folder, &self.variables))
    }

    /// This card with another text, read as the file would be; `allow_keys` are the keys that the near-miss rule lets
    /// through. The problems come in the order of the text; with an error among them there is no card.
    #[must_use]
    pub fn with_text(&self, text: &str, allow_keys: &[String]) -> (Option<Self>, Vec<Diagnostic>) {
        let source = Source::new(self.file.as_str(), text);
        let node = match yaml::parse(&source) {
            Ok(node) => node,
            Err(error) => return (None, vec![error.diagnostic(&source)]),
        };
        let reading = Reading {
            file: &self.file,
            folder: self.folder.clone(),
            data_root: self.data_root.clone(),
            variables: &self.variables,
            templates: &self.templates,
            allow_keys,
        };
        let (fit, problems) = Self::read(&source, node, reading);
        (fit.whole(), problems)
    }

    /// Validates a card's tree. The problems come in the order of the text; with an error among them the card does not fit:
    /// it lacks what was refused, and nothing may be built from it.
    pub(super) fn read(source: &Source, node: Node, reading: Reading<'_>) -> (Fit, Vec<Diagnostic>) {
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
        let items = within_limit(&mut fields, raw.pipeline.map(Node::items).unwrap_or_default(), |item| item);
        let tasks: Vec<Task> = items.iter().filter_map(|item| Task::read(&mut fields, item)).collect();
        let models = entries(&mut fields, raw.models, Model::read);
        if let Some(network) = &raw.name {
            check_bundle(&mut fields, &network.value, &models);
        }
        let datasets = entries(&mut fields, raw.datasets, Dataset::read);
        pipeline::check_tasks(&mut fields, &tasks, &models, raw.models.map_or(0, |models| models.entries().len()));
        pipeline::check_datasets(&mut fields, &models, &datasets);
        versions::warn(&mut fields, &node);
        let mut problems = fields.problems;
        problems.sort_by_key(|problem| problem.place.as_ref().map_or(0, |place| place.span.start));
        let fits = problems.iter().all(|problem| problem.severity != crate::diag::Severity::Error);
        for problem in &mut problems {
            problem.network = raw.name.as_ref().map(|name| name.value.clone());
        }
        let (RawCard { description, .. }, Some(name)) = (&raw, &raw.name) else { return (Fit::Nothing, problems) };
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
        (if fits { Fit::Whole(Box::new(card)) } else { Fit::Parts(Box::new(card)) }, problems)
    }
}

/// What was made of a card's text.
pub(super) enum Fit {
    /// A card without errors.
    Whole(Box<Card>),
    /// What is left of a card with errors: enough to look for more of them.
    Parts(Box<Card>),
    /// Not even a name.
    Nothing,
}

impl Fit {
    /// The card, if it has no errors.
    pub(super) fn whole(self) -> Option<Card> {
        if let Self::Whole(card) = self { Some(*card) } else { None }
    }
}

/// The first [`ENTRY_LIMIT`] entries of a section; more are an error at the first one too many.
fn within_limit<'n, T>(fields: &mut Fields<'_>, entries: &'n [T], node: impl Fn(&T) -> &Node) -> &'n [T] {
    let Some(excess) = entries.get(ENTRY_LIMIT) else { return entries };
    let message = format!("{} entries; at most {ENTRY_LIMIT} are read", entries.len());
    fields.error("card/too-many", node(excess).span, message, None);
    entries.get(..ENTRY_LIMIT).unwrap_or_default()
}

/// The network's bundle lies beside the folders of its models.
fn check_bundle(fields: &mut Fields<'_>, network: &str, models: &[Model]) {
    let bundle = format!("{network}.zip");
    for model in models.iter().filter(|model| model.name.value == bundle) {
        let message = format!("the model `{0}`: `{0}` is the network's bundle, in the same folder", printable(&bundle));
        fields.error("card/name", model.name.span, message, Some("give the model another name"));
    }
}

fn entries<T>(
    fields: &mut Fields<'_>,
    mapping: Option<&Node>,
    read: impl Fn(&mut Fields<'_>, &Node, &Node) -> Option<T>,
) -> Vec<T> {
    let mut found = Vec::new();
    let all = mapping.map(Node::entries).unwrap_or_default();
    for (key, node) in within_limit(fields, all, |(key, _)| key) {
        if key.as_text().is_none() {
            let message = format!("expected a name as the key, found {}", key.describe());
            fields.error(
                "card/type",
                key.span,
                message,
                Some("each entry of this section is `name:` with its keys below it"),
            );
            continue;
        }
        found.extend(read(fields, key, node));
        fields.model = None;
    }
    found
}
