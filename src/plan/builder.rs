//! From cards and configurations to a graph of steps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::images::{ImageFolder, Images, choose};
use super::information::model_info;
use super::origins::{Origins, origins, origins_of_bundle};
use super::prequantized::{self, Prequantized};
use super::weights::Weights;
use super::{
    BundleSettings, CleanSettings, FetchSettings, Graph, HOST_GRAPHS, Input, LowerSettings, PackSettings,
    QUANTIZED_MANIFEST, QuantizeSettings, Settings, Step, StepId, StepKind, StepWork,
};
use crate::base::Looked;
use crate::base::fs::FsError;
use crate::base::fs::is_folder;
use crate::base::looked_again;
use crate::base::watched;
use crate::cards::Card;
use crate::cards::Model;
use crate::config::Board;
use crate::config::Config;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::properties::CompilerMode;
use crate::properties::Influence;

/// One model that is to be built.
#[derive(Debug, Clone, Copy)]
pub struct ModelRequest<'a> {
    /// Its entry in the card.
    pub model: &'a Model,
    /// Its effective configuration.
    pub config: &'a Config,
    /// Cores that one copy of the model uses at run time, for `model_info.json`.
    pub execution_cores: u32,
}

/// One network that is to be built.
#[derive(Debug, Clone)]
pub struct NetworkRequest<'a> {
    /// Its card.
    pub card: &'a Card,
    /// The models wanted.
    pub models: Vec<ModelRequest<'a>>,
    /// Whether these are all of the network's models, so that it can be bundled.
    pub whole: bool,
    /// `network.json` without digests.
    pub description: Value,
}

/// What holds for all networks of a build.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct PlanOptions<'a> {
    /// Calibration images where the card does not say.
    pub images: u32,
    /// Whether that number was asked for by hand: it then beats the card's, and too few images are an error.
    pub images_are_explicit: bool,
    /// Shuffle by this seed; beats the card's.
    pub seed: Option<u64>,
    /// Whether a model without images may be calibrated on random data.
    pub allow_random: bool,
    /// The board to build for: its block of a card's `extra_kwargs` holds.
    pub board: Board,
    /// Stop after quantize.
    pub quantize_only: bool,
    /// Whether a warning keeps a network from being planned.
    pub strict: bool,
    /// What enters the key of a kind of step.
    pub tool: &'a dyn Fn(StepKind) -> String,
}

/// A network that cannot be planned.
#[derive(Debug, Clone)]
pub struct Unplanned {
    /// The network.
    pub network: String,
    /// The model at fault.
    pub model: String,
    /// The step that cannot be planned.
    pub step: StepKind,
    /// Why: at least one.
    pub problems: Vec<Diagnostic>,
    /// Whether no toolchain at hand can do it, rather than something being wrong.
    pub unsupported: bool,
}

/// The result of planning.
pub struct Plan {
    /// The steps of all networks that can be planned.
    pub graph: Graph<StepWork>,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
    /// The others.
    pub unplanned: Vec<Unplanned>,
    /// What was looked at for each network, in their order.
    pub looked: Vec<Looked>,
}

/// Plans the networks. One that cannot be planned adds no step, and the others are not touched by it.
#[must_use]
pub fn plan(networks: &[NetworkRequest<'_>], options: &PlanOptions<'_>) -> Plan {
    let mut builder = Builder { options, folders: BTreeMap::new(), weights: Weights::default() };
    let mut plan = Plan { graph: Graph::new(), warnings: Vec::new(), unplanned: Vec::new(), looked: Vec::new() };
    for network in networks {
        let ((), looked) = watched(|| builder.plan(network, &mut plan));
        plan.looked.push(looked);
    }
    plan
}

impl Builder<'_> {
    fn plan(&mut self, network: &NetworkRequest<'_>, plan: &mut Plan) {
        let options = self.options;
        let mut models = Vec::new();
        let before = plan.unplanned.len();
        for request in &network.models {
            match self.facts(network.card, request) {
                Ok((_, warnings)) if options.strict && !warnings.is_empty() => {
                    let unplanned = refused(network.card, request.model, StepKind::Quantize, false, warnings);
                    plan.unplanned.push(*unplanned);
                }
                Ok((facts, warnings)) => {
                    plan.warnings.extend(warnings);
                    models.push((request, facts));
                }
                Err(unplanned) => plan.unplanned.push(*unplanned),
            }
        }
        if plan.unplanned.len() == before {
            self.add(network, models, &mut plan.graph);
        }
    }
}

