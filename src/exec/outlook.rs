//! What is known of a run before it starts: what its steps need, how long they should take, which toolchains are others than
//! before, and whether there is any point in starting.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ExecError;
use super::judge::{Judged, Verdict};
use super::states::Need;
use crate::base::fs;
use crate::plan::Graph;
use crate::plan::StepId;
use crate::store::SlotName;
use crate::store::Store;
use crate::store::StoreError;

/// What a step is taken to last when it never ran, in milliseconds.
const UNKNOWN_DURATION: u64 = 1000;

/// What the steps that are still open need and weigh.
pub(super) fn needs<S>(graph: &Graph<S>, store: &Store, judged: &Judged<'_>) -> Vec<Option<Need>> {
    let mut needs: Vec<Option<Need>> = vec![None; judged.verdicts.len()];
    let mut behind = vec![0_u64; judged.verdicts.len()];
    for id in graph.ids().rev() {
        if !matches!(judged.verdicts[id.index()], Verdict::Broken(_)) && !judged.verdicts[id.index()].is_pending() {
            continue;
        }
        let step = graph.step(id);
        let last = store.slot(&SlotName::of(step)).map_or(UNKNOWN_DURATION, |slot| u64::from(slot.duration_ms));
        let weight = behind[id.index()] + last;
        let inputs: Vec<usize> = graph.inputs_of(id).into_iter().map(StepId::index).collect();
        for &input in &inputs {
            behind[input] = behind[input].max(weight);
        }
        // What it took the last time, or what it should take.
        let memory = Some(store.memory(&SlotName::of(step))).filter(|&memory| memory > 0).unwrap_or(step.memory);
        needs[id.index()] = Some(Need { inputs, weight, memory, pool: step.kind as usize });
    }
    needs
}

/// How long the pending steps should take: the longest way through them, or all of them shared out, whichever is more.
pub(super) fn expected<S>(graph: &Graph<S>, store: &Store, judged: &Judged<'_>, parallel: usize) -> Option<Duration> {
    let mut behind = vec![0_u64; judged.verdicts.len()];
    let (mut longest, mut sum) = (0_u64, 0_u64);
    for id in graph.ids().rev().filter(|id| judged.verdicts[id.index()].is_pending()) {
        let last = u64::from(store.slot(&SlotName::of(graph.step(id)))?.duration_ms);
        let way = behind[id.index()] + last;
        for input in graph.inputs_of(id) {
            behind[input.index()] = behind[input.index()].max(way);
        }
        longest = longest.max(way);
        sum += last;
    }
    Some(Duration::from_millis(longest.max(sum / parallel.max(1) as u64)))
}

/// The toolchains that are others than when this build root last had the result of a step that is pending: what each was, what it
/// is, and the number of these steps.
pub(super) fn changed_tools<S>(
    graph: &Graph<S>,
    store: &mut Store,
    judged: &Judged<'_>,
) -> Result<BTreeMap<(String, String), usize>, StoreError> {
    let mut changed = BTreeMap::new();
    for id in graph.ids().filter(|id| judged.verdicts[id.index()].is_pending()) {
        let step = graph.step(id);
        let Some(slot) = store.slot(&SlotName::of(step)) else { continue };
        if let Some(record) = store.record(&slot.key)?.filter(|record| record.tool != step.tool) {
            *changed.entry((record.tool, step.tool.clone())).or_default() += 1;
        }
    }
    Ok(changed)
}

/// An error when files are to be put into the build root and there is no network whose folder can be written: better said before
/// the work than after it.
pub(super) fn check_build_root<S>(graph: &Graph<S>, store: &Store, judged: &Judged<'_>) -> Result<(), ExecError> {
    let mut problem = None;
    for id in graph.ids() {
        let is_written = match &judged.verdicts[id.index()] {
            Verdict::Hit(hit) => !hit.wrong.is_empty(),
            verdict => verdict.is_pending(),
        };
        if !is_written || graph.step(id).install.is_none() {
            continue;
        }
        match fs::check_writable(&store.build_root().join(&graph.step(id).network)) {
            Ok(()) => return Ok(()),
            Err(error) => problem = problem.or(Some(error)),
        }
    }
    problem.map_or(Ok(()), |error| Err(error.into()))
}
