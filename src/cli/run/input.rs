//! The inputs of one run: arrays as they are, images brought to the input's size.

use std::path::{Path, PathBuf};

use super::typed;
use crate::base::fs;
use crate::base::npy::Array;
use crate::base::npy::Elements;
use crate::cli::failure::Failure;
use crate::compiler::lower::CompiledModel;
use crate::compiler::lower::ModelPort;
use crate::diag::Diagnostic;
use crate::imaging::ColorFormat;
use crate::imaging::Interpolation;
use crate::imaging::Layout;
use crate::imaging::Preprocess;
use crate::imaging::PreprocessOperator;
use crate::imaging::ResizeTarget;

/// Bytes that an input file may have: the largest tensor that there can be, as float32, and its header.
const LARGEST: u64 = (1 << 30) + (1 << 16);

/// The elements of each input, and what is to be said of them; all problems at once.
pub(super) fn read(
    model: &CompiledModel,
    standing: &Path,
    paths: &[PathBuf],
) -> Result<(Vec<Vec<f32>>, Vec<Diagnostic>), Failure> {
    let ports = model.inputs();
    if paths.len() != ports.len() {
        let names: Vec<String> = ports.iter().map(|port| format!("`{}` {:?}", port.name, port.shape)).collect();
        let (expected, found) = (ports.len(), paths.len());
        let message = format!("the model has {expected} inputs ({}), found {found} `--input`", names.join(", "));
        let hint = "give one `--input` for each, in this order".to_owned();
        return Err(Failure::Usage(vec![Diagnostic::error("run/input", message).hint(hint)]));
    }
    let mut inputs = Vec::new();
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    for (path, port) in paths.iter().zip(ports) {
        let shown = typed(path);
        let bytes = fs::read_limited(&standing.join(path), LARGEST);
        let elements = bytes.map_err(|error| error.shown_as(path).to_string()).and_then(|bytes| {
            if path.extension().is_some_and(|extension| extension == "npy") {
                array(&bytes, port).map_err(|message| format!("`{shown}`: {message}"))
            } else {
                let known = model.preprocess().filter(|known| ports.len() == 1 && known.shape[..] == port.shape[..]);
                let made = match known {
                    Some(known) => known.run_bytes(&bytes).map_err(|error| error.to_string()),
                    None => image(&bytes, port).map(|(elements, warning)| {
                        warnings.push(warning);
                        elements
                    }),
                };
                made.map_err(|message| format!("`{shown}`: {message}"))
            }
        });
        match elements {
            Ok(elements) => inputs.push(elements),
            Err(message) => problems.push(Diagnostic::error("run/input", message).hint(expected(port))),
        }
    }
    if let Some(last) = problems.pop() {
        if problems.is_empty() {
            return Err(Failure::Failed(last));
        }
        problems.push(last);
        return Err(Failure::Usage(problems));
    }
    warnings.dedup();
    Ok((inputs, warnings))
}

fn expected(port: &ModelPort) -> String {
    let int8 = if port.encoding.is_some() { ", or int8 as the program takes it" } else { "" };
    format!("the input `{}` takes float32 {:?} as a `.npy` file{int8}, or an image", port.name, port.shape)
}

fn array(bytes: &[u8], port: &ModelPort) -> Result<Vec<f32>, String> {
    let Array { shape, elements } = Array::parse(bytes).map_err(|error| error.to_string())?;
    // A batch of one may be left out.
    let is_same = shape == port.shape || (port.shape.first() == Some(&1) && shape == port.shape[1..]);
    if !is_same {
        return Err(format!("the shape is {shape:?}, expected {:?} for the input `{}`", port.shape, port.name));
    }
    match (elements, port.encoding) {
        (Elements::F32(elements), _) => match elements.iter().position(|element| !element.is_finite()) {
            None => Ok(elements),
            Some(first) => {
                let count = elements.iter().filter(|element| !element.is_finite()).count();
                let (found, whole) = (elements.get(first).copied().unwrap_or(f32::NAN), elements.len());
                Err(format!(
                    "{count} of {whole} elements are no numbers: expected finite ones, found {found} at place {first}"
                ))
            }
        },
        // Quantized again, each is the same.
        (Elements::I8(elements), Some(encoding)) => Ok(elements.iter().map(|&q| encoding.dequantize(q)).collect()),
        (Elements::I8(_), None) => Err(format!(
            "the elements are int8, and `{}` goes through a graph that the host runs in float32",
            port.name
        )),
    }
}

/// An image at the input's size, from 0 to 1, where nothing in the compiled model says how its images are prepared.
fn image(bytes: &[u8], port: &ModelPort) -> Result<(Vec<f32>, Diagnostic), String> {
    let is_color = |size: usize| matches!(size, 1 | 3);
    let (layout, [height, width, channels]) = match *port.shape.as_slice() {
        [1, channels, height, width] if is_color(channels) => (Layout::Nchw, [height, width, channels]),
        [1, height, width, channels] if is_color(channels) => (Layout::Nhwc, [height, width, channels]),
        ref shape => return Err(format!("the input `{}` has the shape {shape:?}, which is no image", port.name)),
    };
    let (color, word) = if channels == 1 { (ColorFormat::Gray, "grey") } else { (ColorFormat::Rgb, "RGB") };
    let preprocess = Preprocess {
        operators: vec![
            PreprocessOperator::Resize {
                target: ResizeTarget::Exactly { width, height },
                interpolation: Interpolation::Bilinear,
                half_pixel_centers: false,
                input_color: None,
            },
            PreprocessOperator::TorchToTensor { scale: true },
        ],
        input_color: color,
        layout,
        shape: layout.from_nchw([1, channels, height, width]),
    };
    let elements = preprocess.run_bytes(bytes).map_err(|error| error.to_string())?;
    let message = format!(
        "the image is resized to {width}x{height}, in {word}, from 0 to 1: this compiled model does not say how its images are prepared"
    );
    let hint = "if the model was trained on images prepared otherwise, prepare the tensor yourself and give it as a `.npy` file";
    Ok((elements, Diagnostic::warning("run/image", message).hint(hint)))
}
