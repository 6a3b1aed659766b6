//! What keeps a run from being carried out at all; a step that fails is an outcome, not one of these.

use crate::base::fs::FsError;
use crate::plan::GraphError;
use crate::store::StoreError;

/// A failure of the run itself.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The plan is impossible.
    #[error("a bug in axzoo: the plan cannot be carried out: {0}")]
    Graph(#[from] GraphError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Signals cannot be watched.
    #[error("cannot watch for signals: {0}")]
    Signals(std::io::Error),
}

impl From<FsError> for ExecError {
    fn from(error: FsError) -> Self {
        Self::Store(StoreError::Fs(error))
    }
}

impl ExecError {
    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Graph(_) | Self::Signals(_) => None,
        }
    }

    /// Whether the run was asked to stop before it could begin.
    #[must_use]
    pub const fn is_interrupted(&self) -> bool {
        matches!(self, Self::Store(StoreError::Interrupted { .. }))
    }
}
