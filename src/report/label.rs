//! What to call a step.

use crate::plan::Graph;
use crate::plan::StepId;
use crate::plan::StepKind;

/// A step's names, kept apart from the graph so that a report can outlive it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepLabel {
    /// What kind of work.
    pub kind: StepKind,
    /// The network.
    pub network: String,
    /// The model; `None` for what concerns the whole network.
    pub model: Option<String>,
}

impl StepLabel {
    /// The labels of a graph, by [`StepId::index`].
    #[must_use]
    pub fn all<S>(graph: &Graph<S>) -> Vec<Self> {
        let label = |id: StepId| {
            let step = graph.step(id);
            Self { kind: step.kind, network: step.network.clone(), model: step.model.clone() }
        };
        graph.ids().map(label).collect()
    }

    /// `quantize digits/reader`; a network whose only model has its name is named once.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.model {
            Some(model) if *model != self.network => format!("{} {}/{model}", self.kind, self.network),
            _ => format!("{} {}", self.kind, self.network),
        }
    }
}
