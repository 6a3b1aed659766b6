//! A model that is quantized already, and only lowered: which files it consists of.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::base::fs;
use crate::cards::Card;
use crate::cards::Model;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::plan::HOST_GRAPHS;

/// Keys of a manifest that name files of a quantized model beside it.
const FILE_KEYS: [&str; 3] = ["quantized_model_file", "preprocess_graph", "postprocess_graph"];

/// The archive or manifest of a quantized model.
pub(super) struct Prequantized {
    /// The file that `prequantized_path` names.
    pub(super) file: PathBuf,
    /// Of a manifest the files that it names and that are beside it: (name, path). An archive has them inside.
    pub(super) beside: Vec<(String, PathBuf)>,
}

/// Finds what `prequantized_path` names; `said` is where the card asks for it.
pub(super) fn find(card: &Card, model: &Model, said: Option<&Place>) -> Result<Prequantized, Box<Diagnostic>> {
    let problem = |code, message: String| Diagnostic::error(code, message);
    let Some(path) = &model.prequantized.path else {
        let message = "`compiler_mode: lower_only` needs a quantized model, and the card names no `prequantized_path`";
        let hint = "name the `quantized_model_manifest.json` of an earlier build, or a ZIP archive of its folder";
        return Err(Box::new(problem("build/prequantized", message.to_owned()).at_place(said).hint(hint)));
    };
    let place = Some(&path.place);
    let file = path.resolved.as_ref().map_err(|error| {
        let problem = problem("card/undefined-variable", error.to_string());
        Box::new(problem.at_place(place).hint("set it, or write the path out"))
    })?;
    if !fs::is_file(file) {
        let message = format!("the quantized model `{}` is not there", card.shown(file));
        let hint = match &model.prequantized.url {
            Some(url) => format!("download it from {}; this version does not download", url.value),
            None => "put the file in place, or correct `prequantized_path`".to_owned(),
        };
        return Err(Box::new(problem("build/prequantized", message).at_place(place).hint(hint)));
    }
    let unreadable = |message: String| {
        let hint =
            "a quantized model is the `quantized_model_manifest.json` of a build, or a ZIP archive of its folder";
        Box::new(problem("build/prequantized", format!("`{}` {message}", card.shown(file))).at_place(place).hint(hint))
    };
    let beside = if file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        let bytes = fs::read(file).map_err(|error| unreadable(format!("cannot be read: {error}")))?;
        let manifest: Value =
            serde_json::from_slice(&bytes).map_err(|error| unreadable(format!("is no manifest: {error}")))?;
        named_beside(file, &manifest)
    } else {
        Vec::new()
    };
    Ok(Prequantized { file: file.clone(), beside })
}

/// Files that a manifest is about, in its own folder; what is not there is missed when the manifest is read.
#[must_use]
pub fn named_beside(manifest: &Path, contents: &Value) -> Vec<(String, PathBuf)> {
    let names = FILE_KEYS.into_iter().filter_map(|key| contents.get(key)?.as_str());
    // What the manifest vouches for, and what it should name: the reader compares all of it.
    let vouched = contents.get("digests").and_then(Value::as_object);
    let names =
        names.chain(vouched.into_iter().flat_map(|digests| digests.keys().map(String::as_str))).chain(HOST_GRAPHS);
    let plain = names.filter(|name| !name.is_empty() && !name.contains(['/', '\\']) && *name != "..");
    let mut files: Vec<(String, PathBuf)> = plain
        .map(|name| (name.to_owned(), manifest.with_file_name(name)))
        .filter(|(_, path)| fs::is_file(path))
        .collect();
    files.sort();
    files.dedup();
    files
}
