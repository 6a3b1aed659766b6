//! Depth first: a chain of operators goes through all of them tile by tile, so that what lies between two of them never
//! leaves L1 (docs/design/memory-plan.md, "Depth first").

use crate::compiler::device::Access;
use crate::compiler::device::Rates;
use crate::compiler::device::Tile;
use crate::compiler::device::Work;
use crate::compiler::memory::Tiling;
use crate::compiler::memory::TilingOptions;
use crate::compiler::memory::tiling::counts;
use crate::compiler::memory::tiling::cycles;
use crate::compiler::memory::tiling::divided;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::TensorId;
use crate::properties::CompilerConfig;

/// How far and how hard chains are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepthOptions {
    /// Operators in a chain at most; 1 is none.
    pub depth: i64,
    /// Lengths tried from each operator, the longest first; `None`: all.
    pub tried: Option<i64>,
    /// Chains are looked for when it is decided what stays in L1, among what does not; otherwise before, among what could not.
    pub after_l1: bool,
}

impl DepthOptions {
    /// As a configuration says.
    #[must_use]
    pub const fn of(config: &CompilerConfig) -> Self {
        Self {
            depth: config.tiling_depth,
            tried: config.dfs_search_constraint,
            after_l1: config.split_buffer_promotion,
        }
    }
}

/// Operators that are tiled together, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) first: usize,
    /// One a node, from the first on.
    pub(super) tilings: Vec<Tiling>,
}

/// What chains are looked for in.
pub(super) struct Operators<'a> {
    pub(super) graph: &'a QuantizedGraph,
    pub(super) works: &'a [Work],
    pub(super) tilings: &'a [Tiling],
    pub(super) options: DepthOptions,
    pub(super) tiling: &'a TilingOptions,
    pub(super) rates: &'a Rates,
    /// Whether a tensor lies in L1 as a whole.
    pub(super) in_l1: &'a dyn Fn(TensorId) -> bool,
    /// Whether a tensor may be what lies between two operators of a chain.
    pub(super) may_link: &'a dyn Fn(TensorId) -> bool,
    /// Bytes of L1 that the nodes from the first to the last have for tiles.
    pub(super) room: &'a dyn Fn(usize, usize) -> usize,
}

impl Operators<'_> {
    /// The chains that are estimated to save the most, found from the first node to the last; none overlaps another.
    pub(super) fn chains(&self) -> Vec<Chain> {
        let readers = self.readers();
        let mut chains = Vec::new();
        let mut first = 0;
        while first < self.works.len() {
            match self.best_from(first, &readers) {
                Some(chain) => {
                    first += chain.tilings.len();
                    chains.push(chain);
                }
                None => first += 1,
            }
        }
        chains
    }

    /// How often each value is read.
    fn readers(&self) -> Vec<usize> {
        let mut readers = vec![0; self.graph.values.len()];
        for input in self.graph.nodes.iter().flat_map(|node| &node.inputs) {
            readers[input.index()] += 1;
        }
        readers
    }

    /// How a node reads what the node before it writes, where both may be tiled together by rows.
    fn link(&self, reader: usize, readers: &[usize]) -> Option<&Access> {
        let (before, after) = (self.works.get(reader.checked_sub(1)?)?, self.works.get(reader)?);
        let id = before.writes.id;
        let alone = readers[id.index()] == 1 && !self.graph.outputs.contains(&id) && (self.may_link)(id);
        let access = after.reads.iter().find(|access| access.id == id)?;
        let by_rows = !access.is_whole() && !before.writes.is_whole() && access.height() == before.rows;
        (alone && by_rows && before.passes == 1 && after.passes == 1 && before.rows > 1).then_some(access)
    }

    fn best_from(&self, first: usize, readers: &[usize]) -> Option<Chain> {
        let depth = usize::try_from(self.options.depth).unwrap_or(usize::MAX);
        let mut last = first;
        while last + 1 - first < depth && self.link(last + 1, readers).is_some() {
            last += 1;
        }
        let tried = self.options.tried.map_or(usize::MAX, |tried| usize::try_from(tried).unwrap_or(0));
        let mut best: Option<(u64, Chain)> = None;
        for last in (first + 1..=last).rev().take(tried) {
            let alone: u64 = (first..=last).map(|at| self.cycles(at, &self.tilings[at], (at, at))).sum();
            let Some((together, chain)) = self.chain(first, last, readers) else { continue };
            let saved = alone.saturating_sub(together);
            if saved > best.as_ref().map_or(0, |(most, _)| *most) {
                best = Some((saved, chain));
            }
        }
        best.map(|(_, chain)| chain)
    }

    /// Estimated cycles of a node within a chain.
    fn cycles(&self, at: usize, tiling: &Tiling, (first, last): (usize, usize)) -> u64 {
        let linked = |id: TensorId| (self.in_l1)(id) || (first..last).any(|before| self.works[before].writes.id == id);
        cycles(&self.works[at], tiling, self.rates, &linked)
    }

    /// The tiling of a chain that is estimated to be the fastest of those that fit.
    fn chain(&self, first: usize, last: usize, readers: &[usize]) -> Option<(u64, Chain)> {
        let doublings = u32::try_from(self.tiling.attempts.saturating_sub(1)).unwrap_or(0).min(16);
        let room = (self.room)(first, last);
        let mut best: Option<(u64, Chain)> = None;
        for count in counts(self.works[last].rows, self.tiling.height, 1 << doublings) {
            let mut rows = self.works[last].rows.div_ceil(count).max(1);
            let count = self.works[last].rows.div_ceil(rows);
            let mut tilings = Vec::with_capacity(last + 1 - first);
            for at in (first..=last).rev() {
                tilings.push(self.member(at, rows, count, (first, last)));
                if at > first {
                    rows = self.link(at, readers)?.needed(rows, self.works[at].rows);
                }
            }
            tilings.reverse();
            let bytes = tilings.iter().fold(0_usize, |sum, tiling| sum.saturating_add(tiling.bytes()));
            if bytes > room {
                continue;
            }
            let cycles = (first..=last).zip(&tilings).map(|(at, tiling)| self.cycles(at, tiling, (first, last))).sum();
            if best.as_ref().is_none_or(|(least, _)| cycles < *least) {
                best = Some((cycles, Chain { first, tilings }));
            }
        }
        best
    }

    /// A node of a chain that computes so many rows for each of `count` tiles.
    fn member(&self, at: usize, rows: usize, count: usize, (first, last): (usize, usize)) -> Tiling {
        let work = &self.works[at];
        let options = TilingOptions { overlaps_channels: false, ..self.tiling.clone() };
        let mut tiling = divided(work, &options, Tile { rows, words: work.words });
        tiling.height = count;
        tiling.overlaps = count > 1 && options.overlaps_rows;
        tiling.computed_rows = rows.saturating_mul(count).max(work.rows);
        tiling.chain = Some((first, last));
        let links: Vec<TensorId> = (first..last).map(|before| self.works[before].writes.id).collect();
        tiling.buffers.retain(|buffer| {
            let linked = buffer.tensor.is_some_and(|id| links.contains(&id));
            let passed_on = linked && buffer.role == "input";
            !passed_on && !buffer.tensor.is_some_and(self.in_l1)
        });
        for buffer in &mut tiling.buffers {
            if buffer.tensor.is_some_and(|id| links.contains(&id)) {
                // The next operator takes the rows over before the next ones are made.
                buffer.bytes /= buffer.copies;
                buffer.copies = 1;
            }
        }
        tiling
    }
}
