//! A status for each way to fail (`int8-contract.md`, "Which failure ends in which status"), and the report that says it.

use axzoo::compiler::onnx::proto::{
    AttributeProto, GraphProto, ModelProto, StringStringEntryProto, TensorProto, ValueInfoProto,
};
use prost::Message;

use super::made::{ended, json, model, node, planar, report, space, with_photos};
use crate::space::Space;

/// What is wrong, what is prepared, what is typed, the status, and a part of the message or hint.
type Case = (&'static str, fn() -> Space, &'static str, &'static str, &'static str);

fn quantized() -> Space {
    let space = space();
    space.axzoo("compile -i net.onnx --quantize-only -o q").expect_code(0);
    space
}

fn tampered(from: &str, to: &str) -> Space {
    let space = quantized();
    let graph = space.path("q/quantized_model/quantized_model.json");
    space.edit(&graph, from, to);
    space
}

const MANIFEST: &str = "compile -i q/quantized_model/quantized_model_manifest.json -o out";

const CASES: &[Case] = &[
    ("nothing", space, "compile -i net.onnx -o out", "SUCCEEDED", "RANDOM DATA"),
    ("no such model", space, "compile -i nett.onnx -o out", "INITIALIZE_CLI_ERROR", "did you mean `net.onnx`?"),
    ("no model", space, "compile -o out", "INITIALIZE_CLI_ERROR", "name an ONNX file"),
    (
        "a folder for the model",
        || {
            let space = space();
            space.write("models/net.onnx", "");
            space
        },
        "compile -i models -o out",
        "INITIALIZE_CLI_ERROR",
        "found the folder `models`",
    ),
    ("no such configuration", space, "compile -i net.onnx --conf no.toml -o out", "INITIALIZE_CLI_ERROR", "no.toml"),
    (
        "a wrong configuration",
        || {
            let space = space();
            space.write("c.json", "{\n  \"tiling_dept\": 6,\n  \"aipu_cores_used\": 9\n}\n");
            space
        },
        "compile -i net.onnx --conf c.json -o out",
        "INITIALIZE_CLI_ERROR",
        "c.json:2:3",
    ),
    (
        "a folder without images",
        with_empty,
        "compile -i net.onnx --imageset empty -o out",
        "INITIALIZE_CLI_ERROR",
        "no image",
    ),
    (
        "a manifest that is none",
        || {
            let space = space();
            space.write("m.json", "[");
            space
        },
        "compile -i m.json -o out",
        "INITIALIZE_CLI_ERROR",
        "is no manifest",
    ),
    (
        "a model that is a text",
        || {
            let space = space();
            space.write("net.onnx", "It was a dark and stormy night");
            space
        },
        "compile -i net.onnx -o out",
        "ONNX_GRAPH_CLEANER_ERROR",
        "not an ONNX model",
    ),
    (
        "an image that is cut short",
        || {
            let space = with_photos(3);
            let whole = space.tree("photos")["01.png"].clone();
            space.write("photos/01.png", &whole[..whole.len() / 2]);
            space
        },
        "compile -i net.onnx --imageset photos -o out",
        "QTOOLS_ERROR",
        "01.png",
    ),
    (
        "a folder in the place of the quantized graph",
        || {
            let space = space();
            space.write("out/quantized_model/quantized_model.json/mine.txt", "mine");
            space
        },
        "compile -i net.onnx -o out",
        "INITIALIZE_CLI_ERROR",
        "there is a folder of that name",
    ),
    (
        "a quantized graph that was changed",
        || tampered("\"zero_point\":", "\"zero_point\": "),
        MANIFEST,
        "TVM_FRONTEND_ERROR",
        "`quantized_model.json` is not what the manifest says",
    ),
    (
        "a quantized graph that is none, without a digest of it",
        || {
            let space = tampered("convolution", "convolutoin");
            let name = "q/quantized_model/quantized_model_manifest.json";
            let mut manifest = json(&space, name);
            manifest.as_object_mut().expect("an object").remove("digests");
            space.write(name, manifest.to_string());
            space
        },
        MANIFEST,
        "TVM_FRONTEND_ERROR",
        "convolutoin",
    ),
    (
        "a manifest that names what is not there",
        || {
            let space = quantized();
            std::fs::remove_file(space.path("q/quantized_model/quantized_model.json")).expect("removed");
            space
        },
        MANIFEST,
        "TVM_FRONTEND_ERROR",
        "not beside it",
    ),
    (
        "an operator that does not fit L1 however it is divided",
        || with_conf("l1_constraint = 524600\n"),
        "compile -i net.onnx --conf c.toml -o out",
        "FRONTEND_TO_MIDEND_ERROR",
        "bytes of L1",
    ),
    (
        "a model that does not fit DDR and L2",
        || with_conf("ddr_constraint = 33554432\nl2_constraint = 2293760\n"),
        "compile -i net.onnx --conf c.toml -o out",
        "LOWER_MIDEND_ERROR",
        "bytes",
    ),
    (
        "a file without a byte",
        || {
            let space = space();
            space.write("net.onnx", "");
            space
        },
        "compile -i net.onnx -o out",
        "ONNX_GRAPH_CLEANER_ERROR",
        "the file is empty",
    ),
    (
        "a weight that is no number",
        || {
            let space = space();
            space.write("net.onnx", with_weight(f32::NAN));
            space
        },
        "compile -i net.onnx -o out",
        "QTOOLS_ERROR",
        "1 number is so in `w`, which node `make_c` reads\",\"node\":\"make_c\"",
    ),
    (
        "a transposition that the code cannot count",
        || {
            let space = with_conf("run_graph_cleaner = false\n");
            space.write("net.onnx", many_axes());
            space
        },
        "compile -i net.onnx --conf c.toml -o out",
        "LOWER_TIR_ERROR",
        "moves elements along",
    ),
    (
        "a folder in the place of the compiled manifest",
        || {
            let space = space();
            space.write("out/compiled_model/manifest.json/mine.txt", "mine");
            space
        },
        "compile -i net.onnx -o out",
        "INITIALIZE_CLI_ERROR",
        "there is a folder of that name",
    ),
];

