//! `compiler_mode`, models that are quantized already, and what the graph cleaner's properties change.

use std::fs;
use std::io::Write;

use zip::write::SimpleFileOptions;

use crate::space::Space;
use crate::space::steps_with;

#[test]
fn the_mode_decides_which_steps_there_are() {
    let space = Space::only("digits");
    let outcomes = space.build("all --set compiler_mode=quantize_only");
    assert_eq!(steps_with(&outcomes, "ran"), ["digits/digits/clean", "digits/digits/fetch", "digits/digits/quantize"]);
    assert!(!space.path("build/digits/digits/1").exists());
    let outcomes = space.build("all");
    assert_eq!(
        steps_with(&outcomes, "up_to_date"),
        ["digits/digits/clean", "digits/digits/fetch", "digits/digits/quantize"]
    );
    assert!(space.path("build/digits/digits/1/manifest.json").exists());
}

/// Puts the quantized model of a build into a ZIP archive, compressed as most are, in a folder.
fn archive(space: &Space, name: &str) {
    let file = fs::File::create(space.path(name)).expect("created");
    let mut writer = zip::ZipWriter::new(file);
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (file, bytes) in space.tree("ready") {
        writer.start_file(format!("quantized/{file}"), options).expect("started");
        writer.write_all(&bytes).expect("written");
    }
    writer.finish().expect("finished");
}

#[test]
fn a_quantized_model_is_lowered_without_its_weights() {
    let space = Space::only("digits");
    space.axzoo("build").expect_code(0);
    let (compiled, package) = (space.tree("build/digits/digits/1"), space.tree("build/digits/digits/quantized"));
    for (name, bytes) in &package {
        space.write(&format!("ready/{name}"), bytes);
    }
    archive(&space, "ready.zip");
    fs::remove_file(space.path("weights/digits.onnx")).expect("removed");
    let card = space.path("model_cards/digits.yaml");
    let weights = "    weight_path: ../weights/digits.onnx\n    weight_md5: 45b8b5d992ac9b7d9f48c02c7f57c8b3\n";
    space.edit(&card, weights, "    prequantized_path: ../ready/quantized_model_manifest.json\n");
    fs::remove_dir_all(space.path("build")).expect("removed");
    let outcomes = space.build("all --set compiler_mode=lower_only");
    let steps: Vec<&str> = outcomes.keys().filter_map(|name| name.rsplit('/').next()).collect();
    assert_eq!(steps, ["bundle", "fetch", "lower", "pack"], "{outcomes:?}");
    assert_eq!(space.tree("build/digits/digits/1"), compiled);

    // Without the mode, as there are no weights; and as an archive, which comes to the same files.
    space.edit(&card, "../ready/quantized_model_manifest.json", "../ready.zip");
    let outcomes = space.build("all");
    assert_eq!(outcomes.get("digits/digits/fetch").map(String::as_str), Some("ran"), "{outcomes:?}");
    assert_eq!(space.tree("build/digits/digits/1"), compiled);

    // Nothing is left to quantize.
    space.axzoo("build --quantize-only").expect_code(1).says("build/prequantized").says("quantized already");
    // What is damaged is no model.
    space.write("ready.zip", "PK, but no archive");
    space.axzoo("build").expect_code(1).says("the archive cannot be read");
}

#[test]
fn half_a_split_point_is_worth_a_note() {
    let space = Space::only("digits");
    let run = space.axzoo("check --set graph_cleaner_node=Gemm").expect_code(0);
    run.says("`graph_cleaner_node` has no effect without `graph_cleaner_condition`");
    let run = space.axzoo("check --set graph_cleaner_threshold=5").expect_code(0);
    run.says("`graph_cleaner_threshold` has no effect without `graph_cleaner_node` and `graph_cleaner_condition`");
}

#[test]
fn a_split_point_leaves_the_end_to_the_host() {
    let space = Space::only("digits");
    let point = "--set graph_cleaner_node=Gemm --set graph_cleaner_condition=maximum_weight_tensor_size";
    space.axzoo(&format!("build {point}")).expect_code(0);
    let manifest = space.read("build/digits/digits/1/manifest.json");
    assert!(manifest.contains("\"postprocess_graph\": \"postprocess_graph.onnx\""), "{manifest}");
    assert!(space.path("build/digits/digits/1/postprocess_graph.onnx").exists());
    let report = space.read("build/digits/digits/quantized/report.txt");
    assert!(report.starts_with("the host runs "), "{report}");
    // The network's own output is measured, and its classes.
    assert!(report.contains("same class as float"), "{report}");
    space
        .axzoo(&format!("build {} --set graph_cleaner_node=MatMul", point.replace("=Gemm", "=MatMul")))
        .expect_code(1)
        .says("has no MatMul with weights");
}
