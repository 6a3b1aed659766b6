//! A small zoo for tests: networks whose steps write texts that follow from their settings and inputs.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::base::CancelToken;
use crate::base::fs;
use crate::exec::Event;
use crate::exec::ExecError;
use crate::exec::Explanation;
use crate::exec::Job;
use crate::exec::Options;
use crate::exec::Outcome;
use crate::exec::Runner;
use crate::exec::StepFailure;
use crate::exec::Summary;
use crate::exec::explain;
use crate::exec::run;
use crate::plan::Graph;
use crate::plan::Input;
use crate::plan::Step;
use crate::plan::StepId;
use crate::plan::StepKind;
use crate::plan::StepSettings;
use crate::store::Output;
use crate::store::SlotName;
use crate::store::Store;

/// Settings of a scripted step. Those that begin with a dot steer the script and are no part of the record.
#[derive(Debug, Clone, Default)]
pub(super) struct Script(BTreeMap<String, String>);

impl StepSettings for Script {
    fn record(&self) -> BTreeMap<String, String> {
        self.0.iter().filter(|(name, _)| !name.starts_with('.')).map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    fn origin(&self, key: &str) -> Option<(String, usize)> {
        self.0.contains_key(key).then(|| ("model_cards/card.yaml".to_owned(), 37))
    }
}

/// Follows the scripts and remembers what ran, in order.
#[derive(Default)]
pub(super) struct Actor {
    pub(super) ran: Mutex<Vec<String>>,
}

impl Runner<Script> for Actor {
    fn run(&self, job: &Job<'_, Script>) -> Result<(), StepFailure> {
        self.ran.lock().expect("no test panics while it holds this").push(name_of(job.step));
        let script = &job.step.settings.0;
        job.log.line(&format!("working on {}", job.step.kind));
        (job.progress)("working", 0, 1);
        if let Some(delay) = script.get(".sleep") {
            let end = std::time::Instant::now() + Duration::from_millis(delay.parse().expect("a number"));
            while std::time::Instant::now() < end {
                job.cancel.check()?;
                thread::sleep(Duration::from_millis(1));
            }
        }
        if script.contains_key(".deaf") {
            thread::sleep(Duration::from_mins(1));
        }
        if let Some(message) = script.get(".panic") {
            panic!("{message}");
        }
        if let Some(path) = script.get(".touches") {
            fs::write_atomic(Path::new(path), b"written by somebody else")?;
        }
        if script.contains_key(".link") {
            std::os::unix::fs::symlink("/etc/hostname", job.output.join("link")).expect("a link");
        }
        let mut text = format!("{} {:?}\n", job.step.kind, job.step.settings.record());
        if script.contains_key("constant") {
            text = "always the same\n".to_owned();
        } else {
            for (role, path) in job.inputs {
                let contents = fs::read(path)?;
                text.extend([role, ": ", &String::from_utf8_lossy(&contents).replace('\n', "\n  "), "\n"]);
            }
        }
        fs::write(&job.output.join("main.txt"), text.as_bytes())?;
        fs::create_folders(&job.output.join("more"))?;
        fs::write(&job.output.join("more/length.txt"), text.len().to_string().as_bytes())?;
        if let Some(salt) = script.get(".salt") {
            fs::write(&job.output.join("salt.txt"), salt.as_bytes())?;
            text += salt;
            fs::write(&job.output.join("main.txt"), text.as_bytes())?;
        }
        if let Some(name) = script.get("extra") {
            fs::write(&job.output.join(name), b"extra")?;
        }
        if let Some(message) = script.get(".fail") {
            return Err(StepFailure::new(message).hint("do something"));
        }
        Ok(())
    }
}

/// `network/model step`, or `network step`.
pub(super) fn name_of<S>(step: &Step<S>) -> String {
    format!("{} {}", step.subject(), step.kind)
}

/// What a run did.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) summary: Summary,
    /// Steps that were really worked on, sorted.
    pub(super) ran: Vec<String>,
    pub(super) removed: Vec<String>,
}

