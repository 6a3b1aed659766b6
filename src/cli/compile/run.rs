//! The stages of one compilation: the steps of a build, one after the other, without a store.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use serde_json::Value as Json;
use serde_json::json;

use super::dumps;
use super::effects::Idle;
use super::folder::{CONF, Folder, MODEL};
use super::given::Arguments;
use super::journal::Journal;
use super::outcome::Outcome;
use super::request::Request;
use super::sample;
use crate::base::CancelToken;
use crate::base::fs;
use crate::compiler::Status;
use crate::compiler::onnx::Beside;
use crate::compiler::onnx::OnnxFile;
use crate::compiler::onnx::external_locations;
use crate::compiler::onnx::not_given;
use crate::diag::Diagnostic;
use crate::exec::Event;
use crate::exec::Outcome as StepOutcome;
use crate::exec::StepFailure;
use crate::imaging::Audit;
use crate::plan::CleanSettings;
use crate::plan::FetchSettings;
use crate::plan::HOST_GRAPHS;
use crate::plan::LowerSettings;
use crate::plan::QUANTIZED_MANIFEST;
use crate::plan::QuantizeSettings;
use crate::plan::Settings;
use crate::plan::StepId;
use crate::plan::named_beside;
use crate::properties::Influence;
use crate::report::Report;
use crate::toolchains;
use crate::toolchains::Host;
use crate::toolchains::Toolchain;
use crate::toolchains::Work;

/// Files of the quantized model, as the step writes them.
const QUANTIZED: [&str; 7] = [
    QUANTIZED_MANIFEST,
    "quantized_model.json",
    "quantized_model.txt",
    "quantized_model.onnx",
    "report.json",
    HOST_GRAPHS[0],
    HOST_GRAPHS[1],
];

/// One compilation under way.
pub(super) struct Run<'a> {
    pub(super) request: &'a Request,
    pub(super) folder: &'a Folder,
    pub(super) journal: &'a Journal,
    pub(super) cancel: &'a CancelToken,
    pub(super) threads: usize,
    /// Shows how far it is.
    pub(super) reporter: Mutex<Box<dyn Report + Send>>,
    /// Says what came up on the way.
    pub(super) tell: &'a dyn Fn(&Diagnostic),
    /// Results so far: name and file.
    pub(super) made: Vec<(String, PathBuf)>,
    /// Whether the calibration was on random data.
    pub(super) is_random: bool,
    /// The images of the run, as the quantizer's report counts them.
    pub(super) images: [Vec<PathBuf>; 2],
    /// Properties that were found to change nothing for this model.
    pub(super) idle: Vec<Idle>,
}

pub(super) type Progress<'a> = &'a (dyn Fn(&str, usize, usize) + Sync);

/// Inputs of a step by role.
type Inputs = Vec<(String, PathBuf)>;