fn with_conf(text: &str) -> Space {
    let space = space();
    space.write("c.toml", text);
    space
}

/// The small model with another first weight.
fn with_weight(weight: f32) -> Vec<u8> {
    let mut model = ModelProto::decode(planar(&[1, 3, 8, 8]).as_slice()).expect("our own model");
    let weights = &mut model.graph.as_mut().expect("a graph").initializer[0];
    weights.raw_data[..4].copy_from_slice(&weight.to_le_bytes());
    model.encode_to_vec()
}

/// Ten axes turned round, so that no two of them move together.
fn many_axes() -> Vec<u8> {
    let shape: Vec<usize> = std::iter::once(1).chain([2; 9]).collect();
    let mut transpose = node("Transpose", &["c"], "t");
    transpose.attribute.push(AttributeProto::integers("perm", [0, 9, 8, 7, 6, 5, 4, 3, 2, 1]));
    let weights = [0.5, -0.25];
    model(GraphProto {
        node: vec![
            node("Conv", &["x", "w"], "y0"),
            node("Reshape", &["y0", "many"], "c"),
            transpose,
            node("Reshape", &["t", "few"], "r"),
            node("Conv", &["r", "v"], "y"),
        ],
        initializer: vec![
            TensorProto::from_f32("w", &[2, 1, 1, 1], &weights),
            TensorProto::from_f32("v", &[1, 2, 1, 1], &weights),
            TensorProto::from_i64("many", &[10], &shape.iter().map(|side| *side as i64).collect::<Vec<_>>()),
            TensorProto::from_i64("few", &[4], &[1, 2, 16, 16]),
        ],
        input: vec![ValueInfoProto::tensor("x", 1, &[1, 1, 16, 16])],
        output: vec![ValueInfoProto::tensor("y", 1, &[])],
        ..GraphProto::default()
    })
}

fn with_empty() -> Space {
    let space = space();
    space.write("empty/notes.txt", "no image");
    space
}

