//! A split written into its card: which settings change, and the card's text with them, every other byte kept.

use std::collections::BTreeMap;
use std::fmt;

use crate::cards::Card;
use crate::cards::Model;
use crate::config::Device;
use crate::config::LayerKind;
use crate::diag::Diagnostic;
use crate::diag::Source;
use crate::diag::Span;
use crate::properties::Value;
use crate::yaml::Editor;
use crate::yaml::Node;
use crate::yaml::scalar_text;

use super::fit::execution_cores_alone;
use super::split::Placement;
use super::split::Split;
use super::suggestion::ModelSettings;
use super::suggestion::Suggestion;

/// One setting to write into a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The model.
    pub model: String,
    /// The keys that lead to the mapping of the setting, from the top of the card.
    pub path: Vec<String>,
    /// The setting.
    pub key: String,
    /// Its value, a number.
    pub value: String,
    /// What holds now, where something does.
    pub was: Option<String>,
}

impl fmt::Display for Change {
    /// ``aipu_cores: 3 (was 2) in `models.reader.extra_kwargs` ``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.value)?;
        if let Some(was) = &self.was {
            write!(f, " (was {was})")?;
        }
        write!(f, " in `{}`", self.path.join("."))
    }
}

/// Where changes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Where each setting stands; what is new holds for every board.
    Card,
    /// Into the block of the board that is built for, so that nothing changes for the others.
    Board,
}

/// The settings that turn the present placements into those of `split`, a split of `suggestion`. Models that stay as they
/// are keep their settings. What a TOML file says is overruled by inline settings, since other models may use the file. The
/// deploy cores follow along, so that the SDK finds what axzoo writes (voyager-semantics 3.4).
#[must_use]
pub fn changes(
    card: &Card,
    suggestion: &Suggestion,
    split: &Split,
    settings: &BTreeMap<&str, ModelSettings<'_>>,
    max_compiler_cores: Option<u32>,
    device: Device,
    scope: Scope,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let cascade = suggestion.candidates.len() > 1;
    for (candidate, placement) in suggestion.candidates.iter().zip(&split.placements) {
        let (Some(model), Some(settings)) = (card.model(&candidate.name), settings.get(candidate.name.as_str())) else {
            continue;
        };
        if candidate.present == Some(*placement) {
            continue;
        }
        let default_most = max_compiler_cores.unwrap_or(1);
        let writer = Writer { model, settings, placement: *placement, cascade, default_most, device, scope };
        changes.extend(writer.changes());
    }
    changes
}

/// Writes one model's placement.
struct Writer<'a> {
    model: &'a Model,
    settings: &'a ModelSettings<'a>,
    placement: Placement,
    cascade: bool,
    /// Stands in for an absent `max_compiler_cores`.
    default_most: u32,
    device: Device,
    scope: Scope,
}

