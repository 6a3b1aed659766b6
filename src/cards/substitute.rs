//! `{{name}}`, `${{name}}` and `{{name:default}}`: replaced by values, never evaluated (voyager-semantics 3.9, SPEC 3).
//!
//! The names are the settings in `extra_kwargs` (which win), `input_width`, `input_height`, `input_channel`, and the
//! SDK's names for a model's fields. A scalar that is one mark becomes the value itself, a number or a list included;
//! a mark inside a longer text is replaced by the value's text.

use super::Model;
use crate::base::did_you_mean;
use crate::base::nearest;
use crate::diag::Span;
use crate::yaml::Kind;
use crate::yaml::Node;
use crate::yaml::Scalar;
use crate::yaml::Style;
use crate::yaml::TEXT_LIMIT;

/// What could not be substituted, and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SubstitutionProblem {
    pub(super) code: &'static str,
    pub(super) span: Span,
    pub(super) message: String,
    pub(super) hint: String,
}

/// Names that the SDK fills in once the dataset's labels are loaded; until then they stay as written.
const LATE: [&str; 2] = ["labels", "label_filter"];

/// The SDK's names for a model's fields, and the keys of a card that give them.
const FIELDS: [(&str, &str); 18] = [
    ("task_category", "task_category"),
    ("input_tensor_shape", "input_tensor_shape"),
    ("weight_path", "weight_path"),
    ("weight_url", "weight_url"),
    ("weight_md5", "weight_md5"),
    ("prequantized_path", "prequantized_path"),
    ("prequantized_url", "prequantized_url"),
    ("prequantized_md5", "prequantized_md5"),
    ("precompiled_path", "precompiled_path"),
    ("precompiled_url", "precompiled_url"),
    ("precompiled_md5", "precompiled_md5"),
    ("dataset", "dataset"),
    ("base_dir", "base_dir"),
    ("class_name", "class"),
    ("class_path", "class_path"),
    ("version", "version"),
    ("model_type", "model_type"),
    ("extra_kwargs", "extra_kwargs"),
];

/// Names with a value of their own.
const DERIVED: [&str; 7] = [
    "name",
    "num_classes",
    "input_color_format",
    "input_tensor_layout",
    "input_width",
    "input_height",
    "input_channel",
];

enum Value<'a> {
    /// A node of the card, not copied yet.
    OfCard(&'a Node),
    Known(Node),
    Late,
    Unknown,
}

/// Replaces every mark of a tree by the values of one model.
pub(super) struct Substitution<'a> {
    pub(super) model: &'a Model,
    /// Added to every span, so that nodes of two files can be told apart in one tree.
    pub(super) shift: usize,
    pub(super) problems: Vec<SubstitutionProblem>,
    /// What values may still add, in bytes of text and nodes: a large setting named by many marks is a bomb too.
    budget: usize,
}

impl<'a> Substitution<'a> {
    pub(super) fn new(model: &'a Model, shift: usize) -> Self {
        Self { model, shift, problems: Vec::new(), budget: TEXT_LIMIT }
    }

    pub(super) fn tree(&mut self, node: &Node) -> Node {
        self.node(node, false)
    }

    fn node(&mut self, node: &Node, path_like: bool) -> Node {
        let span = Span::new(node.span.start + self.shift, node.span.end + self.shift);
        let kind = match &node.kind {
            Kind::Scalar(scalar) if scalar.text.contains("{{") || scalar.text.contains("${") => {
                return self.scalar(scalar, span, path_like);
            }
            Kind::Scalar(scalar) => Kind::Scalar(scalar.clone()),
            Kind::Sequence(items) => Kind::Sequence(items.iter().map(|item| self.node(item, path_like)).collect()),
            Kind::Mapping(entries) => Kind::Mapping(
                entries
                    .iter()
                    .map(|(key, value)| {
                        let path_like = key.as_text().is_some_and(is_path_key);
                        (self.node(key, false), self.node(value, path_like))
                    })
                    .collect(),
            ),
        };
        Node { span, kind }
    }

    fn scalar(&mut self, scalar: &Scalar, span: Span, path_like: bool) -> Node {
        let mut text = String::with_capacity(scalar.text.len());
        let mut rest = scalar.text.as_str();
        while let Some(at) = rest.find('{') {
            let Some((inner, after)) = rest[at..].strip_prefix("{{").and_then(|inner| inner.split_once("}}")) else {
                if rest[..at].ends_with('$') && !path_like {
                    self.expression(rest, at, span);
                }
                text.push_str(&rest[..=at]);
                rest = &rest[at + 1..];
                continue;
            };
            let before = rest[..at].strip_suffix('$').unwrap_or(&rest[..at]);
            text.push_str(before);
            let whole = text.is_empty() && after.is_empty() && scalar.style == Style::Plain;
            match self.value(inner, span) {
                Some(node) if whole => return node,
                Some(node) => text.push_str(&text_of(&node)),
                // Left as written: late, or reported.
                None => text.push_str(&rest[before.len()..rest.len() - after.len()]),
            }
            rest = after;
        }
        text.push_str(rest);
        Node::scalar(text, scalar.style, span)
    }

