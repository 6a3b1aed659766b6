//! Files that the configuration asks to see of the model on its way. They lie below the folder of results under names that the
//! user chose, so each run writes down which it made, and only such a file is ever replaced.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::folder::Folder;
use super::outcome::Outcome;
use super::request::Request;
use crate::base::fs;
use crate::compiler::Status;
use crate::config::Config;
use crate::diag::Diagnostic;

/// Which of these files the last run made: names with their digests.
pub(super) const RECORD: &str = "debug_files.json";

/// Properties that name such a file or a folder of them.
pub(super) const PROPERTIES: [&str; 3] =
    ["graph_cleaner_dump_core_onnx", "graph_cleaner_dump_full_opt_onnx", "model_debug_save_dir"];

/// What lies in the folder of `model_debug_save_dir`.
const SAVED: [&str; 2] = ["clean_model.onnx", "quantized_model.onnx"];

/// Bytes of a part of a path that file systems take.
const PART_LIMIT: usize = 255;

/// What a configuration asks for.
struct Asked {
    property: &'static str,
    found: String,
    /// Names of files below the folder of results.
    names: Vec<String>,
}

fn asked(config: &Config) -> Vec<Asked> {
    let effective = config.effective();
    let values = [
        effective.graph_cleaner_dump_core_onnx,
        effective.graph_cleaner_dump_full_opt_onnx,
        effective.model_debug_save_dir,
    ];
    let given = PROPERTIES.into_iter().zip(values).filter_map(|(property, value)| Some((property, value?)));
    let asked = given.map(|(property, found)| {
        let names = if property == PROPERTIES[2] { saved(&found) } else { vec![found.clone()] };
        Asked { property, found, names }
    });
    asked.collect()
}

/// The files of `model_debug_save_dir`: the cleaned core and the quantized model.
pub(super) fn saved(folder: &str) -> Vec<String> {
    let folder = folder.strip_suffix('/').unwrap_or(folder);
    SAVED.iter().map(|name| format!("{folder}/{name}")).collect()
}

/// Whether a name stays below the folder that it is taken from, on every system.
pub(super) fn is_plain(name: &str) -> bool {
    let is_part = |part: &str| !["", ".", ".."].contains(&part) && part.len() <= PART_LIMIT;
    name.split('/').all(is_part) && !name.contains(|letter: char| ['\\', ':'].contains(&letter) || letter.is_control())
}

/// What is wrong with the places that are asked for, each at its key.
pub(super) fn problems(request: &Request, folder: &Folder, kept: &[PathBuf]) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut taken: Vec<(&str, String)> = Vec::new();
    // A model that is quantized already is not cleaned, so nothing is written.
    for Asked { property, found, names } in asked(&request.config).into_iter().filter(|_| !request.is_manifest) {
        let place = request.config.get(property).and_then(|traced| traced.origin.place.as_ref());
        let what = if names.len() > 1 { "folder" } else { "file" };
        let mut wrong = |why: String| {
            let message = format!(
                "`{property}`: expected a plain path of a {what} of its own below the folder of results, found `{found}`{why}"
            );
            let hint = format!("write for example `debug/{}`", if names.len() > 1 { "models" } else { "model.onnx" });
            problems.push(Diagnostic::error("compile/arguments", message).at_place(place).hint(hint));
        };
        if !names.iter().all(|name| is_plain(name)) {
            wrong(String::new());
            continue;
        }
        for name in names.iter().map(|name| name.to_lowercase()) {
            let meets = |other: &str| {
                let below = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|it| it.starts_with('/'));
                name == other || below(&name, other) || below(other, &name)
            };
            if let Some((other, _)) = taken.iter().find(|(_, other)| meets(other)) {
                wrong(format!(", where `{other}` writes too"));
                break;
            }
            taken.push((property, name));
        }
        if let Some(why) = names.iter().find_map(|name| folder.keeps(name, kept)) {
            wrong(format!(", and {why}"));
        }
    }
    problems
}

/// The names that are asked for.
pub(super) fn names(request: &Request) -> Vec<String> {
    asked(&request.config).into_iter().flat_map(|asked| asked.names).collect()
}

/// Writes down which of the files that were made are such, and which of earlier ones stay because they were given; the record's name and file, where there is something to record.
pub(super) fn record(
    request: &Request,
    folder: &Folder,
    made: &[(String, PathBuf)],
    given: &[PathBuf],
) -> Result<Option<(String, PathBuf)>, Outcome> {
    let names = names(request);
    let failed = |error: fs::FsError| Outcome::of_file(&error, Status::InitializeCliError, Status::InitializeCliError);
    let mut digests = folder.held(given, &made.iter().map(|(name, _)| name.as_str()).collect());
    for (name, file) in made.iter().filter(|(name, _)| names.contains(name)) {
        digests.insert(name.clone(), fs::digest(file).map_err(failed)?.to_string());
    }
    if digests.is_empty() {
        return Ok(None);
    }
    let file = folder.work(RECORD);
    fs::write(&file, &text(&digests)).map_err(failed)?;
    Ok(Some((RECORD.to_owned(), file)))
}

/// The record of names and digests.
pub(super) fn text(digests: &BTreeMap<String, String>) -> Vec<u8> {
    format!("{:#}\n", serde_json::json!(digests)).into_bytes()
}

/// What an earlier run wrote down: names and digests.
pub(super) fn recorded(folder: &Path, limit: u64) -> BTreeMap<String, String> {
    let bytes = fs::read_limited(&folder.join(RECORD), limit).unwrap_or_default();
    let mut names: BTreeMap<String, String> = serde_json::from_slice(&bytes).unwrap_or_default();
    names.retain(|name, _| is_plain(name));
    names
}
