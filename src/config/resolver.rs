//! From what a card says to a [`Config`]: the layers in their order (SPEC 4).

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Source;
use crate::properties::Value;
use crate::yaml::Node;

use super::board::Device;
use super::cores::CoreSettings;
use super::effective::Config;
use super::inline;
use super::layer::Form;
use super::layer::Layer;
use super::layer::Reader;
use super::origin::LayerKind;
use super::origin::Origin;
use super::search::ListedConfig;
use super::search::SearchPath;
use super::set;
use super::toml_file;
use super::toml_file::TomlFile;

/// What one card says about one model, and what the command line adds.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// The network's name, for messages.
    pub network: &'a str,
    /// The model's name, for messages.
    pub model: &'a str,
    /// The folder that the card lies in.
    pub card_folder: PathBuf,
    /// `aipu_cores`, `max_compiler_cores` and `max_execution_cores` of the general `extra_kwargs`.
    pub cores: CoreSettings,
    /// `compiler_config_file` of the general `extra_kwargs`.
    pub compiler_config_file: Option<(String, Place)>,
    /// `compilation_config` of the general `extra_kwargs`.
    pub inline: Option<(&'a Node, &'a Source)>,
    /// The block of the chosen board, where the card has one.
    pub board: Option<BoardRequest<'a>>,
    /// `--set key=value`, in the order given; the last of one key wins.
    pub set: &'a [(String, String)],
    /// `--aipu-cores`.
    pub aipu_cores_flag: Option<u32>,
}

/// What `extra_kwargs.<board>` says: each part takes the place of the general one.
#[derive(Debug, Clone, Default)]
pub struct BoardRequest<'a> {
    /// The board's core settings, laid over the general ones one by one.
    pub cores: CoreSettings,
    /// Takes the place of the general file.
    pub compiler_config_file: Option<(String, Place)>,
    /// Takes the place of the general block, whole.
    pub inline: Option<(&'a Node, &'a Source)>,
}

/// A model's configuration and what was met on the way.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// The merged configuration. Values that were refused are not in it.
    pub config: Config,
    /// Everything worth saying, each with network and model.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read.
    pub files: Vec<PathBuf>,
}

/// Resolves configurations; each TOML file is read once, however many models name it.
#[derive(Debug, Default)]
pub struct Resolver {
    /// Where files are looked for.
    pub search: SearchPath,
    /// The device to build for.
    pub device: Device,
    /// Stands in for a `max_compiler_cores` that a card does not say (`AXELERA_MAX_COMPILER_CORES`); `None` is 1.
    pub max_compiler_cores: Option<u32>,
    /// Keys that the near-miss rule lets through (`[zoo] allow_keys`).
    pub allow_keys: Vec<String>,
    files: Mutex<BTreeMap<PathBuf, Arc<TomlFile>>>,
}

impl Resolver {
    /// A resolver for a device.
    #[must_use]
    pub fn new(search: SearchPath, device: Device) -> Self {
        Self { search, device, ..Self::default() }
    }

    /// Merges the layers of one model. Everything wrong is reported, and the rest goes on, so that `config show` has
    /// something to show; nothing may be built from a resolution with errors.
    #[must_use]
    pub fn resolve(&self, request: &Request<'_>) -> Resolution {
        let mut reader =
            Reader { board_cores: self.device.board.cores(), allow_keys: &self.allow_keys, problems: Vec::new() };
        let mut config = Config::default();
        let mut files = Vec::new();
        self.cores_layer(request, &mut config);

        let board = request.board.as_ref();
        let board_file = board.and_then(|board| board.compiler_config_file.as_ref());
        if let Some((name, place)) = board_file.or(request.compiler_config_file.as_ref()) {
            let layer = self.file_layer(name, place, &request.card_folder, &mut reader, &mut files);
            config.overlay_layer(layer, if board_file.is_some() { LayerKind::Board } else { LayerKind::Toml });
        }

        match (board.and_then(|board| board.inline), request.inline) {
            (Some((node, source)), general) => {
                let layer = inline_layer(node, source, &mut reader);
                if let Some((node, source)) = general {
                    self.dropped_keys(node, source, &layer, &mut reader);
                }
                config.overlay_layer(layer, LayerKind::Board);
            }
            (None, Some((node, source))) => {
                config.overlay_layer(inline_layer(node, source, &mut reader), LayerKind::Inline);
            }
            (None, None) => {}
        }

        // One layer for each argument: a later one hides an earlier one of the same key.
        for (key, value) in request.set {
            config.overlay_layer(reader.read(&[set::entry(key, value)], Form::Set), LayerKind::Set);
        }
        let named = |problem: Diagnostic| problem.network(request.network).model(request.model);
        Resolution { config, diagnostics: reader.problems.into_iter().map(named).collect(), files }
    }