impl Writer<'_> {
    fn changes(&self) -> Vec<Change> {
        let Placement { cores, resources, .. } = self.placement;
        let execution = self.placement.execution_cores();
        let said = |setting: &Option<(u32, _)>| setting.as_ref().map(|(cores, _)| *cores);
        let present = &self.settings.cores;
        let mut changes = Vec::new();

        let wanted = said(&present.aipu_cores).or_else(|| self.needs_wanted_cores()).map(|_| execution);
        if let Some(wanted) = wanted.filter(|wanted| said(&present.aipu_cores) != Some(*wanted)) {
            changes.push(self.beside("aipu_cores", wanted, said(&present.aipu_cores)));
        }
        let most = said(&present.max_compiler_cores);
        let desired = wanted.unwrap_or(self.device.cores).min(present.most_execution_cores(self.device));
        let mut has_layer = wanted.is_some() || most.is_some();
        let allowed = if present.is_low_latency() { 1 } else { most.unwrap_or(self.default_most) };
        if desired.min(allowed) != cores {
            changes.push(self.beside("max_compiler_cores", cores, most));
            has_layer = true;
        }
        let follows = (cores, resources);
        let (default_cores, default_resources) = if has_layer { follows } else { (1, crate::base::Share::WHOLE) };
        let used = (Value::Int(i64::from(cores)), Value::Int(i64::from(default_cores)));
        changes.extend(self.property("aipu_cores_used", &used.0, &used.1));
        let used = (Value::Float(resources.decimal()), Value::Float(default_resources.decimal()));
        changes.extend(self.property("resources_used", &used.0, &used.1));
        changes
    }

    /// The execution cores, where they must be said: a cascade must say them, and a model by itself where it would
    /// not fill so many of its own accord.
    fn needs_wanted_cores(&self) -> Option<u32> {
        let Placement { cores, resources, .. } = self.placement;
        let config = self.settings.config;
        let execution = self.placement.execution_cores();
        let most = self.settings.cores.most_execution_cores(self.device).min(self.device.cores);
        let says_cores = config.is_said("aipu_cores_used") && config.is_said("resources_used");
        let fills = says_cores && execution_cores_alone(cores, resources, most) == execution;
        (self.cascade || !fills).then_some(execution)
    }

    /// A core setting of `extra_kwargs`: in the board's block where that says it or is the scope, else in the general one.
    fn beside(&self, key: &str, value: u32, was: Option<u32>) -> Change {
        let board = self.device.board.word();
        let says_it = self.model.extra.boards.get(board).is_some_and(|block| match key {
            "aipu_cores" => block.aipu_cores.is_some(),
            _ => block.max_compiler_cores.is_some(),
        });
        let mut path = self.path();
        path.extend((says_it || self.scope == Scope::Board).then(|| board.to_owned()));
        let was = was.map(|was| was.to_string());
        Change { model: self.model.name.value.clone(), path, key: key.to_owned(), value: value.to_string(), was }
    }

    /// A property of the compiler configuration, where it does not come out as `value` by itself. `otherwise` is what holds
    /// when no file and no block says it.
    fn property(&self, name: &str, value: &Value, otherwise: &Value) -> Option<Change> {
        let traced = self.settings.config.get(name)?;
        let is_said = matches!(traced.origin.layer, LayerKind::Toml | LayerKind::Inline | LayerKind::Board);
        let holds = if is_said { &traced.value } else { otherwise };
        if holds == value {
            return None;
        }
        let board = self.device.board.word();
        let block = self.model.extra.boards.get(board).and_then(|block| block.compilation_config.as_ref());
        let node = block.or(self.model.extra.compilation_config.as_ref());
        let mut path = self.path();
        let in_block = block.is_some() || self.scope == Scope::Board;
        path.extend(in_block.then(|| board.to_owned()));
        path.push("compilation_config".to_owned());
        let place = traced.origin.place.as_ref().filter(|_| is_said && in_block == block.is_some());
        let written = node.zip(place).and_then(|(node, place)| written_as(node, place.span));
        let key = match written {
            Some((section, key)) => {
                path.extend(section);
                key
            }
            None => name.to_owned(),
        };
        let was = is_said.then(|| traced.value.to_string());
        Some(Change { model: self.model.name.value.clone(), path, key, value: value.to_string(), was })
    }

    fn path(&self) -> Vec<String> {
        vec!["models".to_owned(), self.model.name.value.clone(), "extra_kwargs".to_owned()]
    }
}

/// The key whose value stands at a span, with the section of SDK 1.2 that it is in.
fn written_as(block: &Node, value: Span) -> Option<(Option<String>, String)> {
    let key_in = |node: &Node| {
        let entry = node.entries().iter().find(|(_, node)| node.span == value)?;
        entry.0.as_text().map(ToOwned::to_owned)
    };
    if let Some(key) = key_in(block) {
        return Some((None, key));
    }
    let mut sections = block.entries().iter().filter(|(_, section)| section.is_mapping());
    sections.find_map(|(name, section)| Some((Some(name.as_text()?.to_owned()), key_in(section)?)))
}

/// The card's text with every change made.
///
/// # Errors
/// What cannot be edited where it stands, such as a mapping that an alias brings.
pub fn apply(card: &Card, changes: &[Change]) -> Result<String, Box<Diagnostic>> {
    let mut text = card.source.text().to_owned();
    for change in changes {
        // One after another, each against the text as it then is: two edits of one flow mapping would meet.
        text = put(&Source::new(card.source.name(), text), change)
            .map_err(|problem| Box::new(problem.network(card.name.value.as_str()).model(change.model.as_str())))?;
    }
    Ok(text)
}

fn put(source: &Source, change: &Change) -> Result<String, Diagnostic> {
    let editor = Editor::new(source).map_err(|error| error.diagnostic(source))?;
    let mut mapping = editor.root();
    let mut path = change.path.iter();
    let mut missing = None;
    for name in path.by_ref() {
        match mapping.get(name) {
            Some(inner) if !inner.is_null() => mapping = inner,
            _ => {
                missing = Some(name);
                break;
            }
        }
    }
    let entry = format!("{}: {}", scalar_text(&change.key), change.value);
    let edit = match missing {
        None => editor.set(mapping, &change.key, &change.value),
        Some(first) => {
            let value =
                path.rev().fold(format!("{{{entry}}}"), |inner, name| format!("{{{}: {inner}}}", scalar_text(name)));
            editor.set(mapping, first, &value)
        }
    };
    edit.and_then(|edit| editor.apply(&[edit])).map_err(|error| error.diagnostic(source))
}