impl Run<'_> {
    /// Goes through the stages; what was made is in [`Self::made`] also after a failure.
    pub(super) fn go(&mut self) -> Result<(), Outcome> {
        let quantized = if self.request.is_manifest {
            self.stage(0, "read", Status::TopLevelLowerError, Self::take_quantized)?
        } else {
            let clean = self.stage(0, "clean", Status::TopLevelQuantizeError, Self::clean)?;
            self.stage(1, "quantize", Status::TopLevelQuantizeError, |run, progress| run.quantize(&clean, progress))?
        };
        if self.request.quantize_only {
            return Ok(());
        }
        let last = if self.request.is_manifest { 1 } else { 2 };
        self.stage(last, "lower", Status::TopLevelLowerError, |run, progress| run.lower(&quantized, progress))
    }

    /// Does one stage, shows it, and writes down how long it took; `stopped` is the status when somebody asks to stop.
    fn stage<T>(
        &mut self,
        index: usize,
        name: &str,
        stopped: Status,
        work: impl FnOnce(&mut Self, Progress<'_>) -> Result<T, Outcome>,
    ) -> Result<T, Outcome> {
        let step = StepId::at(index);
        let begin = Instant::now();
        let made = self.made.len();
        self.journal.line(&format!("{name}: begins"));
        self.event(&Event::Started { step, expected: None });
        // The work has the run to itself; the display is lent to it.
        let shown = std::mem::replace(&mut self.reporter, Mutex::new(Box::new(Silent)));
        let progress = |phase: &str, done: usize, of: usize| {
            let event = Event::Progress { step, phase, done: done as u64, of: of as u64 };
            shown.lock().unwrap_or_else(PoisonError::into_inner).event(&event);
        };
        let mut result =
            if self.cancel.is_cancelled() { Err(Outcome::interrupted(stopped)) } else { work(self, &progress) };
        self.reporter = shown;
        if self.cancel.is_cancelled() {
            result = Err(Outcome::interrupted(stopped));
        }
        if result.is_err() {
            // What a stage made before it failed is half of something.
            self.made.truncate(made);
        }
        let duration = begin.elapsed();
        let outcome = match &result {
            Ok(_) => StepOutcome::Ran,
            Err(outcome) => StepOutcome::Failed(StepFailure::new(outcome.message.clone())),
        };
        self.event(&Event::Finished { step, outcome: &outcome, duration });
        let took = crate::report::duration(duration.as_millis() as u64);
        self.journal.line(&match &result {
            Ok(_) => format!("{name}: done in {took}"),
            Err(outcome) => format!("{name}: failed after {took}: {}", outcome.message),
        });
        result
    }

    fn event(&self, event: &Event<'_>) {
        self.reporter.lock().unwrap_or_else(PoisonError::into_inner).event(event);
    }

    fn warn(&self, problems: &[Diagnostic]) {
        for problem in problems {
            self.journal.problem(problem);
            (self.tell)(problem);
        }
    }

    /// One step of the toolchain into an empty folder of the work.
    pub(super) fn step(
        &self,
        name: &str,
        settings: &Settings,
        inputs: &[(String, PathBuf)],
        [writing, other]: [Status; 2],
        progress: Progress<'_>,
    ) -> Result<PathBuf, Outcome> {
        let output = self.folder.work(name);
        fs::create_folders(&output).map_err(|error| Outcome::of_file(&error, writing, other))?;
        let work = Work {
            settings,
            inputs,
            output: &output,
            threads: self.threads,
            cancel: self.cancel,
            log: &|line| self.journal.line(line),
            progress,
            memory: &|_| (),
        };
        let done = match settings {
            Settings::Fetch(_) => toolchains::fetch(&work),
            _ => Host.run(&work),
        };
        done.map_err(|error| Outcome::of_work(error, writing, other))?;
        Ok(output)
    }

    /// Takes a file among the results, if its place is free.
    fn take(&mut self, name: String, file: PathBuf, status: Status) -> Result<(), Outcome> {
        self.folder.check(std::iter::once(name.as_str())).map_err(|message| {
            let hint = "move it away, or name another folder with `-o`";
            Outcome::failed(status, message).hint(Some(hint))
        })?;
        self.made.push((name, file));
        Ok(())
    }

    /// Writes a result of our own.
    fn write(&mut self, name: &str, bytes: &[u8], status: Status) -> Result<(), Outcome> {
        let file = self.folder.work("written").join(name);
        let folder = file.parent().map_or(Ok(()), fs::create_folders);
        let written = folder.and_then(|()| fs::write(&file, bytes));
        written.map_err(|error| Outcome::of_file(&error, status, status))?;
        self.take(name.to_owned(), file, status)
    }

    /// `cli_args.json` and `conf.json`.
    pub(super) fn write_arguments(&mut self, arguments: &Arguments) -> Result<(), Outcome> {
        let status = Status::InitializeCliError;
        self.write("cli_args.json", &super::cli_args::to_json(arguments), status)?;
        self.write(CONF, &self.request.conf(), status)
    }

    /// The copy of the model, and from it the core as a folder of the work.
    fn clean(&mut self, progress: Progress<'_>) -> Result<PathBuf, Outcome> {
        let statuses = [Status::TopLevelQuantizeError, Status::InitializeCliError];
        let of_copy = |error: fs::FsError| Outcome::of_file(&error, statuses[0], statuses[1]);
        let input = &self.request.input;
        let copy = self.folder.work(MODEL);
        fs::create_folders(&self.folder.work("input_model")).map_err(of_copy)?;
        let bytes = fs::read_limited(input, OnnxFile::LENGTH_LIMIT).map_err(of_copy)?;
        fs::write(&copy, &bytes).map_err(of_copy)?;
        let mut inputs: Inputs = vec![("model/model.onnx".to_owned(), copy.clone())];
        let beside = Beside(input);
        let locations = external_locations(&bytes);
        drop(bytes);
        let (there, absent): (Vec<_>, Vec<_>) =
            locations.into_iter().map(|name| (beside.file(&name), name)).partition(|(path, _)| path.is_some());
        for (location, path) in there.into_iter().filter_map(|(path, name)| Some((name, path?))) {
            let name = format!("input_model/{location}");
            if name == MODEL {
                let message = format!("the model keeps tensors in `{location}`, the name of the copy of the model");
                return Err(Outcome::failed(Status::InitializeCliError, message).hint(Some("rename one of the files")));
            }
            let target = self.folder.work(&name);
            fs::copy_atomic(&path, &target).map_err(of_copy)?;
            inputs.push((format!("model/{location}"), target));
        }
        let settings = CleanSettings {
            input_shape: self.request.input_shape.clone(),
            properties: self.request.config.influences(Influence::Clean),
        };
        let statuses = [Status::TopLevelQuantizeError; 2];
        let clean = self.step("clean", &Settings::Clean(settings.clone()), &inputs, statuses, progress);
        let clean = clean.map_err(|mut failure| {
            // The step knows what it was given, and not what is there.
            for (_, location) in &absent {
                let (why, hint) = beside.absence(location);
                let said = not_given(location);
                if failure.message.contains(&said) {
                    let told = format!("the file `{location}` that holds its data {why}");
                    failure.message = failure.message.replace(&said, &told);
                    failure.hint = Some(hint.to_owned());
                }
            }
            failure
        })?;
        for (role, file) in &inputs {
            let name = role.strip_prefix("model/").filter(|name| *name != "model.onnx");
            let name = name.map_or_else(|| MODEL.to_owned(), |name| format!("input_model/{name}"));
            self.take(name, file.clone(), Status::InitializeCliError)?;
        }
        if let Ok(report) = fs::read(&clean.join("clean.json")) {
            self.journal.line(&format!("clean: {}", String::from_utf8_lossy(&report).trim_end()));
        }
        self.idle_in_clean(&clean, &settings, &inputs);
        self.dump_clean(&clean, settings, &inputs, progress)?;
        Ok(clean)
    }

    /// What the configuration asks to see of the cleaned model, below the folder of results.
    fn dump_clean(
        &mut self,
        clean: &Path,
        mut settings: CleanSettings,
        inputs: &[(String, PathBuf)],
        progress: Progress<'_>,
    ) -> Result<(), Outcome> {
        let effective = self.request.config.effective();
        let status = Status::TopLevelQuantizeError;
        if let Some(file) = effective.graph_cleaner_dump_core_onnx {
            self.dump(&clean.join("model.onnx"), file, status)?;
        }
        if let Some(file) = effective.graph_cleaner_dump_full_opt_onnx {
            settings.properties.insert("run_graph_cleaner".to_owned(), "false".to_owned());
            let whole = self.step("whole", &Settings::Clean(settings), inputs, [status; 2], progress)?;
            self.dump(&whole.join("model.onnx"), file, status)?;
        }
        Ok(())
    }

    /// Takes a copy of a file among the results, under a name that the configuration gives.
    fn dump(&mut self, from: &Path, name: String, status: Status) -> Result<(), Outcome> {
        let copy = self.folder.work("written").join(&name);
        fs::copy_atomic(from, &copy).map_err(|error| Outcome::of_file(&error, status, status))?;
        self.journal.line(&format!("wrote {}", self.folder.result(&name).display()));
        self.take(name, copy, status)
    }

    /// The quantized model as a folder of the work.
    fn quantize(&mut self, clean: &Path, progress: Progress<'_>) -> Result<PathBuf, Outcome> {
        let request = self.request;
        let mut inputs: Inputs = vec![("model".to_owned(), clean.join("model.onnx"))];
        for name in HOST_GRAPHS {
            if fs::is_file(&clean.join(name)) {
                inputs.push((name.to_owned(), clean.join(name)));
            }
        }
        let first = if fs::is_file(&clean.join(HOST_GRAPHS[0])) { HOST_GRAPHS[0] } else { "model.onnx" };
        let shape = input_shape(&clean.join(first))?;
        let tensors = self.folder.work("tensors");
        let samples = sample::gather(request, &shape, &tensors, self.cancel, progress)?;
        self.warn(&samples.warnings);
        if !samples.said.trim().is_empty() {
            self.journal.line(&format!("the file of `--transform` said:\n{}", samples.said.trim_end()));
        }
        self.is_random = samples.random.is_some();
        for (role, files) in ["calibration", "evaluation"].iter().zip(&samples.files) {
            let files = files.iter().enumerate();
            inputs.extend(files.map(|(index, path)| (format!("{role}/{index:06}"), path.clone())));
        }
        self.images = samples.images;
        let settings = QuantizeSettings {
            preprocess: samples.preprocess,
            tensors: samples.is_tensors,
            random_calibration: samples.random,
            calibration_images: samples.count,
            labels: Vec::new(),
            class_count: 0,
            min_sqnr_db: None,
            min_top1_agreement: None,
            properties: request.config.influences(Influence::Quantize),
        };
        let statuses = [Status::GraphExporterError, Status::TopLevelQuantizeError];
        let settings = Settings::Quantize(Box::new(settings));
        let quantized =
            self.step("quantized", &settings, &inputs, statuses, progress).map_err(|failure| self.named(failure))?;
        if let Ok(text) = fs::read(&quantized.join("report.txt")) {
            self.journal.line(&format!("quantize: {}", String::from_utf8_lossy(&text).trim_end()));
        }
        if let Some(audit) = &samples.audit {
            add_audit(&quantized.join("report.json"), audit)
                .map_err(|error| Outcome::of_file(&error, statuses[0], statuses[1]))?;
        }
        self.idle_in_quantize(&quantized.join(QUANTIZED[1]));
        if request.quantize_only {
            self.note_ignored(&quantized.join("report.json"), Status::GraphExporterError)?;
        }
        self.take_folder(&quantized)?;
        if let Some(folder) = request.config.effective().model_debug_save_dir {
            let files = [clean.join("model.onnx"), quantized.join(QUANTIZED[3])];
            for (from, name) in files.iter().zip(dumps::saved(&folder)) {
                self.dump(from, name, statuses[0])?;
            }
        }
        Ok(quantized)
    }

    /// Messages of the step name samples by their roles; the user knows the images.
    fn named(&self, mut failure: Outcome) -> Outcome {
        for (what, images) in ["calibration", "held-out"].iter().zip(&self.images) {
            for (index, image) in images.iter().enumerate().rev() {
                let role = format!("{what} tensor {index} ");
                failure.message = failure.message.replace(&role, &format!("the tensor of `{}` ", image.display()));
            }
        }
        failure
    }

    /// Takes the files of a quantized model among the results.
    fn take_folder(&mut self, folder: &Path) -> Result<(), Outcome> {
        for name in QUANTIZED {
            let file = folder.join(name);
            if fs::is_file(&file) {
                // Lowering reads the folder, so the results are copies.
                let copy = self.folder.work("written/quantized_model").join(name);
                let status = Status::GraphExporterError;
                fs::copy_atomic(&file, &copy).map_err(|error| Outcome::of_file(&error, status, status))?;
                self.take(format!("quantized_model/{name}"), copy, status)?;
            }
        }
        Ok(())
    }

    /// A model that is quantized already, with the files beside it.
    fn take_quantized(&mut self, progress: Progress<'_>) -> Result<PathBuf, Outcome> {
        let input = &self.request.input;
        let unreadable = |message: String| {
            let hint = "name the `quantized_model_manifest.json` of an earlier run";
            Outcome::failed(Status::InitializeCliError, message).hint(Some(hint))
        };
        let bytes = fs::read_limited(input, OnnxFile::LENGTH_LIMIT).map_err(|error| unreadable(error.to_string()))?;
        let manifest: Json = serde_json::from_slice(&bytes)
            .map_err(|error| unreadable(format!("`{}` is no manifest: {error}", input.display())))?;
        let mut inputs: Inputs = vec![("prequantized".to_owned(), input.clone())];
        let beside = named_beside(input, &manifest).into_iter();
        inputs.extend(beside.map(|(name, path)| (format!("beside/{name}"), path)));
        let statuses = [Status::TopLevelLowerError, Status::TvmFrontendError];
        let settings = Settings::Fetch(FetchSettings { md5: None });
        let quantized = self.step("quantized", &settings, &inputs, statuses, progress)?;
        let graph = fs::read(&quantized.join(QUANTIZED[1]));
        let graph = graph.map_err(|error| Outcome::of_file(&error, statuses[0], statuses[1]))?;
        let graph = crate::compiler::quantize::QuantizedGraph::from_json(&graph)
            .map_err(|error| Outcome::of_work(error.into(), statuses[0], statuses[1]))?;
        self.journal.line(&format!("read: {} nodes", graph.nodes.len()));
        // What the host runs is there already if the manifest names it.
        for name in QUANTIZED.into_iter().filter(|name| !HOST_GRAPHS.contains(name)) {
            let from = input.with_file_name(name);
            if !fs::is_file(&quantized.join(name)) && fs::is_file(&from) {
                let copied = fs::copy_atomic(&from, &quantized.join(name));
                copied.map_err(|error| Outcome::of_file(&error, statuses[0], statuses[1]))?;
            }
        }
        self.is_random = is_random(&quantized)?;
        self.take_folder(&quantized)?;
        Ok(quantized)
    }

    /// The compiled model.
    fn lower(&mut self, quantized: &Path, progress: Progress<'_>) -> Result<(), Outcome> {
        let statuses = [Status::TirToRuntimeError, Status::TopLevelLowerError];
        let mut inputs: Inputs = vec![("quantized/quantized_model.json".to_owned(), quantized.join(QUANTIZED[1]))];
        for name in HOST_GRAPHS {
            if fs::is_file(&quantized.join(name)) {
                inputs.push((name.to_owned(), quantized.join(name)));
            }
        }
        if fs::is_file(&quantized.join(QUANTIZED_MANIFEST)) {
            inputs.push((QUANTIZED_MANIFEST.to_owned(), quantized.join(QUANTIZED_MANIFEST)));
        }
        let settings = LowerSettings {
            cores: self.request.config.effective().aipu_cores_used,
            properties: self.request.config.influences(Influence::Lower),
        };
        let compiled = self.step("compiled_model", &Settings::Lower(settings), &inputs, statuses, progress)?;
        let failed = |error: fs::FsError| Outcome::of_file(&error, statuses[0], statuses[1]);
        fs::copy_atomic(&quantized.join(QUANTIZED[1]), &compiled.join(QUANTIZED[1])).map_err(failed)?;
        let report = compiled.join("report.json");
        if !fs::is_file(&report) {
            let cores = self.request.config.effective().aipu_cores_used;
            let resources = self.request.config.effective().resources_used.decimal();
            let value = json!({ "cores": cores, "resources": resources });
            fs::write(&report, format!("{value:#}\n").as_bytes()).map_err(failed)?;
        }
        self.note_ignored(&report, statuses[0])?;
        for name in fs::files_below(&compiled).map_err(failed)? {
            self.take(format!("compiled_model/{name}"), compiled.join(&name), statuses[0])?;
        }
        Ok(())
    }
}

