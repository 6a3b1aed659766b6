//! The commands of `axcompile-cli.md` and `compile-cli-v1.md`, as they stand there.

use axzoo::base::npy::{Array, Elements};
use axzoo::compiler::onnx::proto::{GraphProto, TensorProto, ValueInfoProto};

use super::made::{channels_last, ended, json, model, names, node, picture, planar, report, space, with_photos};

/// The folder of a whole compilation.
const WHOLE: &[&str] = &[
    "cli_args.json",
    "compilation_log.txt",
    "compilation_report.json",
    "compiled_model/kernel_function.c",
    "compiled_model/manifest.json",
    "compiled_model/model.json",
    "compiled_model/pool_l2_const.bin",
    "compiled_model/quantized_model.json",
    "compiled_model/report.json",
    "conf.json",
    "input_model/fp32_model.onnx",
    "quantized_model/quantized_model.json",
    "quantized_model/quantized_model.onnx",
    "quantized_model/quantized_model.txt",
    "quantized_model/quantized_model_manifest.json",
    "quantized_model/report.json",
];

#[test]
fn a_model_becomes_the_documented_folder() {
    let space = space();
    let run = ended(&space, "out", space.axzoo("compile -i net.onnx -o out/"), "SUCCEEDED");
    let run = run.says("RANDOM DATA").says("compiled_model").says("estimated by a model of the device, not measured");
    let found = names(&space, "out");
    // Beside the documented names there are those that a program of ours reads.
    let missing: Vec<&&str> = WHOLE.iter().filter(|name| !found.iter().any(|found| found == **name)).collect();
    assert!(missing.is_empty(), "{missing:?} of {found:?}");
    assert!(found.iter().all(|name| !name.contains(".tmp")), "{found:?}");
    assert_eq!(space.tree("out")["input_model/fp32_model.onnx"], space.tree(".")["net.onnx"]);
    assert!(report(&space, "out")["message"].as_str().is_some_and(|text| text.contains("RANDOM DATA")));
    assert_eq!(json(&space, "out/quantized_model/report.json")["random_calibration"], true);
    let log = space.read("out/compilation_log.txt");
    for stage in ["clean: done in", "quantize: done in", "lower: done in", "RANDOM DATA", "SUCCEEDED"] {
        assert!(log.contains(stage), "`{stage}` is not in\n{log}");
    }
    assert!(run.stderr.contains("[3/3] lower net: "), "{}", run.stderr);
}

#[test]
fn a_configuration_is_generated_edited_and_used() {
    let space = space();
    space.axzoo("compile --generate-config out/").expect_code(0).says("out/default_conf.json");
    assert_eq!(json(&space, "out/default_conf.json").as_object().expect("an object").len(), 93);
    space.axzoo("compile -i net.onnx --conf out/default_conf.json -o first").expect_code(0);
    assert_eq!(space.read("first/conf.json"), space.read("out/default_conf.json"));
    let text = space.read("out/default_conf.json").replace("per_tensor_histogram", "per_tensor_min_max");
    space.write("out/default_conf.json", text.replace("\"aipu_cores_used\": 1", "\"aipu_cores_used\": 3"));
    // What somebody edited is not replaced.
    space.axzoo("compile --generate-config out").expect_code(1).says("compile/output");
    space.axzoo("compile -i net.onnx --conf out/default_conf.json -o second").expect_code(0);
    assert_eq!(json(&space, "second/quantized_model/report.json")["scheme"], "per_tensor_min_max");
    assert_eq!(json(&space, "second/compiled_model/manifest.json")["input_shapes"][0][0], 3);
}

