//! `error_artifact.zip`: what a failed compilation leaves when `save_error_artifact` asks for it.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::PathBuf;

use prost::Message;

use super::folder::{ARGUMENTS, CONF, ERROR_ARTIFACT, MODEL};
use super::journal::Journal;
use super::outcome::Outcome;
use crate::base::SplitMix;
use crate::base::fs;
use crate::compiler::onnx::proto::{AttributeProto, ModelProto, TensorProto, data_type};
use crate::pack::Entry;
use crate::pack::write_zip;

/// Floats of a constant that says what an operator does, at most.
const FORM_LIMIT: i64 = 16;

/// Letters of a node's name that are shown.
const LABEL_LIMIT: usize = 100;

/// Bytes of a text that says what an operator does, at most.
const TEXT_LIMIT: usize = 256;

/// The archive: report, log, and what was made before the failure. Where the weights are to stay secret, those of the model
/// are replaced by random ones and everything else that holds them is left out.
pub(super) fn archive(
    outcome: &Outcome,
    journal: &Journal,
    made: &[(String, PathBuf)],
    randomize: bool,
) -> Result<Vec<u8>, String> {
    let mut held: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, file) in made {
        let bytes = fs::read(file).map_err(|error| error.to_string())?;
        if !randomize || [ARGUMENTS, CONF].contains(&name.as_str()) {
            held.push((name.clone(), bytes));
        } else if name == MODEL {
            match randomized(&bytes) {
                Ok(bytes) => held.push((name.clone(), bytes)),
                Err(why) => journal.line(&format!("`{ERROR_ARTIFACT}`: the model is left out: {why}")),
            }
        }
    }
    let mut entries = vec![
        ("compilation_report.json".to_owned(), outcome.to_json()),
        ("compilation_log.txt".to_owned(), journal.text().into_bytes()),
    ];
    entries.append(&mut held);
    let mut archive = Cursor::new(Vec::new());
    let entries = entries.into_iter().map(|(name, bytes)| Entry::bytes(name, bytes)).collect();
    write_zip(&mut archive, entries).map_err(|error| error.to_string())?;
    Ok(archive.into_inner())
}

/// Why not all weights of a model can be replaced, if so: they may be where nothing here looks.
fn opaque(model: &ModelProto) -> Option<String> {
    if !model.functions.is_empty() {
        return Some("it has functions of its own, whose weights would stay".to_owned());
    }
    let graph = model.graph.as_ref()?;
    if !graph.sparse_initializer.is_empty() {
        return Some("it has sparse weights, which would stay".to_owned());
    }
    for node in &graph.node {
        let has = |is: &dyn Fn(&AttributeProto) -> bool| node.attribute.iter().any(is);
        let name = if node.name.is_empty() { &node.op_type } else { &node.name };
        let label = || name.chars().take(LABEL_LIMIT).collect::<String>();
        if has(&|attribute| attribute.g.is_some()) {
            return Some(format!("node `{}` has a graph in it, whose weights would stay", label()));
        }
        let is_long = |text: &Vec<u8>| text.len() > TEXT_LIMIT;
        if has(&|attribute| attribute.s.iter().chain(&attribute.strings).any(is_long)) {
            return Some(format!("node `{}` has a text that may hold weights", label()));
        }
    }
    None
}

/// The model with random numbers of the same count in place of its weights; an error, why there is none.
fn randomized(bytes: &[u8]) -> Result<Vec<u8>, String> {
    // A file that is no ONNX may hold anything.
    let no_model = || "it is not read as ONNX".to_owned();
    let mut model = ModelProto::decode(bytes).map_err(|_| no_model())?;
    if let Some(why) = opaque(&model) {
        return Err(why);
    }
    model.metadata_props.clear();
    let graph = model.graph.as_mut().ok_or_else(no_model)?;
    // Who reads what, and at which place.
    let mut readers: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
    for node in &graph.node {
        for (place, name) in node.input.iter().enumerate() {
            readers.entry(name.clone()).or_default().push((node.op_type.clone(), place));
        }
    }
    let readers = |name: &str| readers.get(name).map_or(&[][..], Vec::as_slice);
    let mut numbers = SplitMix::new(0);
    for tensor in &mut graph.initializer {
        let readers = readers(&tensor.name);
        randomize(tensor, readers, &mut numbers);
    }
    for node in &mut graph.node {
        let readers = node.output.first().map_or(&[][..], |name| readers(name));
        for attribute in &mut node.attribute {
            if let Some(tensor) = &mut attribute.t {
                randomize(tensor, readers, &mut numbers);
            }
            let is_learned = match node.op_type.as_str() {
                "Constant" => !is_form(readers),
                _ => attribute.floats.len() > FORM_LIMIT as usize || !matches!(node.domain.as_str(), "" | "ai.onnx"),
            };
            if is_learned {
                attribute.floats.iter_mut().chain(&mut attribute.f).for_each(|value| *value = drawn(&mut numbers));
            }
            if node.op_type == "Constant" && !is_place(readers) && attribute.ints.len() > FORM_LIMIT as usize {
                attribute.ints.iter_mut().for_each(|value| *value = whole(drawn(&mut numbers)));
            }
        }
    }
    Ok(model.encode_to_vec())
}

