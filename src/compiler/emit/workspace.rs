//! Where buffers lie in the workspace: two that are needed at the same time never overlap. Their places are found as those of the
//! device's memories are (`memory/packing.rs`).

use crate::base::CancelToken;
use crate::compiler::emit::flow::Flow;
use crate::compiler::emit::step::Step;
use crate::compiler::emit::step::Storage;
use crate::compiler::memory::CodeBuffer;
use crate::compiler::memory::CodeKind;
use crate::compiler::memory::CodePlan;

/// Places in the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Workspace {
    /// For each buffer its first byte; 0 for those that lie elsewhere.
    pub(super) offsets: Vec<usize>,
    /// For each step the first byte of its scratch; 0 for those that need none.
    pub(super) scratch: Vec<usize>,
    /// The same as the memory plan states it.
    pub(super) plan: CodePlan,
}

/// For each buffer the first and the last step that use it.
fn lives(count: usize, steps: &[Step]) -> Vec<Option<(usize, usize)>> {
    let mut lives: Vec<Option<(usize, usize)>> = vec![None; count];
    for (index, step) in steps.iter().enumerate() {
        for id in step.buffers() {
            lives[id.0].get_or_insert((index, index)).1 = index;
        }
    }
    lives
}

impl Workspace {
    /// Places all buffers that are in it, and the scratch of each step.
    pub(super) fn of(flow: &Flow<'_>, function: String, cancel: &CancelToken) -> Self {
        let mut planned = Vec::new();
        let mut places = Vec::new();
        for (index, (buffer, calls)) in flow.buffers.iter().zip(lives(flow.buffers.len(), &flow.steps)).enumerate() {
            let (Storage::Workspace, Some(calls)) = (buffer.storage, calls) else { continue };
            let (name, kind) = match buffer.holds {
                Some((id, true)) => (flow.graph.value(id).name.clone(), CodeKind::Rearranged),
                Some((id, false)) => (flow.graph.value(id).name.clone(), CodeKind::Tensor),
                None => (String::new(), CodeKind::Tensor),
            };
            planned.push(CodeBuffer { name, kind, bytes: buffer.bytes, calls });
            places.push(index);
        }
        let tensors = planned.len();
        for work in &flow.works {
            for step in work.steps.clone().filter(|&step| flow.steps[step].scratch > 0) {
                let (name, bytes) = (work.name.clone(), flow.steps[step].scratch);
                planned.push(CodeBuffer { name, kind: CodeKind::Scratch, bytes, calls: (step, step) });
            }
        }
        let plan = CodePlan::of(function, planned, cancel);
        let mut offsets = vec![0; flow.buffers.len()];
        let mut scratch = vec![0; flow.steps.len()];
        let (own, of_steps) = plan.buffers.split_at(tensors);
        for (&index, &(_, offset)) in places.iter().zip(own) {
            offsets[index] = offset;
        }
        for (buffer, offset) in of_steps {
            scratch[buffer.calls.0] = *offset;
        }
        Self { offsets, scratch, plan }
    }
}
