//! Pipeline templates: read once, substituted for a model, merged with a task (voyager-semantics 3.9).

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::RwLock;

use super::Card;
use super::Model;
use super::Operator;
use super::Task;
use super::fields::Fields;
use super::file::read_source;
use super::substitute::Substitution;
use super::task::TASK_KEYS;
use super::task::operator_list;
use crate::base::Looked;
use crate::base::did_you_mean;
use crate::base::fs;
use crate::base::looked_again;
use crate::base::near_miss;
use crate::base::shown;
use crate::base::watched;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Source;
use crate::diag::Span;
use crate::yaml::Kind;
use crate::yaml::Node;
use crate::yaml::Style;
use crate::yaml::TEXT_LIMIT;

/// Spans of a template's nodes are moved by this much in a merged tree, so that a span says which file it is in.
const SHIFT: usize = 2 * TEXT_LIMIT;

/// A template as read.
#[derive(Debug)]
struct Template {
    source: Source,
    node: Node,
}

type TemplateResult = Result<Arc<Template>, Box<Diagnostic>>;

/// The templates of a zoo, each read once however many cards name it.
#[derive(Debug, Default)]
pub(super) struct Templates {
    root: PathBuf,
    /// Each with what it was read from.
    read: RwLock<HashMap<PathBuf, (TemplateResult, Looked)>>,
}

impl Templates {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), read: RwLock::default() }
    }

    /// A path as users see it: relative to the zoo's root where it lies below it.
    pub(super) fn shown(&self, path: &Path) -> String {
        shown(path, &self.root)
    }

    fn get(&self, path: &Path) -> TemplateResult {
        if let Ok(read) = self.read.read()
            && let Some((found, looked)) = read.get(path)
        {
            looked_again(looked);
            return found.clone();
        }
        let read = || {
            read_source(path, self.shown(path)).and_then(|source| match crate::yaml::parse(&source) {
                Ok(node) if node.is_mapping() || node.is_null() => Ok(Arc::new(Template { source, node })),
                Ok(node) => {
                    let message = format!("a template: expected a mapping, found {}", node.describe());
                    let hint = "a template has `input`, `preprocess` and `postprocess` at its top level";
                    Err(Box::new(Diagnostic::error("card/template", message).at(&source, node.span).hint(hint)))
                }
                Err(error) => Err(Box::new(error.diagnostic(&source))),
            })
        };
        let (result, looked) = watched(read);
        // A poisoned lock only means that another thread panicked; the template was read all the same.
        if let Ok(mut read) = self.read.write() {
            read.entry(path.to_owned()).or_insert_with(|| (result.clone(), looked));
        }
        result
    }
}

/// A task with its template merged in and every mark replaced, for one model.
#[derive(Debug, Clone)]
pub struct ResolvedTask {
    /// `input`: the template's entries overlaid by the card's; an empty mapping when there are none.
    pub input: Node,
    /// `preprocess`, in order.
    pub preprocess: Vec<Operator>,
    /// `postprocess`, in order.
    pub postprocess: Vec<Operator>,
    card: Source,
    template: Option<Source>,
}

impl ResolvedTask {
    /// The place of a node of this task: in the card or in the template.
    #[must_use]
    pub fn place(&self, span: Span) -> Place {
        match &self.template {
            Some(template) if span.start >= SHIFT => {
                Place::new(template, Span::new(span.start - SHIFT, span.end.saturating_sub(SHIFT)))
            }
            _ => Place::new(&self.card, span),
        }
    }
}

impl Card {
    /// A task as it runs: its template read and merged, marks replaced by the model's values. Reads the template's file.
    ///
    /// # Errors
    /// Everything that is wrong: the task's model is not defined, the template cannot be read, a mark has no value,
    /// the card's operators do not fit the template's.
    pub fn resolve_task(&self, task: &Task) -> Result<ResolvedTask, Vec<Diagnostic>> {
        let about = |problem: Diagnostic| problem.network(self.name.value.as_str()).model(task.model.value.as_str());
        let Some(model) = self.model(&task.model.value) else {
            let message = format!("the model `{}` is not defined under `models:`", task.model.value);
            return Err(vec![about(
                Diagnostic::error("pipeline/unknown-model", message).at(&self.source, task.model.span),
            )]);
        };
        let template = match self.template_of(task) {
            Ok(template) => template,
            Err(problem) => return Err(vec![about(*problem)]),
        };
        let mut merge = Merge {
            model,
            resolved: ResolvedTask {
                input: Node { span: task.name.span, kind: Kind::Mapping(Vec::new()) },
                preprocess: Vec::new(),
                postprocess: Vec::new(),
                card: self.source.clone(),
                template: template.as_ref().map(|template| template.source.clone()),
            },
            problems: Vec::new(),
        };
        let card = Phases::read(&mut merge, &task.node, 0);
        let base = template.as_ref().map(|template| {
            merge.near_misses(&template.node);
            Phases::read(&mut merge, &template.node, SHIFT)
        });
        merge.phases(base, card);
        if merge.problems.is_empty() {
            Ok(merge.resolved)
        } else {
            Err(merge.problems.into_iter().map(about).collect())
        }
    }

