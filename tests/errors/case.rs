//! One folder: run as a user would, and compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use axzoo::diag::{Placed, catalogue};
use serde_json::Value;
use tempfile::TempDir;

/// One folder of `tests/errors`.
pub(crate) struct Case {
    /// The code that it is about, which is its path.
    pub(crate) code: String,
    folder: PathBuf,
}

/// What a run of the program left.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The cases' own files; everything else is the zoo.
const OWN: [&str; 2] = ["command.txt", "expected.txt"];

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("a readable folder").flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().expect("an entry has a name").to_string_lossy().into_owned()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder in the temporary folder");
    for path in entries(from) {
        let target = to.join(name(&path));
        if path.is_dir() {
            copy(&path, &target);
        } else if !OWN.contains(&name(&path).as_str()) {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

impl Case {
    /// Every folder, sorted by code.
    pub(crate) fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors");
        let subjects = entries(&root).into_iter().filter(|path| path.is_dir());
        let folders = subjects.flat_map(|subject| entries(&subject));
        folders
            .map(|folder| {
                let subject = name(folder.parent().expect("below a subject"));
                Self { code: format!("{subject}/{}", name(&folder)), folder }
            })
            .collect()
    }

    /// A copy of the zoo in a folder of its own.
    pub(crate) fn zoo(&self) -> TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy(&self.folder, folder.path());
        folder
    }

    /// What is typed, without `axzoo`.
    fn command(&self) -> String {
        let typed = fs::read_to_string(self.folder.join("command.txt"));
        typed.map_or_else(|_| "check".to_owned(), |text| text.trim().to_owned())
    }

    /// What differs from what was accepted, or from what the catalogue says; nothing when all is well.
    pub(crate) fn differences(&self) -> Vec<String> {
        let zoo = self.zoo();
        let command = self.command();
        let run = run(zoo.path(), &command);
        let mut wrong = Vec::new();
        let path = self.folder.join("expected.txt");
        if std::env::var_os("AXZOO_ACCEPT").is_some() {
            fs::write(&path, &run.stderr).expect("written");
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if run.stderr != expected {
            wrong.push(format!("{}: expected\n{expected}\nfound\n{}", self.code, run.stderr));
        }
        if !matches!(run.code, 0..=2) {
            wrong.push(format!("{}: ended with {}", self.code, run.code));
        }
        wrong.extend(self.misplaced(&run.stderr));
        if command.starts_with("check") {
            wrong.extend(self.misplaced_in_json(&crate::case::run(zoo.path(), &format!("{command} --format json"))));
        }
        wrong
    }

    /// Whether the text names the code, and a place below it as the catalogue says.
    fn misplaced(&self, text: &str) -> Option<String> {
        let head = format!("[{}]: ", self.code);
        let Some(at) = text.lines().position(|line| line.contains(&head)) else {
            return Some(format!("{}: the code is not in\n{text}", self.code));
        };
        let below = text.lines().nth(at + 1).unwrap_or_default();
        let place = below.trim_start().strip_prefix("--> ");
        let ends_in_numbers = |place: &str| {
            let mut parts = place.rsplit(':');
            let number = |part: Option<&str>| part.is_some_and(|part| part.parse::<usize>().is_ok());
            number(parts.next()) && number(parts.next())
        };
        let fits = match catalogue::find(&self.code)?.placed {
            Placed::Line => place.is_some_and(|place| ends_in_numbers(place) || place.starts_with("--")),
            Placed::File => place.is_some_and(|place| !ends_in_numbers(place)),
            Placed::Nowhere => place.is_none(),
        };
        (!fits).then(|| format!("{}: not placed as its row says:\n{text}", self.code))
    }

    /// The same for JSON.
    fn misplaced_in_json(&self, run: &Run) -> Option<String> {
        let found: Value = serde_json::from_str(&run.stdout).unwrap_or_default();
        let all = found["diagnostics"].as_array().cloned().unwrap_or_default();
        // `--explain` checks nothing, so it writes no JSON.
        let mut of_code = all.iter().filter(|problem| problem["code"] == self.code.as_str()).peekable();
        if of_code.peek().is_none() {
            return (self.code != "usage/unknown-code").then(|| format!("{}: not in\n{}", self.code, run.stdout));
        }
        let placed = catalogue::find(&self.code)?.placed;
        let fits = of_code.any(|problem| match placed {
            Placed::Line => problem["file"].is_string() && problem["line"].is_u64() && problem["column"].is_u64(),
            Placed::File => problem["file"].is_string() && problem["line"].is_null(),
            Placed::Nowhere => problem["line"].is_null(),
        });
        (!fits).then(|| format!("{}: not placed as its row says:\n{}", self.code, run.stdout))
    }
}

/// Runs the program in a folder, with nothing of the tester's environment but what a command in `NAME=VALUE …` form
/// sets before its arguments.
pub(crate) fn run(folder: &Path, typed: &str) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_axzoo"));
    command.current_dir(folder).stdin(Stdio::null()).env("HOME", folder.join("home"));
    for (name, _) in std::env::vars() {
        let foreign = ["AXZOO_", "AXELERA_", "GITHUB_"].iter().any(|start| name.starts_with(start));
        if foreign || name == "VIRTUAL_ENV" {
            command.env_remove(name);
        }
    }
    let mut words = typed.split_whitespace().peekable();
    while let Some((name, value)) = words.peek().and_then(|word| word.split_once('=')) {
        command.env(name, value);
        words.next();
    }
    let output = command.args(words).output().expect("the program runs");
    // The temporary folder's name is another one each time.
    let canonical = fs::canonicalize(folder).expect("the folder is there");
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).replace(&*canonical.to_string_lossy(), "ZOO");
        text.replace(&*folder.to_string_lossy(), "ZOO")
    };
    Run { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}
