//! The call: what is asked of Python, and what it answers.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::TransformError;
use super::process::{Heard, Process};
use crate::base::CancelToken;
use crate::base::fs;
use crate::imaging::ColorFormat;

const PROGRAM: &str = include_str!("run_transform.py");

/// The library that reads the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Reader {
    /// Pillow: the function gets a `PIL.Image`.
    #[serde(rename = "PIL")]
    Pillow,
    /// OpenCV: the function gets an array, height, width and, but for grey, channels.
    #[serde(rename = "OPENCV")]
    OpenCv,
}

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct TransformRequest<'a> {
    /// The user's file.
    pub script: &'a Path,
    /// The images, in order.
    pub images: &'a [PathBuf],
    /// What reads them.
    pub reader: Reader,
    /// The colours that the function gets.
    pub colors: ColorFormat,
    /// The shape of the network's input; a tensor may leave a batch of 1 out.
    pub shape: &'a [usize],
    /// An empty folder that takes the tensors.
    pub output: &'a Path,
}

#[derive(Serialize)]
struct Asked<'a> {
    script: &'a Path,
    images: &'a [PathBuf],
    backend: Reader,
    colors: ColorFormat,
    output: &'a Path,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Answer {
    Done { index: usize, shape: Vec<usize> },
    End,
    Missing { module: String, package: String, detail: String },
    NotPython,
    NoFunction { defined: Vec<String> },
    Script { message: String, trace: String },
    Image { index: usize, message: String },
    Transform { index: usize, message: String, trace: String },
    Result { index: usize, found: String },
}

/// Calls the user's function on every image; gives the tensors' files in the order of the images, and what the process wrote
/// to standard error last.
pub fn run_transform(
    request: &TransformRequest<'_>,
    cancel: &CancelToken,
    progress: &dyn Fn(usize, usize),
) -> Result<(Vec<PathBuf>, String), TransformError> {
    let TransformRequest { script, images, reader, colors, shape, output } = *request;
    let asked = Asked { script, images, backend: reader, colors, output };
    let file = output.join("request.json");
    fs::write(&file, &serde_json::to_vec(&asked).unwrap_or_default())?;
    let mut command = Command::new("python3");
    // No `__pycache__` beside the user's file, and every line at once.
    command.arg("-c").arg(PROGRAM).arg(&file).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
    let mut process = Process::start(&mut command).map_err(|error| TransformError::NoPython(error.to_string()))?;
    let mut done = 0;
    loop {
        let heard = process.next(cancel).map_err(|error| TransformError::NoPython(error.to_string()))?;
        let line = match heard {
            Heard::Cancelled => return Err(TransformError::Cancelled),
            Heard::End(status) => {
                return Err(TransformError::Died { how: status.to_string(), said: process.errors() });
            }
            Heard::Line(line) => line,
        };
        match serde_json::from_str::<Answer>(&line) {
            Ok(Answer::Done { index, shape: found }) => {
                if found != shape && shape.strip_prefix(&[1]) != Some(found.as_slice()) {
                    return Err(TransformError::Shape { image: image(images, index), found, expected: shape.to_vec() });
                }
                done += 1;
                progress(done, images.len());
            }
            // Whatever the user's file still has running is no longer waited for.
            Ok(Answer::End) => break,
            Ok(answer) => return Err(failure(answer, script, images)),
            Err(_) => return Err(TransformError::Died { how: "an answer that is none".to_owned(), said: line }),
        }
    }
    let said = process.errors();
    let files = (0..images.len()).map(|index| output.join(format!("{index:06}.npy")));
    Ok((files.collect(), said))
}

fn image(images: &[PathBuf], index: usize) -> PathBuf {
    images.get(index).cloned().unwrap_or_default()
}

fn failure(answer: Answer, script: &Path, images: &[PathBuf]) -> TransformError {
    let script = script.to_owned();
    match answer {
        Answer::Missing { module, package, detail } => {
            TransformError::MissingModule { module, package, by_script: detail == "script" }
        }
        Answer::NotPython => {
            TransformError::Script { script, message: "it is no Python file".to_owned(), trace: String::new() }
        }
        Answer::NoFunction { defined } => TransformError::NoFunction { script, defined },
        Answer::Script { message, trace } => TransformError::Script { script, message, trace },
        Answer::Image { index, message } => TransformError::Image { image: image(images, index), message },
        Answer::Transform { index, message, trace } => {
            TransformError::Raised { image: image(images, index), message, trace }
        }
        Answer::Result { index, found } => TransformError::Result { image: image(images, index), found },
        Answer::Done { .. } | Answer::End => TransformError::Died { how: String::new(), said: String::new() },
    }
}
