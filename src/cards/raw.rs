//! A card's top level as written: which keys are there, and what is missing.

use super::Spanned;
use super::fields::Fields;
use super::keys;
use super::keys::names;
use crate::diag::Diagnostic;
use crate::diag::Severity;
use crate::diag::Span;
use crate::yaml::Node;

/// Keys of a card's top level; anything else belongs to a newer SDK, unless it is a near miss of one of these.
pub(super) const CARD_KEYS: &[&str] = &names(&keys::CARD);

/// The format that is read (`axelera-model-format`).
pub(super) const FORMAT: &str = "1.0.0";

/// The top level of a card, mirrored: parts that are not mappings or lists where they should be are reported and absent.
#[derive(Debug)]
pub(super) struct RawCard<'n> {
    pub(super) name: Option<Spanned<String>>,
    pub(super) description: Option<Spanned<String>>,
    /// The list of tasks; `None` for `pipeline: null`.
    pub(super) pipeline: Option<&'n Node>,
    pub(super) models: Option<&'n Node>,
    pub(super) datasets: Option<&'n Node>,
}

/// Whether a document looks like a card at all, good or bad; a pipeline template or some other YAML does not.
pub(super) fn looks_like_a_card(node: &Node) -> bool {
    let has = |key: &str| node.get(key).is_some();
    has("axelera-model-format") || has("models") || (has("name") && has("pipeline"))
}

impl<'n> RawCard<'n> {
    pub(super) fn read(fields: &mut Fields<'_>, node: &'n Node) -> Self {
        fields.near_misses(node, CARD_KEYS, "the card");
        format_version(fields, node);
        let start = Span::new(node.span.start, node.span.start);
        for (key, severity) in [
            ("name", Severity::Error),
            ("models", Severity::Error),
            ("description", Severity::Warning),
            ("pipeline", Severity::Warning),
            ("datasets", Severity::Warning),
        ] {
            if node.get(key).is_some() {
                continue;
            }
            let message = format!("the card has no `{key}`");
            let problem = match severity {
                Severity::Error => Diagnostic::error("card/missing-key", message).hint(match key {
                    "name" => "write `name: …`; it names the network and its folder below `build/`",
                    _ => "describe the network's models under `models:`",
                }),
                _ => Diagnostic::warning("card/missing-key", message).hint("the SDK refuses a card without it"),
            };
            fields.report(problem.at(fields.source, start));
        }
        let name = fields.text(node, "name");
        if let Some((_, value)) = node.entry("name")
            && value.is_null()
        {
            fields.error("card/missing-key", value.span, "the card's `name` is empty", Some("write a name behind it"));
        }
        let pipeline = Fields::value(node, "pipeline").filter(|pipeline| {
            let fits = pipeline.is_sequence();
            if !fits {
                fields.wrong_type("pipeline", pipeline, "a list of tasks, or null");
            }
            fits
        });
        let models = fields.mapping(node, "models");
        if let Some((key, value)) = node.entry("models")
            && (value.is_null() || (value.is_mapping() && value.entries().is_empty()))
        {
            fields.error(
                "card/no-models",
                key.span,
                "the card defines no models",
                Some("describe a model below it, or remove the card"),
            );
        }
        Self {
            description: fields.text(node, "description"),
            datasets: fields.mapping(node, "datasets"),
            name,
            pipeline,
            models,
        }
    }
}

fn format_version(fields: &mut Fields<'_>, node: &Node) {
    let start = Span::new(node.span.start, node.span.start);
    match fields.text(node, "axelera-model-format") {
        Some(version) if version.value == FORMAT => {}
        Some(version) => {
            let message = format!("`axelera-model-format`: expected `{FORMAT}`, found `{}`", version.value);
            let hint = format!("write `{FORMAT}` if the card follows that format; no other is read");
            fields.error("card/format", version.span, message, Some(&hint));
        }
        None => {
            let others = ["name", "description", "pipeline", "models", "datasets"];
            let plain = node.entries().len() == others.len() && others.iter().all(|key| node.get(key).is_some());
            let message = format!("the card has no `axelera-model-format`; it is read as `{FORMAT}`");
            let problem = if plain {
                Diagnostic::note("card/format", message)
            } else {
                Diagnostic::warning("card/format", message).hint("the SDK refuses a card without it")
            };
            fields.report(problem.at(fields.source, start));
        }
    }
}
