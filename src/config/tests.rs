//! What the layers do, over texts as users write them.

mod documents;
mod layers;
mod merge;
mod old_forms;
mod real_cards;
mod report;
mod search;

pub(crate) use real_cards::is_card;
pub(crate) use real_cards::shared;

use std::fmt::Write;
use std::path::PathBuf;

use crate::base::fs;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Source;
use crate::diag::Span;
use crate::yaml;
use crate::yaml::Node;

use super::BoardRequest;
use super::Config;
use super::CoreSettings;
use super::Device;
use super::Request;
use super::Resolution;
use super::Resolver;
use super::SearchPath;

/// The card's text: the body of one model's `extra_kwargs`.
pub(crate) struct CardText {
    source: Source,
    root: Node,
}

impl CardText {
    pub(crate) fn new(text: &str) -> Self {
        let source = Source::new("card.yaml", text);
        let root = yaml::parse(&source).unwrap_or_else(|error| panic!("{error}: {text}"));
        Self { source, root }
    }

    /// One model's `extra_kwargs` of a whole card.
    pub(crate) fn of(source: &Source, extra_kwargs: Node) -> Self {
        Self { source: source.clone(), root: extra_kwargs }
    }

    fn cores(&self, node: &Node) -> CoreSettings {
        let setting = |key: &str| {
            let value = node.get(key)?;
            Some((u32::try_from(value.as_int()?).ok()?, Place::new(&self.source, value.span)))
        };
        CoreSettings {
            aipu_cores: setting("aipu_cores"),
            max_compiler_cores: setting("max_compiler_cores"),
            max_execution_cores: setting("max_execution_cores"),
            low_latency: node
                .get("low_latency")
                .and_then(|value| Some((value.as_bool()?, Place::new(&self.source, value.span)))),
        }
    }

    fn file(&self, node: &Node) -> Option<(String, Place)> {
        let value = node.get("compiler_config_file")?;
        Some((value.as_text()?.to_owned(), Place::new(&self.source, value.span)))
    }

    fn inline<'a>(&'a self, node: &'a Node) -> Option<(&'a Node, &'a Source)> {
        Some((node.get("compilation_config")?, &self.source))
    }

    /// The request of this card, as the room of cards will make it.
    pub(crate) fn request(&self, resolver: &Resolver, folder: PathBuf) -> Request<'_> {
        let block = self.root.get(resolver.device.board.word());
        let board = block.map(|block| BoardRequest {
            cores: self.cores(block),
            compiler_config_file: self.file(block),
            inline: self.inline(block),
        });
        Request {
            network: "net",
            model: "m",
            card_folder: folder,
            cores: self.cores(&self.root),
            compiler_config_file: self.file(&self.root),
            inline: self.inline(&self.root),
            board,
            ..Request::default()
        }
    }
}

/// A zoo in a temporary folder: `card.toml` beside the card.
struct Zoo {
    folder: tempfile::TempDir,
    resolver: Resolver,
}

impl Zoo {
    fn new(device: Device, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            fs::write_atomic(&folder.path().join(name), text.as_bytes()).expect("written");
        }
        let search = SearchPath {
            root: folder.path().to_owned(),
            config_folders: vec![folder.path().join("configs")],
            sdk_roots: vec![folder.path().join("sdk")],
        };
        Self { resolver: Resolver::new(search, device), folder }
    }

    fn resolve(&self, card: &str, set: &[(&str, &str)]) -> Resolution {
        let card = CardText::new(card);
        let set: Vec<(String, String)> = set.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let request = card.request(&self.resolver, self.folder.path().join("cards"));
        self.resolver.resolve(&Request { set: &set, ..request })
    }
}

/// Problems as `severity code line:column: message`.
fn lines(problems: &[Diagnostic]) -> Vec<String> {
    let line = |problem: &Diagnostic| {
        let place = problem.place.as_ref().map(Place::position);
        let place = place.map_or_else(String::new, |position| format!(" {}:{}", position.line, position.column));
        format!("{} {}{place}: {}", problem.severity.word(), problem.code, problem.message)
    };
    problems.iter().map(line).collect()
}

/// `value layer`, then each hidden value and layer.
fn traced(config: &Config, name: &str) -> String {
    let traced = config.get(name).unwrap_or_else(|| panic!("no `{name}`"));
    let mut text = format!("{} {}", traced.value, traced.origin.layer.word());
    for (value, origin) in &traced.hides {
        let _ = write!(text, " > {value} {}", origin.layer.word());
    }
    text
}

fn somewhere() -> Place {
    Place::new(&Source::new("card.yaml", "x"), Span::new(0, 1))
}