/// What a model's steps need, found before any step is added.
struct Facts {
    source: Source,
    labels_file: Option<PathBuf>,
}

/// What a model is made of.
enum Source {
    /// A float network, and what it is quantized with.
    Float(Box<FloatSource>),
    /// A quantized model, which is lowered only.
    Quantized(Prequantized),
}

struct FloatSource {
    weights: PathBuf,
    /// Files beside the weights that hold tensors: (name, path).
    external: Vec<(String, PathBuf)>,
    /// Of all these files.
    bytes: u64,
    preprocess: crate::imaging::Preprocess,
    images: Images,
    random: Option<Random>,
}

/// Random data instead of calibration images.
#[derive(Clone, Copy)]
struct Random {
    seed: u64,
    samples: usize,
}

struct Builder<'a> {
    options: &'a PlanOptions<'a>,
    /// With what was looked at for each.
    folders: BTreeMap<PathBuf, (ImageFolder, Looked)>,
    weights: Weights,
}

type Refused = Box<Unplanned>;

#[expect(clippy::unnecessary_box_returns, reason = "it goes into the error of a result, which is to stay small")]
fn refused(card: &Card, model: &Model, step: StepKind, unsupported: bool, problems: Vec<Diagnostic>) -> Refused {
    let (network, model) = (card.name.value.clone(), model.name.value.clone());
    let about = |problem: Diagnostic| problem.network(network.as_str()).model(model.as_str());
    let problems = problems.into_iter().map(about).collect();
    Box::new(Unplanned { network, model, step, problems, unsupported })
}