/// Operators whose constants of floats say what is done, and were not learned.
const FORMS: [&str; 9] = ["Clip", "NonMaxSuppression", "OneHot", "Pad", "Pow", "Range", "Resize", "Upsample", "Where"];

/// Whether all that read a constant take it as a form: scales of a `Resize`, bounds of a `Clip`, zero points.
fn is_form(readers: &[(String, usize)]) -> bool {
    let is_read = |(operator, place): &(String, usize)| match operator.as_str() {
        "QuantizeLinear" | "DequantizeLinear" => *place == 2,
        operator => *place > 0 && FORMS.contains(&operator),
    };
    !readers.is_empty() && readers.iter().all(is_read)
}

/// Whether all that read a constant take it as a shape, axes or places, without which the graph would mean nothing.
fn is_place(readers: &[(String, usize)]) -> bool {
    const PLACES: [&str; 17] = [
        "CumSum",
        "Expand",
        "Gather",
        "GatherElements",
        "GatherND",
        "NonMaxSuppression",
        "OneHot",
        "Pad",
        "Reshape",
        "Resize",
        "ScatterND",
        "Slice",
        "Split",
        "Squeeze",
        "Tile",
        "TopK",
        "Unsqueeze",
    ];
    let is_read = |(operator, place): &(String, usize)| match operator.as_str() {
        "ConstantOfShape" | "Range" => true,
        "QuantizeLinear" | "DequantizeLinear" => *place == 2,
        operator => *place > 0 && (PLACES.contains(&operator) || operator.starts_with("Reduce")),
    };
    !readers.is_empty() && readers.iter().all(is_read)
}

/// A small whole number.
fn whole(number: f32) -> i64 {
    (number * 255.0) as i64
}

/// From -0.5 to 0.5.
fn drawn(numbers: &mut SplitMix) -> f32 {
    (numbers.draw() >> 40) as f32 / 16_777_216.0 - 0.5
}

