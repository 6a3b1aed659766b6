//! Properties that change nothing, in this compiler or for this model: found by doing without them, told in log and report.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use serde_json::json;

use super::notes;
use super::outcome::Outcome;
use super::run::{Run, read_json};
use crate::base::fs;
use crate::compiler::Status;
use crate::compiler::quantize::QuantizedGraph;
use crate::diag::Diagnostic;
use crate::plan::CleanSettings;
use crate::plan::HOST_GRAPHS;
use crate::plan::Settings;
use crate::properties;
use crate::properties::Influence;
use crate::properties::Property;

/// A property that was set and changes nothing for this model.
pub(super) struct Idle {
    property: &'static str,
    value: Json,
    why: String,
}

impl Run<'_> {
    /// Properties of a step that were set, and whose values the compiler reads.
    fn set_for(&self, step: Influence) -> Vec<(&'static Property, Json)> {
        let config = &self.request.config;
        let told = notes::ignored(config, self.request.stages());
        let rows = properties::all().iter().filter(|row| row.influences == step);
        rows.filter(|row| !told.iter().any(|ignored| ignored.property == row.name))
            .filter_map(|row| {
                let value = &config.get(row.name).filter(|traced| traced.value != row.default)?.value;
                Some((row, value.to_json()))
            })
            .collect()
    }

    /// Cleans once more without each property of the cleaner that was set: what comes out the same has no effect.
    pub(super) fn idle_in_clean(&mut self, clean: &Path, settings: &CleanSettings, inputs: &[(String, PathBuf)]) {
        let read = |folder: &Path| {
            let names = ["model.onnx", HOST_GRAPHS[0], HOST_GRAPHS[1]];
            names.map(|name| fs::read_if_there(&folder.join(name)).ok().flatten())
        };
        for (row, value) in self.set_for(Influence::Clean) {
            let mut settings = settings.clone();
            settings.properties.remove(row.name);
            let statuses = [Status::TopLevelQuantizeError; 2];
            let without = self.step("without", &Settings::Clean(settings), inputs, statuses, &|_, _, _| ());
            let is_same = without.as_ref().is_ok_and(|without| read(without) == read(clean));
            // What is left goes with the folder of the work.
            let _ = fs::remove_folder(&self.folder.work("without"));
            if is_same {
                let why = format!("this model comes out the same with the default, {}", row.default.to_json());
                self.idle(Idle { property: row.name, value, why });
            }
        }
    }

    /// Properties that are about depth-wise convolutions, of a model in which none got an encoding a channel.
    pub(super) fn idle_in_quantize(&mut self, quantized: &Path) {
        let set = self.set_for(Influence::Quantize).into_iter();
        let set: Vec<(&Property, Json)> = set
            .filter(|(row, value)| {
                row.name == "quantize_dw_channel_wise" || *value == json!("hybrid_per_tensor_per_channel")
            })
            .collect();
        if set.is_empty() {
            return;
        }
        let graph = fs::read(quantized).ok().and_then(|bytes| QuantizedGraph::from_json(&bytes).ok());
        if graph.is_some_and(|graph| graph.values.iter().all(|value| value.channels.is_empty())) {
            for (row, value) in set {
                let why =
                    "no depth-wise convolution of this model reads an activation, so none has an encoding a channel";
                self.idle(Idle { property: row.name, value, why: why.to_owned() });
            }
        }
    }

    fn idle(&mut self, idle: Idle) {
        let place = self.request.config.get(idle.property).and_then(|traced| traced.origin.place.as_ref());
        let message = format!("`{}` has no effect on this model: {}", idle.property, idle.why);
        self.journal.problem(&Diagnostic::note("config/ignored", message).at_place(place));
        self.idle.push(idle);
    }

    /// Adds what is worth knowing about the run to a report: properties without effect, and random calibration. A report with
    /// nothing to add keeps its bytes, which are those of a build.
    pub(super) fn note_ignored(&self, report: &Path, status: Status) -> Result<(), Outcome> {
        let Some(Json::Object(mut entries)) = read_json(report) else { return Ok(()) };
        let before = entries.clone();
        let mut ignored: Vec<Json> =
            notes::ignored(&self.request.config, self.request.stages()).iter().map(notes::Ignored::to_json).collect();
        ignored.extend(
            self.idle.iter().map(|idle| json!({ "property": idle.property, "value": idle.value, "why": idle.why })),
        );
        for entry in entries.get("ignored_properties").and_then(Json::as_array).into_iter().flatten() {
            if !ignored.iter().any(|known| known["property"] == entry["property"]) {
                ignored.push(entry.clone());
            }
        }
        if !ignored.is_empty() {
            entries.insert("ignored_properties".to_owned(), ignored.into());
        }
        if self.is_random {
            entries.insert("random_calibration".to_owned(), Json::Bool(true));
        }
        if entries == before {
            return Ok(());
        }
        let text = format!("{:#}\n", Json::Object(entries));
        fs::write(report, text.as_bytes()).map_err(|error| Outcome::of_file(&error, status, status))
    }
}