#[test]
fn a_failure_has_its_status() {
    for (what, prepare, typed, status, says) in CASES {
        let space = prepare();
        println!("{what}: {typed}");
        let run = ended(&space, "out", space.axzoo(typed), status);
        let found = report(&space, "out").to_string();
        assert!(
            found.contains(says) || run.stderr.contains(says),
            "{what}: `{says}` is not in\n{found}\n{}",
            run.stderr
        );
        assert!(!space.read("out/compilation_log.txt").is_empty(), "{what}: no log");
    }
}

/// Stages that no input makes fail: they are made to.
#[cfg(debug_assertions)]
#[test]
fn a_stage_that_fails_on_purpose_has_its_status() {
    let space = space();
    for (stage, status, word) in
        [("legalize", "LOWER_FRONTEND_ERROR", "legalize"), ("schedule", "MIDEND_TO_TIR_ERROR", "schedule")]
    {
        let mut command = space.command("compile -i net.onnx -o out");
        let output = command.env("AXZOO_FAULT", format!("stage:{stage}")).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{stage}");
        let found = report(&space, "out");
        assert_eq!((found["status"].as_str(), found["stage"].as_str()), (Some(status), Some(word)));
        // What was quantized before stays.
        assert!(space.path("out/quantized_model/quantized_model_manifest.json").exists(), "{stage}");
        assert!(!space.path("out/compiled_model").exists(), "{stage}");
    }
    space.axzoo("compile -i net.onnx -o out").expect_code(0);
}