/// Shapes and places stay, and so do a few numbers that say what an operator does, or what becomes of a shape.
fn randomize(tensor: &mut TensorProto, readers: &[(String, usize)], numbers: &mut SplitMix) {
    let count = tensor.dims.iter().fold(1_i64, |count, side| count.saturating_mul(*side));
    let is_branch = readers.iter().any(|(operator, _)| matches!(operator.as_str(), "Pow" | "Where"));
    if is_form(readers) && count <= if is_branch { 1 } else { FORM_LIMIT } {
        return;
    }
    let is_whole = matches!(
        tensor.data_type,
        data_type::INT32 | data_type::INT64 | data_type::BOOL | data_type::UINT32 | data_type::UINT64
    );
    // Shapes are computed from a few numbers of 64 bits, and by many operators.
    let is_of_shape = tensor.data_type == data_type::INT64
        && count <= FORM_LIMIT
        && !readers.iter().any(|(operator, _)| operator == "DequantizeLinear");
    if is_whole && (is_place(readers) || is_of_shape) {
        return;
    }
    // Divisors: scales of quantization, and the variance of a batch.
    let is_positive = readers.iter().any(|(operator, place)| {
        matches!((operator.as_str(), place), ("BatchNormalization", 4) | ("QuantizeLinear" | "DequantizeLinear", 1))
    });
    let mut small = || {
        let number = drawn(numbers);
        if is_positive { number.abs() + 0.01 } else { number }
    };
    tensor.float_data.iter_mut().for_each(|value| *value = small());
    tensor.double_data.iter_mut().for_each(|value| *value = f64::from(small()));
    // Half precision from 0.25 to 0.5, of the number's sign.
    let half = |number: f32| {
        let sign = if number < 0.0 { 0x8000 } else { 0 };
        sign | 0x3400 | (number.to_bits() >> 8) as u16 & 0x03ff
    };
    let brain = |number: f32| (number.to_bits() >> 16) as u16;
    for value in &mut tensor.int32_data {
        match tensor.data_type {
            data_type::FLOAT16 => *value = i32::from(half(small())),
            data_type::BFLOAT16 => *value = i32::from(brain(small())),
            data_type::INT8 => *value = (small() * 255.0) as i32,
            data_type::UINT8 => *value = ((small() + 0.5) * 255.0) as i32,
            data_type::INT32 => *value = whole(small()) as i32,
            data_type::BOOL => *value = i32::from(small() > 0.0),
            _ => *value = ((small() + 0.5) * 15.0) as i32,
        }
    }
    tensor.int64_data.iter_mut().for_each(|value| *value = whole(small()));
    tensor.uint64_data.iter_mut().for_each(|value| *value = whole(small()).unsigned_abs());
    let width = match tensor.data_type {
        data_type::FLOAT | data_type::INT32 | data_type::UINT32 => 4,
        data_type::DOUBLE | data_type::INT64 | data_type::UINT64 => 8,
        data_type::FLOAT16 | data_type::BFLOAT16 => 2,
        // Weights of other types (16, 8 or 4 bits) may be anything.
        _ => 1,
    };
    let number = |_| match tensor.data_type {
        data_type::DOUBLE => f64::from(small()).to_le_bytes().to_vec(),
        data_type::FLOAT => small().to_le_bytes().to_vec(),
        data_type::FLOAT16 => half(small()).to_le_bytes().to_vec(),
        data_type::BFLOAT16 => brain(small()).to_le_bytes().to_vec(),
        data_type::INT32 => (whole(small()) as i32).to_le_bytes().to_vec(),
        data_type::INT64 => whole(small()).to_le_bytes().to_vec(),
        data_type::UINT32 => (whole(small()).unsigned_abs() as u32).to_le_bytes().to_vec(),
        data_type::UINT64 => whole(small()).unsigned_abs().to_le_bytes().to_vec(),
        data_type::BOOL => vec![u8::from(small() > 0.0)],
        _ => vec![(small() * 255.0) as i8 as u8],
    };
    tensor.raw_data = (0..tensor.raw_data.len() / width).flat_map(number).collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::onnx::proto::{GraphProto, NodeProto};

    #[test]
    fn a_model_with_weights_elsewhere_stays_out() {
        let attribute = |attribute: AttributeProto| GraphProto {
            node: vec![NodeProto { name: "n".into(), attribute: vec![attribute], ..NodeProto::default() }],
            ..GraphProto::default()
        };
        let graph = |graph: GraphProto| ModelProto { graph: Some(graph), ..ModelProto::default() };
        let branch = AttributeProto { g: Some(vec![0x2a, 0]), ..AttributeProto::default() };
        let sparse = GraphProto { sparse_initializer: vec![vec![0]], ..GraphProto::default() };
        let functions = ModelProto { functions: vec![Vec::new()], ..graph(GraphProto::default()) };
        let cases = [
            (graph(attribute(branch)), "node `n` has a graph in it"),
            (graph(attribute(AttributeProto::text("blob", &"x".repeat(1000)))), "node `n` has a text"),
            (graph(sparse), "sparse weights"),
            (functions, "functions of its own"),
            (ModelProto::default(), "not read as ONNX"),
        ];
        for (model, expected) in cases {
            let found = randomized(&model.encode_to_vec()).expect_err(expected);
            assert!(found.contains(expected), "{found}");
        }
        assert!(randomized(&graph(attribute(AttributeProto::text("mode", "nearest"))).encode_to_vec()).is_ok());
    }

    #[test]
    fn weights_of_every_type_are_random() {
        // So few of these are a shape; how a model with more of them fares is another test's.
        let kept = [data_type::INT64];
        for data_type in 1..=25 {
            let tensor = TensorProto { data_type, raw_data: vec![7; 64], dims: vec![8], ..TensorProto::default() };
            let graph = GraphProto { initializer: vec![tensor.clone()], ..GraphProto::default() };
            let model = ModelProto { graph: Some(graph), ..ModelProto::default() };
            let random = randomized(&model.encode_to_vec()).expect("a model");
            let random = ModelProto::decode(random.as_slice()).expect("ONNX").graph.expect("a graph");
            assert_eq!(random.initializer[0].raw_data.len(), 64, "{data_type}");
            assert_eq!(random.initializer[0] == tensor, kept.contains(&data_type), "{data_type}");
        }
    }

    #[test]
    fn whole_numbers_stay_where_they_are_places() {
        let node = |operator: &str, input: [&str; 2]| NodeProto {
            op_type: operator.to_owned(),
            input: input.map(str::to_owned).to_vec(),
            output: vec!["y".to_owned()],
            ..NodeProto::default()
        };
        let whole = |data_type, count: usize| TensorProto {
            name: "w".to_owned(),
            data_type,
            raw_data: vec![7; count * if data_type == data_type::INT64 { 8 } else { 4 }],
            dims: vec![count as i64],
            ..TensorProto::default()
        };
        let cases = [
            (node("Reshape", ["x", "w"]), whole(data_type::INT64, 4), true),
            (node("Gather", ["x", "w"]), whole(data_type::INT64, 400), true),
            (node("Gather", ["w", "x"]), whole(data_type::INT64, 400), false),
            (node("DequantizeLinear", ["w", "x"]), whole(data_type::INT32, 4), false),
            (node("Cast", ["w", "x"]), whole(data_type::INT32, 4), false),
            (node("Cast", ["w", "x"]), whole(data_type::INT64, 40), false),
        ];
        for (node, tensor, stays) in cases {
            let graph =
                GraphProto { node: vec![node.clone()], initializer: vec![tensor.clone()], ..GraphProto::default() };
            let model = ModelProto { graph: Some(graph), ..ModelProto::default() };
            let random = randomized(&model.encode_to_vec()).expect("a model");
            let random = ModelProto::decode(random.as_slice()).expect("ONNX").graph.expect("a graph");
            assert_eq!(random.initializer[0].raw_data.len(), tensor.raw_data.len());
            assert_eq!(random.initializer[0] == tensor, stays, "{} of {:?}", node.op_type, tensor.dims);
        }
    }

    #[test]
    fn what_was_learned_is_random_and_what_says_how_to_do_it_stays() {
        let node = |operator: &str, inputs: &[&str], output: &str| NodeProto {
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            op_type: operator.to_owned(),
            ..NodeProto::default()
        };
        let tensor = |name: &str| TensorProto::from_f32(name, &[4], &[1.0, 1.0, 2.0, 2.0]);
        let half = TensorProto { data_type: data_type::FLOAT16, int32_data: vec![0x3c00; 4], ..tensor("half") };
        let half = TensorProto { float_data: Vec::new(), raw_data: Vec::new(), ..half };
        let names = ["weights", "bias", "scale", "shift", "mean", "variance", "scales", "both"];
        let graph = GraphProto {
            node: vec![
                node("Conv", &["x", "weights", "bias"], "a"),
                node("BatchNormalization", &["a", "scale", "shift", "mean", "variance"], "b"),
                node("Resize", &["b", "", "scales"], "c"),
                node("Resize", &["c", "", "both"], "d"),
                node("Add", &["d", "both"], "e"),
                node("Add", &["e", "half"], "y"),
            ],
            initializer: names.map(tensor).into_iter().chain([half]).collect(),
            ..GraphProto::default()
        };
        let model = ModelProto { graph: Some(graph.clone()), ..ModelProto::default() };
        let random = randomized(&model.encode_to_vec()).expect("a model");
        let random = ModelProto::decode(random.as_slice()).expect("ONNX").graph.expect("a graph");
        let pairs = random.initializer.iter().zip(&graph.initializer);
        let same: Vec<&str> = pairs.filter(|(new, old)| new == old).map(|(new, _)| new.name.as_str()).collect();
        assert_eq!(same, ["scales"]);
        assert!(random.initializer[5].float_data.iter().all(|value| *value > 0.0));
    }
}
