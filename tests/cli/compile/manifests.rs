//! The manifest of a quantized model and the files beside it: what one says otherwise than another is refused.

use std::fs;

use serde_json::{Value, json};

use super::made::{channels_last, ended, json as read, with_photos};
use crate::space::Space;

const FOLDER: &str = "q/quantized_model";
const COMPILE: &str = "compile -i q/quantized_model/quantized_model_manifest.json -o out";

/// A quantized model whose transposition the host does.
fn quantized() -> Space {
    let space = Space::empty();
    space.write("net.onnx", channels_last(&[1, 8, 8, 3]));
    space.axzoo("compile -i net.onnx --quantize-only -o q").expect_code(0);
    space
}

fn edit(space: &Space, file: &str, change: impl FnOnce(&mut Value)) {
    let name = format!("{FOLDER}/{file}");
    let mut value = read(space, &name);
    change(&mut value);
    space.write(&name, format!("{value:#}\n"));
}

/// What is set in the manifest, by its pointer, and what is said of it.
const EDITS: &[(&str, &str, &str)] = &[
    ("/quantize_params/0/0", "0.5", "`quantize_params[0][0]`: expected "),
    ("/quantize_params/0/1", "3", "found 3"),
    ("/quantize_params", "[]", "`quantize_params`: expected [["),
    ("/dequantize_params/0/0", "-1.5", "`dequantize_params[0][0]`: expected "),
    ("/dequantize_params/0/0", "1e39", "number out of range"),
    ("/input_shapes/0/1", "999", "`input_shapes[0][1]`: expected 8, found 999"),
    ("/output_shapes/0/3", "8", "`output_shapes[0][3]`: expected 64, found 8"),
    ("/n_padded_ch_inputs/0/2", "1", "`n_padded_ch_inputs[0][2]`: expected 0, found 1"),
    ("/n_padded_ch_outputs/0/7", "0", "`n_padded_ch_outputs[0][7]`: expected 56, found 0"),
    ("/manifest_version", "\"9.9\"", "`manifest_version`: expected \"1.0\", found \"9.9\""),
    ("/model_lib_file", "\"program.json\"", "`model_lib_file`: expected null, found \"program.json\""),
    ("/preprocess_graph", "null", "`digests.preprocess_graph.onnx`: expected none"),
    ("/postprocess_graph", "\"preprocess_graph.onnx\"", "the model makes"),
    ("/postprocess_graph", "\"tail.onnx\"", "`digests.tail.onnx`: expected the file's digest, found none"),
    ("/quantized_model_file", "null", "names no quantized model"),
    ("/digests/quantized_model.json", "\"00\"", "expected the digest 00, found "),
    ("/random_calibration", "false", "`random_calibration` of `quantized_model_manifest.json` is not what was written"),
    ("/digests/random_calibration", "\"00\"", "expected the digest 00, found "),
    ("/colour", "\"red\"", "unknown field `colour`"),
    ("/digests/other.bin", "\"00\"", "`digests.other.bin`: expected none"),
];

#[test]
fn a_manifest_that_the_model_does_not_bear_out_is_refused() {
    let space = quantized();
    let manifest = space.read(&format!("{FOLDER}/quantized_model_manifest.json"));
    for (pointer, value, says) in EDITS {
        edit(&space, "quantized_model_manifest.json", |manifest| {
            let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
            let value: Value = serde_json::from_str(value).expect("JSON");
            match manifest.pointer_mut(parent).expect("there") {
                Value::Object(entries) => drop(entries.insert(key.to_owned(), value)),
                Value::Array(items) => items[key.parse::<usize>().expect("a place")] = value,
                _ => panic!("{pointer}"),
            }
        });
        let run = ended(&space, "out", space.axzoo(COMPILE), "TVM_FRONTEND_ERROR");
        assert!(run.stderr.contains(says), "{pointer} = {value}: `{says}` is not in\n{}", run.stderr);
        assert!(!space.path("out/compiled_model").exists() && !space.path("out/quantized_model").exists());
        space.write(&format!("{FOLDER}/quantized_model_manifest.json"), &manifest);
    }
    ended(&space, "out", space.axzoo(COMPILE), "SUCCEEDED");
    assert_eq!(space.read("out/quantized_model/quantized_model_manifest.json"), manifest);
}

#[test]
fn each_digest_of_a_manifest_is_needed_and_checked() {
    let space = quantized();
    let manifest = space.read(&format!("{FOLDER}/quantized_model_manifest.json"));
    for file in ["quantized_model.json", "preprocess_graph.onnx", "preprocess", "random_calibration"] {
        edit(&space, "quantized_model_manifest.json", |manifest| {
            manifest["digests"].as_object_mut().expect("digests").remove(file);
        });
        let whose = if file.contains('.') { "file" } else { "key" };
        let says = format!("`digests.{file}`: expected the {whose}'s digest, found none");
        ended(&space, "out", space.axzoo(COMPILE), "TVM_FRONTEND_ERROR").says(&says);
        space.write(&format!("{FOLDER}/quantized_model_manifest.json"), &manifest);
    }
    for file in ["quantized_model.json", "preprocess_graph.onnx", "quantized_model.onnx"] {
        let path = space.path(FOLDER).join(file);
        let whole = fs::read(&path).expect("read");
        fs::write(&path, [whole.as_slice(), b" "].concat()).expect("written");
        let digest = read(&space, &format!("{FOLDER}/quantized_model_manifest.json"))["digests"][file].clone();
        let run = ended(&space, "out", space.axzoo(COMPILE), "TVM_FRONTEND_ERROR");
        run.says(&format!(
            "`{file}` is not what the manifest says: expected the digest {}",
            digest.as_str().expect("one")
        ));
        fs::write(&path, whole).expect("written");
    }
}