    /// Lines of a task's template that the SDK reads otherwise: it cuts a template's line from its last `#` on, also where
    /// that stands between quotes and is no comment (voyager-semantics 3.9).
    #[must_use]
    pub fn template_warnings(&self, task: &Task) -> Vec<Diagnostic> {
        let Ok(Some(template)) = self.template_of(task) else { return Vec::new() };
        let mut problems = Vec::new();
        hashes_in_quotes(&template.node, &template.source, &mut problems);
        problems
    }

    fn template_of(&self, task: &Task) -> Result<Option<Arc<Template>>, Box<Diagnostic>> {
        let Some(path) = &task.template else { return Ok(None) };
        let place = |problem: Diagnostic| problem.at_place(Some(&path.place));
        match &path.resolved {
            Err(error) => Err(Box::new(self.undefined(error, &path.place))),
            Ok(file) => self.templates.get(file).map(Some).map_err(|problem| {
                if problem.place.is_some() {
                    return problem;
                }
                if !fs::exists(file) {
                    let message = format!("the template `{}` does not exist", path.written);
                    let hint = format!("looked at `{}`", self.shown(file));
                    return Box::new(place(Diagnostic::error("card/template", message)).hint(hint));
                }
                let message = format!("the template `{}`: {}", path.written, problem.message);
                Box::new(place(Diagnostic::error("card/template", message)).maybe_hint(problem.hint))
            }),
        }
    }
}

fn hashes_in_quotes(node: &Node, source: &Source, problems: &mut Vec<Diagnostic>) {
    match &node.kind {
        Kind::Scalar(scalar) => {
            let end = source.text().get(node.span.end..).and_then(|rest| rest.find('\n'));
            let end = end.map_or(source.text().len(), |end| node.span.end + end);
            let line = source.text().get(node.span.start..end).unwrap_or_default();
            let last = line.rfind('#').map(|at| node.span.start + at);
            if scalar.style != Style::Plain && last.is_some_and(|at| at < node.span.end) {
                let message = "the SDK cuts a template's line from its last `#` on, also between quotes";
                let hint = "put a comment behind it: the `#` of that one is the last, and all before it stays";
                problems.push(Diagnostic::warning("card/template", message).at(source, node.span).hint(hint));
            }
        }
        Kind::Sequence(items) => items.iter().for_each(|item| hashes_in_quotes(item, source, problems)),
        Kind::Mapping(entries) => {
            for node in entries.iter().flat_map(|(key, value)| [key, value]) {
                hashes_in_quotes(node, source, problems);
            }
        }
    }
}

/// The parts of a task that a template and a card both have.
struct Phases {
    input: Option<Node>,
    preprocess: Vec<Operator>,
    postprocess: Vec<Operator>,
}

impl Phases {
    fn read(merge: &mut Merge<'_>, node: &Node, shift: usize) -> Self {
        let mut substitution = Substitution::new(merge.model, shift);
        let mut part = |key: &str| Fields::value(node, key).map(|value| substitution.tree(value));
        let (input, preprocess, postprocess) = (part("input"), part("preprocess"), part("postprocess"));
        for problem in substitution.problems {
            merge.report(problem.code, problem.span, problem.message, Some(problem.hint));
        }
        let mut list = |node: Option<Node>, key: &str| {
            let mut problems = Vec::new();
            let found = node.map_or_else(Vec::new, |node| operator_list(&node, key, &mut problems));
            for (span, message) in problems {
                merge.report("card/operator", span, message, None);
            }
            found
        };
        Self { input, preprocess: list(preprocess, "preprocess"), postprocess: list(postprocess, "postprocess") }
    }
}

struct Merge<'a> {
    model: &'a Model,
    resolved: ResolvedTask,
    problems: Vec<Diagnostic>,
}

