//! ONNX files that were made to hurt, in a zoo: `check` gives each a code, `build` fails at it, both in bounded time.

use std::os::unix::fs::symlink;
use std::process::Command;

use axzoo::compiler::onnx::proto::GraphProto;
use axzoo::compiler::onnx::proto::ModelProto;
use axzoo::compiler::onnx::proto::NodeProto;
use axzoo::compiler::onnx::proto::OperatorSetIdProto;
use axzoo::compiler::onnx::proto::StringStringEntryProto;
use axzoo::compiler::onnx::proto::TensorProto;
use axzoo::compiler::onnx::proto::ValueInfoProto;
use prost::Message;
use serde_json::Value;

use crate::hostile::CARD;
use crate::space::{Run, Space};

/// A convolution of the card's input and a Relu, opset 17.
fn model() -> ModelProto {
    let node = |operator: &str, inputs: &[&str], output: &str| NodeProto {
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        name: format!("make_{output}"),
        op_type: operator.to_owned(),
        ..NodeProto::default()
    };
    let weights: Vec<f32> = (0..108).map(|place| place as f32 / 54.0 - 1.0).collect();
    let graph = GraphProto {
        node: vec![node("Conv", &["x", "w"], "c"), node("Relu", &["c"], "y")],
        initializer: vec![TensorProto::from_f32("w", &[4, 3, 3, 3], &weights)],
        input: vec![ValueInfoProto::tensor("x", 1, &[1, 3, 8, 8])],
        output: vec![ValueInfoProto::tensor("y", 1, &[1, 4, 6, 6])],
        ..GraphProto::default()
    };
    let opset = OperatorSetIdProto { domain: String::new(), version: 17 };
    ModelProto { ir_version: 8, graph: Some(graph), opset_import: vec![opset], ..ModelProto::default() }
}

fn edited(edit: impl FnOnce(&mut GraphProto)) -> Vec<u8> {
    let mut model = model();
    edit(model.graph.as_mut().expect("a graph"));
    model.encode_to_vec()
}

/// The weights in another file.
fn external(entries: &[(&str, &str)]) -> Vec<u8> {
    edited(|graph| {
        let weights = &mut graph.initializer[0];
        weights.raw_data.clear();
        weights.data_location = 1;
        let entry =
            |&(key, value): &(&str, &str)| StringStringEntryProto { key: key.to_owned(), value: value.to_owned() };
        weights.external_data = entries.iter().map(entry).collect();
    })
}

/// A zoo with one model and, beside the folder of its weights, a file that no model may read.
fn zoo(weights: Vec<u8>) -> Space {
    let space = Space::empty();
    let written = "weight_path: w.onnx\n    weight_url: https://example.com/w.onnx\n";
    assert!(CARD.contains(written), "the card's weights");
    space.write("model_cards/net.yaml", CARD.replace(written, "weight_path: weights/w.onnx\n"));
    space.write("model_cards/weights/w.onnx", weights);
    space.write("model_cards/weights/inside.bin", vec![0; 432]);
    space.write("model_cards/secret.bin", vec![0; 432]);
    symlink(space.path("model_cards/secret.bin"), space.path("model_cards/weights/out.bin")).expect("a link");
    symlink("inside.bin", space.path("model_cards/weights/link.bin")).expect("a link");
    space
}

fn run(space: &Space, arguments: &[&str]) -> Run {
    let mut command = Command::new("timeout");
    command.args(["60", env!("CARGO_BIN_EXE_axzoo")]).args(arguments);
    command.current_dir(space.path("."));
    Run::from(command.output().expect("the program runs"))
}

fn codes(run: &Run) -> Vec<String> {
    let found: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    let problems = found["diagnostics"].as_array().expect("a list").iter();
    let errors = problems.filter(|problem| problem["severity"] == "error");
    errors.map(|problem| problem["code"].as_str().unwrap_or_default().to_owned()).collect()
}

/// What is wrong, the file, and the code of an error; nothing where the file is right after all.
type Case = (&'static str, fn() -> Vec<u8>, &'static str);