/// Whether a model was calibrated on random data, as its manifest says; the report beside it must not say otherwise.
fn is_random(quantized: &Path) -> Result<bool, Outcome> {
    let key = "random_calibration";
    let manifest = read_json(&quantized.join(QUANTIZED_MANIFEST)).unwrap_or_default();
    let expected = manifest[key] == Json::Bool(true);
    let Some(report) = read_json(&quantized.join("report.json")) else { return Ok(expected) };
    let found = report[key] == Json::Bool(true);
    if manifest["digests"].is_object() && found != expected {
        let message = format!(
            "`report.json` does not agree with `{QUANTIZED_MANIFEST}`: `{key}`: expected {expected}, found {}",
            report[key]
        );
        let hint = "take the file back that was changed, or quantize the model again";
        return Err(Outcome::failed(Status::TvmFrontendError, message).hint(Some(hint)));
    }
    Ok(found || expected)
}

/// What the images are like, in the report of a model that was calibrated on tensors of them.
fn add_audit(report: &Path, audit: &Audit) -> Result<(), fs::FsError> {
    let Some(Json::Object(mut entries)) = read_json(report) else { return Ok(()) };
    entries.insert("images".to_owned(), json!({ "images": audit.images, "channels": [], "findings": audit.findings }));
    fs::write(report, format!("{:#}\n", Json::Object(entries)).as_bytes())
}

/// A display that shows nothing.
struct Silent;

impl Report for Silent {
    fn event(&mut self, _: &Event<'_>) {}
}

pub(super) fn read_json(path: &Path) -> Option<Json> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// The shape of the only input of a graph that the clean step wrote.
fn input_shape(path: &Path) -> Result<Vec<usize>, Outcome> {
    let status = Status::TopLevelQuantizeError;
    let file = fs::open(path).map_err(|error| Outcome::of_file(&error, status, status))?;
    let length = fs::stat(path).map_or(0, |stat| stat.size);
    let file = OnnxFile::skim(file, length).map_err(|error| Outcome::of_work(error.into(), status, status))?;
    let inputs = file.inputs();
    let shape = inputs.first().and_then(|input| input.shape.as_ref()?.iter().copied().collect());
    shape.ok_or_else(|| Outcome::failed(status, "the cleaned graph has no input of a known shape"))
}