impl Merge<'_> {
    fn report(&mut self, code: &'static str, span: Span, message: String, hint: Option<String>) {
        let place = self.resolved.place(span);
        self.problems.push(Diagnostic::error(code, message).at_place(Some(&place)).maybe_hint(hint));
    }

    /// A template is a task, so the same table is closed.
    fn near_misses(&mut self, template: &Node) {
        for (key, _) in template.entries() {
            let Some(name) = key.as_text() else { continue };
            if let Some(meant) = near_miss(name, TASK_KEYS.iter().copied()) {
                let span = Span::new(key.span.start + SHIFT, key.span.end + SHIFT);
                let message = format!("unknown key `{name}` in the template");
                self.report("card/unknown-key", span, message, did_you_mean(&[meant]));
            }
        }
    }

    fn phases(&mut self, base: Option<Phases>, card: Phases) {
        let Some(base) = base else {
            self.resolved.input = card.input.unwrap_or_else(|| self.resolved.input.clone());
            self.resolved.preprocess = card.preprocess;
            self.resolved.postprocess = card.postprocess;
            return;
        };
        self.resolved.input = match (base.input, card.input) {
            (Some(base), Some(card)) => overlaid(base, card),
            (base, card) => base.or(card).unwrap_or_else(|| self.resolved.input.clone()),
        };
        self.resolved.preprocess = self.subset(base.preprocess, card.preprocess);
        self.resolved.postprocess = self.extended(base.postprocess, card.postprocess);
    }

    /// The card's preprocess operators are some of the template's, in the template's order.
    fn subset(&mut self, base: Vec<Operator>, card: Vec<Operator>) -> Vec<Operator> {
        let names = listed(&base);
        let mut waiting = card.into_iter().peekable();
        let mut merged = Vec::with_capacity(base.len());
        for operator in base {
            match waiting.next_if(|own| same_name(own, &operator)) {
                Some(own) => merged.push(overlay(operator, own)),
                None => merged.push(operator),
            }
        }
        for own in waiting {
            let message = format!(
                "the preprocess operator `{}` does not fit the template, whose operators are {names}",
                own.name.value
            );
            let hint = "use operators of the template in its order, or leave out `template_path` and list all of them";
            self.report("card/template-merge", own.name.span, message, Some(hint.to_owned()));
        }
        merged
    }

    /// The card's postprocess operators are either all of the template's and then more, or only more.
    fn extended(&mut self, base: Vec<Operator>, card: Vec<Operator>) -> Vec<Operator> {
        let all = card.len() >= base.len() && base.iter().zip(&card).all(|(base, own)| same_name(own, base));
        if all {
            let mut base = base.into_iter();
            return card
                .into_iter()
                .map(|own| match base.next() {
                    Some(operator) => overlay(operator, own),
                    None => own,
                })
                .collect();
        }
        if let Some(own) = card.iter().find(|own| base.iter().any(|operator| same_name(own, operator))) {
            let message = format!(
                "the postprocess operator `{}` is one of the template's, but not all of them come first: {}",
                own.name.value,
                listed(&base)
            );
            let hint = "list all of the template's operators in order and then others, or only others";
            self.report("card/template-merge", own.name.span, message, Some(hint.to_owned()));
        }
        base.into_iter().chain(card).collect()
    }
}

/// Operator names compare without `-` and `_`.
fn same_name(left: &Operator, right: &Operator) -> bool {
    let plain = |operator: &Operator| operator.name.value.replace(['-', '_'], "");
    plain(left) == plain(right)
}

fn listed(operators: &[Operator]) -> String {
    let names: Vec<String> = operators.iter().map(|operator| format!("`{}`", operator.name.value)).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The template's arguments overlaid by the card's; the card's place is the one to point at.
fn overlay(base: Operator, own: Operator) -> Operator {
    let arguments = match (base.arguments.is_mapping(), own.arguments.is_mapping()) {
        (true, true) => overlaid(base.arguments, own.arguments),
        (true, false) => base.arguments,
        _ => own.arguments,
    };
    Operator { name: own.name, arguments }
}

/// A mapping with another one's entries in place of its own; new ones come last.
fn overlaid(base: Node, own: Node) -> Node {
    let (Kind::Mapping(mut entries), Kind::Mapping(others)) = (base.kind, own.kind) else {
        return Node { span: base.span, kind: Kind::Mapping(Vec::new()) };
    };
    for (key, value) in others {
        match entries.iter_mut().find(|(name, _)| name.as_scalar().is_some() && name.as_text() == key.as_text()) {
            Some(entry) => *entry = (key, value),
            None => entries.push((key, value)),
        }
    }
    Node { span: own.span, kind: Kind::Mapping(entries) }
}
