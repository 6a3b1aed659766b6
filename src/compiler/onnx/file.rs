//! An ONNX file for looking at rather than compiling: what it says of itself, and every node with what is known of it.

use std::io::Read;
use std::io::Seek;

use crate::compiler::StageError;
use crate::compiler::Status;
use crate::compiler::onnx::ExternalData;
use crate::compiler::onnx::ImportOptions;
use crate::compiler::onnx::import;
use crate::compiler::onnx::locations;
use crate::compiler::onnx::proto::ModelProto;
use crate::compiler::onnx::skim;
use crate::compiler::onnx::survey::Survey;
use crate::compiler::onnx::survey::survey;

/// A decoded file.
#[derive(Debug, Clone)]
pub struct OnnxFile {
    model: ModelProto,
    is_skimmed: bool,
}

/// An input as the file declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredInput {
    /// Its name.
    pub name: String,
    /// One entry an axis, `None` for an open dimension; `None` where not even the rank is given.
    pub shape: Option<Vec<Option<usize>>>,
}

impl OnnxFile {
    /// Opsets that the embedded compiler reads.
    pub const OPSETS: std::ops::RangeInclusive<i64> = import::OPSETS;

    /// Bytes that an ONNX file may have: more the format cannot count. Larger weights lie beside it.
    pub const LENGTH_LIMIT: u64 = 1 << 31;

    /// Reads a file of `length` bytes without its large tensors, so that time and memory do not grow with the weights.
    pub fn skim(file: impl Read + Seek, length: u64) -> Result<Self, StageError> {
        if length == 0 {
            return Err(import::empty());
        }
        let held = skim::skim(file, length).map_err(|cause| {
            let message = format!("the file is not an ONNX model: {cause}");
            StageError::new(Status::OnnxGraphCleanerError, message).hint("is the file whole?")
        })?;
        Self::checked(import::decode(&held)?, true)
    }

    /// A file with all that is in it.
    pub fn decode(bytes: &[u8]) -> Result<Self, StageError> {
        Self::checked(import::decode(bytes)?, false)
    }

    fn checked(model: ModelProto, is_skimmed: bool) -> Result<Self, StageError> {
        import::graph_of(&model)?;
        Ok(Self { model, is_skimmed })
    }

    /// The version of the standard operators; `None` where the file does not say it.
    #[must_use]
    pub fn opset(&self) -> Option<i64> {
        import::stated_opset(&self.model)
    }

    /// The inputs that a caller has to give, in order.
    #[must_use]
    pub fn inputs(&self) -> Vec<DeclaredInput> {
        let inputs = self.model.graph.iter().flat_map(import::inputs_of);
        inputs.map(|input| DeclaredInput { name: input.name.clone(), shape: import::declared_shape(input) }).collect()
    }

    /// The files beside this one that hold tensors, sorted.
    #[must_use]
    pub fn external_locations(&self) -> Vec<String> {
        locations::of_model(&self.model).into_iter().collect()
    }

    /// Every node that outputs depend on, as the embedded compiler reads it; nothing is left out for a node that it
    /// refuses. Where the file was skimmed, a refusal may be due to that: see [`Survey::is_doubtful`].
    pub fn survey(&self, external: &dyn ExternalData, options: &ImportOptions) -> Result<Survey<'_>, StageError> {
        survey(&self.model, self.is_skimmed, external, options)
    }
}
