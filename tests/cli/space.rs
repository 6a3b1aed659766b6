//! A folder of its own for a test: a copy of the sample zoo with fewer images, and the real program.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A zoo in a temporary folder.
pub(crate) struct Space {
    folder: TempDir,
}

/// What a run of the program left.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Images that a copied folder keeps: enough for every class to be there, few enough to be quick.
const IMAGES_KEPT: usize = 12;

fn copy_folder(from: &Path, to: &Path, kept: usize) {
    fs::create_dir_all(to).expect("a folder in the temporary folder");
    let mut entries: Vec<PathBuf> =
        fs::read_dir(from).expect("the sample zoo is readable").flatten().map(|entry| entry.path()).collect();
    entries.sort();
    let mut images = 0;
    for path in entries {
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy_folder(&path, &target, kept);
            continue;
        }
        if path.extension().is_some_and(|extension| extension == "png") {
            images += 1;
            if images > kept {
                continue;
            }
        }
        fs::copy(&path, &target).expect("copied");
    }
}

impl Space {
    /// The sample zoo with at most [`IMAGES_KEPT`] images a folder.
    pub(crate) fn sample() -> Self {
        Self::with_images(IMAGES_KEPT)
    }

    /// The sample zoo as it is.
    pub(crate) fn whole() -> Self {
        Self::with_images(usize::MAX)
    }

    fn with_images(kept: usize) -> Self {
        let space = Self::empty();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["model_cards", "configs", "weights", "pipeline-template", "data"] {
            if root.join(name).is_dir() {
                copy_folder(&root.join(name), &space.path(name), kept);
            }
        }
        space
    }

    /// The sample zoo with the card of one network only.
    pub(crate) fn only(network: &str) -> Self {
        let space = Self::sample();
        for (name, file) in space.cards() {
            if name != network {
                fs::remove_file(file).expect("removed");
            }
        }
        space
    }

    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Network name → card.
    pub(crate) fn cards(&self) -> BTreeMap<String, PathBuf> {
        let mut cards = BTreeMap::new();
        let mut folders = vec![self.path("model_cards")];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).expect("readable").flatten().map(|entry| entry.path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "yaml") {
                    let text = fs::read_to_string(&path).expect("readable");
                    let name = text.lines().find_map(|line| line.strip_prefix("name: ")).expect("a card has a name");
                    cards.insert(name.trim().to_owned(), path);
                }
            }
        }
        cards
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("inside the folder")).expect("created");
        fs::write(path, text).expect("written");
    }

    /// The text of a file.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("readable")
    }

    /// The images below a folder whose path has `part` in it, sorted.
    pub(crate) fn images(&self, folder: &str, part: &str) -> Vec<PathBuf> {
        let below = self.tree(folder).into_keys().filter(|name| {
            name.contains(part) && Path::new(name).extension().is_some_and(|extension| extension == "png")
        });
        below.map(|name| self.path(folder).join(name)).collect()
    }

    /// Replaces text in a file that must hold it.
    #[expect(clippy::unused_self, reason = "a file is edited in its space")]
    pub(crate) fn edit(&self, path: &Path, from: &str, to: &str) {
        let text = fs::read_to_string(path).expect("readable");
        assert!(text.contains(from), "`{from}` is not in {}", path.display());
        fs::write(path, text.replacen(from, to, 1)).expect("written");
    }

    /// The program, ready to run here with nothing of the tester's environment.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_axzoo"));
        command.args(arguments.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars() {
            if name.starts_with("AXZOO_") || name.starts_with("AXELERA_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs the program to its end.
    pub(crate) fn axzoo(&self, arguments: &str) -> Run {
        Run::from(self.command(arguments).output().expect("the program runs"))
    }

    /// `build … --format json`: `network/model/step` → outcome, a bundle's model being `-`.
    pub(crate) fn build(&self, arguments: &str) -> BTreeMap<String, String> {
        let run = self.axzoo(&format!("build {arguments} --format json"));
        run.outcomes()
    }

    /// [`Space::build`] with variables set.
    pub(crate) fn build_with(&self, arguments: &str, variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut command = self.command(&format!("build {arguments} --format json"));
        command.envs(variables.iter().copied());
        Run::from(command.output().expect("the program runs")).outcomes()
    }

    /// Every file below a folder → its bytes.
    pub(crate) fn tree(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let root = self.path(name);
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let relative = path.strip_prefix(&root).expect("below").display().to_string();
                    files.insert(relative, fs::read(path).expect("readable"));
                }
            }
        }
        files
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Run {
    /// Requires an exit code.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Requires a text on either stream.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        let both = format!("{}\n{}", self.stdout, self.stderr);
        assert!(both.contains(text), "`{text}` is not in\n{both}");
        self
    }

    /// The last line of a JSON build.
    #[track_caller]
    pub(crate) fn summary(&self) -> Value {
        let last = self.stdout.lines().last().unwrap_or_default();
        let value: Value = serde_json::from_str(last)
            .unwrap_or_else(|error| panic!("{error}\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr));
        assert_eq!(value["event"], "summary", "the last line is no summary: {last}");
        value
    }

    /// `network/model/step` → outcome of the summary.
    #[track_caller]
    pub(crate) fn outcomes(&self) -> BTreeMap<String, String> {
        let summary = self.summary();
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let steps = summary["steps"].as_array().expect("a summary has steps");
        let outcome = |step: &Value| {
            let name = [&step["network"], &step["model"], &step["step"]].map(text).join("/");
            (name, text(&step["outcome"]))
        };
        steps.iter().map(outcome).collect()
    }
}

/// The steps with an outcome, without the network: `digits/quantize`.
pub(crate) fn steps_with(outcomes: &BTreeMap<String, String>, outcome: &str) -> Vec<String> {
    outcomes.iter().filter(|(_, found)| *found == outcome).map(|(step, _)| step.clone()).collect()
}
