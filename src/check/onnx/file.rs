//! The files: which there are, and reading each of them once for all the models that name it.

use std::collections::BTreeMap;
use std::path::Path;

use super::input;
use super::operators;
use crate::base::fs;
use crate::cards::Card;
use crate::cards::Model;
use crate::cards::ModelKind;
use crate::cards::PathValue;
use crate::compiler::StageError;
use crate::compiler::aipu;
use crate::compiler::error::shortened;
use crate::compiler::onnx::Beside;
use crate::compiler::onnx::OnnxFile;
use crate::diag::Diagnostic;

/// One model of a card, and what of its configuration decides where its operators run.
#[derive(Debug, Clone, Copy)]
pub struct ModelToCheck<'a> {
    /// The card.
    pub card: &'a Card,
    /// One of its models.
    pub model: &'a Model,
    /// The property of that name: whether operators can be left to the host.
    pub run_graph_cleaner: bool,
}

/// What is wrong with the ONNX files of a card's models, and what is worth knowing of them, in the order of `models`.
/// Weights that are absent or not ONNX have nothing to say. No file is read twice, and large tensors not at all unless a
/// refusal may depend on them. Works on the thread it is called on, so that whoever watches sees what was looked at.
#[must_use]
pub fn check_weights(models: &[ModelToCheck<'_>]) -> Vec<Diagnostic> {
    let mut files: BTreeMap<&Path, Vec<(usize, &ModelToCheck<'_>, &PathValue)>> = BTreeMap::new();
    for (place, model) in models.iter().enumerate().filter(|(_, one)| one.model.kind == ModelKind::DeepLearning) {
        let Some(weights) = &model.model.weights else { continue };
        if let Some(path) = weights.path().filter(|path| is_onnx(path) && fs::is_file(path)) {
            files.entry(path).or_default().push((place, model, weights));
        }
    }
    let mut found: Vec<(usize, Vec<Diagnostic>)> = files
        .into_iter()
        .flat_map(|(path, models)| {
            let file = read(path);
            models.into_iter().map(move |(place, model, weights)| (place, problems(&file, path, model, weights)))
        })
        .collect();
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().flat_map(|(_, problems)| problems).collect()
}

fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
}

/// Why a file cannot be looked at: message and hint.
type Unreadable = (String, Option<String>);

fn stage(error: StageError) -> Unreadable {
    (error.message, error.hint)
}

fn read(path: &Path) -> Result<OnnxFile, Unreadable> {
    let system = |error: fs::FsError| (error.to_string(), error.hint().map(ToOwned::to_owned));
    let file = fs::open(path).map_err(system)?;
    let length = fs::stat(path).map_or(0, |stat| stat.size);
    OnnxFile::skim(file, length).map_err(|error| instead(path, length).unwrap_or_else(|| stage(error)))
}

/// What often lies where a model should be, told by the first bytes of a file that is no model.
fn instead(path: &Path, length: u64) -> Option<Unreadable> {
    let start = fs::read_range(path, 0, length.min(64)).ok()?;
    let (what, hint) = if start.starts_with(b"version https://git-lfs") {
        ("a Git LFS pointer to one", "fetch the model itself with `git lfs pull`")
    } else if start.trim_ascii_start().starts_with(b"<") {
        ("a web page", "download the file again; its address may be wrong, or need a login")
    } else {
        return None;
    };
    Some((format!("the file is not an ONNX model but {what}"), Some(hint.to_owned())))
}

/// Absent files that are told of one by one.
const ABSENT_TOLD: usize = 10;

/// What one model has to be told of its file.
fn problems(
    file: &Result<OnnxFile, Unreadable>,
    path: &Path,
    model: &ModelToCheck<'_>,
    weights: &PathValue,
) -> Vec<Diagnostic> {
    let mut problems = match file {
        Ok(file) => look_into(file, path, model),
        Err((message, hint)) => {
            let message = format!("`{}`: {message}", weights.written);
            vec![Diagnostic::error("onnx/unreadable", message).maybe_hint(hint.as_ref())]
        }
    };
    for problem in &mut problems {
        problem.place.get_or_insert_with(|| weights.place.clone());
        problem.network = Some(model.card.name.value.clone());
        problem.model = Some(model.model.name.value.clone());
    }
    problems
}

fn look_into(file: &OnnxFile, path: &Path, model: &ModelToCheck<'_>) -> Vec<Diagnostic> {
    let beside = Beside(path);
    let mut problems = Vec::new();
    let absent: Vec<String> =
        file.external_locations().into_iter().filter(|location| beside.file(location).is_none()).collect();
    for location in absent.iter().take(ABSENT_TOLD) {
        let shown = shortened(location.clone());
        let (why, hint) = beside.absence(location);
        let is_missing = !location.contains(['/', '\\'])
            && !fs::is_link(&path.with_file_name(location))
            && fs::is_gone(&path.with_file_name(location));
        let (why, hint) = if is_missing {
            let hint = format!("put `{shown}` into the folder of the weights, or export the model as one file");
            ("is not beside the weights", hint)
        } else {
            (why, hint.to_owned())
        };
        let message = format!("tensors of the model lie in `{shown}`, which {why}");
        problems.push(Diagnostic::error("onnx/external-data", message).hint(hint));
    }
    if absent.len() > ABSENT_TOLD {
        let message =
            format!("tensors of the model lie in {} more files that are not beside it", absent.len() - ABSENT_TOLD);
        problems.push(Diagnostic::error("onnx/external-data", message));
    }
    let is_read = opset(file, &mut problems);
    let options = input::check(file, model.card, model.model, &mut problems);
    let Some(options) = options.filter(|_| is_read && absent.is_empty()) else { return problems };
    match file.survey(&beside, &options) {
        Ok(survey) if survey.is_doubtful => {
            // A refusal may be due to values that were left in the file: only all of it tells.
            let whole =
                fs::read_limited(path, OnnxFile::LENGTH_LIMIT).ok().and_then(|bytes| OnnxFile::decode(&bytes).ok());
            match whole.as_ref().map(|whole| whole.survey(&beside, &options)) {
                Some(Ok(whole)) => operators::check(&whole, model.run_graph_cleaner, &mut problems),
                Some(Err(error)) => problems.push(operators::refused(&error)),
                None => operators::check(&survey, model.run_graph_cleaner, &mut problems),
            }
        }
        Ok(survey) => operators::check(&survey, model.run_graph_cleaner, &mut problems),
        Err(error) => problems.push(operators::refused(&error)),
    }
    problems
}

/// Whether the embedded compiler reads the file's opset.
fn opset(file: &OnnxFile, problems: &mut Vec<Diagnostic>) -> bool {
    let (ours, aipu, older) = (OnnxFile::OPSETS, aipu::OPSETS, aipu::CONVERTED_OPSETS);
    let range = |range: &std::ops::RangeInclusive<i64>| format!("{} to {}", range.start(), range.end());
    let again = "export the model again with `opset_version=17`";
    let Some(opset) = file.opset() else {
        let message = "the model does not say which opset its operators are of";
        problems.push(Diagnostic::error("onnx/opset", message).hint(again));
        return false;
    };
    if !ours.contains(&opset) {
        let message = format!("the model has opset {opset}; the embedded compiler reads opsets {}", range(&ours));
        problems.push(Diagnostic::error("onnx/opset", message).hint(again));
    } else if older.contains(&opset) {
        let message = format!(
            "the model has opset {opset}; the AIPU's conditions are stated for {}, to which older ones are converted where \
             the operators' meaning allows",
            range(&aipu)
        );
        problems.push(Diagnostic::note("onnx/opset", message));
    } else if !aipu.contains(&opset) {
        let message = format!("the model has opset {opset}; the AIPU's conditions are stated for {}", range(&aipu));
        problems.push(Diagnostic::warning("onnx/opset", message).hint(again));
    }
    ours.contains(&opset)
}
