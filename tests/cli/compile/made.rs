//! Small models and images, and a folder to compile in.

use axzoo::compiler::onnx::proto::AttributeProto;
use axzoo::compiler::onnx::proto::GraphProto;
use axzoo::compiler::onnx::proto::ModelProto;
use axzoo::compiler::onnx::proto::NodeProto;
use axzoo::compiler::onnx::proto::OperatorSetIdProto;
use axzoo::compiler::onnx::proto::TensorProto;
use axzoo::compiler::onnx::proto::ValueInfoProto;
use prost::Message;
use serde_json::Value;

use crate::space::{Run, Space};

/// A node.
pub(crate) fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        name: format!("make_{output}"),
        op_type: operator.to_owned(),
        ..NodeProto::default()
    }
}

/// A model of opset 17.
pub(crate) fn model(graph: GraphProto) -> Vec<u8> {
    let opset = OperatorSetIdProto { domain: String::new(), version: 17 };
    let graph = GraphProto { name: "net".to_owned(), ..graph };
    let model = ModelProto { ir_version: 8, graph: Some(graph), opset_import: vec![opset], ..ModelProto::default() };
    model.encode_to_vec()
}

/// An input of a shape in which 0 is an open dimension.
fn input(name: &str, shape: &[usize]) -> ValueInfoProto {
    let mut input = ValueInfoProto::tensor(name, 1, shape);
    let declared = input.r#type.as_mut().and_then(|kind| kind.tensor_type.as_mut()?.shape.as_mut());
    for side in &mut declared.expect("a tensor has a shape").dim {
        side.dim_value = side.dim_value.filter(|side| *side != 0);
    }
    input
}

/// Two convolutions with a Relu between, over three channels in NCHW; `shape` as the file declares it, 0 for open.
pub(crate) fn planar(shape: &[usize]) -> Vec<u8> {
    let weights: Vec<f32> = (0..108).map(|place| place as f32 / 54.0 - 1.0).collect();
    let second: Vec<f32> = (0..32).map(|place| place as f32 / 16.0 - 0.9).collect();
    model(GraphProto {
        node: vec![node("Conv", &["x", "w"], "c"), node("Relu", &["c"], "r"), node("Conv", &["r", "v"], "y")],
        initializer: vec![
            TensorProto::from_f32("w", &[4, 3, 3, 3], &weights),
            TensorProto::from_f32("v", &[8, 4, 1, 1], &second),
        ],
        input: vec![input("x", shape)],
        output: vec![ValueInfoProto::tensor("y", 1, &[])],
        ..GraphProto::default()
    })
}

/// The same with its input in NHWC, as models from TensorFlow have it.
pub(crate) fn channels_last(shape: &[usize]) -> Vec<u8> {
    let mut model = ModelProto::decode(planar(&[1, 3, 8, 8]).as_slice()).expect("our own model");
    let graph = model.graph.as_mut().expect("a graph");
    let mut transpose = node("Transpose", &["image"], "x");
    transpose.attribute.push(AttributeProto::integers("perm", [0, 3, 1, 2]));
    graph.node.insert(0, transpose);
    graph.input[0] = input("image", shape);
    model.encode_to_vec()
}

/// A picture of its own for each number, as a PNG of 12×10 pixels.
pub(crate) fn picture(number: u8) -> Vec<u8> {
    let pixel = |x: u32, y: u32| {
        let value = |factor: u32| (x * 19 + y * 7 * factor + u32::from(number) * 31 * factor) as u8;
        image::Rgb([value(1), value(2), value(3)])
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_fn(12, 10, pixel);
    picture.write_to(&mut bytes, image::ImageFormat::Png).expect("a PNG");
    bytes.into_inner()
}

/// A folder with `net.onnx` of eight by eight pixels.
pub(crate) fn space() -> Space {
    let space = Space::empty();
    space.write("net.onnx", planar(&[1, 3, 8, 8]));
    space
}

/// The same with `photos/00.png` and so on.
pub(crate) fn with_photos(count: u8) -> Space {
    let space = space();
    for number in 0..count {
        space.write(&format!("photos/{number:02}.png"), picture(number));
    }
    space
}

/// The report of a folder of results.
pub(crate) fn report(space: &Space, folder: &str) -> Value {
    json(space, &format!("{folder}/compilation_report.json"))
}

/// A file of JSON.
#[track_caller]
pub(crate) fn json(space: &Space, name: &str) -> Value {
    serde_json::from_str(&space.read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Requires that a run ended as it says it did, with this status.
#[track_caller]
pub(crate) fn ended(space: &Space, folder: &str, run: Run, status: &str) -> Run {
    let run = run.expect_code(i32::from(status != "SUCCEEDED"));
    let found = report(space, folder);
    assert_eq!(found["status"], status, "{found:#}\n{}", run.stderr);
    let mut keys: Vec<&str> = found.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["hint", "message", "node", "stage", "status"]);
    run
}

/// The names of the files below a folder, sorted.
pub(crate) fn names(space: &Space, folder: &str) -> Vec<String> {
    space.tree(folder).into_keys().collect()
}

/// Whether `python3` on PATH has these modules.
pub(crate) fn python_has(modules: &str) -> bool {
    let run = std::process::Command::new("python3").args(["-c", &format!("import {modules}")]).output();
    let has = run.is_ok_and(|run| run.status.success());
    if !has {
        println!("skipped: `python3` has no {modules}");
    }
    has
}
