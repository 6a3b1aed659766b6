//! Every property, set to a value that is not its default: its effect is seen, or the reports say that it has none here.

use std::collections::BTreeMap;

use axzoo::properties;
use axzoo::properties::{Kind, Property};
use serde_json::{Value, json};

use super::made::{json as read, space};
use crate::space::Space;

/// Values under which a property shows what it does on the small model; others take the first value of their kind that is not
/// the default.
const VALUES: &[(&str, &str)] = &[
    ("graph_cleaner_dump_core_onnx", "\"dumps/core.onnx\""),
    ("graph_cleaner_dump_full_opt_onnx", "\"dumps/full.onnx\""),
    ("model_debug_save_dir", "\"dumps\""),
    ("output_dir", "\"elsewhere\""),
];

/// Properties whose effect is not in the bytes of a good run, with the test that shows it.
const ELSEWHERE: &[(&str, &str)] = &[
    ("remove_output_dir", "an_emptied_folder_is_empty_before_the_first_stage"),
    ("save_error_artifact", "a_failure_leaves_an_archive_on_request"),
    ("randomize_onnx_model", "a_failure_leaves_an_archive_on_request"),
    ("validate_operators", "always on: unsupported operators are refused whatever is set"),
    ("graph_cleaner_condition", "a_part_of_a_split_point_is_noted"),
    ("graph_cleaner_node", "a_part_of_a_split_point_is_noted"),
    ("graph_cleaner_threshold", "a_part_of_a_split_point_is_noted"),
];

fn values(row: &Property) -> Vec<Value> {
    if let Some((_, text)) = VALUES.iter().find(|(name, _)| *name == row.name) {
        return vec![serde_json::from_str(text).expect("a value")];
    }
    let default = row.default.to_json();
    let mut values: Vec<Value> = match row.kind {
        Kind::Enum(words) => words.iter().map(|word| json!(word)).collect(),
        Kind::List(words) => words.iter().take(1).map(|word| json!([word])).collect(),
        Kind::Bool => vec![json!(true), json!(false)],
        Kind::Float { .. } | Kind::Share => vec![json!(0.5)],
        Kind::Int { .. } | Kind::Cores => [2, 3, 18, 30_000_000].map(|number| json!(number)).to_vec(),
        Kind::Text | Kind::Path => vec![json!("x")],
    };
    values.retain(|value| *value != default);
    values
}

/// What a compilation left but for what repeats the configuration and the moment.
fn results(space: &Space, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let mut tree = space.tree(folder);
    for name in ["cli_args.json", "conf.json", "compilation_log.txt"] {
        tree.remove(name);
    }
    tree
}

/// The model on which most properties show: a transposition that the host does, and a depth-wise convolution between others.
fn depthwise() -> Vec<u8> {
    use super::made::{model, node};
    use axzoo::compiler::onnx::proto::{AttributeProto, GraphProto, TensorProto, ValueInfoProto};
    let numbers = |count: usize, step: f32| (0..count).map(|place| (place as f32 * step).sin()).collect::<Vec<f32>>();
    let mut depthwise = node("Conv", &["r", "d"], "e");
    depthwise.attribute.push(AttributeProto::int("group", 8));
    let mut transpose = node("Transpose", &["image"], "x");
    transpose.attribute.push(AttributeProto::integers("perm", [0, 3, 1, 2]));
    model(GraphProto {
        node: vec![
            transpose,
            node("Conv", &["x", "w"], "c"),
            node("Relu", &["c"], "r"),
            depthwise,
            node("Relu", &["e"], "f"),
            node("Conv", &["f", "v"], "y"),
        ],
        initializer: vec![
            TensorProto::from_f32("w", &[8, 3, 3, 3], &numbers(216, 0.7)),
            TensorProto::from_f32("d", &[8, 1, 3, 3], &numbers(72, 1.3)),
            TensorProto::from_f32("v", &[8, 8, 1, 1], &numbers(64, 0.3)),
        ],
        input: vec![ValueInfoProto::tensor("image", 1, &[1, 8, 8, 3])],
        output: vec![ValueInfoProto::tensor("y", 1, &[])],
        ..GraphProto::default()
    })
}