    /// The configs that any card can name.
    #[must_use]
    pub fn list_configs(&self) -> Vec<ListedConfig> {
        self.search.list_configs()
    }

    /// The core settings that hold for a request: the general ones with the board's over them.
    #[must_use]
    pub fn core_settings(request: &Request<'_>) -> CoreSettings {
        match &request.board {
            Some(board) => request.cores.overlaid_by(&board.cores),
            None => request.cores.clone(),
        }
    }

    fn cores_layer(&self, request: &Request<'_>, config: &mut Config) {
        let settings = Self::core_settings(request);
        if !settings.has_layer(request.aipu_cores_flag) {
            return;
        }
        let most = self.max_compiler_cores.unwrap_or(1);
        let deploy = settings.deploy_cores(request.aipu_cores_flag, most, self.device);
        let origin = || Origin { layer: LayerKind::Cores, place: deploy.place.clone() };
        let share = self.device.board.share_of(deploy.cores).decimal();
        config.overlay("aipu_cores_used", Value::Int(i64::from(deploy.cores)), origin());
        config.overlay("resources_used", Value::Float(share), origin());
        config.overlay("multicore_mode", Value::Text("batch".to_owned()), origin());
    }

    fn file_layer(
        &self,
        name: &str,
        place: &Place,
        card_folder: &Path,
        reader: &mut Reader<'_>,
        files: &mut Vec<PathBuf>,
    ) -> Layer {
        if name.trim().is_empty() {
            let problem = Diagnostic::error("config/missing-file", "`compiler_config_file` names no file");
            reader.problems.push(problem.at_place(Some(place)).hint("name a TOML file, or remove the key"));
            return Layer::default();
        }
        let path = match self.search.find(name, card_folder) {
            Ok(path) => path,
            Err(not_found) => {
                let places: Vec<String> = not_found.places.iter().map(|place| format!("`{place}`")).collect();
                let looked = if not_found.is_path { "looked at" } else { "looked in" };
                let mut hint = format!("{looked} {}", places.join(", "));
                if let Some(near) = not_found.near {
                    hint = format!("{near}\n{hint}");
                }
                let message = format!("there is no config file `{name}`");
                let problem = Diagnostic::error("config/missing-file", message).at_place(Some(place));
                reader.problems.push(problem.hint(hint));
                return Layer::default();
            }
        };
        let file = self.file(&path);
        reader.problems.extend(file.problems.iter().cloned().map(|problem| match problem.code {
            // There is nothing to mend in such a file: the card names the wrong one.
            "config/not-a-file" | "config/unreadable" => problem.at_place(Some(place)),
            _ => problem,
        }));
        let layer = reader.read(&file.entries, Form::Toml);
        files.push(path);
        layer
    }

    fn file(&self, path: &Path) -> Arc<TomlFile> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(path) {
            return Arc::clone(file);
        }
        let file = Arc::new(toml_file::read(path, &self.search.display(path)));
        files.insert(path.to_owned(), Arc::clone(&file));
        file
    }

    /// Warns of settings of the general block that the board's block does not repeat: they no longer hold.
    fn dropped_keys(&self, node: &Node, source: &Source, board: &Layer, reader: &mut Reader<'_>) {
        // What is wrong in the general block is not this board's concern.
        let mut quiet = Reader { board_cores: reader.board_cores, allow_keys: &self.allow_keys, problems: Vec::new() };
        let general = inline_layer(node, source, &mut quiet);
        let kept: Vec<&str> = board.names().collect();
        let dropped: Vec<String> =
            general.names().filter(|name| !kept.contains(name)).map(|name| format!("`{name}`")).collect();
        if dropped.is_empty() {
            return;
        }
        let message = format!(
            "the `compilation_config` of `{}` takes the place of this one, which drops {}",
            self.device.board,
            dropped.join(", ")
        );
        let warning = Diagnostic::warning("config/board-drops", message).at(source, node.span);
        reader.problems.push(warning.hint("repeat in the board's block what is to hold there too"));
    }
}

fn inline_layer(node: &Node, source: &Source, reader: &mut Reader<'_>) -> Layer {
    if let Some(entries) = inline::entries(node, source) {
        return reader.read(&entries, Form::Inline);
    }
    let message = format!("`compilation_config` takes a mapping of settings, found {}", node.describe());
    reader.problems.push(Diagnostic::error("config/type", message).at(source, node.span));
    Layer::default()
}