impl Builder<'_> {
    fn facts(&mut self, card: &Card, request: &ModelRequest<'_>) -> Result<(Facts, Vec<Diagnostic>), Refused> {
        let model = request.model;
        let labels_file = card
            .dataset_of(model)
            .and_then(|dataset| dataset.labels_path.as_ref()?.resolved.as_ref().ok())
            .filter(|path| crate::base::fs::is_file(path))
            .cloned();
        let mode = request.config.effective().compiler_mode;
        let said = request.config.get("compiler_mode").and_then(|traced| traced.origin.place.as_ref());
        if mode == CompilerMode::LowerOnly || (model.weights.is_none() && model.prequantized.path.is_some()) {
            let found = prequantized::find(card, model, said).and_then(|found| {
                let stops = self.options.quantize_only || mode == CompilerMode::QuantizeOnly;
                if stops { Err(nothing_to_quantize(model)) } else { Ok(found) }
            });
            let found = found.map_err(|problem| refused(card, model, StepKind::Fetch, false, vec![*problem]))?;
            return Ok((Facts { source: Source::Quantized(found), labels_file }, Vec::new()));
        }
        let weights = weights_file(card, model)?;
        let failed = |problems| refused(card, model, StepKind::Quantize, false, problems);
        let external = self.weights.external(&weights).map_err(|error| {
            let shown = card.shown(&error.path);
            let error = error.shown_as(shown);
            let problem = Diagnostic::error("build/weights", error.to_string()).maybe_hint(error.hint());
            let place = model.weights.as_ref().map(|path| &path.place);
            refused(card, model, StepKind::Fetch, false, vec![problem.at_place(place)])
        })?;
        let mut warnings = Vec::new();
        let (images, random) = self.images(card, model, &mut warnings).map_err(|problem| failed(vec![*problem]))?;
        let preprocess = card.preprocess_of(model).map_err(failed)?;
        let files = std::iter::once(&weights).chain(external.iter().map(|(_, path)| path));
        let bytes = files.filter_map(|path| crate::base::fs::stat(path)).map(|stat| stat.size).sum();
        let source = FloatSource { weights, external, bytes, preprocess, images, random };
        Ok((Facts { source: Source::Float(Box::new(source)), labels_file }, warnings))
    }

    fn folder(&mut self, folder: &Path) -> Result<ImageFolder, FsError> {
        if let Some((known, looked)) = self.folders.get(folder) {
            looked_again(looked);
            return Ok(known.clone());
        }
        let (read, looked) = watched(|| ImageFolder::read(folder));
        let read = read?;
        self.folders.insert(folder.to_owned(), (read.clone(), looked));
        Ok(read)
    }

    fn images(
        &mut self,
        card: &Card,
        model: &Model,
        warnings: &mut Vec<Diagnostic>,
    ) -> Result<(Images, Option<Random>), Box<Diagnostic>> {
        let options = self.options;
        let by_card = model.extra.num_cal_images.as_ref().map(|count| count.value);
        let wanted = by_card.filter(|_| !options.images_are_explicit).unwrap_or(options.images) as usize;
        let seed = options.seed.or(model.extra.cal_seed.as_ref().map(|seed| seed.value));
        let found = card.calibration(model);
        let (folder, place) = match found.and_then(|chosen| {
            let read = self.folder(&chosen.folder);
            let read = read.map_err(|error| {
                let shown = card.shown(&error.path);
                let error = error.shown_as(shown);
                if error.is_not_found() {
                    let what = format!("the folder `{}` does not exist", card.shown(&chosen.folder));
                    return no_images(card, &what, &chosen.place, None);
                }
                let problem = Diagnostic::error("build/unreadable", error.to_string());
                Box::new(problem.at_place(Some(&chosen.place)).maybe_hint(error.hint()))
            })?;
            if read.images.is_empty() {
                let what = format!("there is no image in `{}`", card.shown(&chosen.folder));
                return Err(no_images(card, &what, &chosen.place, None));
            }
            Ok((read, chosen.place))
        }) {
            Ok(found) => found,
            Err(problem) if options.allow_random && NO_IMAGES.contains(&problem.code) => {
                let message =
                    format!("`{}` is calibrated on random data: its accuracy means nothing", model.name.value);
                let warning = Diagnostic::warning("build/random-calibration", message)
                    .at_place(problem.place.as_ref())
                    .hint("give it pictures of what it will see");
                warnings.push(warning.network(card.name.value.as_str()).model(model.name.value.as_str()));
                return Ok((Images::default(), Some(Random { seed: seed.unwrap_or(0), samples: wanted })));
            }
            Err(problem) => return Err(problem),
        };
        let held_out = match card.evaluation(model)? {
            Some(chosen) if is_folder(&chosen.folder) => {
                let read = self.folder(&chosen.folder);
                Some(read.map_err(|error| {
                    let shown = card.shown(&error.path);
                    let error = error.shown_as(shown);
                    Diagnostic::error("build/unreadable", error.to_string())
                        .at_place(Some(&chosen.place))
                        .maybe_hint(error.hint())
                })?)
            }
            Some(chosen) => {
                let message = format!("`val_data` is `{}`, which is not a folder", card.shown(&chosen.folder));
                let hint = "name a folder of images, below the dataset's folder or beside the card; without one, images that \
                            calibration leaves over are held out";
                warnings.push(Diagnostic::warning("build/held-out", message).at_place(Some(&chosen.place)).hint(hint));
                None
            }
            None => None,
        };
        let images = choose(&folder, held_out.as_ref(), wanted, seed, model.num_classes as usize);
        let have = images.calibration.len();
        if have < wanted {
            let s = if have == 1 { "" } else { "s" };
            let message =
                format!("`{}` has {have} image{s} for calibration, {wanted} are wanted", card.shown(&folder.folder));
            if options.images_are_explicit {
                let hint = format!("add images, or ask for fewer: `--num-cal-images {have}`");
                let problem = Diagnostic::error("build/too-few-images", message);
                return Err(Box::new(problem.at_place(Some(&place)).hint(hint)));
            }
            let hint = format!("all of them are used; set `num_cal_images: {have}` in `extra_kwargs` to agree");
            let warning = Diagnostic::warning("build/too-few-images", message).at_place(Some(&place)).hint(hint);
            warnings.push(warning.network(card.name.value.as_str()).model(model.name.value.as_str()));
        }
        Ok((images, None))
    }

    fn add(&self, network: &NetworkRequest<'_>, models: Vec<(&ModelRequest<'_>, Facts)>, graph: &mut Graph<StepWork>) {
        let name = network.card.name.value.as_str();
        let mut packed = Vec::new();
        // A network that is built in part keeps what earlier builds made of the rest; one whose card wants less does not.
        let mut complete = network.whole && !self.options.quantize_only;
        if !complete {
            graph.mark_partial(name);
        }
        for (request, facts) in models {
            match self.add_model(network.card, request, facts, graph) {
                Some(steps) => packed.push((request.model.name.value.clone(), steps)),
                None => complete = false,
            }
        }
        if !complete || packed.is_empty() {
            return;
        }
        let mut inputs = Vec::new();
        for (model, (weights, pack)) in &packed {
            inputs.push((format!("package/{model}"), Input::Output { step: *pack, name: format!("{model}.axm") }));
            inputs.push((format!("weights/{model}"), weights.clone()));
        }
        let settings = BundleSettings {
            network: name.to_owned(),
            description: network.description.clone(),
            models: packed.into_iter().map(|(model, _)| model).collect(),
        };
        let settings = Settings::Bundle(Box::new(settings));
        graph.add(self.step(
            StepKind::Bundle,
            name,
            None,
            settings,
            origins_of_bundle(network),
            inputs,
            Some(name.to_owned()),
        ));
    }

    /// Adds the steps of one model; what it is made of and its pack step, unless it stops after quantize.
    fn add_model(
        &self,
        card: &Card,
        request: &ModelRequest<'_>,
        facts: Facts,
        graph: &mut Graph<StepWork>,
    ) -> Option<(Input, StepId)> {
        let (model, config) = (request.model, request.config);
        let network = card.name.value.as_str();
        let name = model.name.value.as_str();
        let effective = config.effective();
        let origins = origins(card, model, config, self.options.board);
        let bytes = match &facts.source {
            Source::Float(source) => source.bytes,
            Source::Quantized(_) => 0,
        };
        let add = |graph: &mut Graph<StepWork>, kind, settings, inputs, install| {
            graph.add(Step {
                memory: expected_memory(kind, bytes),
                ..self.step(kind, network, Some(name), settings, origins.clone(), inputs, install)
            })
        };

        let graph_of = |step, name: &str| Input::Output { step, name: name.to_owned() };
        let (made_from, quantized) = match facts.source {
            Source::Quantized(found) => {
                let mut inputs = vec![("prequantized".to_owned(), Input::File(found.file))];
                let beside = found.beside.into_iter().map(|(name, path)| (format!("beside/{name}"), Input::File(path)));
                inputs.extend(beside);
                let md5 = model.prequantized.md5.as_ref().map(|md5| md5.value.to_lowercase());
                let fetch = add(graph, StepKind::Fetch, Settings::Fetch(FetchSettings { md5 }), inputs, None);
                (graph_of(fetch, "quantized_model.json"), fetch)
            }
            Source::Float(source) => {
                let steps = self.add_quantization(request, *source, &origins, network, graph);
                if self.options.quantize_only || effective.compiler_mode == CompilerMode::QuantizeOnly {
                    return None;
                }
                (graph_of(steps.0, "model.onnx"), steps.1)
            }
        };

        let cores = effective.aipu_cores_used;
        let settings = LowerSettings { cores, properties: config.influences(Influence::Lower) };
        let mut inputs = vec![(
            "quantized/quantized_model.json".to_owned(),
            Input::Output { step: quantized, name: "quantized_model.json".to_owned() },
        )];
        inputs.extend(host_graphs(quantized));
        let name_of_manifest = QUANTIZED_MANIFEST.to_owned();
        inputs.push((QUANTIZED_MANIFEST.to_owned(), Input::IfMade { step: quantized, name: name_of_manifest }));
        let install = Some(format!("{network}/{name}/{cores}"));
        let lower = add(graph, StepKind::Lower, Settings::Lower(settings), inputs, install);

        let settings = PackSettings {
            model: name.to_owned(),
            cores,
            model_info: model_info(model, self.options.board, request.execution_cores),
            compile_config: effective_json(config),
            compiler_config: config.to_toml(),
        };
        let mut inputs = vec![("compiled".to_owned(), Input::Outputs { step: lower })];
        inputs.extend(facts.labels_file.map(|path| ("labels".to_owned(), Input::File(path))));
        let install = Some(format!("{network}/{name}"));
        let pack = add(graph, StepKind::Pack, Settings::Pack(Box::new(settings)), inputs, install);
        Some((made_from, pack))
    }

    /// Adds the steps from weights to the quantized model: fetch, clean and quantize; gives the first and the last.
    fn add_quantization(
        &self,
        request: &ModelRequest<'_>,
        source: FloatSource,
        origins: &Origins,
        network: &str,
        graph: &mut Graph<StepWork>,
    ) -> (StepId, StepId) {
        let (model, config) = (request.model, request.config);
        let name = model.name.value.as_str();
        let bytes = source.bytes;
        let add = |graph: &mut Graph<StepWork>, kind, settings, inputs, install| {
            graph.add(Step {
                memory: expected_memory(kind, bytes),
                ..self.step(kind, network, Some(name), settings, origins.clone(), inputs, install)
            })
        };
        let mut inputs = vec![("weights".to_owned(), Input::File(source.weights))];
        inputs.extend(source.external.into_iter().map(|(name, path)| (format!("external/{name}"), Input::File(path))));
        let md5 = model.weight_md5.as_ref().map(|md5| md5.value.to_lowercase());
        let fetch = add(graph, StepKind::Fetch, Settings::Fetch(FetchSettings { md5 }), inputs, None);

        let settings = CleanSettings {
            input_shape: model.input_shape.map_or_else(Vec::new, |shape| shape.to_vec()),
            properties: config.influences(Influence::Clean),
        };
        let inputs = vec![("model".to_owned(), Input::Outputs { step: fetch })];
        let clean = add(graph, StepKind::Clean, Settings::Clean(settings), inputs, None);

        let images = source.images;
        let mut inputs = vec![("model".to_owned(), Input::Output { step: clean, name: "model.onnx".to_owned() })];
        inputs.extend(host_graphs(clean));
        for (role, paths) in [("calibration", &images.calibration), ("evaluation", &images.evaluation)] {
            let files = paths.iter().enumerate();
            inputs.extend(files.map(|(index, path)| (format!("{role}/{index:06}"), Input::File(path.clone()))));
        }
        let settings = QuantizeSettings {
            preprocess: source.preprocess,
            tensors: false,
            random_calibration: source.random.map(|random| random.seed),
            calibration_images: source.random.map_or(images.calibration.len(), |random| random.samples),
            labels: images.labels,
            class_count: model.num_classes as usize,
            min_sqnr_db: model.extra.axzoo.min_sqnr_db.as_ref().map(|floor| floor.value),
            min_top1_agreement: model.extra.axzoo.min_top1_agreement.as_ref().map(|floor| floor.value),
            properties: config.influences(Influence::Quantize),
        };
        let install = Some(format!("{network}/{name}/quantized"));
        let settings = Settings::Quantize(Box::new(settings));
        let quantize = add(graph, StepKind::Quantize, settings, inputs, install);
        (fetch, quantize)
    }

    #[expect(clippy::too_many_arguments, reason = "a step has this many parts, and each is named at the call")]
    fn step(
        &self,
        kind: StepKind,
        network: &str,
        model: Option<&str>,
        settings: Settings,
        origins: Origins,
        inputs: Vec<(String, Input)>,
        install: Option<String>,
    ) -> Step<StepWork> {
        Step {
            kind,
            network: network.to_owned(),
            model: model.map(ToOwned::to_owned),
            tool: (self.options.tool)(kind),
            settings: StepWork { settings, origins },
            inputs,
            install,
            memory: 0,
        }
    }
}

