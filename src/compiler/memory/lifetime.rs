//! From when to when tensors are needed, and how often they are moved.

use crate::compiler::device::Work;
use crate::compiler::memory::Tiling;
use crate::compiler::quantize::QuantizedGraph;

/// The nodes from the first to the last, both included, at which a tensor is alive.
pub type Lifetime = (usize, usize);

/// For each value the nodes at which it is alive: a network input from the first node, an output until the last; `None` for
/// constants and for values that nothing writes. With `whole`, network inputs and outputs are alive throughout.
#[must_use]
pub fn lifetimes(graph: &QuantizedGraph, whole: bool) -> Vec<Option<Lifetime>> {
    let end = graph.nodes.len().saturating_sub(1);
    let mut lifetimes: Vec<Option<Lifetime>> = vec![None; graph.values.len()];
    for input in &graph.inputs {
        lifetimes[input.index()] = Some((0, if whole { end } else { 0 }));
    }
    for (step, node) in graph.nodes.iter().enumerate() {
        lifetimes[node.output.index()] = Some((step, step));
        for input in &node.inputs {
            if let Some((_, last)) = &mut lifetimes[input.index()] {
                *last = step.max(*last);
            }
        }
    }
    for output in &graph.outputs {
        if let Some((first, last)) = &mut lifetimes[output.index()] {
            *last = end;
            if whole {
                *first = 0;
            }
        }
    }
    lifetimes
}

/// For each value the bytes of it that are loaded and stored in one run.
#[must_use]
pub fn traffic(graph: &QuantizedGraph, works: &[Work], tilings: &[Tiling]) -> Vec<u64> {
    let mut traffic = vec![0_u64; graph.values.len()];
    for (work, tiling) in works.iter().zip(tilings) {
        traffic[work.writes.id.index()] += work.writes.total() as u64;
        for access in &work.reads {
            traffic[access.id.index()] += tiling.loaded(work, access);
        }
    }
    traffic
}
