//! `axzoo run`: a compiled model executed by the integer reference, its inputs from files, its outputs into files.

mod files;
mod input;
mod show;

use std::path::{Path, PathBuf};

use super::args::RunArgs;
use super::failure::Failure;
use super::failure::hint_of;
use super::output::Output;
use super::zoo::folder_failure;
use crate::base::fs;
use crate::base::npy;
use crate::compiler::StageError;
use crate::diag::Diagnostic;

/// Runs the model once.
pub(super) fn run(arguments: &RunArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let folder = std::env::current_dir()
        .map_err(|error| folder_failure(format!("the current folder cannot be read: {error}")))?;
    let standing = directory.map_or_else(|| folder.clone(), |directory| folder.join(directory));
    let model = files::load(&standing.join(&arguments.model), &arguments.model)?;
    let (inputs, problems) = input::read(&model, &standing, &arguments.input)?;
    output.diagnostics(&problems);
    let failed = |error: StageError| Failure::Failed(of_stage("run/failed", &error));
    let outputs = model.run(&inputs).map_err(failed)?;
    let mut written: Vec<PathBuf> = Vec::new();
    if let Some(folder) = &arguments.output {
        for (port, elements) in model.outputs().iter().zip(&outputs) {
            let plain = file_name(&port.name);
            // Names that differ only in what no file name has would be one file.
            let numbered = (2..).map(|number| format!("{plain}-{number}.npy"));
            let mut names = std::iter::once(format!("{plain}.npy")).chain(numbered);
            let is_free = |name: &String| !written.iter().any(|file| is_same_name(file, name));
            let name = names.find(is_free).unwrap_or_else(|| format!("{plain}.npy"));
            let array = npy::Array { shape: port.shape.clone(), elements: npy::Elements::F32(elements.clone()) };
            write(&standing.join(folder).join(&name), &array)?;
            written.push(folder.join(name));
        }
    }
    show::show(&model, &outputs, &written, arguments.format, output);
    Ok(())
}

/// Whether a file has a name, upper and lower case alike: on some file systems they are one.
fn is_same_name(file: &Path, name: &str) -> bool {
    file.file_name().is_some_and(|own| own.to_string_lossy().eq_ignore_ascii_case(name))
}

/// A tensor's name as one of a file: letters, digits, `-`, `_` and `.` stay.
fn file_name(name: &str) -> String {
    let stays = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let word: String = name.chars().map(|letter| if stays(letter) { letter } else { '_' }).take(100).collect();
    if word.trim_matches('.').is_empty() { "output".to_owned() } else { word }
}

fn write(path: &Path, array: &npy::Array) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(path);
    fs::create_folders(folder).and_then(|()| fs::write_atomic(path, &array.to_bytes())).map_err(|error| {
        Failure::Failed(Diagnostic::error("run/output", error.to_string()).maybe_hint(hint_of(&error)))
    })
}

fn of_stage(code: &'static str, error: &StageError) -> Diagnostic {
    Diagnostic::error(code, error.to_string()).maybe_hint(error.hint.clone())
}

/// A failure that is about the model.
fn no_model(message: String, hint: &str) -> Failure {
    Failure::Failed(Diagnostic::error("run/model", message).hint(hint.to_owned()))
}

/// A path as it was typed, for messages.
fn typed(path: &Path) -> String {
    PathBuf::from(path).display().to_string()
}
