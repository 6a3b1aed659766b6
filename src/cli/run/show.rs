//! What came out, for people and for scripts.

use std::cmp::Ordering;
use std::fmt::Write;
use std::path::PathBuf;

use serde_json::json;

use crate::cli::args::Format;
use crate::cli::output::Output;
use crate::compiler::lower::CompiledModel;

/// Places that are shown of what looks like scores of classes.
const BEST: usize = 5;

/// A summary of one output.
struct Summary {
    least: f32,
    most: f32,
    mean: f64,
    /// The largest elements and their places, of a vector.
    best: Option<Vec<(usize, f32)>>,
}

impl Summary {
    fn of(shape: &[usize], elements: &[f32]) -> Self {
        let is_vector = elements.len() > 1 && shape.iter().filter(|&&size| size != 1).count() == 1;
        let best = is_vector.then(|| {
            let mut places: Vec<(usize, f32)> = elements.iter().copied().enumerate().collect();
            places.sort_by(|x, y| y.1.partial_cmp(&x.1).unwrap_or(Ordering::Equal).then(x.0.cmp(&y.0)));
            places.truncate(BEST);
            places
        });
        Self {
            least: elements.iter().copied().fold(f32::INFINITY, f32::min),
            most: elements.iter().copied().fold(f32::NEG_INFINITY, f32::max),
            mean: elements.iter().map(|&element| f64::from(element)).sum::<f64>() / elements.len().max(1) as f64,
            best,
        }
    }
}

/// Says what the outputs are, and where they were written.
pub(super) fn show(model: &CompiledModel, outputs: &[Vec<f32>], written: &[PathBuf], format: Format, output: Output) {
    let ports = model.outputs();
    let summaries: Vec<Summary> =
        ports.iter().zip(outputs).map(|(port, elements)| Summary::of(&port.shape, elements)).collect();
    match format {
        Format::Human => {
            let mut text = String::new();
            for (place, (port, summary)) in ports.iter().zip(&summaries).enumerate() {
                let Summary { least, most, mean, best } = summary;
                let _ = write!(text, "{} {:?}: {least:.6} to {most:.6}, mean {mean:.6}", port.name, port.shape);
                if let Some(path) = written.get(place) {
                    let _ = write!(text, ", written to {}", path.display());
                }
                text.push('\n');
                for (rank, (index, value)) in best.iter().flatten().enumerate() {
                    let _ = writeln!(text, "  {}. [{index}] {value:.6}", rank + 1);
                }
            }
            output.data(&text);
        }
        Format::Json => {
            let one = |(place, (port, summary)): (usize, (&crate::compiler::lower::ModelPort, &Summary))| {
                let best = summary.best.as_ref().map(|best| {
                    best.iter().map(|(index, value)| json!({"index": index, "value": value})).collect::<Vec<_>>()
                });
                json!({
                    "name": port.name,
                    "shape": port.shape,
                    "min": summary.least,
                    "max": summary.most,
                    "mean": summary.mean,
                    "top": best,
                    "file": written.get(place).map(|path| path.display().to_string()),
                })
            };
            let outputs: Vec<_> = ports.iter().zip(&summaries).enumerate().map(one).collect();
            output.data(&format!("{:#}\n", json!({"outputs": outputs})));
        }
    }
}
