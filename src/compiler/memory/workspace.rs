//! The work space of the C code as `memory_plan.json` states it: its buffers are placed by the same search as the device's.

use serde::Serialize;

use crate::base::CancelToken;
use crate::compiler::device::WORD;
use crate::compiler::memory::Request;
use crate::compiler::memory::largest_live_set;
use crate::compiler::memory::pack;

/// Bytes that the code may read, and never uses, beyond the end of a buffer.
pub const READ_BEYOND: usize = WORD;

/// What a buffer of the code holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeKind {
    /// A tensor of the program, or several one after another in the same bytes.
    Tensor,
    /// A tensor once more, its axes in another order.
    Rearranged,
    /// What one call needs and leaves.
    Scratch,
}

/// A buffer of the code that needs a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeBuffer {
    /// The first tensor that lies in it; of scratch the node.
    pub name: String,
    /// What it holds.
    pub kind: CodeKind,
    /// Its bytes.
    pub bytes: usize,
    /// The first and the last call of the function that use it, counted from 0.
    pub calls: (usize, usize),
}

/// The caller's memory that the C function works in, planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodePlan {
    /// The function.
    pub function: String,
    /// Bytes of all of it: what the macro in the code says.
    pub bytes: usize,
    /// The most bytes that one call needs alive: no placement needs less.
    pub live: usize,
    /// Every buffer with its first byte, a multiple of [`WORD`].
    pub buffers: Vec<(CodeBuffer, usize)>,
}

impl CodePlan {
    /// Places buffers: none lies over another that is alive at the same call. Buffers keep their order.
    #[must_use]
    pub fn of(function: String, buffers: Vec<CodeBuffer>, cancel: &CancelToken) -> Self {
        let request = |buffer: &CodeBuffer| Request {
            bytes: buffer.bytes.next_multiple_of(WORD),
            alignment: WORD,
            first: buffer.calls.0,
            last: buffer.calls.1,
        };
        let requests: Vec<Request> = buffers.iter().map(request).collect();
        let packing = pack(&requests, cancel);
        Self {
            function,
            bytes: packing.peak + READ_BEYOND,
            live: largest_live_set(&requests),
            buffers: buffers.into_iter().zip(packing.offsets).collect(),
        }
    }
}
