//! One unit of work: which tool, with which settings, from which inputs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The kinds of work, in the order in which a model goes through them (SPEC 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// Takes weights, archives and images in, and checks their sums.
    Fetch,
    /// Imports ONNX: shapes, constant folding, split.
    Clean,
    /// Calibrates and quantizes.
    Quantize,
    /// Compiles the quantized model for the device.
    Lower,
    /// Writes a model's package and its files in `build/`.
    Pack,
    /// Writes a network's package.
    Bundle,
}

impl StepKind {
    /// Every kind, in order.
    pub const ALL: [Self; 6] = [Self::Fetch, Self::Clean, Self::Quantize, Self::Lower, Self::Pack, Self::Bundle];

    /// The word in text, JSON, keys and file names.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Clean => "clean",
            Self::Quantize => "quantize",
            Self::Lower => "lower",
            Self::Pack => "pack",
            Self::Bundle => "bundle",
        }
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A step's place in its [`Graph`](super::Graph). Ids are given in the order of adding, so an input's id is always
/// smaller than the id of the step that reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub(super) u32);

impl StepId {
    /// The id of the step at `index`, which is below the graph's number of steps.
    #[must_use]
    pub const fn at(index: usize) -> Self {
        Self(index as u32)
    }

    /// The place in [`Graph::steps`](super::Graph::steps).
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The settings that one kind of step reads; nothing else is visible to it (design invariant 5).
pub trait StepSettings: Send + Sync {
    /// Exactly what the step reads, flattened to texts. No float text, path, host or time: this goes into the key
    /// (design invariant 2).
    fn record(&self) -> BTreeMap<String, String>;

    /// The file and line (from 1) where the setting `key` was said, for `why`.
    fn origin(&self, key: &str) -> Option<(String, usize)> {
        let _ = key;
        None
    }
}

/// Where a step's input comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A source file, by its absolute path.
    File(PathBuf),
    /// One output of an earlier step.
    Output {
        /// The step that writes it.
        step: StepId,
        /// Its path below that step's output folder, with `/` between the parts.
        name: String,
    },
    /// One output of an earlier step that it may not have: the input is then absent.
    IfMade {
        /// The step that may write it.
        step: StepId,
        /// Its path below that step's output folder, with `/` between the parts.
        name: String,
    },
    /// Every output of an earlier step; each one's role is this input's role, a `/` and the output's name.
    Outputs {
        /// The step that writes them.
        step: StepId,
    },
}

impl Input {
    /// The step that writes this input, if a step does.
    #[must_use]
    pub const fn step(&self) -> Option<StepId> {
        match self {
            Self::File(_) => None,
            Self::Output { step, .. } | Self::IfMade { step, .. } | Self::Outputs { step } => Some(*step),
        }
    }
}

/// One unit of work with declared inputs and outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<S> {
    /// What kind of work.
    pub kind: StepKind,
    /// The network it is for.
    pub network: String,
    /// The model it is for; `None` for what concerns the whole network.
    pub model: Option<String>,
    /// Identity of what does the work, with its version, such as `host/quantize/1`: part of the key.
    pub tool: String,
    /// What the step reads of the configuration.
    pub settings: S,
    /// Inputs by role; a role is unique within the step.
    pub inputs: Vec<(String, Input)>,
    /// Where all outputs go: a folder relative to the build root, `/` between the parts; `None` keeps them in the store.
    pub install: Option<String>,
    /// Peak memory to expect, in bytes; 0 when nothing is known.
    pub memory: u64,
}

impl<S> Step<S> {
    /// `network/model`, or `network` for what concerns the whole network.
    #[must_use]
    pub fn subject(&self) -> String {
        match &self.model {
            Some(model) => format!("{}/{model}", self.network),
            None => self.network.clone(),
        }
    }
}
