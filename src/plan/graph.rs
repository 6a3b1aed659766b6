//! Steps and what they need of each other, by id: no references, no cycles by construction.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::path::Component;
use std::path::Path;

use super::{Input, Step, StepId, StepKind};
use crate::base::NameError;
use crate::base::check_name;

/// Steps in an order in which they could run one after the other.
#[derive(Debug, Clone)]
pub struct Graph<S> {
    steps: Vec<Step<S>>,
    partial: BTreeSet<String>,
}

/// A plan that cannot be carried out; always a mistake in how the plan was made, never in a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// A step reads a step that was added later, or itself.
    #[error("`{role}` of {step} comes from a step that is not before it")]
    Order {
        /// The reading step.
        step: String,
        /// The input's role.
        role: String,
    },
    /// Two inputs of one step have the same role.
    #[error("{step} has two inputs in the role `{role}`")]
    Role {
        /// The step.
        step: String,
        /// The role.
        role: String,
    },
    /// Two steps are the same kind of work for the same model.
    #[error("there are two steps {step}")]
    Twice {
        /// The step.
        step: String,
    },
    /// A source file's path is not absolute.
    #[error("`{role}` of {step} is `{path}`, which is not an absolute path")]
    Relative {
        /// The step.
        step: String,
        /// The input's role.
        role: String,
        /// The path.
        path: String,
    },
    /// The folder for the outputs would leave the build root.
    #[error("{step} would write to `{folder}`, which is not a folder below the build root")]
    Folder {
        /// The step.
        step: String,
        /// The folder.
        folder: String,
    },
    /// A network's or model's name cannot be a folder.
    #[error("{step}: {problem}")]
    Name {
        /// The step.
        step: String,
        /// What is wrong with the name.
        problem: NameError,
    },
}

impl<S> Default for Graph<S> {
    fn default() -> Self {
        Self { steps: Vec::new(), partial: BTreeSet::new() }
    }
}

impl<S> Graph<S> {
    /// A graph without steps.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a step whose inputs are source files and outputs of steps added before; [`Graph::check`] verifies that.
    pub fn add(&mut self, step: Step<S>) -> StepId {
        let id = StepId(self.steps.len() as u32);
        self.steps.push(step);
        id
    }

    /// Says that the graph holds only a part of a network's steps, so that files which earlier builds recorded for the
    /// network are not taken for left-overs.
    pub fn mark_partial(&mut self, network: impl Into<String>) {
        self.partial.insert(network.into());
    }

    /// Whether [`Graph::mark_partial`] was said of a network.
    #[must_use]
    pub fn is_partial(&self, network: &str) -> bool {
        self.partial.contains(network)
    }

    /// All steps, in the order of their ids.
    #[must_use]
    pub fn steps(&self) -> &[Step<S>] {
        &self.steps
    }

    /// All ids, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = StepId> + ExactSizeIterator + use<S> {
        (0..self.steps.len() as u32).map(StepId)
    }

    /// One step.
    ///
    /// # Panics
    ///
    /// If the id was given by another graph with more steps.
    #[must_use]
    pub fn step(&self, id: StepId) -> &Step<S> {
        &self.steps[id.index()]
    }

    /// The steps that a step reads, each once, in order.
    #[must_use]
    pub fn inputs_of(&self, id: StepId) -> Vec<StepId> {
        let mut steps: Vec<StepId> = self.step(id).inputs.iter().filter_map(|(_, input)| input.step()).collect();
        steps.sort_unstable();
        steps.dedup();
        steps
    }

    /// Finds the first thing that makes the graph impossible to carry out.
    pub fn check(&self) -> Result<(), GraphError> {
        let mut seen: HashSet<(&str, Option<&str>, StepKind)> = HashSet::with_capacity(self.steps.len());
        let mut roles: HashSet<&str> = HashSet::new();
        for (index, step) in self.steps.iter().enumerate() {
            let name = || format!("`{}` of `{}`", step.kind, step.subject());
            let names = std::iter::once(&step.network).chain(&step.model);
            for part in names {
                check_name(part).map_err(|problem| GraphError::Name { step: name(), problem })?;
            }
            if !seen.insert((&step.network, step.model.as_deref(), step.kind)) {
                return Err(GraphError::Twice { step: name() });
            }
            if let Some(folder) = &step.install
                && !Path::new(folder).components().all(|part| matches!(part, Component::Normal(_)))
            {
                return Err(GraphError::Folder { step: name(), folder: folder.clone() });
            }
            roles.clear();
            for (role, input) in &step.inputs {
                let role_of = || role.clone();
                if !roles.insert(role) {
                    return Err(GraphError::Role { step: name(), role: role_of() });
                }
                match input {
                    Input::File(path) if !path.is_absolute() => {
                        let path = path.display().to_string();
                        return Err(GraphError::Relative { step: name(), role: role_of(), path });
                    }
                    Input::Output { step: before, .. }
                    | Input::IfMade { step: before, .. }
                    | Input::Outputs { step: before }
                        if before.index() >= index =>
                    {
                        return Err(GraphError::Order { step: name(), role: role_of() });
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn step(kind: StepKind, inputs: Vec<(&str, Input)>) -> Step<()> {
        Step {
            kind,
            network: "digits".into(),
            model: Some("reader".into()),
            tool: "host/1".into(),
            settings: (),
            inputs: inputs.into_iter().map(|(role, input)| (role.to_owned(), input)).collect(),
            install: None,
            memory: 0,
        }
    }

    #[test]
    fn what_cannot_be_carried_out_is_refused() {
        struct Case {
            steps: Vec<Step<()>>,
            error: Option<&'static str>,
        }
        let fetch = || step(StepKind::Fetch, vec![("weights", Input::File(PathBuf::from("/zoo/a.onnx")))]);
        let cases = [
            Case {
                steps: vec![fetch(), step(StepKind::Clean, vec![("model", Input::Outputs { step: StepId(0) })])],
                error: None,
            },
            Case {
                steps: vec![step(StepKind::Clean, vec![("model", Input::Outputs { step: StepId(0) })])],
                error: Some("`model` of `clean` of `digits/reader` comes from a step that is not before it"),
            },
            Case { steps: vec![fetch(), fetch()], error: Some("there are two steps `fetch` of `digits/reader`") },
            Case {
                steps: vec![step(StepKind::Fetch, vec![("weights", Input::File(PathBuf::from("a.onnx")))])],
                error: Some("`weights` of `fetch` of `digits/reader` is `a.onnx`, which is not an absolute path"),
            },
            Case {
                steps: vec![Step { install: Some("../elsewhere".into()), ..fetch() }],
                error: Some(
                    "`fetch` of `digits/reader` would write to `../elsewhere`, which is not a folder below the build root",
                ),
            },
            Case {
                steps: vec![Step { network: "..".into(), ..fetch() }],
                error: Some("`fetch` of `../reader`: a name may not start with `.`"),
            },
        ];
        let mut wrong = Vec::new();
        for case in cases {
            let mut graph = Graph::new();
            for step in case.steps {
                graph.add(step);
            }
            let found = graph.check().err().map(|error| error.to_string());
            if found.as_deref() != case.error {
                wrong.push(format!("expected {:?}, found {found:?}", case.error));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
