//! What has no effect in a compilation, and what does not fit together: said before it begins, and in the reports.

use serde_json::Value as Json;
use serde_json::json;

use super::dumps;
use super::given::{Arguments, flag};
use crate::cli::remarks::half_a_split_point;
use crate::cli::remarks::remarks;
use crate::config::Board;
use crate::config::Config;
use crate::config::LayerKind;
use crate::diag::Diagnostic;
use crate::properties;
use crate::properties::HostSupport;
use crate::properties::Influence;
use crate::properties::Property;
use crate::properties::Value;

/// Properties that `build` has no use for, and `compile` has.
const HONOURED: [&str; 7] = [
    "graph_cleaner_dump_core_onnx",
    "graph_cleaner_dump_full_opt_onnx",
    "model_debug_save_dir",
    "output_dir",
    "randomize_onnx_model",
    "remove_output_dir",
    "save_error_artifact",
];

/// Which stages a compilation goes through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stages {
    /// Whether it begins with a model that is quantized already.
    pub(super) is_manifest: bool,
    /// Whether it stops after quantization.
    pub(super) quantize_only: bool,
}

/// Why what only lowering reads has no effect.
const STOPS: &str = "the run stops after quantization";

/// A property that is not the default and changes nothing here, on any model.
pub(super) struct Ignored<'a> {
    pub(super) property: &'static str,
    value: &'a Value,
    why: String,
    kind: Why,
}

/// What kind of reason there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The embedded compiler has no use for it.
    Unused,
    /// Another setting would make it count.
    Alone,
    /// The stage that reads it is not gone through.
    Unreached,
}

impl Ignored<'_> {
    /// As an entry of a report.
    pub(super) fn to_json(&self) -> Json {
        json!({ "property": self.property, "value": self.value.to_json(), "why": self.why })
    }
}

/// Properties that are not the default and change nothing here: each with its value and the reason.
pub(super) fn ignored(config: &Config, stages: Stages) -> Vec<Ignored<'_>> {
    let Stages { is_manifest, quantize_only } = stages;
    let saves = config.effective().save_error_artifact;
    let late = |name: &str| is_manifest && dumps::PROPERTIES.contains(&name);
    let honoured = |name: &str| HONOURED.contains(&name) && (name != "randomize_onnx_model" || saves) && !late(name);
    let why = |property: &Property, value: &Value| match property.name {
        name if late(name) => "the model is quantized already, and only the stages before that write it",
        "randomize_onnx_model" => "no archive is written without `save_error_artifact`",
        _ => property.without_effect(value).unwrap_or_default(),
    };
    let all = config.ignored_by_host().filter(|(property, _)| !honoured(property.name));
    let idle = all.map(|(property, traced)| {
        let why = why(property, &traced.value).to_owned();
        Ignored { property: property.name, value: &traced.value, why, kind: Why::Unused }
    });
    let alone = half_a_split_point(config).into_iter().filter_map(|(property, others)| {
        let why = format!("it counts only together with {others}");
        Some(Ignored { property, value: &config.get(property)?.value, why, kind: Why::Alone })
    });
    let is_late = |row: &&Property| quantize_only && row.influences == Influence::Lower;
    let unreached = properties::all().iter().filter(is_late).filter_map(|row| {
        let value = &config.get(row.name)?.value;
        let counts = *value != row.default && row.without_effect(value).is_none();
        counts.then(|| Ignored { property: row.name, value, why: STOPS.to_owned(), kind: Why::Unreached })
    });
    idle.chain(alone).chain(unreached).collect()
}

/// Everything of the kind.
pub(super) fn of(arguments: &Arguments, config: &Config, stages: Stages) -> Vec<Diagnostic> {
    // Of what counts only together with something else, the remarks tell; of a flag, a warning.
    let is_flag = |property: &str| property == "aipu_cores_used" && arguments.contains_key("aipu_cores");
    let mut notes: Vec<Diagnostic> = ignored(config, stages)
        .into_iter()
        .filter(|ignored| ignored.kind != Why::Alone && (ignored.kind == Why::Unused || !is_flag(ignored.property)))
        .map(|Ignored { property, why, kind, .. }| {
            let here = if kind == Why::Unused { " with the embedded compiler" } else { "" };
            let message = format!("`{property}` has no effect{here}: {why}");
            let place = config.get(property).and_then(|traced| traced.origin.place.as_ref());
            Diagnostic::note("config/ignored", message).at_place(place)
        })
        .collect();
    if stages.is_manifest {
        notes.extend(decided_before(config));
    }
    notes.extend(remarks(config, Board::default()));
    notes.extend(without_effect(arguments, stages));
    notes.extend(cores(config).filter(|_| !stages.quantize_only));
    notes.extend(overruled(arguments, config));
    notes.extend(overruled_mode(config));
    notes
}