    /// Takes what a copy of a value costs from the budget; says so once when there is none left.
    fn afford(&mut self, node: &Node, span: Span) -> bool {
        let cost = cost(node);
        if cost <= self.budget {
            self.budget -= cost;
            return true;
        }
        if self.budget > 0 {
            self.budget = 0;
            self.problems.push(SubstitutionProblem {
                code: "card/substitution",
                span,
                message: format!("the marks of this task make more than {TEXT_LIMIT} bytes"),
                hint: "name a large setting once".to_owned(),
            });
        }
        false
    }

    fn expression(&mut self, text: &str, at: usize, span: Span) {
        let end = text[at..].find('}').map_or(text.len(), |end| at + end + 1);
        self.problems.push(SubstitutionProblem {
            code: "card/expression",
            span,
            message: format!("`{}` is an expression; nothing in a card is evaluated", &text[at - 1..end]),
            hint: "write the value itself, or `{{name}}` for a setting of the model".to_owned(),
        });
    }

    /// The value of what stands between the braces; `None` when it stays as written.
    fn value(&mut self, inner: &str, span: Span) -> Option<Node> {
        let (name, default) = match inner.split_once(':') {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        match self.lookup(name, span) {
            Value::OfCard(node) => return self.afford(node, span).then(|| placed(node, span)),
            Value::Known(node) => return Some(node),
            Value::Late => return None,
            Value::Unknown => {}
        }
        if let Some(default) = default {
            let default = if default == "None" { "null" } else { default };
            return Some(Node::scalar(default, Style::Plain, span));
        }
        let names = FIELDS.iter().map(|(name, _)| *name).chain(DERIVED);
        let hint = if name.trim() == name {
            did_you_mean(&nearest(name, names))
                .unwrap_or_else(|| format!("give `{name}` under `extra_kwargs`, or a default: `{{{{{name}:…}}}}`"))
        } else {
            format!("write `{{{{{}}}}}` without blanks", name.trim())
        };
        self.problems.push(SubstitutionProblem {
            code: "card/substitution",
            span,
            message: format!("`{{{{{name}}}}}`: the model `{}` has no setting `{name}`", self.model.name.value),
            hint,
        });
        None
    }

    fn lookup(&self, name: &str, span: Span) -> Value<'a> {
        let known = |text: String, style| Value::Known(Node::scalar(text, style, span));
        if let Some(value) = self.model.node.get("extra_kwargs").and_then(|extra| extra.get(name)) {
            return Value::OfCard(value);
        }
        if LATE.contains(&name) {
            return Value::Late;
        }
        let size = |index: usize| self.model.input_size().and_then(|size| size.get(index).copied());
        let number =
            |value: Option<usize>| value.map_or(Value::Unknown, |value| known(value.to_string(), Style::Plain));
        match name {
            "name" => return known(self.model.name.value.clone(), Style::Quoted),
            "num_classes" => return known(self.model.num_classes.to_string(), Style::Plain),
            "input_color_format" => return known(self.model.color.word().to_owned(), Style::Quoted),
            "input_tensor_layout" => return known(self.model.layout.word().to_owned(), Style::Quoted),
            "input_width" => return number(size(0)),
            "input_height" => return number(size(1)),
            "input_channel" => return number(size(2)),
            _ => {}
        }
        match FIELDS.iter().find(|(field, _)| *field == name) {
            Some((_, key)) => match self.model.node.get(key) {
                Some(value) => Value::OfCard(value),
                None => known("null".to_owned(), Style::Plain),
            },
            None => Value::Unknown,
        }
    }
}

/// Whether the SDK expands variables in the value of this key (voyager-semantics 3.8).
pub(crate) fn is_path_key(key: &str) -> bool {
    let word = key.rsplit('_').next().unwrap_or(key);
    matches!(word, "path" | "dir" | "root")
}

/// A copy whose every node stands where the mark stood.
fn placed(node: &Node, span: Span) -> Node {
    let kind = match &node.kind {
        Kind::Scalar(scalar) => Kind::Scalar(scalar.clone()),
        Kind::Sequence(items) => Kind::Sequence(items.iter().map(|item| placed(item, span)).collect()),
        Kind::Mapping(entries) => {
            Kind::Mapping(entries.iter().map(|(key, value)| (placed(key, span), placed(value, span))).collect())
        }
    };
    Node { span, kind }
}

fn cost(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Scalar(scalar) => scalar.text.len(),
        Kind::Sequence(items) => items.iter().map(cost).sum(),
        Kind::Mapping(entries) => entries.iter().map(|(key, value)| cost(key) + cost(value)).sum(),
    }
}

/// A value inside a longer text: a scalar's text, a list in brackets.
fn text_of(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar(scalar) => scalar.text.clone(),
        Kind::Sequence(items) => format!("[{}]", items.iter().map(text_of).collect::<Vec<_>>().join(", ")),
        Kind::Mapping(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|(key, value)| format!("{}: {}", text_of(key), text_of(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}
