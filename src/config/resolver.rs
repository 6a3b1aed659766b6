//! From what a card says to a [`Config`]: the layers in their order (SPEC 4).

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::base::Looked;
use crate::base::fs;
use crate::base::looked_again;
use crate::base::watched;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Severity;
use crate::diag::Source;
use crate::properties::Value;
use crate::yaml::Node;

use super::board::Board;
use super::board::Device;
use super::cores::CoreSettings;
use super::cores::DeployCores;
use super::effective::Config;
use super::inline;
use super::json_file;
use super::layer::Form;
use super::layer::Layer;
use super::layer::Reader;
use super::origin::LayerKind;
use super::origin::Origin;
use super::search::NotFound;
use super::search::SearchPath;
use super::set;
use super::settings::Setting;
use super::settings::settings;
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
    /// Files that are not written yet, by their real place: they count as if they were.
    pub overlay: Arc<BTreeMap<PathBuf, String>>,
    /// Each with what it was read from.
    files: Mutex<BTreeMap<PathBuf, (Arc<TomlFile>, Looked)>>,
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

    /// The core settings that hold for a request: the general ones with the board's over them.
    #[must_use]
    pub fn core_settings(request: &Request<'_>) -> CoreSettings {
        match &request.board {
            Some(board) => request.cores.overlaid_by(&board.cores),
            None => request.cores.clone(),
        }
    }

    /// The deploy cores of a request: what follows from `extra_kwargs` and the command line alone, whatever the layers say.
    #[must_use]
    pub fn deploy_cores(&self, request: &Request<'_>) -> DeployCores {
        let most = self.max_compiler_cores.unwrap_or(1);
        Self::core_settings(request).deploy_cores(request.aipu_cores_flag, most, self.device)
    }

    fn cores_layer(&self, request: &Request<'_>, config: &mut Config) {
        if !Self::core_settings(request).has_layer(request.aipu_cores_flag) {
            return;
        }
        let deploy = self.deploy_cores(request);
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
        let path = match self.find(name, card_folder) {
            Ok(path) => path,
            Err(not_found) => {
                let places: Vec<String> = not_found.places.iter().map(|place| format!("`{place}`")).collect();
                let looked = if not_found.is_path { "looked at" } else { "looked in" };
                let mut hint = format!("{looked} {}", places.join(", "));
                if !not_found.is_path && self.search.sdk_roots.is_empty() {
                    hint += "; no SDK is known, `--sdk` names one";
                }
                if let Some(near) = not_found.near {
                    hint = format!("{near}\n{hint}");
                }
                if name.contains('$') {
                    hint = format!("variables stay as they are in `compiler_config_file`: write the path out\n{hint}");
                }
                let message = format!("there is no config file `{name}`");
                let problem = Diagnostic::error("config/missing-file", message).at_place(Some(place));
                reader.problems.push(problem.hint(hint));
                return Layer::default();
            }
        };
        let file = self.file(&path);
        // Where there is no text to point into, the card's own line is the place to look at.
        let placed = |problem: &Diagnostic| match &problem.place {
            Some(_) => problem.clone(),
            None => problem.clone().at_place(Some(place)),
        };
        reader.problems.extend(file.problems.iter().map(placed));
        let layer = reader.read(&file.entries, Form::Toml);
        files.push(path);
        layer
    }

    fn find(&self, name: &str, card_folder: &Path) -> Result<PathBuf, NotFound> {
        let is_there = |path: &Path| {
            fs::exists(path) || (!self.overlay.is_empty() && self.overlay.contains_key(&fs::place_of(path)))
        };
        self.search.find(name, card_folder, &is_there)
    }

    /// The same search for the whole of another board, with files that are not written yet.
    #[must_use]
    pub fn with_overlay(&self, board: Board, overlay: Arc<BTreeMap<PathBuf, String>>) -> Self {
        Self {
            search: self.search.clone(),
            device: Device::whole(board),
            max_compiler_cores: self.max_compiler_cores,
            allow_keys: self.allow_keys.clone(),
            overlay,
            files: Mutex::default(),
        }
    }

    /// What a config file says, setting by setting, and where it lies.
    ///
    /// # Errors
    /// The file is not found or cannot be read, or its settings have errors.
    pub fn settings_of_file(
        &self,
        (name, place): &(String, Place),
        card_folder: &Path,
    ) -> Result<(PathBuf, Vec<Setting>), Vec<Diagnostic>> {
        let board_cores = self.device.board.cores();
        let mut reader = Reader { board_cores, allow_keys: &self.allow_keys, problems: Vec::new() };
        let mut files = Vec::new();
        self.file_layer(name, place, card_folder, &mut reader, &mut files);
        let errors: Vec<Diagnostic> =
            reader.problems.into_iter().filter(|problem| problem.severity == Severity::Error).collect();
        match files.pop() {
            Some(path) if errors.is_empty() => {
                let entries = &self.file(&path).entries;
                Ok((path, settings(entries, Form::Toml, board_cores, &self.allow_keys)?))
            }
            _ => Err(errors),
        }
    }

    /// What the text of a `compilation_config` block says, setting by setting.
    ///
    /// # Errors
    /// The block is no mapping, or its settings have errors.
    pub fn settings_of_inline(&self, node: &Node, source: &Source) -> Result<Vec<Setting>, Vec<Diagnostic>> {
        let mut reader =
            Reader { board_cores: self.device.board.cores(), allow_keys: &self.allow_keys, problems: Vec::new() };
        let Some(entries) = inline::entries(node, source) else {
            inline_layer(node, source, &mut reader);
            return Err(reader.problems);
        };
        settings(&entries, Form::Inline, reader.board_cores, &self.allow_keys)
    }

    /// What a JSON text says, setting by setting: flat, or in the sections of SDK 1.2.
    ///
    /// # Errors
    /// The text is no JSON object, or its settings have errors.
    pub fn settings_of_json(&self, source: &Source) -> Result<Vec<Setting>, Vec<Diagnostic>> {
        let entries = json_file::entries(source).map_err(|problem| vec![*problem])?;
        settings(&entries, Form::Inline, self.device.board.cores(), &self.allow_keys)
    }

    fn file(&self, path: &Path) -> Arc<TomlFile> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((file, looked)) = files.get(path) {
            looked_again(looked);
            return Arc::clone(file);
        }
        let name = self.search.display(path);
        let unwritten = if self.overlay.is_empty() { None } else { self.overlay.get(&fs::place_of(path)) };
        let (file, looked) = watched(|| {
            Arc::new(match unwritten {
                Some(text) => toml_file::parse(&Source::new(name, text.as_str())),
                None => toml_file::read(path, &name),
            })
        });
        files.insert(path.to_owned(), (Arc::clone(&file), looked));
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
