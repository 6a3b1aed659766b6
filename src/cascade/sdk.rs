//! What the SDK's own tools will make of a model's core settings. They read `extra_kwargs` alone where axzoo also reads the
//! compiler configuration, so that a card can be right here and fail there (voyager-semantics 3.4).

use crate::config::Device;
use crate::config::LayerKind;
use crate::diag::Diagnostic;

use super::ModelCores;
use super::fit::cores_in_words;
use super::site::Site;

/// Warns of a model whose files the SDK will look for in another folder than they are written to: it writes to the folder
/// of the effective `aipu_cores_used` and reads from that of the deploy cores.
pub(super) fn other_folder(
    model: &ModelCores<'_>,
    site: &Site,
    cores: u32,
    alone: bool,
    device: Device,
) -> Option<Diagnostic> {
    let deploy = model.deploy_cores;
    if cores == deploy {
        return None;
    }
    let message = format!(
        "`{}` is compiled for {}, so its files lie in `{cores}/`, but the SDK will look for them in `{deploy}/`",
        model.name,
        cores_in_words(cores),
    );
    let settings = missing_settings(model, cores, alone, device);
    let said: Vec<String> = settings.iter().map(|(key, cores)| format!("`{key}: {cores}`")).collect();
    let hint = format!("say {} in its `extra_kwargs`, which is all that the SDK looks at", said.join(" and "));
    let hint = if site.low_latency {
        let one = [("aipu_cores_used", "1".to_owned()), ("resources_used", device.board.quantum().to_string())];
        Some(format!("`low_latency: true` compiles for 1 core: set {}, or remove `low_latency`", site.write(&one)))
    } else {
        (!said.is_empty()).then_some(hint)
    };
    let place = model.config.get("aipu_cores_used").and_then(|traced| traced.origin.place.as_ref());
    let problem = Diagnostic::warning("cascade/other-folder", message);
    Some(problem.at_place(place.or(model.place.as_ref())).maybe_hint(hint).model(model.name))
}

/// The settings of `extra_kwargs` that make the deploy cores what the model is compiled for.
fn missing_settings(model: &ModelCores<'_>, cores: u32, alone: bool, device: Device) -> Vec<(&'static str, u32)> {
    let settings = &model.settings;
    let said = |setting: &Option<(u32, _)>| setting.as_ref().map(|(cores, _)| *cores);
    let desired = settings.wanted_cores(model.aipu_cores_flag);
    let mut missing = Vec::new();
    if desired.map_or(!alone, |desired| desired < cores) {
        missing.push(("aipu_cores", cores));
    }
    // The deploy cores are the least of all: only this one can also be too high.
    let others = desired.map_or(device.cores, |desired| desired.max(cores)).min(settings.most_execution_cores(device));
    if said(&settings.max_compiler_cores).is_none_or(|most| most < cores || most.min(others) > cores) {
        missing.push(("max_compiler_cores", cores));
    }
    if said(&settings.max_execution_cores).is_some_and(|most| most < cores) {
        missing.push(("max_execution_cores", cores));
    }
    missing
}

/// Notes a cascade's model that says its cores in the compiler configuration only, which `deploy.py` refuses.
pub(super) fn refused(model: &ModelCores<'_>, alone: bool) -> Option<Diagnostic> {
    if alone || model.settings.wanted_cores(model.aipu_cores_flag).is_some() {
        return None;
    }
    let layer = model.config.get("aipu_cores_used").map(|traced| traced.origin.layer);
    let says = match layer {
        Some(LayerKind::Cores) => "says `max_compiler_cores` only",
        _ => "says its cores in the compiler configuration only",
    };
    let message = format!("`{}` {says}; `deploy.py` of the SDK refuses a cascade without `aipu_cores`", model.name);
    let problem = Diagnostic::note("cascade/no-aipu-cores", message).at_place(model.place.as_ref());
    Some(problem.hint("add `aipu_cores` to its `extra_kwargs` if the SDK is to build it too").model(model.name))
}