/// What would change how the model is quantized, which it is already.
fn decided_before(config: &Config) -> Vec<Diagnostic> {
    let decided = |property: &&Property| {
        property.host != HostSupport::Ignored && matches!(property.influences, Influence::Clean | Influence::Quantize)
    };
    let set = properties::all().iter().filter(decided).filter_map(|property| {
        let traced = config.get(property.name).filter(|traced| traced.value != property.default)?;
        let message = format!("`{}` has no effect: the model is quantized already", property.name);
        Some(Diagnostic::note("config/ignored", message).at_place(traced.origin.place.as_ref()))
    });
    set.collect()
}

fn without_effect(arguments: &Arguments, Stages { is_manifest, quantize_only }: Stages) -> Vec<Diagnostic> {
    let given = |name: &str| arguments.contains_key(name);
    let mut idle: Vec<(&str, String)> = Vec::new();
    if is_manifest {
        let names = ["input_shape", "imageset", "transform", "input_data_layout", "color_format", "imreader_backend"];
        let why = "the model is quantized already";
        idle.extend(names.into_iter().filter(|name| given(name)).map(|name| (name, why.to_owned())));
    } else if !given("imageset") {
        let names = ["transform", "input_data_layout", "color_format", "imreader_backend"];
        let why = "there is no `--imageset`";
        idle.extend(names.into_iter().filter(|name| given(name)).map(|name| (name, why.to_owned())));
    } else if given("imreader_backend")
        && !arguments.get("transform").is_some_and(|transform| transform.text.to_lowercase().ends_with(".py"))
    {
        idle.push(("imreader_backend", "without a Python file, images are read here and not by a library".to_owned()));
    }
    if quantize_only && given("aipu_cores") {
        idle.push(("aipu_cores", STOPS.to_owned()));
    }
    let warning = |(name, why): (&str, String)| {
        Diagnostic::warning("compile/no-effect", format!("`{}` has no effect: {why}", flag(name)))
    };
    idle.into_iter().map(warning).collect()
}

/// A folder of results that the configuration names, and that is not taken.
fn overruled(arguments: &Arguments, config: &Config) -> Option<Diagnostic> {
    let output = arguments.get("output")?;
    let traced = config.get("output_dir").filter(|_| config.effective().output_dir.is_some())?;
    let message = format!("`output_dir` has no effect: `--output` names `{}`", output.text);
    Some(Diagnostic::note("config/ignored", message).at_place(traced.origin.place.as_ref()))
}

/// A mode of the configuration that a flag, or a word of `--cli-args`, counts more than.
fn overruled_mode(config: &Config) -> Option<Diagnostic> {
    let traced = config.get("compiler_mode").filter(|traced| traced.origin.layer == LayerKind::Set)?;
    let (_, said) = traced.hides.first()?;
    let message = "`compiler_mode` has no effect: `--quantize-only=false` counts more";
    Some(Diagnostic::note("config/ignored", message).at_place(said.place.as_ref()))
}

/// More cores than the memory share is meant for.
fn cores(config: &Config) -> Option<Diagnostic> {
    let effective = config.effective();
    let (cores, share) = (effective.aipu_cores_used, effective.resources_used);
    let fitting = Board::default().share_of(cores);
    (share < fitting).then(|| {
        let (share, fitting) = (share.decimal(), fitting.decimal());
        let message = format!(
            "`resources_used` is {share:?} for {cores} cores, which is less than their own part of the memory, {fitting:?}"
        );
        let place = config.get("resources_used").and_then(|traced| traced.origin.place.as_ref());
        Diagnostic::note("compile/cores", message).at_place(place).hint("nothing follows from `--aipu-cores` but `aipu_cores_used`")
    })
}
