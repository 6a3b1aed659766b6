//! Files that were damaged, or made to hurt: read whole, in part and as far as they go, each is refused or compiled, in
//! bounded time and memory, and none makes anything panic.

use std::io::Cursor;
use std::path::Path;

use crate::base::SplitMix;
use crate::base::fs;
use crate::compiler::clean::clean;
use crate::compiler::onnx::ImportOptions;
use crate::compiler::onnx::NoExternalData;
use crate::compiler::onnx::OnnxFile;
use crate::compiler::onnx::export;
use crate::compiler::onnx::external_locations;
use crate::compiler::onnx::import;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::onnx::proto::TensorProto;
use crate::compiler::onnx::proto::ValueInfoProto;
use crate::compiler::onnx::proto::attribute_type;
use crate::compiler::onnx::proto::data_type;
use crate::compiler::onnx::sample::Sample;

/// Bytes that no message is longer than: names and lists of a file may be of any length.
const MESSAGE_LIMIT: usize = 20_000;

/// What a file comes to in every way it is read: the refusal of the import, where there is one. What is imported must be
/// cleaned, written and read again.
fn refusal(bytes: &[u8]) -> Option<String> {
    let _ = external_locations(bytes);
    let skimmed = OnnxFile::skim(Cursor::new(bytes), bytes.len() as u64);
    for file in [skimmed, OnnxFile::decode(bytes)].into_iter().flatten() {
        if let Ok(survey) = file.survey(&NoExternalData, &ImportOptions::default()) {
            let longest = survey.nodes.iter().filter_map(|node| node.refusal.as_ref()).map(String::len).max();
            assert!(longest.is_none_or(|length| length < MESSAGE_LIMIT), "a refusal of {longest:?} bytes");
        }
    }
    match import(bytes, &NoExternalData, &ImportOptions::default()) {
        Ok(graph) => {
            let (graph, _) = clean(graph).expect("what was imported can be cleaned");
            import(&export(&graph), &NoExternalData, &ImportOptions::default()).expect("our own file is read");
            None
        }
        Err(error) => Some(error.to_string()),
    }
}

fn sample_model(name: &str) -> Vec<u8> {
    fs::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("weights").join(name)).expect("a model of the sample zoo")
}

/// Everything that imports in many ways: shapes computed, weights, attributes, several outputs.
fn varied() -> Sample {
    Sample::new(13)
        .input("x", &[1, 2, 6, 6])
        .weights("w", &[4, 2, 3, 3])
        .weights("v", &[4, 3])
        .integers("ax", &[1], &[0])
        .integers("minus", &[1], &[-1])
        .integers("place", &[], &[1])
        .integers("pads", &[8], &[0, 0, 1, 1, 0, 0, 1, 1])
        .integers("starts", &[2], &[0, -5])
        .integers("ends", &[2], &[4, i64::MAX])
        .integers("axes", &[2], &[2, 3])
        .node("Pad", &["x", "pads"], &["padded"], &[])
        .node("Conv", &["padded", "w"], &["c"], &[AttributeProto::integers("strides", [1, 1])])
        .node("Slice", &["c", "starts", "ends", "axes"], &["part"], &[])
        .node("Relu", &["part"], &["r"], &[])
        .node("MaxPool", &["r"], &["pooled"], &[AttributeProto::integers("kernel_shape", [2, 2])])
        .node("GlobalAveragePool", &["pooled"], &["mean"], &[])
        .node("Shape", &["mean"], &["shape"], &[])
        .node("Gather", &["shape", "place"], &["channels"], &[])
        .node("Unsqueeze", &["channels", "ax"], &["channels1"], &[])
        .node("Concat", &["minus", "channels1"], &["wanted"], &[AttributeProto::int("axis", 0)])
        .node("Reshape", &["mean", "wanted"], &["flat"], &[])
        .node("Gemm", &["flat", "v"], &["y"], &[AttributeProto::float("alpha", 0.5)])
        .output("y")
        .output("r")
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused() {
    for (bytes, step) in [(varied().bytes(), 1), (sample_model("digits.onnx"), 997)] {
        assert_eq!(refusal(&bytes), None, "the whole file is read");
        // The last field is the opset, without which nothing is known.
        for length in (0..bytes.len()).step_by(step) {
            assert!(refusal(&bytes[..length]).is_some(), "{length} of {} bytes were taken for all", bytes.len());
        }
    }
}

#[test]
fn flipped_bits_are_refused_or_compiled() {
    let mut numbers = SplitMix::new(7);
    let (mut refused, mut taken) = (0, 0);
    for (bytes, count) in [(varied().bytes(), 3000), (sample_model("digit-reader.onnx"), 200)] {
        for _ in 0..count {
            let mut bytes = bytes.clone();
            for _ in 0..=numbers.draw() % 3 {
                let place = (numbers.draw() % bytes.len() as u64) as usize;
                bytes[place] ^= 1 << (numbers.draw() % 8);
            }
            match refusal(&bytes) {
                Some(_) => refused += 1,
                None => taken += 1,
            }
        }
    }
    assert!(refused > 100 && taken > 100, "{refused} refused, {taken} taken: the flips hit nothing");
}

/// Field `number` of kind 2 with `content`.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    [bytes.as_slice(), content].concat()
}

