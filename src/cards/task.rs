//! The pipeline: tasks in order, each with its model, input and operators.

use super::PathValue;
use super::Spanned;
use super::fields::Fields;
use super::keys;
use super::keys::names;
use crate::base::did_you_mean;
use crate::base::nearest;
use crate::diag::Diagnostic;
use crate::diag::Span;
use crate::imaging::ColorFormat;
use crate::yaml::Kind;
use crate::yaml::Node;

/// The words of `source`.
pub(super) const SOURCES: &[&str] = &["full", "roi", "image_processing"];

/// Keys of a task that are known; anything else belongs to a newer SDK, unless it is a near miss of one of these.
pub(super) const TASK_KEYS: &[&str] = &names(&keys::TASK);

/// One operator of a list: its name and its arguments as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Operator {
    /// The name, such as `torch-totensor`.
    pub name: Spanned<String>,
    /// A mapping, or null for an operator without arguments.
    pub arguments: Node,
}

/// Where a task's images come from (`input:`), as the card says; a template may say more.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskInput {
    /// `source`: `full`, `roi`, `image_processing`, …
    pub source: Option<Spanned<String>>,
    /// `where`: the earlier task whose regions are taken.
    pub region_of: Option<Spanned<String>>,
    /// `color_format`.
    pub color: Option<Spanned<ColorFormat>>,
    /// The whole mapping.
    pub node: Option<Node>,
}

/// One task of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The task's name.
    pub name: Spanned<String>,
    /// `model_name`, or the task's name where that is not given.
    pub model: Spanned<String>,
    /// `input`.
    pub input: TaskInput,
    /// `template_path`.
    pub template: Option<PathValue>,
    /// `preprocess`, as the card says; see [`super::Card::resolve_task`] for the whole list.
    pub preprocess: Vec<Operator>,
    /// `postprocess`, as the card says.
    pub postprocess: Vec<Operator>,
    /// The whole entry.
    pub node: Node,
}

impl Task {
    pub(super) fn read(fields: &mut Fields<'_>, item: &Node) -> Option<Self> {
        let [(key, node)] = item.entries() else {
            let message = format!("a task: expected one name with its settings below it, found {}", found_of(item));
            let hint = "write `- name:` and indent `model_name`, `input`, … two levels below the dash";
            fields.error("card/task", item.span, message, Some(hint));
            return None;
        };
        let name = Spanned::new(key.as_text()?.to_owned(), key.span);
        if !node.is_mapping() && !node.is_null() {
            let message = format!("the task `{}`: expected a mapping, found {}", name.value, node.describe());
            fields.error("card/type", node.span, message, None);
            return None;
        }
        fields.near_misses(node, TASK_KEYS, &format!("the task `{}`", name.value));
        Some(Self {
            model: fields.text(node, "model_name").unwrap_or_else(|| name.clone()),
            input: TaskInput::read(fields, node),
            template: fields.path(node, "template_path"),
            preprocess: operators(fields, node, "preprocess"),
            postprocess: operators(fields, node, "postprocess"),
            name,
            node: node.clone(),
        })
    }
}

fn found_of(item: &Node) -> String {
    match item.entries() {
        [_] => "one key that is no name".to_owned(),
        entries if item.is_mapping() => format!("{} keys", entries.len()),
        _ => item.describe(),
    }
}

impl TaskInput {
    fn read(fields: &mut Fields<'_>, task: &Node) -> Self {
        let Some(node) = fields.mapping(task, "input") else { return Self::default() };
        let mark = |key: &str| node.get(key).and_then(Node::as_text).is_some_and(|text| text.contains("{{"));
        let source = fields.text(node, "source");
        if let Some(source) = &source {
            check_source(fields, source);
        }
        check_top_k(fields, node);
        Self {
            source,
            region_of: fields.text(node, "where"),
            color: if mark("color_format") { None } else { fields.parsed(node, "color_format") },
            node: Some(node.clone()),
        }
    }
}

/// Warns of a source that is none of those that are known; a newer SDK may have more.
fn check_source(fields: &mut Fields<'_>, source: &Spanned<String>) {
    let found = source.value.as_str();
    if found.contains("{{") || SOURCES.contains(&found) {
        return;
    }
    let known: Vec<String> = SOURCES.iter().map(|source| format!("`{source}`")).collect();
    let hint = did_you_mean(&nearest(found, SOURCES.iter().copied()))
        .unwrap_or_else(|| format!("the sources known are {}", known.join(", ")));
    let found: String = found.chars().take(80).collect();
    let message = format!("`source`: expected {}, found `{found}`", one_of(&known));
    let problem = Diagnostic::warning("pipeline/source", message);
    fields.report(problem.at(fields.source, source.span).hint(hint));
}

/// `` `a`, `b` or `c` ``.
fn one_of(words: &[String]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        words => words.concat(),
    }
}

/// `top_k` is a count, or a mark that a model's value replaces.
fn check_top_k(fields: &mut Fields<'_>, input: &Node) {
    let is_mark = input.get("top_k").and_then(Node::as_text).is_some_and(|text| text.contains("{{"));
    if !is_mark {
        fields.count(input, "top_k", 0);
    }
}

/// The operators under `key`: a list of `name:` with arguments, or of bare names.
pub(super) fn operators(fields: &mut Fields<'_>, node: &Node, key: &str) -> Vec<Operator> {
    let Some(list) = Fields::value(node, key) else { return Vec::new() };
    let mut problems = Vec::new();
    let found = operator_list(list, key, &mut problems);
    for (span, message) in problems {
        fields.error("card/operator", span, message, Some("write `- name:` with its arguments indented below it"));
    }
    found
}

/// The operators of a list, and what is wrong with the items that are none.
pub(super) fn operator_list(list: &Node, key: &str, problems: &mut Vec<(Span, String)>) -> Vec<Operator> {
    if !list.is_sequence() {
        problems.push((list.span, format!("`{key}`: expected a list of operators, found {}", list.describe())));
        return Vec::new();
    }
    let mut found = Vec::with_capacity(list.items().len());
    for item in list.items() {
        match (&item.kind, item.entries()) {
            (Kind::Scalar(scalar), _) if !item.is_null() => found.push(Operator {
                name: Spanned::new(scalar.text.clone(), item.span),
                arguments: Node::scalar("", crate::yaml::Style::Plain, Span::new(item.span.end, item.span.end)),
            }),
            (_, [(name, arguments)]) if name.as_text().is_some() && (arguments.is_mapping() || arguments.is_null()) => {
                let text = name.as_text().unwrap_or_default().to_owned();
                found.push(Operator { name: Spanned::new(text, name.span), arguments: arguments.clone() });
            }
            (_, [(name, arguments)]) if name.as_text().is_some() => {
                let name = name.as_text().unwrap_or_default();
                let message = format!("`{name}`: expected a mapping of arguments, found {}", arguments.describe());
                problems.push((arguments.span, message));
            }
            _ => problems.push((item.span, format!("`{key}`: expected an operator, found {}", found_of(item)))),
        }
    }
    found
}
