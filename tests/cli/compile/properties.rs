//! Every property, set to a value that is not its default: its effect is seen, or the reports say that it has none here.

use std::collections::BTreeMap;

use axzoo::compiler::onnx::proto::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto};
use axzoo::properties;
use axzoo::properties::{Influence, Kind, Property};
use serde_json::{Value, json};

use super::made::{json as read, model, node, space};
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
    ("max_memplan_attempts", "more_attempts_find_another_plan"),
    ("validate_operators", "always on: unsupported operators are refused whatever is set"),
];

/// What else is set for properties that matter only then.
const NEEDS: &[(&str, &str)] = &[
    ("dfs_search_constraint", r#"{"tiling_depth": 6, "l1_constraint": 557056}"#),
    ("graph_cleaner_condition", r#"{"graph_cleaner_node": "Gemm"}"#),
    ("graph_cleaner_node", r#"{"graph_cleaner_condition": "maximum_weight_tensor_size"}"#),
    (
        "graph_cleaner_threshold",
        r#"{"graph_cleaner_condition": "maximum_weight_tensor_size", "graph_cleaner_node": "Gemm"}"#,
    ),
    ("multicore_mode", r#"{"aipu_cores_used": 3}"#),
    ("pipeline_channel_tiles", r#"{"force_h_tiling": 1, "force_oc_tiling": 2}"#),
    ("pipeline_spatial_tiles", r#"{"force_h_tiling": 4}"#),
    ("split_buffer_promotion", r#"{"tiling_depth": 6, "enable_buffer_promotion": false}"#),
    ("use_sysdma", r#"{"frequency": 20000000, "enable_buffer_promotion": false}"#),
    ("workspace_memory_pool", r#"{"enable_buffer_promotion": false}"#),
];

/// What else is set for the others that are read when lowering, in order until an effect is seen.
const BESIDE: &[&str] = &[
    "{}",
    r#"{"l1_constraint": 557056}"#,
    r#"{"enable_buffer_promotion": false}"#,
    r#"{"force_h_tiling": 4}"#,
    r#"{"force_h_tiling": 1, "force_oc_tiling": 2}"#,
    r#"{"l2_constraint": 2330624, "dpu_constants_home": "global.ddr"}"#,
    r#"{"l2_constraint": 2392064, "dpu_constants_home": "global.ddr"}"#,
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
        Kind::Int { .. } | Kind::Cores => [0, 1, 2, 18, 30_000_000].map(|number| json!(number)).to_vec(),
        Kind::Text | Kind::Path => vec![json!("x")],
    };
    // What the property does not take shows nothing of what it does.
    let is_taken =
        |value: &Value| serde_json::from_value(value.clone()).is_ok_and(|value| row.check(&value, 4).is_ok());
    values.retain(|value| *value != default && is_taken(value));
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

/// The model on which most properties show: a transposition that the host does, depth-wise and plain convolutions, functions
/// one after another, channels joined, and a dense layer.
fn rich() -> Vec<u8> {
    let numbers = |count: usize, step: f32| (0..count).map(|place| (place as f32 * step).sin()).collect::<Vec<f32>>();
    let with = |mut node: NodeProto, attributes: Vec<AttributeProto>| {
        node.attribute.extend(attributes);
        node
    };
    let pads = || AttributeProto::integers("pads", [1, 1, 1, 1]);
    let pool = vec![pads(), AttributeProto::integers("kernel_shape", [3, 3])];
    model(GraphProto {
        node: vec![
            with(node("Transpose", &["image"], "x"), vec![AttributeProto::integers("perm", [0, 3, 1, 2])]),
            with(node("Conv", &["x", "w"], "c"), vec![pads()]),
            node("Relu", &["c"], "r"),
            with(node("Conv", &["r", "d"], "e"), vec![pads(), AttributeProto::int("group", 16)]),
            node("Relu", &["e"], "f"),
            with(node("MaxPool", &["f"], "p"), pool),
            node("Relu", &["p"], "q"),
            with(node("Concat", &["q", "p"], "k"), vec![AttributeProto::int("axis", 1)]),
            node("Sigmoid", &["k"], "s"),
            node("Tanh", &["s"], "t"),
            node("Conv", &["t", "v"], "m"),
            node("Relu", &["m"], "n"),
            node("GlobalAveragePool", &["n"], "g"),
            node("Conv", &["g", "b"], "h"),
            node("Flatten", &["h"], "l"),
            node("Gemm", &["l", "o"], "y"),
        ],
        initializer: vec![
            TensorProto::from_f32("w", &[16, 3, 3, 3], &numbers(432, 0.7)),
            TensorProto::from_f32("d", &[16, 1, 3, 3], &numbers(144, 1.3)),
            TensorProto::from_f32("v", &[130, 32, 1, 1], &numbers(4160, 0.3)),
            // More weights than one block of the matrix unit.
            TensorProto::from_f32("b", &[2100, 130, 1, 1], &numbers(273_000, 0.2)),
            TensorProto::from_f32("o", &[2100, 10], &numbers(21_000, 0.9)),
        ],
        input: vec![ValueInfoProto::tensor("image", 1, &[1, 16, 16, 3])],
        output: vec![ValueInfoProto::tensor("y", 1, &[])],
        ..GraphProto::default()
    })
}

/// One convolution deeper than the matrix unit, so in blocks.
fn deep() -> Vec<u8> {
    let numbers: Vec<f32> = (0..9360).map(|place| (place as f32 * 0.11).sin()).collect();
    model(GraphProto {
        node: vec![node("Conv", &["x", "a"], "y")],
        initializer: vec![TensorProto::from_f32("a", &[8, 130, 3, 3], &numbers)],
        input: vec![ValueInfoProto::tensor("x", 1, &[1, 130, 16, 16])],
        output: vec![ValueInfoProto::tensor("y", 1, &[])],
        ..GraphProto::default()
    })
}

/// What one compilation with a property showed.
#[derive(Debug)]
enum Seen {
    /// The reports say that it has no effect, and why.
    Ignored,
    /// The results differ, or the property is named in a refusal.
    Effect,
    /// Neither.
    Nothing,
}

/// Compiles with a configuration, into `out` unless the configuration says where.
fn compile(space: &Space, input: &str, conf: &Value, folder: &str) -> Value {
    space.write("conf.json", conf.to_string());
    let output = if folder == "out" { "-o out" } else { "" };
    space.axzoo(&format!("compile -i {input} --conf conf.json {output}"));
    read(space, &format!("{folder}/compilation_report.json"))
}

fn seen(space: &Space, row: &Property, input: &str, conf: &Value, plain: &BTreeMap<String, Vec<u8>>) -> Seen {
    let folder = if row.name == "output_dir" { "elsewhere" } else { "out" };
    let report = compile(space, input, conf, folder);
    if report["status"] != "SUCCEEDED" {
        let text = report.to_string();
        // Without this property it succeeded, so it is the property that a stage fails for.
        let by_stage = report["status"] != "INITIALIZE_CLI_ERROR";
        return if by_stage || text.contains(row.name) { Seen::Effect } else { Seen::Nothing };
    }
    let reports = ["compiled_model/report.json", "quantized_model/report.json"];
    for name in reports.iter().map(|name| format!("{folder}/{name}")).filter(|name| space.path(name).exists()) {
        let report = read(space, &name);
        let list = report["ignored_properties"].as_array().cloned().unwrap_or_default();
        if let Some(own) = list.iter().find(|entry| entry["property"] == row.name) {
            // What changes nothing for this model must show with other settings, or it would have no effect at all.
            let says_why = own["why"].as_str().is_some_and(|why| why.len() > 10 && !why.contains("this model"));
            return if says_why { Seen::Ignored } else { Seen::Nothing };
        }
    }
    let differs = folder == "elsewhere" || results(space, folder) != *plain;
    let _ = std::fs::remove_dir_all(space.path("out/dumps"));
    if differs { Seen::Effect } else { Seen::Nothing }
}

#[test]
fn every_property_shows_its_effect_or_is_told_to_have_none() {
    let space = space();
    space.write("net.onnx", rich());
    space.axzoo("compile -i net.onnx --quantize-only -o q").expect_code(0);
    space.write("deep.onnx", deep());
    space.axzoo("compile -i deep.onnx --quantize-only -o d").expect_code(0);
    let mut wrong = Vec::new();
    let mut plain: BTreeMap<(&str, &str), BTreeMap<String, Vec<u8>>> = BTreeMap::new();
    for row in properties::all() {
        if ELSEWHERE.iter().any(|(name, _)| *name == row.name) {
            continue;
        }
        let (input, beside) = match row.influences {
            Influence::Lower if row.name == "icrx_parallel_block_threshold" => {
                ("d/quantized_model/quantized_model_manifest.json", BESIDE)
            }
            Influence::Lower => ("q/quantized_model/quantized_model_manifest.json", BESIDE),
            _ => ("net.onnx", &["{}"][..]),
        };
        let needs = NEEDS.iter().find(|(name, _)| *name == row.name).map(|(_, base)| [*base]);
        let beside = needs.as_ref().map_or(beside, |base| base.as_slice());
        let mut shown = false;
        'tried: for other in beside {
            let Ok(Value::Object(base)) = serde_json::from_str(other) else { panic!("{other}") };
            if base.contains_key(row.name) {
                continue;
            }
            let of_base = plain.entry((input, other)).or_insert_with(|| {
                let report = compile(&space, input, &Value::Object(base.clone()), "out");
                assert_eq!(report["status"], "SUCCEEDED", "{other}: {report:#}");
                results(&space, "out")
            });
            for value in values(row) {
                let mut conf = base.clone();
                conf.insert(row.name.to_owned(), value);
                if !matches!(seen(&space, row, input, &Value::Object(conf), of_base), Seen::Nothing) {
                    shown = true;
                    break 'tried;
                }
            }
        }
        if !shown {
            wrong.push(row.name);
        }
    }
    assert!(wrong.is_empty(), "no effect and no word of it: {wrong:?}");
}

/// Entries of `ignored_properties` after a compilation: name and reason.
fn ignored(space: &Space, input: &str, conf: &Value) -> BTreeMap<String, String> {
    let report = compile(space, input, conf, "out");
    assert_eq!(report["status"], "SUCCEEDED", "{report:#}");
    let report = read(space, "out/compiled_model/report.json");
    let entries = report["ignored_properties"].as_array().cloned().unwrap_or_default();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    entries.iter().map(|entry| (text(entry, "property"), text(entry, "why"))).collect()
}

#[test]
fn what_changes_nothing_for_a_model_is_told_with_the_reason() {
    let space = space();
    let same = "this model comes out the same with the default";
    let cases: &[(&str, Value, &str)] = &[
        ("tiling_depth", json!(3), same),
        ("max_memplan_attempts", json!(1), same),
        ("split_buffer_promotion", json!(true), same),
        ("simplify_mac_before_after_lut", json!(false), same),
        ("rewrite_dense_to_conv2d", json!(false), same),
        ("run_graph_cleaner", json!(false), same),
        ("graph_cleaner_split_pre_post_processing", json!(false), same),
        ("graph_cleaner_threshold", json!(5), "together with `graph_cleaner_node` and `graph_cleaner_condition`"),
        ("graph_cleaner_node", json!("Gemm"), "together with `graph_cleaner_condition`"),
        ("quantize_dw_channel_wise", json!(true), "no depth-wise convolution"),
        ("quantization_scheme", json!("hybrid_per_tensor_per_channel"), "no depth-wise convolution"),
        ("use_hw_tokens", json!(false), ""),
    ];
    // Together with what has an effect, which is not in the list.
    let mut all = serde_json::Map::from_iter([("frequency".to_owned(), json!(400_000_000))]);
    for (name, value, why) in cases {
        let found = ignored(&space, "net.onnx", &json!({ *name: value }));
        assert_eq!(found.keys().collect::<Vec<_>>(), [name], "{found:?}");
        assert!(found[*name].contains(why), "{name}: {found:?}");
        assert!(space.read("out/compilation_log.txt").contains(&format!("`{name}`")), "{name}");
        all.insert((*name).to_owned(), value.clone());
    }
    let found = ignored(&space, "net.onnx", &Value::Object(all));
    let expected: std::collections::BTreeSet<&str> = cases.iter().map(|(name, ..)| *name).collect();
    assert_eq!(found.keys().map(String::as_str).collect::<std::collections::BTreeSet<_>>(), expected);
}

#[test]
fn what_only_lowering_reads_is_told_to_have_no_effect_where_a_run_stops_before() {
    let space = space();
    let conf = json!({
        "l1_size_used": 4_000_000, "force_h_tiling": 2, "aipu_cores_used": 3, "quantization_scheme": "per_tensor_min_max",
    });
    space.write("c.json", conf.to_string());
    space.axzoo("compile -i net.onnx --quantize-only -o plain").expect_code(0);
    let plain = read(&space, "plain/quantized_model/report.json");
    assert!(plain.get("ignored_properties").is_none(), "{plain:#}");
    let run = space.axzoo("compile -i net.onnx --conf c.json --quantize-only -o out").expect_code(0);
    assert!(!run.stderr.contains("no effect"), "a note is for the log: {}", run.stderr);
    let entries = read(&space, "out/quantized_model/report.json")["ignored_properties"].clone();
    let found: BTreeMap<&str, &str> = (entries.as_array().expect("a list").iter())
        .map(|entry| (entry["property"].as_str().unwrap_or_default(), entry["why"].as_str().unwrap_or_default()))
        .collect();
    let why = "the run stops after quantization";
    for name in ["l1_size_used", "force_h_tiling", "aipu_cores_used"] {
        assert_eq!(found.get(name), Some(&why), "{entries:#}");
        let log = space.read("out/compilation_log.txt");
        assert!(log.contains(&format!("`{name}` has no effect: {why}")), "{log}");
    }
    assert!(!found.contains_key("quantization_scheme"), "{entries:#}");
    let run = space.axzoo("compile -i net.onnx --quantize-only --aipu-cores 3 -o flag").expect_code(0);
    let said = format!("warning[compile/no-effect]: `--aipu-cores` has no effect: {why}");
    assert!(run.stderr.contains(&said), "{}", run.stderr);
}

#[test]
fn more_attempts_than_are_made_are_told() {
    let space = space();
    space.write("net.onnx", rich());
    let found = ignored(&space, "net.onnx", &json!({"max_memplan_attempts": 5000, "l1_constraint": 557_056}));
    assert!(found.contains_key("max_memplan_attempts"), "{found:?}");
}

#[test]
fn every_way_of_sharing_the_work_shows_its_effect_or_is_told_to_have_none() {
    let space = space();
    space.write("net.onnx", rich());
    space.axzoo("compile -i net.onnx --quantize-only -o q").expect_code(0);
    let input = "q/quantized_model/quantized_model_manifest.json";
    let row = properties::find("multicore_mode").expect("there is such a property");
    assert_eq!(compile(&space, input, &json!({"aipu_cores_used": 3}), "out")["status"], "SUCCEEDED");
    let plain = results(&space, "out");
    let found = ["multithread", "batch", "cooperative", "pipeline"].map(|mode| {
        let conf = json!({"aipu_cores_used": 3, "multicore_mode": mode});
        match seen(&space, row, input, &conf, &plain) {
            Seen::Effect => "effect",
            Seen::Ignored => "ignored",
            Seen::Nothing => "nothing",
        }
    });
    assert_eq!(found, ["ignored", "effect", "effect", "ignored"]);
}

#[test]
fn more_attempts_find_another_plan() {
    // Tensors of many sizes that all live until the end, and room for some of them.
    let space = space();
    let mut graph = GraphProto::default();
    let (mut before, mut channels) = ("x".to_owned(), 3);
    for (place, count) in [192, 64, 320, 128, 448, 64, 256].into_iter().enumerate() {
        let [weights, output] = ["w", "c"].map(|word| format!("{word}{place}"));
        let numbers: Vec<f32> =
            (0..count * channels).map(|it| (it as f32 * (0.3 + place as f32 * 0.1)).sin()).collect();
        graph.initializer.push(TensorProto::from_f32(&weights, &[count, channels, 1, 1], &numbers));
        graph.node.push(node("Conv", &[&before, &weights], &output));
        (before, channels) = (output, count);
    }
    let mut join = node("Concat", &["c0", "c1", "c2", "c3", "c4", "c5", "c6"], "k");
    join.attribute.push(AttributeProto::int("axis", 1));
    graph.node.extend([join, node("GlobalAveragePool", &["k"], "y")]);
    graph.input.push(ValueInfoProto::tensor("x", 1, &[1, 3, 16, 16]));
    graph.output.push(ValueInfoProto::tensor("y", 1, &[]));
    space.write("net.onnx", model(graph));
    space.axzoo("compile -i net.onnx --quantize-only -o q").expect_code(0);
    let plan = |attempts: u32| {
        let conf = json!({
            "l1_constraint": 655_360, "l2_constraint": 2_498_560, "dpu_constants_home": "global.ddr",
            "max_memplan_attempts": attempts,
        });
        let report = compile(&space, "q/quantized_model/quantized_model_manifest.json", &conf, "out");
        assert_eq!(report["status"], "SUCCEEDED", "{report:#}");
        space.read("out/compiled_model/memory_plan.json")
    };
    assert_ne!(plan(1), plan(5));
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