#[test]
fn everything_wrong_is_told_at_once() {
    let space = space();
    space.write("c.toml", "tiling_dept = 6\naipu_cores_used = 9\nfrequency = \"fast\"\n");
    let typed = "compile -i nett.onnx --conf c.toml --input-shape 1,x --color-format RBG --imageset no -o out";
    let run = ended(&space, "out", space.axzoo(typed), "INITIALIZE_CLI_ERROR");
    for part in ["c.toml:1:1", "c.toml:2:19", "c.toml:3:13", "nett.onnx", "--input-shape", "`RBG`", "no folder `no`"] {
        assert!(run.stderr.contains(part), "`{part}` is not in\n{}", run.stderr);
    }
    let message = report(&space, "out")["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.lines().count() >= 6, "{message}");
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    let space = space();
    space.axzoo("compile -i net.onnx -o out --colour BGR").expect_code(2);
    space.axzoo("compile -i net.onnx").expect_code(2).says("name one with `-o`");
    space.axzoo("compile").expect_code(2);
    assert!(!space.path("out").exists());
}

#[test]
fn a_model_with_two_inputs_names_them() {
    let space = space();
    space.write(
        "two.onnx",
        model(GraphProto {
            node: vec![node("Add", &["a", "b"], "y")],
            initializer: Vec::<TensorProto>::new(),
            input: vec![ValueInfoProto::tensor("a", 1, &[1, 4]), ValueInfoProto::tensor("b", 1, &[1, 4])],
            output: vec![ValueInfoProto::tensor("y", 1, &[])],
            ..GraphProto::default()
        }),
    );
    let run = space.axzoo("compile -i two.onnx -o out");
    ended(&space, "out", run, "ONNX_GRAPH_CLEANER_ERROR")
        .says("2 inputs (`a`, `b`); expected one")
        .says("give the others a value in the file");
}

#[test]
fn a_failure_leaves_an_archive_on_request() {
    let space = space();
    let tight = "save_error_artifact = true\nl1_constraint = 524600\n";
    space.write("c.toml", tight);
    space.write("d.toml", format!("{tight}randomize_onnx_model = false\n"));
    for (conf, is_same) in [("c.toml", false), ("d.toml", true)] {
        let run = space.axzoo(&format!("compile -i net.onnx --conf {conf} -o out"));
        ended(&space, "out", run, "FRONTEND_TO_MIDEND_ERROR");
        let bytes = space.tree("out")["error_artifact.zip"].clone();
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("a ZIP archive");
        let mut read = |name: &str| {
            let mut bytes = Vec::new();
            let mut file = archive.by_name(name).expect(name);
            std::io::Read::read_to_end(&mut file, &mut bytes).expect("readable");
            bytes
        };
        assert!(String::from_utf8_lossy(&read("compilation_report.json")).contains("FRONTEND_TO_MIDEND_ERROR"));
        let copy = read("input_model/fp32_model.onnx");
        assert_eq!(copy == space.tree(".")["net.onnx"], is_same, "{conf}");
        space.write("again.onnx", copy);
        space.axzoo("compile -i again.onnx -o again").expect_code(0);
        let has_weights = archive.by_name("quantized_model/quantized_model.json").is_ok();
        assert_eq!(has_weights, is_same, "{conf}: weights in other files stay out too");
    }
    // A good run takes the archive away.
    space.axzoo("compile -i net.onnx -o out").expect_code(0);
    assert!(!space.path("out/error_artifact.zip").exists());
}

#[test]
fn a_file_of_ours_under_the_wrong_flag_is_told_apart() {
    let space = quantized();
    space.axzoo("compile --generate-config .").expect_code(0);
    space.axzoo("compile -i net.onnx -o first").expect_code(0);
    let cases = [
        (
            "compile -i net.onnx --cli-args default_conf.json -o out",
            "a compiler configuration",
            "give it with `--conf`",
        ),
        ("compile -i net.onnx --conf first/cli_args.json -o out", "arguments of an earlier run", "with `--cli-args`"),
        ("compile -i first/conf.json -o out", "a compiler configuration", "give it with `--conf`"),
        ("compile -i first/cli_args.json -o out", "arguments of an earlier run", "give it with `--cli-args`"),
        ("compile -i q/quantized_model/quantized_model.json -o out", "a quantized graph", "quantized_model_manifest"),
        ("compile -i first/compiled_model/manifest.json -o out", "manifest of a compiled model", "`axzoo run`"),
        (
            "compile -i net.onnx --conf first/compilation_report.json -o out",
            "the report of an earlier run",
            "no option",
        ),
    ];
    for (typed, what, hint) in cases {
        let run = ended(&space, "out", space.axzoo(typed), "INITIALIZE_CLI_ERROR").says(what).says(hint);
        assert_eq!(run.stderr.matches("error[").count(), 1, "{typed}\n{}", run.stderr);
    }
}

#[test]
fn names_of_a_letter_are_no_hint() {
    let space = space();
    space.write("o", "");
    let run = ended(&space, "out", space.axzoo("compile -i photo -o out"), "INITIALIZE_CLI_ERROR");
    assert!(!run.stderr.contains("did you mean"), "{}", run.stderr);
    // A folder that all have in common makes no names alike.
    for name in ["net.onnx", "fastestdet.onnx", "onet.onnx"] {
        space.write(&format!("a/long/folder/of/models/{name}"), "");
    }
    let run = space.axzoo("compile -i a/long/folder/of/models/nett.onnx -o out");
    ended(&space, "out", run, "INITIALIZE_CLI_ERROR").says("did you mean `a/long/folder/of/models/net.onnx`");
    let run = space.axzoo("compile -i a/long/folder/of/models/zqk.onnx -o out");
    let run = ended(&space, "out", run, "INITIALIZE_CLI_ERROR");
    assert!(!run.stderr.contains("fastestdet"), "{}", run.stderr);
    std::fs::create_dir(space.path("configs")).expect("made");
    let run = space.axzoo("compile -i net.onnx --conf configs -o out");
    ended(&space, "out", run, "INITIALIZE_CLI_ERROR").says("expected a JSON or TOML file, found the folder `configs`");
}

/// The small model with its first weights in a file of this name.
fn with_data_in(location: &str) -> Vec<u8> {
    let mut model = ModelProto::decode(planar(&[1, 3, 8, 8]).as_slice()).expect("our own model");
    let weights = &mut model.graph.as_mut().expect("a graph").initializer[0];
    weights.raw_data.clear();
    weights.data_location = 1;
    weights.external_data = vec![StringStringEntryProto { key: "location".into(), value: location.into() }];
    model.encode_to_vec()
}

#[test]
#[cfg(unix)]
fn a_file_of_tensors_that_is_not_read_is_told_as_what_it_is() {
    use std::os::unix::fs::symlink;

    type Prepare = fn(&Space);
    let cases: [(&str, Prepare, &str, &str); 6] = [
        (
            "sub/w.data",
            |space| space.write("sub/w.data", [0; 432]),
            "is not in the folder of the model itself",
            "`onnx.save`",
        ),
        (
            "w.data",
            |space| {
                space.write("sub/w.data", [0; 432]);
                symlink("sub/w.data", space.path("w.data")).expect("a link");
            },
            "is a link into another folder",
            "put the file itself",
        ),
        (
            "w.data",
            |space| symlink("nowhere", space.path("w.data")).expect("a link"),
            "is a link to what cannot be found",
            "put the file itself",
        ),
        (
            "w.data",
            |space| {
                let made = std::process::Command::new("mkfifo").arg(space.path("w.data")).status();
                assert!(made.is_ok_and(|status| status.success()), "a pipe");
            },
            "is no regular file",
            "to a file first",
        ),
        ("w.data", |space| space.write("w.data/mine.txt", ""), "is a folder", "put the file itself"),
        ("w.data", |_| (), "is not beside the model", "put the file itself"),
    ];
    for (location, prepare, says, helps) in cases {
        let space = Space::empty();
        space.write("net.onnx", with_data_in(location));
        prepare(&space);
        ended(&space, "out", space.axzoo("compile -i net.onnx -o out"), "ONNX_GRAPH_CLEANER_ERROR");
        let found = report(&space, "out");
        let said = format!("the initializer `w` cannot be read: the file `{location}` that holds its data {says}");
        assert!(found["message"].as_str().is_some_and(|message| message.contains(&said)), "{found:#}");
        assert!(found["hint"].as_str().is_some_and(|hint| hint.contains(helps)), "{found:#}");
    }
}

#[test]
fn what_a_model_has_that_is_not_compiled_is_named_with_a_way_out() {
    type Change = fn(&mut GraphProto);
    let refused = |graph: GraphProto| {
        let space = Space::empty();
        space.write("net.onnx", model(graph));
        ended(&space, "out", space.axzoo("compile -i net.onnx -o out"), "ONNX_GRAPH_CLEANER_ERROR");
        let found = report(&space, "out");
        ["message", "hint"].map(|key| found[key].as_str().unwrap_or_default().to_owned())
    };
    let cases: [(Change, &str, &str); 6] = [
        (
            |graph| graph.output.push(ValueInfoProto::tensor("x", 1, &[1, 3, 8, 8])),
            "the output `x` is an input of the network",
            "remove this output",
        ),
        (
            |graph| graph.output.push(ValueInfoProto::tensor("y", 1, &[])),
            "the output `y` is listed twice",
            "list it once",
        ),
        (
            |graph| graph.node[0].attribute.push(AttributeProto::integers("pads", [0, 0, -1, 0])),
            "negative padding is not supported",
            "`Slice`",
        ),
        (
            |graph| {
                graph.node[0] = node("Pad", &["x", "pads"], "c");
                graph.initializer.push(TensorProto::from_i64("pads", &[8], &[0, 0, -1, 0, 0, 0, 0, 0]));
            },
            "cropping is not supported",
            "`Slice`",
        ),
        (
            |graph| {
                graph.initializer[0] = TensorProto::from_f32("w", &[4, 3, 3], &[0.5; 36]);
                graph.input[0] = ValueInfoProto::tensor("x", 1, &[1, 3, 8]);
            },
            "only [N, C, H, W] (two spatial axes) is supported",
            "`Unsqueeze`",
        ),
        // That is not one that is left open.
        (
            |graph| graph.input[0] = ValueInfoProto::tensor("x", 1, &[1, 3, 0, 8]),
            "the input `x` has a side of 0 in the file: [1, 3, 0, 8]",
            "give the shape",
        ),
    ];
    let whole = || ModelProto::decode(planar(&[1, 3, 8, 8]).as_slice()).expect("our own model").graph.expect("a graph");
    for (change, says, helps) in cases {
        let mut graph = whole();
        change(&mut graph);
        let [message, hint] = refused(graph);
        assert!(message.contains(says) && hint.contains(helps), "{says}: {message}: {hint}");
    }
}
