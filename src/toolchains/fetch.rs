//! Fetch: the weights, checked.

use std::io::Read;

use md5::{Digest as _, Md5};

use crate::base::fs;
use crate::base::fs::{Action, FsError};
use crate::plan::Settings;
use crate::toolchains::{Work, WorkError};

/// What enters the key of a fetch step.
pub const FETCH_IDENTITY: &str = "axzoo/fetch/1";

/// Copies the weights (`weights`) and the files that hold their tensors (`external/NAME`) to the output folder as
/// `model.onnx` and `NAME`, after checking the card's md5 against the weights.
pub fn fetch(work: &Work<'_>) -> Result<(), WorkError> {
    let Settings::Fetch(settings) = work.settings else { return Err(WorkError::WrongStep) };
    let weights = work.input("weights")?;
    if let Some(expected) = &settings.md5 {
        let found = md5_of(weights)?;
        if !found.eq_ignore_ascii_case(expected) {
            return Err(WorkError::Checksum { expected: expected.clone(), found });
        }
    }
    fs::copy_atomic(weights, &work.output.join("model.onnx"))?;
    for (name, path) in work.inputs_under("external/") {
        fs::copy_atomic(path, &work.output.join(name))?;
    }
    Ok(())
}

/// The md5 of a file as 32 lower-case hexadecimal digits: the checksum that cards use.
fn md5_of(path: &std::path::Path) -> Result<String, FsError> {
    let mut file = fs::open(path)?;
    let mut hasher = Md5::new();
    let mut buffer = vec![0_u8; 128 * 1024];
    loop {
        let count = file.read(&mut buffer).map_err(|source| FsError {
            action: Action::Read,
            path: path.to_owned(),
            source,
        })?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