/// A graph in an attribute of a node of a graph, and so on.
fn nested(levels: usize) -> Vec<u8> {
    let graph = (0..levels).fold(Vec::new(), |graph, _| field(1, &field(5, &field(6, &graph))));
    [field(7, &graph), field(8, &[0x10, 17])].concat()
}

fn many_nodes(count: usize) -> Sample {
    let mut sample = Sample::new(13).input("x", &[1, 2]).output(&format!("n{count}"));
    for place in 1..=count {
        let (from, to) = (format!("n{}", place - 1), format!("n{place}"));
        sample = sample.node("Relu", &[if place == 1 { "x" } else { &from }], &[&to], &[]);
    }
    sample
}

/// A constant of 2²² integers is what `reader` gets where it wants a few.
fn crowd(reader: &str, inputs: &[&str]) -> Sample {
    Sample::new(13)
        .input("x", &[1, 2, 3, 4])
        .integers("size", &[1], &[1 << 22])
        .integers("one", &[1], &[1])
        .node("ConstantOfShape", &["size"], &["floats"], &[])
        .node("Cast", &["floats"], &["crowd"], &[AttributeProto::int("to", i64::from(data_type::INT64))])
        .node(reader, inputs, &["y"], &[])
        .output("y")
}

fn edited(edit: impl FnOnce(&mut Sample)) -> Vec<u8> {
    let mut sample = varied();
    edit(&mut sample);
    sample.bytes()
}

fn raw(kind: i32, dims: &[i64], bytes: usize) -> TensorProto {
    TensorProto {
        name: "w".into(),
        dims: dims.to_vec(),
        data_type: kind,
        raw_data: vec![0; bytes],
        ..TensorProto::default()
    }
}

/// What is wrong with a file, the file, and a part of the refusal.
struct Hostile(&'static str, fn() -> Vec<u8>, &'static str);

