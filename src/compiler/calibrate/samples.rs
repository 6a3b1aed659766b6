//! What calibration and evaluation read, and how they are watched.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::base::CancelToken;
use crate::compiler::error::StageError;
use crate::compiler::error::Status;

/// Inputs of a network, one set for each image, loaded when they are needed.
pub trait Samples: Sync {
    /// The number of samples.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One buffer for each graph input, in the order of the inputs, row-major in the input's shape.
    fn load(&self, index: usize) -> Result<Vec<Vec<f32>>, String>;

    /// The same buffers, which may be kept for others that ask.
    fn shared(&self, index: usize) -> Result<Arc<Vec<Vec<f32>>>, String> {
        self.load(index).map(Arc::new)
    }

    /// The class of a sample, where it is known.
    fn label(&self, index: usize) -> Option<usize>;

    /// Told of a sample that was evaluated: the outputs of the float graph and of the quantized one as real numbers, in the
    /// order of the outputs. An error ends the evaluation.
    fn answered(&self, _index: usize, _float: &[Vec<f32>], _int8: &[Vec<f32>]) -> Result<(), StageError> {
        Ok(())
    }
}

/// Samples of which some are read more than once: these are kept, as far as there is room.
pub struct Remembered<'a> {
    samples: &'a dyn Samples,
    state: Mutex<Memory>,
}

/// What is kept.
#[derive(Debug, Default)]
struct Memory {
    wanted: BTreeSet<usize>,
    kept: BTreeMap<usize, Arc<Vec<Vec<f32>>>>,
    elements: usize,
}

/// The most elements of samples that are kept: 64 MiB.
const MOST_REMEMBERED: usize = 16 << 20;

impl<'a> Remembered<'a> {
    /// Nothing is kept until that is asked for.
    #[must_use]
    pub fn new(samples: &'a dyn Samples) -> Self {
        Self { samples, state: Mutex::default() }
    }

    /// Keeps these too, from when they are next read.
    pub fn keep(&self, places: &[usize]) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).wanted.extend(places);
    }
}

impl Samples for Remembered<'_> {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn load(&self, index: usize) -> Result<Vec<Vec<f32>>, String> {
        self.shared(index).map(Arc::unwrap_or_clone)
    }

    fn shared(&self, index: usize) -> Result<Arc<Vec<Vec<f32>>>, String> {
        let known = self.state.lock().unwrap_or_else(PoisonError::into_inner).kept.get(&index).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let loaded = self.samples.shared(index)?;
        let elements: usize = loaded.iter().map(Vec::len).sum();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = state.wanted.contains(&index) && !state.kept.contains_key(&index);
        if is_new && state.elements.saturating_add(elements) <= MOST_REMEMBERED {
            state.elements += elements;
            state.kept.insert(index, Arc::clone(&loaded));
        }
        Ok(loaded)
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.samples.label(index)
    }

    fn answered(&self, index: usize, float: &[Vec<f32>], int8: &[Vec<f32>]) -> Result<(), StageError> {
        self.samples.answered(index, float, int8)
    }
}

/// How long work is watched: asked to stop, and told how far it is.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Asked between images and between nodes.
    pub cancel: &'a CancelToken,
    /// Called with the phase, the number of images done and their number; from any thread, in any order.
    pub progress: &'a (dyn Fn(&str, usize, usize) + Sync),
}

impl Watch<'_> {
    /// A failure of the quantizer once somebody asked to stop.
    pub fn check(&self) -> Result<(), StageError> {
        self.cancel.check().map_err(|cancelled| StageError::new(Status::QtoolsError, cancelled.to_string()))
    }
}