#[test]
fn a_model_is_quantized_first_and_compiled_later() {
    let space = space();
    space.axzoo("compile -i net.onnx -o whole").expect_code(0);
    space.axzoo("compile -i net.onnx --quantize-only -o out").expect_code(0);
    assert!(names(&space, "out").iter().all(|name| !name.starts_with("compiled_model/")));
    let manifest = "out/quantized_model/quantized_model_manifest.json";
    let run = space.axzoo(&format!("compile -i {manifest} -o compiled"));
    ended(&space, "compiled", run, "SUCCEEDED");
    assert_eq!(space.tree("compiled/compiled_model"), space.tree("whole/compiled_model"));
    assert_eq!(space.tree("compiled/quantized_model"), space.tree("whole/quantized_model"));
    space.write("minimum.json", r#"{"quantization_scheme": "per_tensor_min_max"}"#);
    let run = space.axzoo(&format!("compile -i {manifest} --conf minimum.json -o late"));
    run.expect_code(0);
    let log = space.read("late/compilation_log.txt");
    assert!(log.contains("`quantization_scheme` has no effect: the model is quantized already"), "{log}");
    // Also into the folder that the quantized model lies in.
    ended(&space, "out", space.axzoo(&format!("compile -i {manifest} -o out")), "SUCCEEDED");
    assert_eq!(space.tree("out/compiled_model"), space.tree("whole/compiled_model"));
    let run = space.axzoo(&format!("compile -i {manifest} --quantize-only -o out"));
    ended(&space, "out", run, "INITIALIZE_CLI_ERROR").says("quantized already");
    assert_eq!(space.tree("out/compiled_model"), space.tree("whole/compiled_model"));
}

#[test]
fn an_open_shape_is_closed() {
    let space = space();
    space.write("open.onnx", planar(&[0, 3, 0, 0]));
    let run = space.axzoo("compile -i open.onnx -o out");
    ended(&space, "out", run, "ONNX_GRAPH_CLEANER_ERROR").says("--input-shape");
    let run = space.axzoo("compile -i open.onnx --input-shape 1,3,12,10 -o out");
    ended(&space, "out", run, "SUCCEEDED");
    assert_eq!(json(&space, "out/compiled_model/model.json")["inputs"][0]["shape"], serde_json::json!([1, 3, 12, 10]));
    for shape in ["1,3,9,", "1,0,8,8", "1x3x8x8", "-1,3,8,8"] {
        let run = space.axzoo(&format!("compile -i open.onnx --input-shape={shape} -o out"));
        ended(&space, "out", run, "INITIALIZE_CLI_ERROR").says("--input-shape 1,3,224,224");
    }
}

#[test]
fn images_are_resized_in_the_declared_layout_and_colours() {
    let space = with_photos(12);
    space.write("photos/notes.txt", "no image");
    space.write("tf.onnx", channels_last(&[0, 0, 0, 3]));
    let typed =
        "compile -i tf.onnx --input-shape 1,8,8,3 --imageset photos --input-data-layout NHWC --color-format BGR";
    let run = space.axzoo(&format!("{typed} --imreader-backend OPENCV -o bgr"));
    let run = ended(&space, "bgr", run, "SUCCEEDED");
    let run = run.says("no `--transform`").says("BGR in NHWC").says("`--imreader-backend` has no effect");
    assert!(run.stdout.contains("10 + 2"), "the held-out images are counted: {}", run.stdout);
    space.axzoo(&typed.replace("BGR", "rgb -o rgb")).expect_code(0);
    let quantized = |folder: &str| space.read(&format!("{folder}/quantized_model/quantized_model.txt"));
    assert_ne!(quantized("bgr"), quantized("rgb"));
    let channels =
        |folder: &str| json(&space, &format!("{folder}/quantized_model/report.json"))["images"]["channels"].clone();
    assert_eq!(channels("bgr")[0], channels("rgb")[2]);
    let run = space.axzoo("compile -i net.onnx --imageset photos --color-format GRAY -o grey");
    ended(&space, "grey", run, "QTOOLS_ERROR").says("--color-format");
}

#[test]
fn arguments_are_replayed_and_explicit_ones_count_more() {
    let space = with_photos(3);
    space.write("conf.toml", "quantization_scheme = \"per_tensor_min_max\"\naipu_cores_used = 2\n");
    space.axzoo("compile -i net.onnx --imageset photos --conf conf.toml --aipu-cores 3 -o first").expect_code(0);
    // The order: default, --conf, --cli-args, flags.
    assert_eq!(json(&space, "first/conf.json")["aipu_cores_used"], 3);
    assert_eq!(json(&space, "first/conf.json")["quantization_scheme"], "per_tensor_min_max");
    space.axzoo("compile --cli-args first/cli_args.json -o second").expect_code(0);
    space.axzoo("compile -i net.onnx --imageset photos --conf first/conf.json -o third").expect_code(0);
    for part in ["quantized_model", "compiled_model", "input_model"] {
        assert_eq!(space.tree(&format!("first/{part}")), space.tree(&format!("second/{part}")), "{part}");
        assert_eq!(space.tree(&format!("first/{part}")), space.tree(&format!("third/{part}")), "{part}");
    }
    space.axzoo("compile --cli-args first/cli_args.json --aipu-cores 4 --output fourth").expect_code(0);
    assert_eq!(json(&space, "fourth/compiled_model/manifest.json")["input_shapes"][0][0], 4);
    let log = space.read("fourth/compilation_log.txt");
    assert!(!log.contains("config/ignored"), "cores are no reason for a note: {log}");
    space.write("new.onnx", planar(&[1, 3, 6, 6]));
    space.axzoo("compile -i new.onnx --cli-args first/cli_args.json --output new").expect_code(0);
    assert_eq!(space.tree("new")["input_model/fp32_model.onnx"], space.tree(".")["new.onnx"]);
    assert_eq!(json(&space, "new/cli_args.json")["aipu_cores"], 3);
}

#[test]
fn cores_that_do_not_go_with_the_memory_are_noted() {
    let space = space();
    space.write("conf.toml", "resources_used = 0.25\n");
    space.axzoo("compile -i net.onnx --conf conf.toml --aipu-cores 4 -o out").expect_code(0);
    assert_eq!(json(&space, "out/conf.json")["resources_used"], 0.25);
    assert!(
        space.read("out/compilation_log.txt").contains("compile/cores"),
        "{}",
        space.read("out/compilation_log.txt")
    );
}

#[test]
fn a_file_of_arguments_may_stop_after_quantization_and_a_flag_may_go_on() {
    let space = space();
    space.axzoo("compile -i net.onnx --quantize-only -o first").expect_code(0);
    assert_eq!(json(&space, "first/cli_args.json")["quantize_only"], true);
    space.axzoo("compile --cli-args first/cli_args.json -o again").expect_code(0);
    assert!(!space.path("again/compiled_model").exists());
    space.axzoo("compile --cli-args first/cli_args.json --quantize-only=false -o whole").expect_code(0);
    assert!(space.path("whole/compiled_model/manifest.json").exists());
}

#[test]
fn a_flag_that_goes_on_counts_more_than_a_configuration_that_stops() {
    let space = space();
    space.write("c.json", "{\"compiler_mode\": \"quantize_only\"}");
    space.write("args.json", "{\"quantize_only\": false}");
    space.axzoo("compile -i net.onnx --conf c.json -o first").expect_code(0);
    assert!(!space.path("first/compiled_model").exists());
    for (typed, folder) in [("--quantize-only=false", "typed"), ("--cli-args args.json", "read")] {
        space.axzoo(&format!("compile -i net.onnx --conf c.json {typed} -o {folder}")).expect_code(0);
        assert!(space.path(folder).join("compiled_model/manifest.json").exists(), "{typed}");
        assert_eq!(json(&space, &format!("{folder}/conf.json"))["compiler_mode"], "quantize_and_lower", "{typed}");
        let log = space.read(&format!("{folder}/compilation_log.txt"));
        assert!(log.contains("`compiler_mode` has no effect: `--quantize-only=false` counts more"), "{log}");
    }
    // Of a model that is quantized already, there is something left to do with the flag.
    let manifest = "first/quantized_model/quantized_model_manifest.json";
    space.axzoo(&format!("compile -i {manifest} --conf c.json -o stops")).expect_code(1);
    space.axzoo(&format!("compile -i {manifest} --conf c.json --quantize-only=false -o whole")).expect_code(0);
    assert_eq!(space.tree("whole/compiled_model"), space.tree("typed/compiled_model"));
}

#[test]
fn every_documented_option_is_in_the_help() {
    let help = space().axzoo("compile --help").expect_code(0).stdout;
    let options = "-i, --input|-o, --output|--conf|--generate-config|--quantize-only|--input-shape|--imageset|--transform|\
                   --input-data-layout|--color-format|--imreader-backend|--cli-args|--aipu-cores|--help";
    for option in options.split('|') {
        assert!(help.contains(option), "`{option}` is not in\n{help}");
    }
}

#[test]
fn a_build_of_the_same_settings_makes_the_same_files() {
    let space = crate::space::Space::only("digits");
    let zoo = space.build("digits");
    assert!(zoo.values().all(|outcome| outcome == "ran"), "{zoo:?}");
    // The card's preprocess and the images that its build takes.
    let card = space.cards()["digits"].clone();
    let text = std::fs::read_to_string(card).expect("readable");
    assert!(text.contains("weights/digits.onnx"), "{text}");
    let built = space.tree("build/digits/digits/1");
    let quantized = space.tree("build/digits/digits/quantized");
    assert!(!built.is_empty(), "{:?}", names(&space, "build"));
    space.write("manifest/quantized_model_manifest.json", &quantized["quantized_model_manifest.json"]);
    for (name, bytes) in &quantized {
        space.write(&format!("manifest/{name}"), bytes);
    }
    let effective = json(&space, "build/digits/digits/compile_config.json");
    space.write("conf.json", effective.to_string());
    space.axzoo("compile -i manifest/quantized_model_manifest.json --conf conf.json -o out").expect_code(0);
    let compiled = space.tree("out/compiled_model");
    for (name, bytes) in &built {
        assert_eq!(compiled.get(name), Some(bytes), "{name}");
    }
    assert_eq!(picture(1), picture(1), "pictures do not depend on the moment");
}

#[test]
fn outputs_of_like_names_are_files_of_their_own() {
    let space = space();
    let weights: Vec<f32> = (0..6).map(|place| place as f32 / 6.0 - 0.4).collect();
    let graph = GraphProto {
        node: vec![node("Conv", &["x", "w"], "y:0"), node("Sigmoid", &["y:0"], "y_0"), node("Tanh", &["y:0"], "Y_0")],
        initializer: vec![TensorProto::from_f32("w", &[2, 3, 1, 1], &weights)],
        input: vec![ValueInfoProto::tensor("x", 1, &[1, 3, 4, 4])],
        output: ["y:0", "y_0", "Y_0"].map(|name| ValueInfoProto::tensor(name, 1, &[])).to_vec(),
        ..GraphProto::default()
    };
    space.write("three.onnx", model(graph));
    space.axzoo("compile -i three.onnx -o out").expect_code(0);
    space.write("x.npy", Array { shape: vec![1, 3, 4, 4], elements: Elements::F32(vec![0.5; 48]) }.to_bytes());
    space.axzoo("run out -i x.npy --output y").expect_code(0).says("y_0-2.npy").says("Y_0-3.npy");
    assert_eq!(names(&space, "y"), ["Y_0-3.npy", "y_0-2.npy", "y_0.npy"]);
}