/// Bytes that a step is taken to need at its peak, by the size of the weights: copies of them as ONNX, in float and in int8, and
/// for calibration the tensors between layers. Rough, so that large models do not fill the machine together.
const fn expected_memory(kind: StepKind, weights: u64) -> u64 {
    match kind {
        StepKind::Fetch | StepKind::Bundle => 0,
        StepKind::Pack => weights,
        StepKind::Clean => weights.saturating_mul(4),
        StepKind::Lower => weights.saturating_mul(6),
        StepKind::Quantize => weights.saturating_mul(10),
    }
}

/// The graphs that the host runs round the core, where a step hands some on.
fn host_graphs(step: StepId) -> impl Iterator<Item = (String, Input)> {
    HOST_GRAPHS.into_iter().map(move |name| (name.to_owned(), Input::IfMade { step, name: name.to_owned() }))
}

fn nothing_to_quantize(model: &Model) -> Box<Diagnostic> {
    let message = format!("`{}` is quantized already: there is nothing to stop behind", model.name.value);
    let place = model.prequantized.path.as_ref().map(|path| &path.place);
    let hint = "build it without `--quantize-only` and `compiler_mode: quantize_only`";
    Box::new(Diagnostic::error("build/prequantized", message).at_place(place).hint(hint))
}

