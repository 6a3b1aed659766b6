//! Whole files: what is read, what is refused, and that nothing makes the reader panic.

use proptest::prelude::*;

use crate::compiler::Status;
use crate::compiler::onnx::ExternalData;
use crate::compiler::onnx::ImportOptions;
use crate::compiler::onnx::NoExternalData;
use crate::compiler::onnx::export;
use crate::compiler::onnx::import;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::onnx::proto::StringStringEntryProto;
use crate::compiler::onnx::proto::TensorProto;
use crate::compiler::onnx::proto::ValueInfoProto;
use crate::compiler::onnx::proto::data_type;
use crate::compiler::onnx::sample::Sample;

/// Two nodes out of order, one that nothing needs, an initializer that is listed as an input too.
fn small() -> Sample {
    let mut sample = Sample::new(13)
        .input("x", &[1, 2, 4, 4])
        .weights("w", &[3, 2, 1, 1])
        .node("Relu", &["c"], &["y"], &[])
        .node("Conv", &["x", "w"], &["c"], &[])
        .node("Sigmoid", &["c"], &["unused"], &[])
        .output("y");
    sample.graph().input.push(ValueInfoProto::tensor("w", data_type::FLOAT, &[3, 2, 1, 1]));
    sample
}

#[test]
fn a_file_becomes_a_graph() {
    let text = small().import().expect("imported").to_text();
    let digest = text.split_once('#').and_then(|(_, rest)| rest.get(..12)).expect("the weights' digest").to_owned();
    assert_eq!(
        text.replace(&digest, "…"),
        "graph `sample`\n\
         input %0 `x` [1, 2, 4, 4]\n\
         %1 `c` [1, 3, 4, 4] = convolution strides=[1, 1] pads=[0, 0, 0, 0] dilations=[1, 1] group=1 (%0, [3, 2, 1, 1]#…)\n\
         %2 `y` [1, 3, 4, 4] = relu (%1)\n\
         output %2 `y`\n"
    );
}

#[test]
fn what_is_written_reads_back_as_the_same() {
    let graph = small().import().expect("imported");
    let bytes = export(&graph);
    let again = import(&bytes, &NoExternalData, &ImportOptions::default()).expect("our own file is read");
    assert_eq!(again.to_text(), graph.to_text());
    assert_eq!(export(&again), bytes);
}

#[test]
fn all_unsupported_operators_are_named_at_once() {
    let mut sample = Sample::new(13)
        .input("x", &[1, 2])
        .node("TopK", &["x"], &["a"], &[])
        .node("TopK", &["a"], &["b"], &[])
        .node("BiasGelu", &["b"], &["c"], &[])
        .node("NonZero", &["c"], &["dead"], &[])
        .output("c");
    sample.graph().node[2].domain = "com.microsoft".into();
    let error = sample.import().expect_err("refused");
    assert_eq!(error.status, Status::OnnxGraphCleanerError);
    let message = error.to_string();
    assert!(message.contains("`TopK` of `ai.onnx` (2 nodes, the first is `make_a`)"), "{message}");
    assert!(message.contains("`BiasGelu` of `com.microsoft` (node `make_c`)"), "{message}");
    assert!(!message.contains("NonZero"), "a node that nothing needs was reported: {message}");
}

