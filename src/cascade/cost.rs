//! What one run of a model costs: all models of a network in one unit, or all alike.

use std::path::Path;

use crate::base::fs;
use crate::cards::Model;
use crate::compiler::onnx;
use crate::compiler::onnx::ExternalData;

/// The unit of costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostKind {
    /// Cycles, as a compiler estimates them.
    Cycles,
    /// Multiplications with weights, counted in the ONNX file.
    Macs,
    /// Every model counts the same.
    Equal,
}

impl CostKind {
    /// `cycles`, `macs` or `equal`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cycles => "cycles",
            Self::Macs => "macs",
            Self::Equal => "equal",
        }
    }
}

/// The costs of a network's models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Costs {
    /// Their unit.
    pub kind: CostKind,
    /// One run of each model, in the order asked for.
    pub costs: Vec<u64>,
    /// Why nothing better is known, where that is so.
    pub reason: Option<String>,
    /// The model that cannot be counted, where that makes all alike.
    pub uncounted: Option<String>,
}

impl Costs {
    /// The costs of models: their multiplications where those of every one can be counted, else equal. One model by itself
    /// is not counted, as nothing is compared with it. Reads weights.
    #[must_use]
    pub fn of(models: &[&Model]) -> Self {
        let equal = |reason, uncounted| Self { kind: CostKind::Equal, costs: vec![1; models.len()], reason, uncounted };
        if models.len() < 2 {
            return equal(None, None);
        }
        let mut costs = Vec::new();
        for model in models {
            match macs(model) {
                Ok(count) => costs.push(count),
                Err(reason) => {
                    let name = &model.name.value;
                    return equal(Some(format!("`{name}` cannot be counted: {reason}")), Some(name.clone()));
                }
            }
        }
        Self { kind: CostKind::Macs, costs, reason: None, uncounted: None }
    }
}

/// The multiplications of one run of a model.
fn macs(model: &Model) -> Result<u64, String> {
    let Some(weights) = &model.weights else { return Err("its card names no weights".to_owned()) };
    let path = weights.resolved.as_ref().map_err(ToString::to_string)?;
    if !fs::is_file(path) {
        return Err(format!("`{}` is not there", weights.written));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let options = onnx::ImportOptions { input_shapes: model.input_shape.iter().map(|shape| shape.to_vec()).collect() };
    let graph =
        onnx::import(&bytes, &Beside(folder), &options).map_err(|error| format!("`{}`: {error}", weights.written))?;
    match graph.macs() {
        0 => Err(format!("`{}` multiplies with no weights", weights.written)),
        count => Ok(count),
    }
}

/// Tensors in files beside the ONNX file, and nowhere else.
struct Beside<'a>(&'a Path);

impl ExternalData for Beside<'_> {
    fn read(&self, location: &str, offset: u64, length: u64) -> Result<Vec<u8>, String> {
        if location.contains(['/', '\\']) || location == ".." {
            return Err(format!("the file `{location}` that holds its data is not beside the weights"));
        }
        fs::read_range(&self.0.join(location), offset, length).map_err(|error| error.to_string())
    }
}
