//! What `check` says of ONNX files, from small ones made here.

use proptest::prelude::*;

use super::*;
use crate::cards::tests::GOOD;
use crate::cards::tests::Zoo;
use crate::compiler::onnx::ImportOptions;
use crate::compiler::onnx::NoExternalData;
use crate::compiler::onnx::OnnxFile;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::onnx::proto::StringStringEntryProto;
use crate::compiler::onnx::sample::Sample;

/// The network that the good card describes: 3 channels of 8 × 16.
fn good(opset: i64) -> Sample {
    Sample::new(opset)
        .input("x", &[1, 3, 8, 16])
        .weights("w", &[4, 3, 3, 3])
        .node("Conv", &["x", "w"], &["c"], &[])
        .node("Relu", &["c"], &["y"], &[])
        .output("y")
}

/// Leaves dimensions of the first input open.
fn opened(mut sample: Sample, axes: &[usize]) -> Sample {
    let kind = sample.graph().input[0].r#type.as_mut().and_then(|kind| kind.tensor_type.as_mut());
    let shape = kind.and_then(|tensor| tensor.shape.as_mut()).expect("a shape");
    for &axis in axes {
        shape.dim[axis].dim_value = None;
        shape.dim[axis].dim_param = Some("N".to_owned());
    }
    sample
}

/// Severity, code and line of what is found, then message and hint.
fn found(card: &str, weights: &[u8], run_graph_cleaner: bool) -> Vec<String> {
    let zoo = Zoo::new(&[("model_cards/net.yaml", card)]);
    zoo.write("model_cards/weights/m.onnx", weights);
    let card = zoo.card();
    let models: Vec<ModelToCheck<'_>> =
        card.models.iter().map(|model| ModelToCheck { card: &card, model, run_graph_cleaner }).collect();
    let text = |problem: crate::diag::Diagnostic| {
        assert_eq!((problem.network.as_deref(), problem.model.is_some()), (Some("net"), true));
        let line = problem.place.as_ref().map_or(0, |place| place.position().line);
        let (severity, code) = (problem.severity.word(), problem.code);
        format!("{severity} {code}:{line} {} | {}", problem.message, problem.hint.unwrap_or_default())
    };
    check_weights(&models).into_iter().map(text).collect()
}

/// A model (from the good one), what of the card is replaced by what, and parts of all that is found.
struct Case(fn() -> Sample, &'static str, &'static str, &'static [&'static str]);

