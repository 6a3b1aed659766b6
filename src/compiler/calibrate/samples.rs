//! What calibration and evaluation read, and how they are watched.

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

    /// The class of a sample, where it is known.
    fn label(&self, index: usize) -> Option<usize>;

    /// Told of a sample that was evaluated: the outputs of the float graph and of the quantized one as real numbers, in the
    /// order of the outputs. An error ends the evaluation.
    fn answered(&self, _index: usize, _float: &[Vec<f32>], _int8: &[Vec<f32>]) -> Result<(), StageError> {
        Ok(())
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