const MODELS: &[Case] = &[
    ("nothing wrong", || model().encode_to_vec(), ""),
    ("an empty file", Vec::new, "onnx/unreadable"),
    ("a text", || b"It was a dark and stormy night\n".to_vec(), "onnx/unreadable"),
    (
        "a file cut in the middle",
        || {
            let whole = model().encode_to_vec();
            whole[..whole.len() / 2].to_vec()
        },
        "onnx/unreadable",
    ),
    ("a hundred megabytes of zeros", || vec![0; 100_000_000], "onnx/unreadable"),
    (
        "a hundred megabytes of nodes",
        || [b"\x3a\x80\xc2\xd7\x2f".as_slice(), &b"\x0a\0".repeat(50_000_000)].concat(),
        "onnx/unreadable",
    ),
    ("an initializer that is missing", || edited(|graph| graph.initializer.clear()), "onnx/not-supported"),
    ("a cycle", || edited(|graph| graph.node[0].input[0] = "y".into()), "onnx/not-supported"),
    ("an output that is written twice", || edited(|graph| graph.node[1].output[0] = "c".into()), "onnx/not-supported"),
    ("no outputs", || edited(|graph| graph.output.clear()), "onnx/not-supported"),
    ("weights of texts", || edited(|graph| graph.initializer[0].data_type = 8), "onnx/not-supported"),
    (
        "weights with a byte too few",
        || edited(|graph| graph.initializer[0].raw_data.truncate(431)),
        "onnx/not-supported",
    ),
    ("weights of 2⁶³ elements", || edited(|graph| graph.initializer[0].dims[0] = i64::MAX), "onnx/not-supported"),
    ("weights of −4 channels", || edited(|graph| graph.initializer[0].dims[0] = -4), "onnx/not-supported"),
    (
        "an input of 2⁶³ rows",
        || edited(|graph| graph.input[0] = ValueInfoProto::tensor("x", 1, &[1, 3, 1 << 62, 8])),
        "onnx/input-shape",
    ),
    ("an input that is no tensor", || edited(|graph| graph.input[0].r#type = None), "onnx/not-supported"),
    (
        "an opset of the far future",
        || {
            let mut model = model();
            model.opset_import[0].version = i64::MAX;
            model.encode_to_vec()
        },
        "onnx/opset",
    ),
    ("an unknown domain", || edited(|graph| graph.node[1].domain = "org.example".into()), "onnx/not-supported"),
    (
        "100,000 nodes",
        || {
            edited(|graph| {
                let relu = graph.node[1].clone();
                for place in 0..100_000 {
                    let (from, to) = (format!("n{place}"), format!("n{}", place + 1));
                    graph.node.push(NodeProto { input: vec![from], output: vec![to], ..relu.clone() });
                }
                graph.node[1].output[0] = "n0".into();
                graph.output[0].name = "n100000".into();
            })
        },
        "onnx/not-supported",
    ),
    (
        "30,000 operators that nobody knows",
        || {
            edited(|graph| {
                let relu = graph.node[1].clone();
                for place in 0..30_000 {
                    let (input, output) = (vec!["c".to_owned()], vec![format!("n{place}")]);
                    graph.output.push(ValueInfoProto::tensor(&output[0], 1, &[]));
                    graph.node.push(NodeProto { op_type: format!("Op{place}"), input, output, ..relu.clone() });
                }
            })
        },
        "onnx/not-supported",
    ),
    (
        "a name that clears the screen",
        || edited(|graph| (graph.node[1].op_type, graph.node[1].name) = ("\x1b[2J".into(), "\x1b[2J".repeat(100_000))),
        "onnx/not-supported",
    ),
    ("data in a file beside", || external(&[("location", "inside.bin")]), ""),
    ("data behind a link to a file beside", || external(&[("location", "link.bin")]), ""),
    ("data behind a link that leaves the folder", || external(&[("location", "out.bin")]), "onnx/external-data"),
    ("data in the folder above", || external(&[("location", "../secret.bin")]), "onnx/external-data"),
    ("data at an absolute path", || external(&[("location", "/etc/hostname")]), "onnx/external-data"),
    ("data in the folder itself", || external(&[("location", ".")]), "onnx/external-data"),
    ("data in a file without a name", || external(&[("location", "")]), "onnx/external-data"),
    ("data without a place", || external(&[]), "onnx/not-supported"),
    (
        "data behind the end",
        || external(&[("location", "inside.bin"), ("offset", "18446744073709551615")]),
        "onnx/not-supported",
    ),
    (
        "data of another length",
        || external(&[("location", "inside.bin"), ("length", "18446744073709551615")]),
        "onnx/not-supported",
    ),
    ("data at a negative place", || external(&[("location", "inside.bin"), ("offset", "-1")]), "onnx/not-supported"),
];

#[test]
fn a_hostile_model_is_an_error_with_a_code() {
    let mut wrong = Vec::new();
    for (what, weights, code) in MODELS {
        let space = zoo(weights());
        let checked = run(&space, &["check", "--format", "json"]);
        let found = codes(&checked);
        let fits = if code.is_empty() { found.is_empty() } else { found.iter().any(|one| one == code) };
        let built = run(&space, &["build", "--allow-random", "--num-cal-images", "1"]);
        let expected = i32::from(!code.is_empty());
        let calm = [&checked, &built].iter().all(|run| {
            run.code == expected && !run.stderr.contains("panicked") && run.stdout.len() + run.stderr.len() < 100_000
        });
        if !fits || !calm {
            let built = (
                built.code,
                built.stdout.chars().take(500).collect::<String>(),
                built.stderr.chars().take(500).collect::<String>(),
            );
            wrong.push(format!("{what}: expected `{code}`, found {found:?}, exit {}; build {built:?}", checked.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
