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
use crate::compiler::lower::CompiledModel;
use crate::diag::Diagnostic;

/// Runs the model once.
pub(super) fn run(arguments: &RunArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let folder = std::env::current_dir()
        .map_err(|error| folder_failure(format!("the current folder cannot be read: {error}")))?;
    let standing = directory.map_or_else(|| folder.clone(), |directory| folder.join(directory));
    let model = files::load(&standing.join(&arguments.model), &arguments.model)?;
    let names = names(&model);
    if let Some(folder) = &arguments.output {
        in_the_way(&standing, folder, &names, &arguments.input)?;
    }
    let (inputs, problems) = input::read(&model, &standing, &arguments.input)?;
    output.diagnostics(&problems);
    let failed = |error: StageError| Failure::Failed(of_stage("run/failed", &error));
    let outputs = model.run(&inputs).map_err(failed)?;
    let mut written: Vec<PathBuf> = Vec::new();
    if let Some(folder) = &arguments.output {
        for ((port, elements), name) in model.outputs().iter().zip(&outputs).zip(&names) {
            let array = npy::Array { shape: port.shape.clone(), elements: npy::Elements::F32(elements.clone()) };
            write(&standing.join(folder).join(name), &array)?;
            written.push(folder.join(name));
        }
    }
    show::show(&model, &outputs, &written, arguments.format, output);
    Ok(())
}

/// The files of the outputs.
fn names(model: &CompiledModel) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for port in model.outputs() {
        let plain = file_name(&port.name);
        // Names that differ only in what no file name has would be one file, and on some file systems upper and lower case.
        let numbered = (2..).map(|number| format!("{plain}-{number}.npy"));
        let mut names = std::iter::once(format!("{plain}.npy")).chain(numbered);
        let is_free = |name: &String| !taken.iter().any(|other| other.eq_ignore_ascii_case(name));
        taken.push(names.find(is_free).unwrap_or_else(|| format!("{plain}.npy")));
    }
    taken
}

/// Refuses to write an output over an input.
fn in_the_way(standing: &Path, folder: &Path, names: &[String], inputs: &[PathBuf]) -> Result<(), Failure> {
    let real = |path: &Path| fs::canonical(&standing.join(path)).ok();
    let given: Vec<PathBuf> = inputs.iter().filter_map(|input| real(input)).collect();
    let met =
        names.iter().map(|name| folder.join(name)).find(|file| real(file).is_some_and(|file| given.contains(&file)));
    met.map_or(Ok(()), |file| {
        let message = format!("the output `{}` would replace the `--input` of that name", typed(&file));
        let hint = "name another folder with `--output`";
        Err(Failure::Failed(Diagnostic::error("run/output", message).hint(hint)))
    })
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
