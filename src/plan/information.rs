//! `model_info.json`: what the runtime is told of a model.

use std::path::Path;

use serde_json::Value;

use super::ModelInfo;
use crate::cards::Model;
use crate::config::Board;

fn without_configuration(entries: &mut serde_json::Map<String, Value>) {
    entries.remove("compilation_config");
    entries.remove("compiler_config_file");
}

/// The card's `extra_kwargs` as the runtime is to read them: the block of the board that is built for lies over them key
/// by key, those of other boards stay, and the cores are those to run on.
fn runtime_settings(model: &Model, board: Board, execution_cores: u32) -> Value {
    let mut extra = match model.node.get("extra_kwargs").map(crate::yaml::Node::to_json) {
        Some(Value::Object(entries)) => entries,
        _ => serde_json::Map::new(),
    };
    if let Some(Value::Object(block)) = extra.remove(board.word()) {
        extra.extend(block.into_iter().filter(|(_, value)| !value.is_null()));
    }
    // What the configuration says is in compile_config.json, whoever said it: a value moved from the card into a
    // TOML file changes no artifact.
    let blocks = extra.values_mut().filter_map(Value::as_object_mut);
    blocks.for_each(without_configuration);
    without_configuration(&mut extra);
    extra.insert("aipu_cores".to_owned(), Value::from(execution_cores));
    Value::Object(extra)
}

pub(super) fn model_info(model: &Model, board: Board, execution_cores: u32) -> ModelInfo {
    let text = |text: &Option<crate::cards::Spanned<String>>| text.as_ref().map(|text| text.value.clone());
    // An absolute path is this machine's business; the last name is enough to know a file by.
    let portable = |written: &str| {
        let is_absolute = Path::new(written).is_absolute();
        let name = Path::new(written).file_name().map(|name| name.to_string_lossy().into_owned());
        if is_absolute { name } else { Some(written.to_owned()) }
    };
    let written = |path: &Option<crate::cards::PathValue>| portable(&path.as_ref()?.written);
    ModelInfo {
        name: model.name.value.clone(),
        task_category: text(&model.task_category),
        input_tensor_shape: model.input_shape.map_or_else(Vec::new, |shape| shape.to_vec()),
        input_color_format: model.color.to_string(),
        input_tensor_layout: model.layout.to_string(),
        num_classes: model.num_classes,
        labels: Vec::new(),
        label_filter: Vec::new(),
        weight_path: written(&model.weights),
        weight_url: text(&model.weight_url),
        weight_md5: text(&model.weight_md5),
        prequantized_url: text(&model.prequantized.url),
        prequantized_md5: text(&model.prequantized.md5),
        dataset: text(&model.dataset),
        base_dir: model.node.get("base_dir").and_then(|node| portable(node.as_text()?)),
        class_name: text(&model.class),
        class_path: written(&model.class_path),
        version: text(&model.version),
        extra_kwargs: runtime_settings(model, board, execution_cores),
        model_type: "DEEP_LEARNING".to_owned(),
        precompiled_url: text(&model.precompiled.url),
        precompiled_md5: text(&model.precompiled.md5),
    }
}