#[test]
fn without_digests_the_contents_are_checked_alone() {
    let space = quantized();
    let unvouched = |space: &Space| {
        edit(space, "quantized_model_manifest.json", |manifest| {
            manifest.as_object_mut().expect("an object").remove("digests");
        });
    };
    unvouched(&space);
    ended(&space, "out", space.axzoo(COMPILE), "SUCCEEDED");
    assert!(space.read("out/compilation_log.txt").contains("has no `digests`"));
    // A manifest that names no preamble where there is one.
    edit(&space, "quantized_model_manifest.json", |manifest| manifest["preprocess_graph"] = Value::Null);
    ended(&space, "out", space.axzoo(COMPILE), "TVM_FRONTEND_ERROR").says("lies beside it");

    let scale_says = "the weight scale";
    for (scale, says) in [(0.0, scale_says), (-0.5, scale_says), (1e39, "number out of range")] {
        let space = quantized();
        unvouched(&space);
        edit(&space, "quantized_model.json", |file| {
            let nodes = file["graph"]["nodes"].as_array_mut().expect("nodes");
            let weights = nodes.iter_mut().find_map(|node| node.pointer_mut("/operator/convolution/weights/scales/1"));
            *weights.expect("a convolution") = json!(scale);
        });
        ended(&space, "out", space.axzoo(COMPILE), "TVM_FRONTEND_ERROR").says(says);
    }
}

#[test]
fn files_of_other_names_come_under_the_known_ones() {
    let space = quantized();
    space.axzoo(COMPILE).expect_code(0);
    let compiled = space.tree("out/compiled_model");
    fs::rename(space.path(FOLDER).join("quantized_model.json"), space.path(FOLDER).join("graph.json"))
        .expect("renamed");
    edit(&space, "quantized_model_manifest.json", |manifest| {
        manifest["quantized_model_file"] = json!("graph.json");
        let digests = manifest["digests"].as_object_mut().expect("digests");
        let digest = digests.remove("quantized_model.json").expect("there");
        digests.insert("graph.json".to_owned(), digest);
    });
    ended(&space, "out", space.axzoo(COMPILE), "SUCCEEDED");
    assert_eq!(space.tree("out/compiled_model"), compiled);
    // The copy can be compiled again.
    let again = "compile -i out/quantized_model/quantized_model_manifest.json -o again";
    ended(&space, "again", space.axzoo(again), "SUCCEEDED");
    assert_eq!(space.tree("again/compiled_model"), compiled);
}

#[test]
fn random_calibration_is_told_whatever_becomes_of_the_report() {
    let space = quantized();
    let report = space.read(&format!("{FOLDER}/report.json"));
    edit(&space, "report.json", |report| report["random_calibration"] = Value::Bool(false));
    let says = "`random_calibration`: expected true, found false";
    ended(&space, "out", space.axzoo(COMPILE), "TVM_FRONTEND_ERROR").says(says).says("`report.json`");
    fs::remove_file(space.path(FOLDER).join("report.json")).expect("removed");
    ended(&space, "out", space.axzoo(COMPILE), "SUCCEEDED");
    assert_eq!(read(&space, "out/compiled_model/report.json")["random_calibration"], true);
    space.write(&format!("{FOLDER}/report.json"), report);
    ended(&space, "out", space.axzoo(COMPILE), "SUCCEEDED");
}

#[test]
fn how_images_are_prepared_is_vouched_for() {
    let space = with_photos(4);
    space.axzoo("compile -i net.onnx --imageset photos --quantize-only -o q").expect_code(0);
    let name = "quantized_model_manifest.json";
    let manifest = space.read(&format!("{FOLDER}/{name}"));
    assert!(read(&space, &format!("{FOLDER}/{name}"))["preprocess"].is_object(), "{manifest}");
    edit(&space, name, |manifest| drop(manifest.as_object_mut().expect("an object").remove("preprocess")));
    ended(&space, "out", space.axzoo(COMPILE), "TVM_FRONTEND_ERROR")
        .says("`preprocess` of `quantized_model_manifest.json`");
    space.write(&format!("{FOLDER}/{name}"), manifest);
    ended(&space, "out", space.axzoo(COMPILE), "SUCCEEDED");
    // The manifest of the compiled model leaves that to `model.json`, and has no keys of its own either.
    for (key, says) in [("random_calibration", "expected null, found true"), ("colour", "unknown field")] {
        let name = "out/compiled_model/manifest.json";
        let whole = space.read(name);
        let mut manifest = read(&space, name);
        manifest[key] = Value::Bool(true);
        space.write(name, format!("{manifest:#}\n"));
        space.axzoo("run out/compiled_model -i photos/00.png").expect_code(1).says(says);
        space.write(name, whole);
    }
}
