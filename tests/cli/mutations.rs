//! Mistakes that people make, made in the SDK's own cards: each is found at its line, with its code.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::shared::cards;
use crate::space::Space;

/// A card's file, what is replaced in it, by what, the code of the error, and the text at whose line it is told (empty: the
/// replacement's).
type Mutation = (&'static str, &'static str, &'static str, &'static str, &'static str);

const TWO: &str = "yolov8n-yolov8s.yaml";
const THREE: &str = "ces2025-ln.yaml";
const TRACKER: &str = "yolov5m-tracker-resnet50.yaml";
const ONE: &str = "yolov8s-coco-onnx.yaml";
const PLAIN: &str = "resnet50-imagenet.yaml";

const MUTATIONS: &[Mutation] = &[
    // Cores and memory.
    (TWO, "aipu_cores: 1", "aipu_cores: 2", "cascade/over-budget", "      aipu_cores: 3"),
    (TWO, "aipu_cores: 3", "aipu_cores: 4", "cascade/over-budget", ""),
    (THREE, "aipu_cores: 2", "aipu_cores: 3", "cascade/over-budget", ""),
    (TRACKER, "aipu_cores: 1", "aipu_cores: 2", "cascade/over-budget", "      aipu_cores: 3"),
    (TWO, "      aipu_cores: 3", "      num_cal_images: 3", "cascade/no-cores", "  yolov8n-coco-onnx:\n    class"),
    (THREE, "aipu_cores: 2", "aipu_cores: two", "card/type", ""),
    (THREE, "aipu_cores: 2", "aipu_cores: 0", "card/type", ""),
    (
        THREE,
        "aipu_cores: 2",
        "compilation_config: {aipu_cores_used: 2}",
        "cascade/no-cores",
        "  yolov8lpose-coco-onnx:\n    class",
    ),
    (THREE, "aipu_cores: 2", "compilation_config: {aipu_cores_used: 2, resources_used: 0.3}", "config/share", ""),
    (
        THREE,
        "aipu_cores: 2",
        "compilation_config: {aipu_cores_used: 2, resources_used: 0.75}",
        "cascade/over-budget",
        "",
    ),
    (THREE, "aipu_cores: 2", "compilation_config: {aipu_cores_used: 5, resources_used: 0.5}", "config/range", ""),
    (PLAIN, "max_compiler_cores: 4", "max_compiler_cores: four", "card/type", ""),
    (
        PLAIN,
        "max_compiler_cores: 4",
        "max_compiler_cores: 4\n      compilation_config: {aipu_cores_used: 4, resources_used: 1.5}",
        "config/share",
        "      compilation_config: {aipu",
    ),
    // The pipeline.
    (TWO, "model_name: yolov8s-coco-onnx", "model_name: yolov8s-coco", "pipeline/unknown-model", ""),
    (TWO, "model_name: yolov8s-coco-onnx", "model-name: yolov8s-coco-onnx", "card/unknown-key", ""),
    (TWO, "where: master_detections", "where: secondary_detections", "pipeline/where", ""),
    (TWO, "where: master_detections", "where: master_detection", "pipeline/where", ""),
    (THREE, "where: master_detections", "where: object_detections", "pipeline/where", ""),
    (THREE, "        where: master_detections\n", "", "pipeline/where", "        source: roi"),
    (
        TWO,
        "  - secondary_detections:",
        "  - master_detections:",
        "pipeline/duplicate-task",
        "  - master_detections:\n      model_name: yolov8s",
    ),
    (TWO, "      preprocess:\n        - letterbox:", "      preproces:\n        - letterbox:", "card/unknown-key", ""),
    (TWO, "            width: 640", "            widht: 640", "card/operator", ""),
    (
        TWO,
        "        - letterbox:\n            width: 640",
        "        - leterbox:\n            width: 640",
        "card/operator",
        "",
    ),
    (ONE, "yolo-letterbox.yaml", "yolo-leterbox.yaml", "card/template", "      template_path"),
    (ONE, "template_path:", "templat_path:", "card/unknown-key", ""),
    // The models.
    (ONE, "input_tensor_shape: [1, 3, 640, 640]", "input_tensor_shape: [640, 640]", "card/input-shape", ""),
    (ONE, "input_tensor_shape: [1, 3, 640, 640]", "input_tensor_shape: 1x3x640x640", "card/input-shape", ""),
    (ONE, "    input_tensor_shape: [1, 3, 640, 640]\n", "", "card/missing-key", "  yolov8s-coco-onnx:\n    class"),
    (ONE, "input_tensor_layout: NCHW", "input_tensor_layout: CHW", "card/value", ""),
    (ONE, "input_color_format: RGB", "input_color_format: RBG", "card/value", ""),
    (ONE, "input_color_format: RGB", "input_colour_format: RGB", "card/unknown-key", ""),
    (
        ONE,
        "weight_md5: b16cc786a276cdc58928416c19d8aa56",
        "weight_md5: b16cc786a276cdc58928416c19d8aa5",
        "card/md5",
        "",
    ),
    (ONE, "weight_path:", "weights_path:", "card/unknown-key", ""),
    (ONE, "num_classes: 80", "num_classes: eighty", "card/type", ""),
    (ONE, "dataset: CocoDataset-COCO2017", "dataset: CocoDataset", "card/dataset-undefined", ""),
    (ONE, "models:", "model:", "card/unknown-key", ""),
    (ONE, "name: yolov8s-coco-onnx", "name: yolov8s/coco", "card/name", ""),
    // The configuration.
    (ONE, "tiling_depth: 6", "tiling_dept: 6", "config/unknown-key", ""),
    (ONE, "tiling_depth: 6", "tiling_depth: deep", "config/type", ""),
    (ONE, "tiling_depth: 6", "tiling_depth: 0", "config/range", ""),
    (
        ONE,
        "        backend_config:\n          tiling_depth: 6",
        "        quantization_scheme: per_tensor",
        "config/choice",
        "",
    ),
    (
        ONE,
        "      compilation_config:",
        "      compiler_config_file: yolov8.toml\n      compilation_config:",
        "config/missing-file",
        "      compiler_config_file",
    ),
    // The text.
    (ONE, "    class: AxONNXModel", "\tclass: AxONNXModel", "yaml/syntax", ""),
    (ONE, "description: yolov8s ultralytics", "description: yolov8s: ultralytics", "yaml/syntax", ""),
    (ONE, "num_classes: 80", "num_classes: 80\n    num_classes: 81", "yaml/duplicate-key", "    num_classes: 81"),
    (ONE, "input_tensor_shape: [1, 3, 640, 640]", "input_tensor_shape: [1, 3, 640, 640", "yaml/syntax", ""),
];

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries.into_iter().find_map(|path| {
        if path.is_dir() {
            return find(&path, name);
        }
        path.file_name().is_some_and(|file| file == name).then_some(path)
    })
}

