//! What is said at the end: what was done, where it is, how good it is.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::outcome::Outcome;
use super::outcome::word;
use super::request::Request;
use crate::base::fs;
use crate::base::shown;
use crate::diag::Diagnostic;
use crate::diag::catalogue;
use crate::diag::counted;
use crate::imaging::Audit;
use crate::report;

/// What was done, in a sentence: the message of a good report.
pub(super) fn done(request: &Request, is_random: bool) -> String {
    let cores = request.config.effective().aipu_cores_used as usize;
    let what = match (request.quantize_only, request.is_manifest) {
        (true, _) => "quantized".to_owned(),
        (false, true) => format!("compiled for {} from a quantized model", counted(cores, "core")),
        (false, false) => format!("quantized, and compiled for {}", counted(cores, "core")),
    };
    let warning =
        if is_random { "; CALIBRATED ON RANDOM DATA: the ranges, and so the accuracy, mean nothing" } else { "" };
    format!("{what}{warning}")
}

/// The last lines of a good run.
pub(super) fn closing(request: &Request, folder: &Path, standing: &Path, message: &str, took: &str) -> String {
    let mut text = format!("`{}`: {message}, in {took}\n", shown(&request.input, standing));
    let mut line = |name: &str, what: &str| {
        if fs::exists(&folder.join(name)) {
            let place = shown(&folder.join(name), standing);
            let _ = writeln!(text, "  {place}  {what}");
        }
    };
    line("compiled_model", "what a runtime opens");
    line("quantized_model", "the quantized model; ONNX Runtime opens its quantized_model.onnx");
    line("compilation_report.json", "status");
    line("compilation_log.txt", "what was done, stage by stage");
    text += &estimate(&folder.join("compiled_model/report.json"));
    let name = request.input.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let row = report::read_accuracy_of(&folder.join("quantized_model/report.json"), &name);
    if let Some(row) = row.filter(|_| !request.is_manifest) {
        let _ = write!(text, "\n{}", report::accuracy_table(&[row]));
    }
    text
}

/// What lowering estimates, in two lines; nothing where it did not run.
fn estimate(report: &Path) -> String {
    let value: Option<Json> = fs::read(report).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let Some(value) = value else { return String::new() };
    let (image, note) = (&value["estimate"]["one_run"], &value["estimate"]["note"]);
    let mut text = String::new();
    if let (Some(cycles), Some(milliseconds), Some(note)) =
        (image["cycles"].as_u64(), image["milliseconds"].as_f64(), note.as_str())
    {
        let _ = writeln!(text, "{note}: {cycles} cycles a run, {milliseconds:.3} ms");
    }
    let pools = value["memory"].as_array().into_iter().flatten().filter_map(|pool| {
        let [used, allowed] = ["used_bytes", "allowed_bytes"].map(|key| pool[key].as_u64());
        let name = pool["pool"].as_str()?.to_uppercase();
        Some(format!("{name} {} of {}", report::bytes(used?), report::bytes(allowed?)))
    });
    let pools: Vec<String> = pools.collect();
    if !pools.is_empty() {
        let _ = writeln!(text, "memory in the plan: {}", pools.join(", "));
    }
    text
}

/// A failure as the user sees it.
pub(super) fn failure(outcome: &Outcome) -> Diagnostic {
    let node = outcome.node.as_ref().map_or(String::new(), |node| format!("node `{node}`: "));
    let message = match outcome.problems.len() {
        0 => outcome.message.clone(),
        count => format!("{}, told above", counted(count, "problem")),
    };
    let message = format!("{}: {node}{message}", word(outcome.status));
    Diagnostic::error("compile/failed", message).maybe_hint(outcome.hint.clone())
}

/// What the quantizer found odd, about the images with the names that the user knows.
pub(super) fn image_warnings(report: &Path, images: &[Vec<PathBuf>; 2], standing: &Path) -> Vec<Diagnostic> {
    let value: Option<Json> = fs::read(report).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let audit = value.and_then(|mut value| serde_json::from_value::<Audit>(value["images"].take()).ok());
    let name = |role: &String| {
        let (which, number) = role.split_once('/').unwrap_or((role, ""));
        let images = &images[usize::from(which != "calibration")];
        let image = number.parse::<usize>().ok().and_then(|number| images.get(number));
        image.map_or_else(|| role.clone(), |image| shown(image, standing))
    };
    let told = |finding: &crate::imaging::Finding| {
        let entry = catalogue::find(&finding.code)?;
        Some(Diagnostic::warning(entry.code, finding.told(finding.images.iter().map(name))))
    };
    let lost = report::read_lost(report).into_iter().map(|message| Diagnostic::warning("build/lost-layer", message));
    audit.iter().flat_map(|audit| &audit.findings).filter_map(told).chain(lost).collect()
}
