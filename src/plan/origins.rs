//! Where each setting of a step was said, so that a difference can be told with its place.

use std::collections::BTreeMap;

use super::NetworkRequest;
use crate::cards::Card;
use crate::cards::Model;
use crate::config::Board;
use crate::config::Config;
use crate::diag::Span;
use crate::yaml::Node;

/// Setting → file and line that said it.
pub(super) type Origins = BTreeMap<String, (String, usize)>;

/// Of one model's steps: compiler properties by their own origin, the rest by the card's line.
pub(super) fn origins(card: &Card, model: &Model, config: &Config, board: Board) -> Origins {
    let mut origins = Origins::new();
    for (name, traced) in config.properties() {
        if let Some((file, line)) = traced.origin.file_and_line() {
            origins.insert(name.to_owned(), (file.to_owned(), line));
        }
    }
    if let Some(cores) = origins.get("aipu_cores_used").cloned() {
        origins.insert("cores".to_owned(), cores);
    }
    let mut say = |name: &str, span: Span| origins.insert(name.to_owned(), line(card, span));
    say("input_shape", model.input_shape_span);
    let key_of = |node: &Node, name: &str| node.entry(name).map(|(key, _)| key.span);
    if let Some(task) = card.tasks_of(&model.name.value).next() {
        say("preprocess", key_of(&task.node, "preprocess").unwrap_or(task.name.span));
    }
    for (key, setting) in [("input_color_format", "input_color"), ("input_tensor_layout", "layout")] {
        if let Some(span) = key_of(&model.node, key) {
            say(&format!("preprocess.{setting}"), span);
        }
    }
    if let Some(color) = card.tasks_of(&model.name.value).next().and_then(|task| task.input.color.as_ref()) {
        say("preprocess.input_color", color.span);
    }
    say("preprocess.shape", model.input_shape_span);
    for (key, setting) in [("weight_md5", "md5"), ("prequantized_md5", "md5"), ("num_classes", "class_count")] {
        if let Some((key, _)) = model.node.entry(key) {
            say(setting, key.span);
        }
    }
    if let Some(dataset) = card.dataset_of(model) {
        // Where the card gives no number it is that of the dataset's images; the folders of held-out ones tell their classes.
        say("calibration_images", dataset.name.span);
        say("labels", dataset.val_data.as_ref().map_or(dataset.name.span, |folder| folder.span));
    }
    for (key, _) in model.node.entries() {
        if let Some(name) = key.as_text() {
            // A field that is named otherwise than its key, since `class` is taken.
            let field = if name == "class" { "class_name" } else { name };
            say(&format!("model_info.{field}"), key.span);
        }
    }
    for (key, name) in extra(model, board) {
        say(&format!("model_info.extra_kwargs.{name}"), key.span);
        let setting = match name {
            "num_cal_images" => "calibration_images",
            "cal_seed" => "random_calibration",
            _ => continue,
        };
        say(setting, key.span);
    }
    let floors = model.node.get("extra_kwargs").and_then(|extra| extra.get("axzoo"));
    for floor in ["min_sqnr_db", "min_top1_agreement"] {
        if let Some((key, _)) = floors.and_then(|floors| floors.entry(floor)) {
            say(floor, key.span);
        }
    }
    for (index, place) in card.operator_places(model).into_iter().enumerate() {
        let said = (place.source.name().to_owned(), place.position().line);
        if index == 0 {
            // One that is gone was in the same list.
            origins.insert("preprocess.operators".to_owned(), said.clone());
        }
        origins.insert(format!("preprocess.operators[{index}]"), said);
    }
    origins
}

/// Of a network's bundle: what the runtime is told of its pipeline, and of each model.
pub(super) fn origins_of_bundle(network: &NetworkRequest<'_>) -> Origins {
    let card = network.card;
    let mut origins = Origins::new();
    for (place, task) in card.tasks.iter().enumerate() {
        origins.insert(format!("description.pipeline[{place}]"), line(card, task.name.span));
        let Ok(resolved) = card.resolve_task(task) else { continue };
        for (phase, operators) in [("preprocess", &resolved.preprocess), ("postprocess", &resolved.postprocess)] {
            for (index, operator) in operators.iter().enumerate() {
                let written = resolved.place(operator.name.span);
                let said = (written.source.name().to_owned(), written.position().line);
                origins.insert(format!("description.pipeline[{place}].{phase}[{index}]"), said);
            }
        }
    }
    if let Some((key, _)) = card.node.entry("description") {
        origins.insert("description.description".to_owned(), line(card, key.span));
    }
    let described = network.description.get("models").and_then(serde_json::Value::as_array);
    for (place, described) in described.into_iter().flatten().enumerate() {
        let name = described.get("name").and_then(serde_json::Value::as_str);
        let Some(request) = network.models.iter().find(|it| Some(it.model.name.value.as_str()) == name) else {
            continue;
        };
        let mut say = |field: &str, said: (String, usize)| {
            origins.insert(format!("description.models[{place}]{field}"), said);
        };
        say("", line(card, request.model.name.span));
        for (property, traced) in request.config.properties() {
            let Some((file, line)) = traced.origin.file_and_line() else { continue };
            let fields: &[&str] = match property {
                "resources_used" => &[".resources", ".instances"],
                "aipu_cores_used" => &[".cores", ".execution_cores"],
                _ => &[],
            };
            for field in fields {
                say(field, (file.to_owned(), line));
            }
        }
        for (key, name) in request.model.node.get("extra_kwargs").into_iter().flat_map(Node::entries).filter_map(named)
        {
            match name {
                "aipu_cores" | "max_execution_cores" => say(".execution_cores", line(card, key.span)),
                "clock_profile" | "mvm_limitation" => say(&format!(".{name}"), line(card, key.span)),
                _ => {}
            }
        }
    }
    origins
}

/// The keys of a model's `extra_kwargs`, those in the block of the board behind the general ones.
fn extra(model: &Model, board: Board) -> impl Iterator<Item = (&Node, &str)> {
    let general = model.node.get("extra_kwargs");
    let of_board = general.and_then(|extra| extra.get(board.word()));
    general.into_iter().chain(of_board).flat_map(Node::entries).filter_map(named)
}

fn named((key, _): &(Node, Node)) -> Option<(&Node, &str)> {
    Some((key, key.as_text()?))
}

fn line(card: &Card, span: Span) -> (String, usize) {
    (card.source.name().to_owned(), card.source.position(span.start).line)
}