impl Done {
    /// The outcome's word of a step.
    pub(super) fn word(&self, name: &str) -> &'static str {
        self.outcome(name).word()
    }

    pub(super) fn outcome(&self, name: &str) -> &Outcome {
        let subject = |step: &crate::exec::StepSummary| match &step.model {
            Some(model) => format!("{}/{model} {}", step.network, step.step),
            None => format!("{} {}", step.network, step.step),
        };
        let step = self.summary.steps.iter().find(|step| subject(step) == name);
        &step.unwrap_or_else(|| panic!("no step {name}")).outcome
    }

    /// How many steps ended with each word, such as `restored 2, up_to_date 9`.
    pub(super) fn counts(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for step in &self.summary.steps {
            *counts.entry(step.outcome.word()).or_default() += 1;
        }
        counts.iter().map(|(word, count)| format!("{word} {count}")).collect::<Vec<_>>().join(", ")
    }
}

/// Networks `one` (model `a`) and `two` (models `b`, `c`), in a temporary folder.
pub(super) struct Zoo {
    root: PathBuf,
    pub(super) build: PathBuf,
    pub(super) cache: PathBuf,
    models: Vec<(String, String)>,
    scripts: BTreeMap<String, Script>,
    tools: BTreeMap<StepKind, String>,
    pub(super) options: Options,
    pub(super) partial: Option<String>,
    /// Removes the folder at the end.
    _folder: Option<TempDir>,
}

/// Steps of the whole zoo.
pub(super) const STEPS: usize = 17;