/// What `--allow-random` is an answer to; anything else that keeps images from being found stays an error.
const NO_IMAGES: [&str; 3] = ["build/no-images", "card/no-images", "card/dataset-missing"];

fn no_images(card: &Card, what: &str, place: &Place, hint: Option<&str>) -> Box<Diagnostic> {
    let hint = hint.unwrap_or(
        "put pictures there; `--allow-random` calibrates on random data, whose ranges mean nothing for accuracy",
    );
    let problem = Diagnostic::error("build/no-images", format!("no calibration images: {what}"));
    Box::new(problem.at_place(Some(place)).hint(hint).network(card.name.value.as_str()))
}

/// The model's ONNX file, or why there is none that the embedded compiler can read.
fn weights_file(card: &Card, model: &Model) -> Result<PathBuf, Refused> {
    let named = model.weights.as_ref().map(|weights| weights.place.clone());
    let place = named.unwrap_or_else(|| Place::new(&card.source, model.name.span));
    let unsupported = |message: String| {
        let hint =
            "export the model to ONNX and name the file as `weight_path`; `--skip-unsupported` builds the others";
        let problem = Diagnostic::error("build/not-supported", message).at_place(Some(&place)).hint(hint);
        refused(card, model, StepKind::Fetch, true, vec![problem])
    };
    let not_supported = model.weights_not_supported();
    let Some(weights) = model.weights.as_ref().filter(|_| not_supported.is_none()) else {
        return Err(unsupported(not_supported.unwrap_or_default()));
    };
    let failed = |problem: Diagnostic| {
        refused(card, model, StepKind::Fetch, false, vec![problem.at_place(Some(&weights.place))])
    };
    let path = weights.resolved.as_ref().map_err(|error| {
        failed(Diagnostic::error("card/undefined-variable", error.to_string()).hint("set it, or write the path out"))
    })?;
    if !crate::base::fs::is_file(path) {
        let message = format!("the weights `{}` are not there", card.shown(path));
        let hint = match &model.weight_url {
            Some(url) => format!("download them from {}; this version does not download", url.value),
            None => "put the file in place, or correct `weight_path`".to_owned(),
        };
        return Err(failed(Diagnostic::error("build/missing-weights", message).hint(hint)));
    }
    Ok(path.clone())
}

fn effective_json(config: &Config) -> Value {
    Value::Object(config.packaged().map(|(name, value)| (name.to_owned(), value.to_json())).collect())
}
