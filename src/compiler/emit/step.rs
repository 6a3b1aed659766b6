//! What the C code does, one call after another, before buffers have their places.

use crate::compiler::emit::constants::Span;
use crate::compiler::quantize::TensorId;

/// A buffer: its place in the flow's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BufferId(pub(super) usize);

/// Where a buffer lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    /// The caller's input with this number.
    Input(usize),
    /// The caller's output with this number.
    Output(usize),
    /// A constant.
    Constant(Span),
    /// The workspace, for as long as it is needed.
    Workspace,
}

/// Bytes that steps read and write.
#[derive(Debug, Clone)]
pub(super) struct Buffer {
    /// The value that is made in it first, and whether these are its elements in another order than where they were made.
    pub(super) holds: Option<(TensorId, bool)>,
    pub(super) storage: Storage,
    pub(super) bytes: usize,
}

/// A number of a record, as C writes it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Integer(i64),
    Real(f32),
    Pair([i64; 2]),
    Reals([f32; 2]),
}

/// An argument of a call.
#[derive(Debug, Clone)]
pub(super) enum Argument {
    /// A record of parameters: the kernel's own structure.
    Record(&'static str, Vec<(&'static str, Number)>),
    /// A list of numbers.
    Numbers(Vec<i64>),
    /// Bytes among the constants.
    Table(Span),
    /// 32-bit integers among the constants.
    Words(Span),
    /// What is read.
    Read(BufferId),
    /// What is written.
    Written(BufferId),
    /// All constants.
    Constants,
    /// Memory that is not needed behind the call.
    Scratch,
    /// As it stands.
    Plain(String),
}

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// The function, and the structures and functions that it needs, each the name of a file of C code.
    pub(super) kernels: &'static [&'static str],
    pub(super) function: &'static str,
    pub(super) arguments: Vec<Argument>,
    /// Bytes of scratch.
    pub(super) scratch: usize,
}

impl Step {
    pub(super) fn new(kernels: &'static [&'static str], function: &'static str, arguments: Vec<Argument>) -> Self {
        Self { kernels, function, arguments, scratch: 0 }
    }

    /// Buffers that are read or written.
    pub(super) fn buffers(&self) -> impl Iterator<Item = BufferId> {
        self.arguments.iter().filter_map(|argument| match argument {
            Argument::Read(id) | Argument::Written(id) => Some(*id),
            _ => None,
        })
    }
}
