//! The plan as data: what emitters, the estimate and people read.

use serde::Serialize;

use crate::compiler::error::StageError;
use crate::compiler::memory::Budget;
use crate::compiler::memory::Pool;
use crate::compiler::memory::Request;
use crate::compiler::memory::WORD;
use crate::compiler::memory::pack;
use crate::compiler::memory::tensor_bytes;
use crate::compiler::quantize::QuantizedGraph;
use crate::properties::CompilerConfig;

/// Where a tensor lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Placement {
    /// In which memory.
    pub pool: Pool,
    /// The first byte, counted from the beginning of the work space in this pool; a multiple of [`WORD`].
    pub offset: usize,
    /// Its bytes: at least as many as the tensor has elements, a multiple of [`WORD`].
    pub bytes: usize,
}

/// Places of the tensors of one quantized graph, for one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Bytes of work space in L1, for tensors that stay in a core.
    pub l1_bytes: usize,
    /// Bytes of work space in L2.
    pub l2_bytes: usize,
    /// Bytes of work space in DDR.
    pub ddr_bytes: usize,
    /// For each value of the graph its place, by [`TensorId`](crate::compiler::quantize::TensorId): network inputs and outputs
    /// included; `None` for constants and for values that nothing writes.
    ///
    /// Tensors that are alive at the same time do not overlap. A node's inputs are alive while it writes its output.
    pub placements: Vec<Option<Placement>>,
}

/// For each value the first and the last node at which it is alive: inputs from the beginning, outputs until the end.
fn lifetimes(graph: &QuantizedGraph) -> Vec<Option<(usize, usize)>> {
    let end = graph.nodes.len().saturating_sub(1);
    let mut lifetimes: Vec<Option<(usize, usize)>> = vec![None; graph.values.len()];
    for input in &graph.inputs {
        lifetimes[input.index()] = Some((0, 0));
    }
    for (step, node) in graph.nodes.iter().enumerate() {
        lifetimes[node.output.index()] = Some((step, step));
        for input in &node.inputs {
            if let Some((_, last)) = &mut lifetimes[input.index()] {
                *last = step;
            }
        }
    }
    for output in &graph.outputs {
        if let Some((_, last)) = &mut lifetimes[output.index()] {
            *last = end;
        }
    }
    lifetimes
}

/// Plans the memory of a verified graph.
pub fn plan(graph: &QuantizedGraph, config: &CompilerConfig) -> Result<MemoryPlan, StageError> {
    let budget = Budget::of(config);
    let lifetimes = lifetimes(graph);
    let is_port: Vec<bool> = {
        let mut ports = vec![false; graph.values.len()];
        for id in graph.inputs.iter().chain(&graph.outputs) {
            ports[id.index()] = true;
        }
        ports
    };
    let request = |(value, lifetime): (usize, &Option<(usize, usize)>)| {
        let (first, last) = (*lifetime)?;
        let bytes = tensor_bytes(&graph.values[value].shape, config.apply_pword_padding);
        Some(Request { bytes, alignment: WORD, first, last })
    };
    let requests: Vec<Option<Request>> = lifetimes.iter().enumerate().map(request).collect();
    let mut placements: Vec<Option<Placement>> = vec![None; graph.values.len()];
    let mut place = |members: &[usize], pool: Pool| {
        let wanted: Vec<Request> = members.iter().filter_map(|&member| requests[member]).collect();
        let packing = pack(&wanted);
        for ((&member, &offset), request) in members.iter().zip(&packing.offsets).zip(&wanted) {
            placements[member] = Some(Placement { pool, offset, bytes: request.bytes });
        }
        packing.peak
    };
    let members = |port: bool| -> Vec<usize> {
        (0..graph.values.len()).filter(|&value| requests[value].is_some() && is_port[value] == port).collect()
    };
    let (inner, ports) = (members(false), members(true));
    let l2_bytes = place(&inner, Pool::L2);
    if l2_bytes <= budget.bytes(Pool::L2) {
        let ddr_bytes = place(&ports, Pool::Ddr);
        return Ok(MemoryPlan { l1_bytes: 0, l2_bytes, ddr_bytes, placements });
    }
    let all: Vec<usize> = (0..graph.values.len()).filter(|&value| requests[value].is_some()).collect();
    let ddr_bytes = place(&all, Pool::Ddr);
    Ok(MemoryPlan { l1_bytes: 0, l2_bytes: 0, ddr_bytes, placements })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::quantize::tests::network;
    use crate::compiler::quantize::tests::quantized;

    #[test]
    fn every_tensor_has_a_place_of_its_own_while_it_is_alive() {
        let graph = quantized(&network(), 1, 0).expect("quantized").graph;
        let plan = plan(&graph, &CompilerConfig::default()).expect("planned");
        let lifetimes = lifetimes(&graph);
        for (value, placement) in plan.placements.iter().enumerate() {
            assert_eq!(placement.is_some(), graph.values[value].constant.is_none());
            let Some(own) = placement else { continue };
            assert!(own.bytes >= graph.values[value].len() && own.offset % WORD == 0);
            assert!(own.offset + own.bytes <= [plan.l1_bytes, plan.l2_bytes, plan.ddr_bytes][own.pool.index()]);
            for (other, placement) in plan.placements.iter().enumerate().take(value) {
                let Some(other_place) = placement.filter(|it| it.pool == own.pool) else { continue };
                let ((a, b), (c, d)) = (lifetimes[value].expect("alive"), lifetimes[other].expect("alive"));
                let apart = own.offset + own.bytes <= other_place.offset
                    || other_place.offset + other_place.bytes <= own.offset;
                assert!(a > d || c > b || apart, "{value} lies over {other}");
            }
        }
    }
}