impl Zoo {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let zoo = Self { _folder: None, ..Self::at(folder.path()) };
        for (_, model) in &zoo.models {
            fs::write(&zoo.path(&format!("{model}.onnx")), format!("weights of {model}").as_bytes()).expect("written");
        }
        fs::write(&zoo.path("image.png"), b"an image").expect("written");
        Self { _folder: Some(folder), ..zoo }
    }

    /// The zoo whose files are in a folder.
    pub(super) fn at(folder: &Path) -> Self {
        Self {
            root: folder.to_owned(),
            build: folder.join("build"),
            cache: folder.join("cache"),
            models: [("one", "a"), ("two", "b"), ("two", "c")].map(|(n, m)| (n.to_owned(), m.to_owned())).into(),
            scripts: BTreeMap::new(),
            tools: BTreeMap::new(),
            options: Options { parallel: 2, ..Options::default() },
            partial: None,
            _folder: None,
        }
    }

    /// The same zoo, with a store and a build root of its own.
    pub(super) fn with_nothing_built(self) -> Self {
        Self { cache: self.path("fresh/cache"), build: self.path("fresh/build"), ..self }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(&self.path(name), text.as_bytes()).expect("written");
    }

    pub(super) fn read(&self, name: &str) -> String {
        String::from_utf8(fs::read(&self.path(name)).expect("read")).expect("text")
    }

    /// Sets a setting of a step, such as `two/b lower`.
    pub(super) fn set(&mut self, step: &str, name: &str, value: &str) {
        self.scripts.entry(step.to_owned()).or_default().0.insert(name.to_owned(), value.to_owned());
    }

    pub(super) fn unset(&mut self, step: &str, name: &str) {
        self.scripts.entry(step.to_owned()).or_default().0.remove(name);
    }

    pub(super) fn set_tool(&mut self, kind: StepKind, tool: &str) {
        self.tools.insert(kind, tool.to_owned());
    }

    /// Takes a model out of its card.
    pub(super) fn drop_model(&mut self, model: &str) {
        self.models.retain(|(_, name)| name != model);
    }

    pub(super) fn graph(&self) -> Graph<Script> {
        let mut graph = Graph::new();
        let mut add = |kind: StepKind, network: &str, model: Option<&str>, inputs: Vec<(String, Input)>| {
            let mut step = Step {
                kind,
                network: network.to_owned(),
                model: model.map(str::to_owned),
                tool: self.tools.get(&kind).cloned().unwrap_or_else(|| format!("host/{kind}/1")),
                settings: Script::default(),
                inputs,
                install: match kind {
                    StepKind::Pack => model.map(|model| format!("{network}/{model}")),
                    StepKind::Bundle => Some(network.to_owned()),
                    _ => None,
                },
                memory: 0,
            };
            step.settings = self.scripts.get(&name_of(&step)).cloned().unwrap_or_default();
            if matches!(kind, StepKind::Pack | StepKind::Bundle) {
                step.settings.0.insert("name".to_owned(), step.subject());
            }
            graph.add(step)
        };
        let mut packs: BTreeMap<&str, Vec<(String, Input)>> = BTreeMap::new();
        for (network, model) in &self.models {
            let file = |name: &str| Input::File(self.path(name));
            let main = |step: StepId| Input::Output { step, name: "main.txt".to_owned() };
            let mut step = |kind, inputs| add(kind, network, Some(model), inputs);
            let fetch = step(StepKind::Fetch, vec![("weights".to_owned(), file(&format!("{model}.onnx")))]);
            let clean = step(StepKind::Clean, vec![("model".to_owned(), main(fetch))]);
            let images = ("image".to_owned(), file("image.png"));
            let quantize = step(StepKind::Quantize, vec![("model".to_owned(), main(clean)), images]);
            let lower = step(StepKind::Lower, vec![("quantized".to_owned(), Input::Outputs { step: quantize })]);
            let pack = step(StepKind::Pack, vec![("program".to_owned(), Input::Outputs { step: lower })]);
            packs.entry(network).or_default().push((model.clone(), Input::Outputs { step: pack }));
        }
        for (network, inputs) in packs {
            add(StepKind::Bundle, network, None, inputs);
        }
        if let Some(network) = &self.partial {
            graph.mark_partial(network);
        }
        graph
    }

    pub(super) fn store(&self) -> Store {
        Store::open(&self.cache, &self.build).expect("the store opens")
    }

    pub(super) fn id(&self, name: &str) -> StepId {
        let graph = self.graph();
        graph.ids().find(|&id| name_of(graph.step(id)) == name).unwrap_or_else(|| panic!("no step {name}"))
    }

    pub(super) fn try_build(&self, cancel: &CancelToken) -> Result<Done, ExecError> {
        let graph = self.graph();
        let mut store = Store::open(&self.cache, &self.build)?;
        let actor = Actor::default();
        let mut removed = Vec::new();
        let mut finished = vec![0; graph.steps().len()];
        let mut events = |event: &Event<'_>| match event {
            Event::Removed { file, .. } => removed.push((*file).to_owned()),
            Event::Finished { step, .. } => finished[step.index()] += 1,
            _ => {}
        };
        let summary = run(&graph, &mut store, &actor, &self.options, cancel, &mut events)?;
        for step in &summary.steps {
            assert_eq!(finished[step.id.index()], 1, "the end of {} {} was not said once", step.network, step.step);
        }
        let mut ran = actor.ran.into_inner().expect("no test panics while it holds this");
        ran.sort();
        Ok(Done { summary, ran, removed })
    }

    pub(super) fn build(&self) -> Done {
        self.try_build(&CancelToken::new()).expect("the build can be carried out")
    }

    /// Builds, and expects that all is well.
    pub(super) fn build_well(&self) -> Done {
        let done = self.build();
        assert!(done.summary.is_good(), "{:?}", done.summary);
        done
    }

    pub(super) fn why(&self) -> Vec<Explanation> {
        explain(&self.graph(), &mut self.store(), &[]).expect("explained")
    }

    /// Every file of the build root with its contents.
    pub(super) fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        if !fs::exists(&self.build) {
            return BTreeMap::new();
        }
        let files = fs::files_below(&self.build).expect("listed");
        files.into_iter().map(|file| (file.clone(), fs::read(&self.build.join(file)).expect("read"))).collect()
    }

    /// The main output of a step of a model as this build root last had it.
    pub(super) fn output(&self, network: &str, model: &str, kind: StepKind) -> Output {
        let slot = self.store().slot(&SlotName::new(network, Some(model), kind)).expect("it ran");
        slot.outputs.into_iter().find(|output| output.name == "main.txt").expect("a main output")
    }

    /// Flips a bit of an artifact.
    pub(super) fn damage(&self, output: &Output) {
        let blob = self.store().blobs().path(&output.digest);
        let mut bytes = fs::read(&blob).expect("read");
        bytes[0] ^= 1;
        // Not in place: it is read-only.
        fs::write_atomic(&blob, &bytes).expect("written");
    }

    /// The folder of this build root's state in the cache.
    pub(super) fn home(&self) -> PathBuf {
        let builds = fs::list(&self.cache.join("builds")).expect("listed");
        builds.into_iter().next().expect("there is a state")
    }
}
