//! Real models and cards, where they lie beside the checkout; without them these tests say that they skip.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use crate::space::Space;

/// The folder of real models, photographs and cards.
pub(crate) fn shared() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let found = std::env::var_os("AXZOO_SHARED").map_or(beside, PathBuf::from);
    if found.join("models/index.json").exists() {
        return found.canonicalize().ok();
    }
    println!("skipped: there are no real models at {}", found.display());
    None
}

/// The cards of one version of the SDK.
pub(crate) fn cards(version: &str) -> Option<PathBuf> {
    shared().map(|folder| folder.join("cards").join(version)).filter(|folder| folder.is_dir())
}

/// Models that must go through: the file, and classes of its output.
const MODELS: [(&str, u32); 7] = [
    ("mnist_8", 10),
    ("squeezenet_fp32_from_fp16", 1000),
    ("rw_squeezenet1_1_op17", 1000),
    ("rw_mobilenet_v2_op17", 1000),
    ("ultraface_rfb_320", 1),
    ("ultraface_slim_320", 1),
    ("yunet_n_320", 1),
];

/// A card for a model of the index: its preprocess as the index gives it.
fn card(entry: &Value, name: &str, classes: u32) -> String {
    let pre = &entry["pre"];
    let list = |key: &str| {
        let numbers: Vec<f64> = pre[key].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        numbers
    };
    let (mean, std) = (list("mean"), list("std"));
    let color = match pre["order"].as_str() {
        Some("BGR") => "BGR",
        Some("Y") => "GRAY",
        _ => "RGB",
    };
    // (x − mean)/std is x/std + shift.
    let text = |numbers: &mut dyn Iterator<Item = f64>| {
        numbers.map(|number| format!("{number}")).collect::<Vec<_>>().join(", ")
    };
    let shift = text(&mut mean.iter().zip(&std).map(|(mean, std)| -mean / std));
    let channels = mean.len();
    let mut card = String::new();
    let _ = write!(
        card,
        "axelera-model-format: 1.0.0\nname: {name}\ndescription: a real model\npipeline:\n  - {name}:\n      \
         input: {{type: image, color_format: {color}}}\n      preprocess:\n        - resize: {{width: {w}, height: {h}}}\n        \
         - torch-totensor: {{scale: false}}\n        - linear-scaling: {{mean: [{std}], shift: [{shift}]}}\n\
         models:\n  {name}:\n    class: AxONNXModel\n    class_path: model.py\n    weight_path: ../weights/{name}.onnx\n    \
         task_category: Classification\n    input_tensor_layout: NCHW\n    \
         input_tensor_shape: [1, {channels}, {h}, {w}]\n    input_color_format: {color}\n    num_classes: {classes}\n    \
         dataset: photographs\n    extra_kwargs: {{num_cal_images: 6, aipu_cores: 1}}\ndatasets:\n  photographs:\n    \
         class: DataAdapter\n    repr_imgs_dir_path: ../data/photographs\n",
        w = pre["w"],
        h = pre["h"],
        std = text(&mut std.iter().copied()),
    );
    card
}

/// A zoo of the models that must go through, with a few photographs.
fn real_zoo(shared: &Path) -> Space {
    let space = Space::empty();
    let index: Value = serde_json::from_slice(&fs::read(shared.join("models/index.json")).expect("readable"))
        .expect("the index is JSON");
    let entries = index["models"].as_array().expect("a list");
    let mut images: Vec<PathBuf> =
        fs::read_dir(shared.join("images")).expect("readable").flatten().map(|entry| entry.path()).collect();
    images.retain(|path| path.extension().is_some_and(|extension| extension == "jpg"));
    images.sort();
    fs::create_dir_all(space.path("data/photographs")).expect("created");
    fs::create_dir_all(space.path("weights")).expect("created");
    // Two more than calibration takes, so that something is measured; every thirteenth, so that sources mix.
    for image in images.iter().step_by(13).take(8) {
        fs::copy(image, space.path("data/photographs").join(image.file_name().expect("named"))).expect("copied");
    }
    for (name, classes) in MODELS {
        let file = format!("{name}.onnx");
        let entry = entries.iter().find(|entry| entry["file"] == file.as_str()).expect("the model is in the index");
        fs::copy(shared.join("models").join(&file), space.path("weights").join(&file)).expect("copied");
        space.write(&format!("model_cards/{name}.yaml"), card(entry, name, classes));
    }
    space
}

#[test]
fn no_real_model_that_builds_is_refused_beforehand() {
    let Some(shared) = shared() else { return };
    let checked = real_zoo(&shared).axzoo("check --format json").expect_code(0);
    let checked: Value = serde_json::from_str(&checked.stdout).expect("JSON");
    let all = checked["diagnostics"].as_array().expect("a list");
    let of = |code: &str| -> Vec<&str> {
        all.iter().filter(|it| it["code"] == code).filter_map(|it| it["network"].as_str()).collect()
    };
    assert_eq!(checked["summary"]["errors"], 0, "{checked:#}");
    // Its convolutions pad by `auto_pad`; the others' layers all run on the device.
    assert_eq!((of("onnx/no-core"), of("onnx/operator")), (vec!["mnist_8"], vec![]));
    assert_eq!(of("onnx/host-after").len(), 4, "softmax and the decoding of boxes: {checked:#}");
}

#[test]
fn real_models_are_built_from_photographs() {
    let Some(shared) = shared() else { return };
    let space = real_zoo(&shared);
    space.axzoo("build all").expect_code(0);
    for (name, _) in MODELS {
        let report: Value =
            serde_json::from_str(&space.read(&format!("build/{name}/{name}/quantized/report.json"))).expect("JSON");
        let sqnr = report["evaluation"]["sqnr_db"].as_f64().expect("measured");
        assert!(sqnr > 8.0, "{name}: {sqnr} dB is no quantization");
        assert!(space.path(&format!("build/{name}/{name}.zip")).exists());
    }
    assert_eq!(space.axzoo("build all --format json").expect_code(0).summary()["ran"], 0);
}

#[test]
fn real_cards_have_no_false_errors() {
    let Some(shared) = shared() else { return };
    for version in ["voyager-1.2.5", "voyager-1.6"] {
        let root = shared.join("cards").join(version);
        let space = Space::empty();
        let run = space
            .command(&format!(
                "check --format json --cache {} --cards ax_models -C {}",
                space.path("cache").display(),
                root.display()
            ))
            .env("AXELERA_FRAMEWORK", &root)
            .output()
            .expect("the program runs");
        let found: Value = serde_json::from_slice(&run.stdout).expect("JSON");
        let errors: Vec<&Value> = found["diagnostics"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|problem| problem["severity"] == "error")
            // Configs and templates that only the whole SDK has are truly absent here.
            .filter(|problem| !matches!(problem["code"].as_str(), Some("config/missing-file" | "card/template")))
            .collect();
        assert!(errors.is_empty(), "{version}: {errors:#?}");
        assert!(found["summary"]["networks"].as_u64() > Some(1), "{version}");
    }
}