#[test]
fn every_mistake_is_found_at_its_line() {
    let Some(cards) = cards("voyager-1.2.5") else { return };
    let space = Space::empty();
    let mut wrong = Vec::new();
    for (index, (file, from, to, code, at)) in MUTATIONS.iter().enumerate() {
        let text = fs::read_to_string(find(&cards, file).expect("the card is there")).expect("readable");
        assert!(text.contains(from), "`{from}` is not in {file}");
        let changed = text.replacen(from, to, 1);
        let at = if at.is_empty() { to } else { at };
        let at = at.trim_start_matches('\n');
        let place = changed.find(at).expect("the place is in the card");
        let line = changed[..place].lines().count() + usize::from(changed[..place].ends_with('\n') || place == 0);
        space.write("model_cards/card.yaml", &changed);
        let mut command = space.command("check --format json");
        let run = command.env("AXELERA_FRAMEWORK", &cards).output().expect("the program runs");
        let found: Value = serde_json::from_slice(&run.stdout).expect("JSON");
        let errors: Vec<String> = found["diagnostics"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|problem| problem["severity"] == "error")
            .map(|problem| format!("{}:{}", problem["code"].as_str().unwrap_or_default(), problem["line"]))
            .collect();
        // A replacement of several lines is right in any of them.
        let lines = line..line + at.lines().count().max(1);
        let caught = lines.clone().any(|line| errors.contains(&format!("{code}:{line}")));
        if !caught || run.status.code() != Some(1) {
            wrong.push(format!("{index} {file}: `{to}`: expected {code} in {lines:?}, found {errors:?}"));
        }
        // Without the mistake there is nothing to find.
        space.write("model_cards/card.yaml", &text);
        let mut command = space.command("check");
        let run = command.env("AXELERA_FRAMEWORK", &cards).output().expect("the program runs");
        if run.status.code() != Some(0) {
            wrong.push(format!("{file}: an error without any mistake: {}", String::from_utf8_lossy(&run.stderr)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
