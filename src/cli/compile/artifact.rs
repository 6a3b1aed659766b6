//! `error_artifact.zip`: what a failed compilation leaves when `save_error_artifact` asks for it.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::PathBuf;

use prost::Message;

use super::folder::{ARGUMENTS, CONF, MODEL};
use super::outcome::Outcome;
use crate::base::SplitMix;
use crate::base::fs;
use crate::compiler::onnx::proto::{ModelProto, TensorProto, data_type};
use crate::pack::Entry;
use crate::pack::write_zip;

/// Floats of a constant that says what an operator does, at most.
const FORM_LIMIT: i64 = 16;

/// The archive: report, log, and what was made before the failure. Where the weights are to stay secret, those of the model
/// are replaced by random ones and everything else that holds them is left out.
pub(super) fn archive(
    outcome: &Outcome,
    log: &str,
    made: &[(String, PathBuf)],
    randomize: bool,
) -> Result<Vec<u8>, String> {
    let mut entries: Vec<(String, Vec<u8>)> = vec![
        ("compilation_report.json".to_owned(), outcome.to_json()),
        ("compilation_log.txt".to_owned(), log.as_bytes().to_vec()),
    ];
    for (name, file) in made {
        let bytes = fs::read(file).map_err(|error| error.to_string())?;
        if !randomize || [ARGUMENTS, CONF].contains(&name.as_str()) {
            entries.push((name.clone(), bytes));
        } else if name == MODEL {
            // A file that is no ONNX may hold anything, so it stays out.
            entries.extend(randomized(&bytes).map(|bytes| (name.clone(), bytes)));
        }
    }
    let mut archive = Cursor::new(Vec::new());
    let entries = entries.into_iter().map(|(name, bytes)| Entry::bytes(name, bytes)).collect();
    write_zip(&mut archive, entries).map_err(|error| error.to_string())?;
    Ok(archive.into_inner())
}

/// The model with random numbers of the same count in place of its weights.
fn randomized(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut model = ModelProto::decode(bytes).ok()?;
    let graph = model.graph.as_mut()?;
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
            if node.op_type == "Constant" && !is_form(readers) {
                attribute.floats.iter_mut().chain(&mut attribute.f).for_each(|value| *value = drawn(&mut numbers));
            }
        }
    }
    Some(model.encode_to_vec())
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

/// From -0.5 to 0.5.
fn drawn(numbers: &mut SplitMix) -> f32 {
    (numbers.draw() >> 40) as f32 / 16_777_216.0 - 0.5
}

/// Whole numbers of 32 and 64 bits are shapes and places, without which the graph would mean nothing, and so are a few floats
/// that say what an operator does.
fn randomize(tensor: &mut TensorProto, readers: &[(String, usize)], numbers: &mut SplitMix) {
    let count = tensor.dims.iter().fold(1_i64, |count, side| count.saturating_mul(*side));
    if is_form(readers) && count <= FORM_LIMIT {
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
            _ => return,
        }
    }
    let width = match tensor.data_type {
        data_type::FLOAT => 4,
        data_type::DOUBLE => 8,
        data_type::FLOAT16 | data_type::BFLOAT16 => 2,
        data_type::INT8 | data_type::UINT8 => 1,
        _ => return,
    };
    let number = |_| match tensor.data_type {
        data_type::DOUBLE => f64::from(small()).to_le_bytes().to_vec(),
        data_type::FLOAT => small().to_le_bytes().to_vec(),
        data_type::FLOAT16 => half(small()).to_le_bytes().to_vec(),
        data_type::BFLOAT16 => brain(small()).to_le_bytes().to_vec(),
        _ => vec![(small() * 255.0) as i8 as u8],
    };
    tensor.raw_data = (0..tensor.raw_data.len() / width).flat_map(number).collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::onnx::proto::{GraphProto, NodeProto};

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
