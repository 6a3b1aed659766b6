//! `memory_plan.json`: the plan for people and tools, stable for the same graph and settings.

use serde::Serialize;

use crate::compiler::memory::Buffer;
use crate::compiler::memory::CodeBuffer;
use crate::compiler::memory::CodeKind;
use crate::compiler::memory::CodePlan;
use crate::compiler::memory::Kind;
use crate::compiler::memory::MemoryPlan;
use crate::compiler::memory::Pool;
use crate::compiler::memory::READ_BEYOND;
use crate::compiler::quantize::QuantizedGraph;

#[derive(Debug, Serialize)]
struct Document<'a> {
    format: &'static str,
    version: u32,
    network: &'a str,
    pools: Vec<PoolEntry>,
    tensors: Vec<BufferEntry<'a>>,
    constants: Vec<BufferEntry<'a>>,
    nodes: Vec<NodeEntry<'a>>,
    code: CodeEntry<'a>,
}

/// The work space of the C code, which is memory of whoever calls it.
#[derive(Debug, Serialize)]
struct CodeEntry<'a> {
    function: &'a str,
    workspace_bytes: usize,
    largest_live_set_bytes: usize,
    /// Read beyond the end of buffers and never used; in `workspace_bytes`, not in the live set.
    read_beyond_bytes: usize,
    buffers: Vec<CodeBufferEntry<'a>>,
}

#[derive(Debug, Serialize)]
struct CodeBufferEntry<'a> {
    name: &'a str,
    kind: CodeKind,
    offset: usize,
    bytes: usize,
    /// First and last call of the function that use it.
    calls: (usize, usize),
}

impl<'a> CodeEntry<'a> {
    fn of(plan: &'a CodePlan) -> Self {
        let entry = |(buffer, offset): &'a (CodeBuffer, usize)| CodeBufferEntry {
            name: &buffer.name,
            kind: buffer.kind,
            offset: *offset,
            bytes: buffer.bytes,
            calls: buffer.calls,
        };
        Self {
            function: &plan.function,
            workspace_bytes: plan.bytes,
            largest_live_set_bytes: plan.live,
            read_beyond_bytes: READ_BEYOND,
            buffers: plan.buffers.iter().map(entry).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct PoolEntry {
    pool: Pool,
    allowed_bytes: usize,
    used_bytes: usize,
    workspace_bytes: usize,
    workspaces: usize,
    largest_live_set_bytes: usize,
    constant_bytes: usize,
}

#[derive(Debug, Serialize)]
struct BufferEntry<'a> {
    name: &'a str,
    kind: Kind,
    pool: Pool,
    offset: usize,
    bytes: usize,
    /// First and last node at which it is alive; absent for what is always there.
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<(usize, usize)>,
}

#[derive(Debug, Serialize)]
struct NodeEntry<'a> {
    node: &'a str,
    operator: &'static str,
    tiles: usize,
    height_tiles: usize,
    channel_tiles: usize,
    rows_of_a_tile: usize,
    overlapped: bool,
    /// First and last node that it is tiled together with.
    #[serde(skip_serializing_if = "Option::is_none")]
    depth_first: Option<(usize, usize)>,
    l1_bytes: usize,
    buffers: Vec<BufferEntry<'a>>,
}

fn entry(buffer: &Buffer, nodes: Option<(usize, usize)>) -> BufferEntry<'_> {
    let Buffer { name, kind, pool, offset, bytes, .. } = buffer;
    BufferEntry { name, kind: *kind, pool: *pool, offset: *offset, bytes: *bytes, nodes }
}

impl MemoryPlan {
    /// The plan of this graph, and that of its code's work space, as indented JSON.
    #[must_use]
    pub fn to_json(&self, graph: &QuantizedGraph, code: &CodePlan) -> Vec<u8> {
        let pools = Pool::ALL.iter().zip(&self.pools).map(|(&pool, of)| PoolEntry {
            pool,
            allowed_bytes: of.allowed,
            used_bytes: of.used(),
            workspace_bytes: of.workspace,
            workspaces: of.images,
            largest_live_set_bytes: of.live,
            constant_bytes: of.constants,
        });
        let is_constant = |kind: Kind| matches!(kind, Kind::SecondCopy | Kind::Weights | Kind::Tables | Kind::Constant);
        let is_tensor = |kind: Kind| matches!(kind, Kind::Input | Kind::Output | Kind::Tensor);
        let of_kind = |wanted: &dyn Fn(Kind) -> bool| {
            self.buffers.iter().filter(|it| wanted(it.kind)).map(|it| entry(it, it.alive)).collect()
        };
        let mut tiles = self.buffers.iter().filter(|it| it.kind == Kind::Tile);
        let nodes = graph.nodes.iter().zip(&self.tilings).map(|(node, tiling)| NodeEntry {
            node: &node.name,
            operator: node.operator.name(),
            tiles: tiling.tiles(),
            height_tiles: tiling.height,
            channel_tiles: tiling.channels,
            rows_of_a_tile: tiling.tile.rows,
            overlapped: tiling.overlaps,
            depth_first: tiling.chain,
            l1_bytes: tiling.bytes(),
            buffers: tiles.by_ref().take(tiling.buffers.len()).map(|it| entry(it, None)).collect(),
        });
        let document = Document {
            format: "axzoo-memory-plan",
            version: 1,
            network: &graph.name,
            pools: pools.collect(),
            tensors: of_kind(&is_tensor),
            constants: of_kind(&is_constant),
            nodes: nodes.collect(),
            code: CodeEntry::of(code),
        };
        // Writing to memory fails only for maps whose keys are no strings; there are none.
        let mut bytes = serde_json::to_vec_pretty(&document).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}