#[test]
fn open_dimensions_are_closed_or_asked_for() {
    let open = |dimensions: &[Option<i64>]| {
        let mut sample = Sample::new(13).input("x", &[9; 4]).node("Relu", &["x"], &["y"], &[]).output("y");
        let kind = sample.graph().input[0].r#type.as_mut().and_then(|kind| kind.tensor_type.as_mut());
        let shape = kind.and_then(|tensor| tensor.shape.as_mut()).expect("a shape");
        for (dimension, value) in shape.dim.iter_mut().zip(dimensions) {
            dimension.dim_value = *value;
            dimension.dim_param = value.is_none().then(|| "N".to_owned());
        }
        sample
    };
    let read = |dimensions: &[Option<i64>], given: &[usize]| {
        let options = ImportOptions { input_shapes: vec![given.to_vec()] };
        let graph = import(&open(dimensions).bytes(), &NoExternalData, &options);
        graph
            .map(|graph| graph.value(graph.inputs[0]).shape.clone())
            .map_err(|error| format!("{error} {:?}", error.hint))
    };
    for batch in [None, Some(0), Some(-1)] {
        assert_eq!(read(&[batch, Some(3), Some(4), Some(5)], &[]), Ok(vec![1, 3, 4, 5]), "{batch:?}");
    }
    let asked = read(&[None, Some(3), None, Some(5)], &[]).expect_err("an open height");
    assert!(asked.contains("--input-shape") && asked.contains("input_tensor_shape"), "{asked}");
    assert_eq!(read(&[None, Some(3), None, Some(5)], &[1, 3, 8, 5]), Ok(vec![1, 3, 8, 5]));
    for wrong in [&[1, 4, 8, 5][..], &[1, 3, 8], &[1, 3, 0, 5], &[1 << 40, 3, 8, 5]] {
        assert!(read(&[None, Some(3), None, Some(5)], wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn files_that_make_no_sense_are_refused() {
    struct Case(&'static str, fn(&mut Sample));
    let cases = [
        Case("has no graph", |sample| sample.0.graph = None),
        Case("does not say which opset", |sample| sample.0.opset_import.clear()),
        Case("the file uses opset 6", |sample| sample.0.opset_import[0].version = 6),
        Case("the file uses opset 24", |sample| sample.0.opset_import[0].version = 24),
        Case("has no outputs", |sample| sample.graph().output.clear()),
        Case("`z` is neither", |sample| sample.graph().node[1].input[0] = "z".into()),
        Case("`c` is written more than once", |sample| sample.graph().node[2].output[0] = "c".into()),
        Case("cycle", |sample| sample.graph().node[1].input[0] = "y".into()),
        Case("two initializers", |sample| {
            let twin = sample.graph().initializer[0].clone();
            sample.graph().initializer.push(twin);
        }),
        Case("two inputs are called `x`", |sample| {
            let twin = sample.graph().input[0].clone();
            sample.graph().input.push(twin);
        }),
        Case("the initializer `w` cannot be read", |sample| {
            sample.graph().initializer[0].dims = vec![1 << 60, 1 << 60];
        }),
        Case("the initializer `w` cannot be read", |sample| sample.graph().initializer[0].dims = vec![7]),
        Case("sparse", |sample| sample.graph().sparse_initializer.push(vec![])),
        Case("does not depend on any input", |sample| sample.graph().output[0].name = "w".into()),
        Case("is of uint8", |sample| {
            sample.graph().input[0] = ValueInfoProto::tensor("x", data_type::UINT8, &[1, 2, 4, 4]);
        }),
        Case("is not a tensor", |sample| sample.graph().input[0].r#type = None),
        Case("no meaning", |sample| sample.graph().node[0].attribute.push(AttributeProto::int("no meaning", 1))),
    ];
    let mut wrong = Vec::new();
    for Case(expected, damage) in cases {
        let mut sample = small();
        damage(&mut sample);
        match sample.import() {
            Err(error) if error.to_string().contains(expected) => {}
            other => wrong.push(format!("{expected}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn outputs_keep_their_names_and_order() {
    let sample = Sample::new(13)
        .input("x", &[1, 4])
        .node("Relu", &["x"], &["r"], &[])
        .node("Identity", &["r"], &["b"], &[])
        .node("Identity", &["r"], &["a"], &[])
        .node("Identity", &["x"], &["c"], &[])
        .output("b")
        .output("a")
        .output("c");
    let graph = sample.import().expect("imported");
    let names: Vec<&str> = graph.outputs.iter().map(|&output| graph.value(output).name.as_str()).collect();
    assert_eq!(names, ["b", "a", "c"]);
}

#[test]
fn shapes_computed_in_the_file_are_folded() {
    let sample = Sample::new(13)
        .input("x", &[2, 3, 4])
        .integers("zero", &[], &[0])
        .integers("minus_one", &[1], &[-1])
        .integers("axes", &[1], &[0])
        .node("Shape", &["x"], &["s"], &[])
        .node("Gather", &["s", "zero"], &["n"], &[])
        .node("Unsqueeze", &["n", "axes"], &["n1"], &[])
        .node("Concat", &["n1", "minus_one"], &["t"], &[AttributeProto::int("axis", 0)])
        .node("Reshape", &["x", "t"], &["y"], &[])
        .output("y");
    let graph = sample.import().expect("imported");
    assert_eq!(graph.nodes.len(), 1);
    assert_eq!(graph.value(graph.outputs[0]).shape, [2, 12]);
}

#[test]
fn hostile_constants_are_refused_before_they_are_allocated() {
    let filled = |shape: &[i64]| {
        Sample::new(13)
            .input("x", &[1])
            .integers("s", &[shape.len()], shape)
            .node("ConstantOfShape", &["s"], &["c"], &[])
            .node("Add", &["x", "c"], &["y"], &[])
            .output("y")
            .import()
    };
    for shape in [&[1 << 60][..], &[1 << 40, 1 << 40], &[-1], &[1 << 31], &[1 << 29]] {
        assert!(filled(shape).is_err(), "{shape:?}");
    }
    assert!(filled(&[4]).is_ok());
    let activation =
        |size| Sample::new(13).input("x", &[1, size]).node("Relu", &["x"], &["y"], &[]).output("y").import();
    let message = activation((1 << 28) + 1).expect_err("more than a gibibyte of floats").to_string();
    assert!(message.contains("at most 268435456 elements are supported"), "{message}");
    assert!(activation(1 << 28).is_ok());
    // Every step is small; the sum is not.
    let mut sample = Sample::new(13).input("x", &[1]).integers("s", &[1], &[1 << 26]);
    for place in 0..8 {
        let name = format!("c{place}");
        sample = sample.node("ConstantOfShape", &["s"], &[&name], &[]).output(&name);
    }
    let message = sample.import().expect_err("refused").to_string();
    assert!(message.contains("needs more than"), "{message}");
}

#[test]
fn weights_outside_the_file_are_read() {
    struct Stored(Vec<u8>);
    impl ExternalData for Stored {
        fn read(&self, location: &str, offset: u64, length: u64) -> Result<Vec<u8>, String> {
            let range = offset as usize..offset.saturating_add(length) as usize;
            self.0.get(range).map(<[u8]>::to_vec).ok_or_else(|| format!("`{location}` is too short"))
        }
    }
    let entry = |key: &str, value: &str| StringStringEntryProto { key: key.into(), value: value.into() };
    let mut sample = small();
    let weights = &mut sample.graph().initializer[0];
    let stored = Stored([vec![0; 8], std::mem::take(&mut weights.raw_data)].concat());
    weights.data_location = 1;
    weights.external_data = vec![entry("location", "./w.bin"), entry("offset", "8"), entry("length", "24")];
    let graph = import(&sample.bytes(), &stored, &ImportOptions::default()).expect("imported");
    assert_eq!(graph.to_text(), small().import().expect("imported").to_text());
    let refused = sample.import().expect_err("no folder is given").to_string();
    assert!(refused.contains("another file, `w.bin`"), "{refused}");
    sample.graph().initializer[0].external_data[1] = entry("offset", "18446744073709551615");
    assert!(import(&sample.bytes(), &Stored(vec![]), &ImportOptions::default()).is_err());
}

#[test]
fn half_precision_files_are_read_as_floats() {
    let mut sample = Sample::new(13).input("x", &[1, 2]).node("Add", &["x", "h"], &["y"], &[]).output("y");
    sample.graph().input[0] = ValueInfoProto::tensor("x", data_type::FLOAT16, &[1, 2]);
    let half = TensorProto {
        name: "h".into(),
        dims: vec![2],
        data_type: data_type::FLOAT16,
        raw_data: vec![0x00, 0x3c, 0x00, 0xc0],
        ..TensorProto::default()
    };
    sample.graph().initializer.push(half);
    let text = sample.import().expect("imported").to_text();
    assert!(text.contains("add (%0, [2][1.0, -2.0])"), "{text}");
}

proptest! {
    /// A reader of files from anywhere must refuse, never panic.
    #[test]
    fn damaged_files_never_panic(place in 0_usize..4096, byte in any::<u8>(), cut in 0_usize..4096) {
        let mut bytes = small().bytes();
        let length = bytes.len();
        bytes[place % length] = byte;
        let _ = import(&bytes, &NoExternalData, &ImportOptions::default());
        bytes.truncate(cut % (length + 1));
        let _ = import(&bytes, &NoExternalData, &ImportOptions::default());
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = import(&bytes, &NoExternalData, &ImportOptions::default());
    }
}
