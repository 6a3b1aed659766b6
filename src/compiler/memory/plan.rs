//! The plan as data: what emitters, the estimate and people read.

use serde::Serialize;

use crate::compiler::device::Work;
use crate::compiler::memory::Pool;
use crate::compiler::memory::Tiling;
use crate::compiler::quantize::TensorId;

/// Where a tensor lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Placement {
    /// In which memory.
    pub pool: Pool,
    /// The first byte, counted from the beginning of the work space in this pool; a multiple of
    /// [`WORD`](crate::compiler::device::WORD).
    pub offset: usize,
    /// Its bytes: at least as many as the tensor has elements, a multiple of [`WORD`](crate::compiler::device::WORD).
    pub bytes: usize,
}

/// What a buffer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A network input.
    Input,
    /// A network output.
    Output,
    /// A tensor between nodes.
    Tensor,
    /// The second copy of an input or an output, which the host works on.
    SecondCopy,
    /// Weights of a node.
    Weights,
    /// Biases, scales and tables of a node.
    Tables,
    /// A constant operand.
    Constant,
    /// A part of an operand for one tile.
    Tile,
}

/// A buffer and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buffer {
    /// The tensor's name; of weights, tables and tiles the node's, with the role.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// In which memory.
    pub pool: Pool,
    /// The first byte in the part of the pool that the model holds.
    pub offset: usize,
    /// Its bytes.
    pub bytes: usize,
    /// The nodes at which it is alive; `None`: always, also between runs.
    pub alive: Option<(usize, usize)>,
}

/// How a pool is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// Bytes that the model may hold; of L1 each core.
    pub allowed: usize,
    /// Bytes of work space of one image.
    pub workspace: usize,
    /// The most bytes of work space that are alive at one node: no plan needs less.
    pub live: usize,
    /// Work spaces.
    pub images: usize,
    /// Bytes that are always there.
    pub constants: usize,
}

impl PoolUse {
    /// Bytes in all.
    #[must_use]
    pub const fn used(&self) -> usize {
        self.workspace.saturating_mul(self.images).saturating_add(self.constants)
    }
}

/// Places of the tensors of one quantized graph, for one image. Values and nodes are those of the graph that was planned: in
/// lowering the device's form, not that of the C program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Bytes of work space in L1, for tensors that stay in a core.
    pub l1_bytes: usize,
    /// Bytes of work space in L2.
    pub l2_bytes: usize,
    /// Bytes of work space in DDR.
    pub ddr_bytes: usize,
    /// For each value of the graph its place, by [`TensorId`]: network inputs and outputs included; `None` for constants and
    /// for values that nothing writes.
    ///
    /// Tensors that are alive at the same time do not overlap. A node's inputs are alive while it writes its output.
    pub placements: Vec<Option<Placement>>,
    /// Every buffer of the first image: tensors by id, then constants, then the tiles of each node.
    pub buffers: Vec<Buffer>,
    /// How much of each pool is used, by [`Pool::index`].
    pub pools: [PoolUse; 3],
    /// For each node what it does.
    pub works: Vec<Work>,
    /// For each node how it is divided; tensors that lie in L1 have no buffers in it.
    pub tilings: Vec<Tiling>,
    /// For each value whether the operators on both sides are tiled together, so that it passes through L1 by parts. Its place
    /// is for a program that runs one operator after the other.
    pub linked: Vec<bool>,
    /// For each node where its weights lie.
    pub weights: Vec<Pool>,
    /// For each node where the constants of the vector unit lie.
    pub tables: Pool,
    /// How many ways of choosing what moves up were tried, where they were fewer than asked for although another might have
    /// been better: there is a bound, and so much work for one model is enough.
    pub stopped_after: Option<i64>,
}

impl MemoryPlan {
    /// The pool that a tensor passes through on its way from one operator to the next.
    #[must_use]
    pub fn passes_through(&self, id: TensorId) -> Pool {
        if self.linked.get(id.index()) == Some(&true) {
            return Pool::L1;
        }
        let placement = self.placements.get(id.index()).copied().flatten();
        placement.map_or(Pool::Ddr, |placement| placement.pool)
    }
}