const HOSTILE: &[Hostile] = &[
    Hostile("nothing", Vec::new, "the file is empty"),
    Hostile("a text", || b"It was a dark and stormy night".to_vec(), "not an ONNX model"),
    Hostile("zeros", || vec![0; 1 << 20], "not an ONNX model"),
    Hostile("zeros without end", || vec![0; 4 << 20], "more than 1048576 nodes"),
    Hostile("empty nodes", || field(7, &[0x0a, 0].repeat(2 << 20)), "more than 1048576 nodes"),
    Hostile("empty attributes", || field(7, &field(1, &[0x2a, 0].repeat(2 << 20))), "more than 1048576 nodes"),
    Hostile("a producer of a megabyte", || edited(|s| s.0.producer_name = "x".repeat(1 << 20)), ""),
    Hostile("10,000 graphs in each other", || nested(10_000), "has no outputs"),
    Hostile("100,000 nodes", || many_nodes(100_000).bytes(), "has 100000 nodes; at most 32768"),
    Hostile("a node that reads itself", || edited(|s| s.graph().node[1].input[0] = "c".into()), "cycle"),
    Hostile("a node without operator", || edited(|s| s.graph().node[1].op_type.clear()), "not supported"),
    Hostile("a node without outputs", || edited(|s| s.graph().node[1].output.clear()), "`c` is neither"),
    Hostile("an output twice", || edited(|s| s.graph().node[3].output.push("r".into())), "more than once"),
    Hostile(
        "an output of constants alone",
        || {
            let sample = Sample::new(17).input("x", &[1, 4, 8, 8]).floats("one", &[], &[1.0]);
            sample.node("ReduceMax", &["one"], &["e"], &[]).output("e").bytes()
        },
        "does not depend on any input",
    ),
    Hostile("no initializer", || edited(|s| s.graph().initializer.clear()), "neither an input nor an initializer"),
    Hostile(
        "weights of integers",
        || edited(|s| s.graph().initializer[0] = raw(data_type::INT64, &[4, 2, 3, 3], 576)),
        "Conv",
    ),
    Hostile("weights of texts", || edited(|s| s.graph().initializer[0].data_type = data_type::STRING), "string"),
    Hostile("weights of nothing", || edited(|s| s.graph().initializer[0] = raw(1, &[0, 2, 3, 3], 0)), "Conv"),
    Hostile("weights of an unknown type", || edited(|s| s.graph().initializer[0].data_type = 99), "not supported"),
    Hostile("a byte too few", || edited(|s| s.graph().initializer[0] = raw(1, &[4, 2, 3, 3], 287)), "287 bytes"),
    Hostile("a byte too many", || edited(|s| s.graph().initializer[0] = raw(1, &[4, 2, 3, 3], 289)), "289 bytes"),
    Hostile("a negative dimension", || edited(|s| s.graph().initializer[0].dims[0] = -4), "negative"),
    Hostile("a dimension of 2⁶³", || edited(|s| s.graph().initializer[0].dims[0] = i64::MAX), "too large"),
    Hostile(
        "dimensions that overflow to 72",
        || edited(|s| s.graph().initializer[0].dims = vec![1 << 32, 1 << 32, 72]),
        "too large",
    ),
    Hostile(
        "a thousand dimensions",
        || edited(|s| s.graph().initializer[0].dims = vec![1; 1000]),
        "1000 dimensions; at most 32",
    ),
    Hostile(
        "a million dimensions",
        || edited(|s| s.graph().initializer[0].dims = vec![-1; 1_000_000]),
        "1000000 dimensions; at most 32",
    ),
    Hostile(
        "200,000 axes of an input",
        || {
            edited(|s| {
                s.graph().input[0] = ValueInfoProto::tensor("x", 1, &vec![1; 200_000]);
            })
        },
        "200000 dimensions; at most 32",
    ),
    Hostile(
        "an input of 2⁶² elements",
        || {
            edited(|s| {
                s.graph().input[0] = ValueInfoProto::tensor("x", 1, &[1, 1 << 31, 1 << 31]);
            })
        },
        "too large",
    ),
    Hostile("opset −1", || edited(|s| s.0.opset_import[0].version = -1), "uses opset -1"),
    Hostile("opset 2⁶³", || edited(|s| s.0.opset_import[0].version = i64::MAX), "uses opset 9223372036854775807"),
    Hostile("a stride of 0", || edited(|s| s.graph().node[1].attribute[0].ints[0] = 0), "strides"),
    Hostile("a stride of −1", || edited(|s| s.graph().node[1].attribute[0].ints[0] = -1), "strides"),
    Hostile("a window of 2⁶³", || edited(|s| s.graph().node[4].attribute[0].ints[0] = i64::MAX), "MaxPool"),
    Hostile(
        "an attribute of another type",
        || edited(|s| s.graph().node[1].attribute[0].r#type = attribute_type::FLOAT),
        "another type",
    ),
    Hostile(
        "pads that overflow",
        || edited(|s| s.graph().initializer[5] = TensorProto::from_i64("pads", &[8], &[i64::MAX; 8])),
        "Pad",
    ),
    Hostile("a factor that is no number", || edited(|s| s.graph().node[11].attribute[0].f = Some(f32::NAN)), "finite"),
    Hostile(
        "a name of a megabyte",
        || edited(|s| s.graph().node[1].input[1] = "w".repeat(1 << 20)),
        "neither an input",
    ),
    Hostile(
        "an operator of a megabyte",
        || edited(|s| s.graph().node[1].op_type = "C".repeat(1 << 20)),
        "not supported",
    ),
    Hostile(
        "a thousand operators",
        || {
            let mut sample = many_nodes(1000);
            for (place, node) in sample.graph().node.iter_mut().enumerate() {
                node.op_type = format!("Operator{place}");
            }
            sample.bytes()
        },
        "and 990 more",
    ),
    Hostile(
        "millions that hundreds read",
        || {
            let mut sample = Sample::new(13).input("x", &[1]).integers("size", &[1], &[1 << 22]).output("n100");
            sample = sample.node("ConstantOfShape", &["size"], &["crowd"], &[]);
            for place in 1..=100 {
                let (from, to) = (format!("n{}", place - 1), format!("n{place}"));
                sample = sample.node("Add", &[if place == 1 { "x" } else { &from }, "crowd"], &[&to], &[]);
            }
            sample.bytes()
        },
        "read constants of more than",
    ),
    Hostile("a shape of millions", || crowd("Reshape", &["x", "crowd"]).bytes(), "has 4194304 values"),
    Hostile("a shape of millions to fill", || crowd("ConstantOfShape", &["crowd"]).bytes(), "has 4194304 values"),
    Hostile("axes of millions", || crowd("Unsqueeze", &["x", "crowd"]).bytes(), "has 4194304 values"),
    Hostile("pads of millions", || crowd("Pad", &["x", "crowd"]).bytes(), "has 4194304 values"),
    Hostile("starts of millions", || crowd("Slice", &["x", "crowd", "crowd"]).bytes(), "has 4194304 values"),
    Hostile("parts of millions", || crowd("Split", &["x", "crowd"]).bytes(), "has 4194304 values"),
    Hostile("sizes of millions", || crowd("Resize", &["x", "", "", "crowd"]).bytes(), "has 4194304 values"),
    Hostile("places of millions", || crowd("Gather", &["x", "crowd"]).bytes(), "are not evenly spaced"),
];

#[test]
fn hostile_files_are_refused_by_name() {
    let mut wrong = Vec::new();
    for Hostile(what, file, expected) in HOSTILE {
        let found = refusal(&file());
        let fits = found.as_ref().map_or(expected.is_empty(), |found| {
            !expected.is_empty() && found.contains(expected) && found.len() < MESSAGE_LIMIT
        });
        if !fits {
            let found = found.map(|found| found.chars().take(300).collect::<String>());
            wrong.push(format!("{what}: expected `{expected}`, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