#[test]
fn every_property_shows_its_effect_or_is_told_to_have_none() {
    let space = space();
    space.write("net.onnx", depthwise());
    space.axzoo("compile -i net.onnx -o plain").expect_code(0);
    let plain = results(&space, "plain");
    let mut wrong = Vec::new();
    for row in properties::all() {
        if ELSEWHERE.iter().any(|(name, _)| *name == row.name) {
            continue;
        }
        let mut seen = Vec::new();
        for value in values(row) {
            space.write("conf.json", json!({ row.name: value }).to_string());
            let is_place = row.name == "output_dir";
            let folder = if is_place { "elsewhere" } else { "out" };
            let output = if is_place { "" } else { "-o out" };
            let run = space.axzoo(&format!("compile -i net.onnx --conf conf.json {output}"));
            let report = read(&space, &format!("{folder}/compilation_report.json"));
            // A refusal that names the property is an effect too.
            let refused = run.code == 1 && report["message"].as_str().is_some_and(|text| text.contains(row.name));
            let reports = ["compiled_model/report.json", "quantized_model/report.json"];
            let ignored = reports.iter().filter(|name| space.path(&format!("{folder}/{name}")).exists()).any(|name| {
                let report = read(&space, &format!("{folder}/{name}"));
                let list = report["ignored_properties"].as_array().cloned().unwrap_or_default();
                let mut own = list.iter().filter(|entry| entry["property"] == row.name);
                own.any(|entry| entry["why"].as_str().is_some_and(|why| why.len() > 10))
            });
            // Reports say what is ignored, which is no effect.
            let differs = !ignored && results(&space, folder) != plain;
            seen.push((value, run.code, refused, ignored, differs || is_place));
        }
        let shows = seen.iter().any(|(_, _, refused, ignored, differs)| *refused || *ignored || *differs);
        if !shows {
            wrong.push(format!("{}: {seen:?}", row.name));
        }
        let _ = std::fs::remove_dir_all(space.path("out/dumps"));
    }
    assert!(wrong.is_empty(), "no effect and no word of it:\n{}", wrong.join("\n"));
}

#[test]
fn an_emptied_folder_is_empty_before_the_first_stage() {
    let space = space();
    for (conf, is_kept) in [("remove_output_dir = false\n", true), ("remove_output_dir = true\n", false)] {
        space.axzoo("compile -i net.onnx -o out").expect_code(0);
        space.write("out/mine.txt", "mine");
        space.write("conf.toml", conf);
        // A run that is killed leaves what was there before it began.
        space.write("p.py", "import os, signal, time\n\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)\n");
        space.write("photos/00.png", super::made::picture(0));
        if !super::made::python_has("numpy, PIL") {
            return;
        }
        let run = space.axzoo("compile -i net.onnx --imageset photos --transform p.py --conf conf.toml -o out");
        assert_eq!(run.code, -1, "{}", run.stderr);
        assert_eq!(space.path("out/compiled_model/manifest.json").exists(), is_kept, "{conf}");
        assert_eq!(space.read("out/mine.txt"), "mine");
    }
}

#[test]
fn a_part_of_a_split_point_is_noted() {
    let space = space();
    let parts = ["graph_cleaner_condition = \"maximum_weight_tensor_size\"", "graph_cleaner_node = \"Gemm\""];
    for part in parts.into_iter().chain(["graph_cleaner_threshold = 3"]) {
        space.write("conf.toml", part);
        space.axzoo("compile -i net.onnx --conf conf.toml -o out").expect_code(0);
        let name = part.split(' ').next().unwrap_or_default();
        let log = space.read("out/compilation_log.txt");
        assert!(log.contains(&format!("`{name}` has no effect without")), "{log}");
    }
}

#[test]
fn an_archive_of_weights_needs_an_archive() {
    let space = space();
    space.write("conf.toml", "randomize_onnx_model = false\n");
    space.axzoo("compile -i net.onnx --conf conf.toml -o out").expect_code(0);
    let ignored = read(&space, "out/compiled_model/report.json")["ignored_properties"].clone();
    assert_eq!(ignored[0]["property"], "randomize_onnx_model", "{ignored:#}");
}
