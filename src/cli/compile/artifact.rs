//! `error_artifact.zip`: what a failed compilation leaves when `save_error_artifact` asks for it.

use std::io::Cursor;
use std::path::PathBuf;

use prost::Message;

use super::folder::MODEL;
use super::outcome::Outcome;
use crate::base::SplitMix;
use crate::base::fs;
use crate::compiler::onnx::proto::{ModelProto, TensorProto, data_type};
use crate::pack::Entry;
use crate::pack::write_zip;

/// Numbers of an initializer that are left as they are: shapes and scalars, which the graph would not work without.
const KEPT: usize = 16;

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
        if !randomize || !name.contains('/') {
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
    let mut numbers = SplitMix::new(0);
    for tensor in &mut graph.initializer {
        randomize(tensor, &mut numbers);
    }
    for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
        if let Some(tensor) = &mut attribute.t {
            randomize(tensor, &mut numbers);
        }
    }
    Some(model.encode_to_vec())
}

/// Whole numbers of 32 and 64 bits are shapes and places, without which the graph would mean nothing.
fn randomize(tensor: &mut TensorProto, numbers: &mut SplitMix) {
    let mut small = || (numbers.draw() >> 40) as f32 / 16_777_216.0 - 0.5;
    if tensor.float_data.len() > KEPT {
        tensor.float_data.iter_mut().for_each(|value| *value = small());
    }
    let width = match tensor.data_type {
        data_type::FLOAT => 4,
        data_type::DOUBLE => 8,
        data_type::FLOAT16 => 2,
        data_type::INT8 | data_type::UINT8 => 1,
        _ => return,
    };
    let count = tensor.raw_data.len() / width;
    if count > KEPT {
        let number = |_| match width {
            8 => f64::from(small()).to_le_bytes().to_vec(),
            4 => small().to_le_bytes().to_vec(),
            // Half precision from 0.25 to 0.5, of either sign.
            2 => (0x3400 | (small().to_bits() as u16 & 0x83ff)).to_le_bytes().to_vec(),
            _ => vec![(small() * 255.0) as i8 as u8],
        };
        tensor.raw_data = (0..count).flat_map(number).collect();
    }
}