fn check_all(cases: &[Case]) {
    let mut wrong = Vec::new();
    for Case(model, from, to, expected) in cases {
        let card = if from.is_empty() { GOOD.to_owned() } else { GOOD.replace(from, to) };
        let found = found(&card, &model().bytes(), true);
        let fits =
            found.len() == expected.len() && found.iter().zip(*expected).all(|(found, part)| found.contains(part));
        if !fits {
            wrong.push(format!("{from} {to}\n  expected {expected:#?}\n  found    {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn opsets_and_files_are_looked_at() {
    check_all(&[
        Case(|| good(17), "", "", &[]),
        Case(|| good(9), "", "", &["note onnx/opset:17 the model has opset 9"]),
        Case(|| good(18), "", "", &["warning onnx/opset:17 the model has opset 18"]),
        Case(
            || good(19),
            "",
            "",
            &["error onnx/opset:17 the model has opset 19; the embedded compiler reads opsets 7 to 18"],
        ),
        Case(
            || {
                let mut sample = good(17);
                sample.0.opset_import.clear();
                sample
            },
            "",
            "",
            &["error onnx/opset:17 the model does not say which opset"],
        ),
    ]);
}

#[test]
fn the_input_of_the_card_is_held_against_the_model() {
    check_all(&[
        Case(|| opened(good(17), &[0]), "", "", &[]),
        Case(
            || opened(good(17), &[0, 2, 3]),
            "",
            "",
            &[
                "note onnx/dynamic-shape:19 the input `x` is [?, 3, ?, ?] in the model; it is compiled with the card's [1, 3, 8, 16]",
            ],
        ),
        Case(
            || good(17),
            "[1, 3, 8, 16]",
            "[1, 3, 8, 17]",
            &[
                "error onnx/input-shape:19 the input `x` is [1, 3, 8, 16] in the model; `input_tensor_shape` is [1, 3, 8, 17] | \
               write `input_tensor_shape: [1, 3, 8, 16]`",
            ],
        ),
        Case(
            || opened(good(17), &[3]),
            "[1, 3, 8, 16]",
            "[1, 3, 9, 20]",
            &[
                "error onnx/input-shape:19 the input `x` is [1, 3, 8, ?] in the model; `input_tensor_shape` is [1, 3, 9, 20] | \
               write `input_tensor_shape: [1, 3, 8, 20]`",
            ],
        ),
        Case(
            || good(17),
            "NCHW\n    input_tensor_shape: [1, 3, 8, 16]",
            "NHWC\n    input_tensor_shape: [1, 8, 16, 3]",
            &[
                "error onnx/layout:19 the input `x` is [1, 3, 8, 16] in the model; the card's [1, 8, 16, 3] in NHWC has its \
               axes in another order | write `input_tensor_layout: NCHW` and `input_tensor_shape: [1, 3, 8, 16]`",
            ],
        ),
        Case(
            || good(17),
            "[1, 3, 8, 16]",
            "[1, 8, 16, 3]",
            &[
                "error onnx/layout:19 the input `x` is [1, 3, 8, 16] in the model; the card's [1, 8, 16, 3] in NCHW has its \
               axes in another order | write `input_tensor_layout: NCHW` and `input_tensor_shape: [1, 3, 8, 16]`",
            ],
        ),
        Case(
            || good(17),
            "NCHW",
            "CHWN",
            &[
                "error onnx/layout:19 [1, 3, 8, 16] in the layout CHWN has 1 channel; the color format `RGB` has 3 channels, as the shape has in \
               NCHW | write `input_tensor_layout: NCHW`",
            ],
        ),
        Case(
            || good(17),
            "RGB",
            "GRAY",
            &[
                "warning onnx/channels:19 [1, 3, 8, 16] in the layout NCHW has 3 channels; the color format `GRAY` has 1 channel | write \
               `input_color_format: RGB` or `BGR`",
            ],
        ),
        Case(
            || good(17).input("z", &[1]),
            "",
            "",
            &["error onnx/inputs:17 the model has 2 inputs (`x`, `z`); a card describes one"],
        ),
        Case(
            || {
                let mut sample = good(17);
                sample.graph().input.clear();
                sample
            },
            "",
            "",
            &["error onnx/inputs:17 the model has no input; a card describes one", "error onnx/not-supported:17"],
        ),
    ]);
}

#[test]
fn operators_are_named_with_where_they_would_run() {
    check_all(&[
        Case(
            || {
                good(17)
                    .node("Sinh", &["y"], &["e"], &[])
                    .node("Sinh", &["e"], &["f"], &[])
                    .node("Relu", &["f"], &["r"], &[])
                    .node("Softmax", &["y"], &["s"], &[])
                    .node("ReduceProd", &["y"], &["odd"], &[AttributeProto::integers("axes", [1])])
                    .output("r")
                    .output("s")
                    .output("odd")
            },
            "",
            "",
            &[
                "error onnx/not-supported:17 the embedded compiler refuses `Sinh` (2 nodes, the first is `make_e`)",
                "error onnx/not-supported:17 the embedded compiler refuses `ReduceProd` (node `make_odd`)",
                "note onnx/host-after:17 the host runs 5 operators after the AIPU, from `make_e` on: 2 `Sinh`, 1 `Relu`, 1 \
                 `Softmax`, 1 `ReduceProd`",
            ],
        ),
        // Nothing is known behind `Sinh`; arithmetic on shapes is none of the device's business all the same.
        Case(
            || {
                good(17)
                    .node("Sinh", &["y"], &["e"], &[])
                    .node("Shape", &["e"], &["shape"], &[])
                    .integers("one", &[1], &[1])
                    .node("Div", &["shape", "one"], &["wanted"], &[])
                    .node("Reshape", &["e", "wanted"], &["r"], &[])
                    .weights("v", &[4, 4, 3, 3])
                    .node("Conv", &["r", "v"], &["z"], &[])
                    .output("z")
            },
            "",
            "",
            &["error onnx/not-supported:17 the embedded compiler refuses `Sinh` (node `make_e`)"],
        ),
        Case(
            || {
                good(17)
                    .weights("v", &[4, 4, 3, 3])
                    .node("Transpose", &["y"], &["t"], &[AttributeProto::integers("perm", [0, 1, 3, 2])])
                    .node("Conv", &["t", "v"], &["z"], &[])
                    .output("z")
            },
            "",
            "",
            &[
                "warning onnx/operator:17 the AIPU refuses `Transpose` (node `make_t`) in the middle of the network: `perm` is \
               [0, 1, 3, 2]; it is in no attention block; expected the identity; or `perm` [0, 1, 3, 2], a place in",
            ],
        ),
        Case(
            || {
                let mut sample = good(17);
                sample.graph().node[0].attribute.push(AttributeProto::text("auto_pad", "VALID"));
                sample
            },
            "",
            "",
            &[
                "warning onnx/no-core:17 the AIPU takes no layer of this model: `Conv` (node `make_c`): `auto_pad` is VALID, \
               expected `auto_pad` NOTSET",
            ],
        ),
        Case(
            || good(17).node("Neg", &["w"], &["constant"], &[]).output("constant"),
            "",
            "",
            &["error onnx/not-supported:17"],
        ),
        Case(
            || {
                let mut sample = good(17);
                let weights = &mut sample.graph().initializer[0];
                weights.raw_data.clear();
                weights.data_location = 1;
                let entry = |key: &str, value: &str| StringStringEntryProto { key: key.into(), value: value.into() };
                weights.external_data = vec![entry("location", "m.bin")];
                sample
            },
            "",
            "",
            &["error onnx/external-data:17 tensors of the model lie in `m.bin`"],
        ),
    ]);
}

#[test]
fn a_file_that_is_no_onnx_file_is_one_error() {
    let cases: [(&[u8], &str); 3] = [
        (b"no model", "the file is not an ONNX model: "),
        (b"<html>not found</html>", "the file is not an ONNX model but a web page | download the file again"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
            "the file is not an ONNX model but a Git LFS pointer to one | fetch the model itself with `git lfs pull`",
        ),
    ];
    for (bytes, expected) in cases {
        let all = found(GOOD, bytes, true);
        assert_eq!(all.len(), 1, "{all:?}");
        let expected = format!("error onnx/unreadable:17 `weights/m.onnx`: {expected}");
        assert!(all[0].starts_with(&expected), "{all:?}");
    }
    let whole = good(17).bytes();
    assert!(found(GOOD, &whole[..whole.len() - 9], true)[0].contains("is the file whole?"));
}

#[test]
fn weights_of_other_kinds_and_absent_ones_say_nothing() {
    assert!(found(&GOOD.replace("m.onnx", "m.pt"), b"no ONNX", true).is_empty());
    assert!(found(&GOOD.replace("m.onnx", "absent.onnx"), b"no ONNX", true).is_empty());
}

#[test]
fn without_the_graph_cleaner_nothing_is_left_to_the_host() {
    let sample = good(17).node("Softmax", &["y"], &["s"], &[]).output("s").bytes();
    let after = found(GOOD, &sample, true);
    assert!(after.len() == 1 && after[0].starts_with("note onnx/host-after"), "{after:?}");
    let refused = found(GOOD, &sample, false);
    assert!(
        refused.len() == 1 && refused[0].starts_with("warning onnx/operator:17 the AIPU refuses `Softmax`"),
        "{refused:?}"
    );
    assert!(refused[0].contains("run_graph_cleaner"), "{refused:?}");
}

/// An operator that is refused when the values of a large constant are not known is looked at with them.
#[test]
fn values_that_were_left_in_the_file_refuse_nothing() {
    let large = |value: f32| {
        good(17)
            .floats("large", &[4, 100, 100], &vec![value; 40_000])
            .floats("first", &[], &[0.0])
            .node("Pow", &["wide", "large"], &["p"], &[])
            .node("Resize", &["y", "", "", "sizes"], &["wide"], &[])
            .integers("sizes", &[4], &[1, 4, 100, 100])
            .output("p")
    };
    let refusals = |value| {
        let all = found(GOOD, &large(value).bytes(), true);
        all.into_iter().filter(|text| text.contains("onnx/not-supported")).collect::<Vec<_>>()
    };
    assert!(refusals(2.0).is_empty(), "{:?}", refusals(2.0));
    let endless = refusals(f32::INFINITY);
    assert!(endless[0].contains("its exponent is not one finite number"), "{endless:?}");
}

proptest! {
    /// Whatever lies where the weights should be is judged without a panic, read in part or whole.
    #[test]
    fn damaged_files_never_panic(place in 0_usize..4096, byte in any::<u8>(), cut in 0_usize..4096) {
        let sample = good(13)
            .integers("flat", &[2], &[1, -1])
            .node("Pad", &["y", "pads"], &["padded"], &[])
            .integers("pads", &[8], &[0, 0, 1, 1, 0, 0, 1, 1])
            .node("Slice", &["padded", "starts", "ends", "axes"], &["part"], &[])
            .integers("starts", &[1], &[0])
            .integers("ends", &[1], &[1])
            .integers("axes", &[1], &[1])
            .node("Reshape", &["part", "flat"], &["z"], &[])
            .output("z");
        let mut bytes = sample.bytes();
        let length = bytes.len();
        bytes[place % length] = byte;
        for length in [length, cut % (length + 1)] {
            let bytes = &bytes[..length];
            let skimmed = OnnxFile::skim(std::io::Cursor::new(bytes), length as u64);
            for file in [skimmed, OnnxFile::decode(bytes)].into_iter().flatten() {
                let inputs = file.inputs();
                let survey = file.survey(&NoExternalData, &ImportOptions::default());
                if let Ok(survey) = survey {
                    operators::check(&survey, inputs.len() == 1, &mut Vec::new());
                }
            }
        }
    }
}
