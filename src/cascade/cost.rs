//! What one run of a model costs: all models of a network in one unit, or all alike.

use std::io::Cursor;
use std::path::Path;

use crate::base::fs;
use crate::cards::Model;
use crate::compiler::StageError;
use crate::compiler::clean::clean;
use crate::compiler::graph::Graph;
use crate::compiler::lower::LowerOptions;
use crate::compiler::lower::preview;
use crate::compiler::onnx;
use crate::compiler::onnx::ExternalData;
use crate::compiler::split;
use crate::config::Board;

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
    /// The costs of models: the cycles that each is estimated to take on one core of the board with that core's share of the
    /// memory; where one cannot be estimated the multiplications of all; where one's cannot be counted either, all alike. One
    /// model by itself is not counted, as nothing is compared with it. Reads weights.
    #[must_use]
    pub fn of(models: &[&Model], board: Board) -> Self {
        let equal = |reason, uncounted| Self { kind: CostKind::Equal, costs: vec![1; models.len()], reason, uncounted };
        if models.len() < 2 {
            return equal(None, None);
        }
        let mut counted = Vec::new();
        for model in models {
            match Counted::of(model, board) {
                Ok(count) => counted.push(count),
                Err(reason) => {
                    let name = &model.name.value;
                    return equal(Some(format!("`{name}` cannot be counted: {reason}")), Some(name.clone()));
                }
            }
        }
        let cycles: Result<Vec<u64>, &String> = counted.iter().map(|count| count.cycles.as_ref().copied()).collect();
        let (kind, costs, reason) = match cycles {
            Ok(cycles) => (CostKind::Cycles, cycles, None),
            Err(reason) => (CostKind::Macs, counted.iter().map(|count| count.macs).collect(), Some(reason.clone())),
        };
        Self { kind, costs, reason, uncounted: None }
    }
}

/// What one run of a model takes.
struct Counted {
    macs: u64,
    /// Cycles, or why they cannot be estimated.
    cycles: Result<u64, String>,
}

impl Counted {
    fn of(model: &Model, board: Board) -> Result<Self, String> {
        let Some(weights) = &model.weights else { return Err("its card names no weights".to_owned()) };
        let path = weights.resolved.as_ref().map_err(ToString::to_string)?;
        if !fs::is_file(path) {
            return Err(format!("`{}` is not there", weights.written));
        }
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        let beside = Beside(path.parent().unwrap_or(Path::new(".")));
        let input_shapes = model.input_shape.iter().map(|shape| shape.to_vec()).collect();
        let options = onnx::ImportOptions { input_shapes };
        let graph =
            onnx::import(&bytes, &beside, &options).map_err(|error| format!("`{}`: {error}", weights.written))?;
        let macs = graph.macs();
        if macs == 0 {
            return Err(format!("`{}` multiplies with no weights", weights.written));
        }
        let cycles = cycles(graph, &bytes, &beside, &options, board);
        let cycles = cycles.map_err(|error| format!("`{}` cannot be estimated: {error}", model.name.value));
        Ok(Self { macs, cycles })
    }
}

/// The cycles of one run of what a build would compile, on one core.
fn cycles(
    graph: Graph,
    bytes: &[u8],
    beside: &Beside<'_>,
    options: &onnx::ImportOptions,
    board: Board,
) -> Result<u64, StageError> {
    let (graph, _) = clean(graph)?;
    let file = onnx::OnnxFile::skim(Cursor::new(bytes), bytes.len() as u64)?;
    let survey = file.survey(beside, options)?;
    let cuts = split::SplitOptions { cuts: true, point: None };
    let parts = split::split(graph, &split::accelerated(&survey), &cuts)?;
    let estimate = preview(&parts.core, &LowerOptions::new(1, board.share_of(1)))?;
    Ok(estimate.alone.cycles)
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
