//! Calibration: every image through the float network once, observers beside it. Images run in parallel; what the
//! threads saw is joined by operations whose order does not matter, so any number of threads gives the same result.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::compiler::calibrate::Detail;
use crate::compiler::calibrate::FloatEngine;
use crate::compiler::calibrate::Observation;
use crate::compiler::calibrate::Samples;
use crate::compiler::calibrate::Scheme;
use crate::compiler::calibrate::Watch;
use crate::compiler::calibrate::lanes;
use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::graph::Graph;
use crate::compiler::graph::ValueId;

/// Runs `work` for every index below `count` on `threads` threads, each with its own state. An error ends the run; of
/// several the one of the lowest index is returned, which does not depend on the threads: indices start in order.
pub fn for_each_index<S: Send>(
    count: usize,
    threads: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<(), StageError> + Sync,
) -> Result<Vec<S>, StageError> {
    let threads = threads.clamp(1, count.max(1));
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let states = Mutex::new(Vec::new());
    let failures = Mutex::new(BTreeMap::new());
    let one_thread = || {
        let mut own = state();
        while !stop.load(Ordering::SeqCst) {
            let index = next.fetch_add(1, Ordering::SeqCst);
            if index >= count {
                break;
            }
            if let Err(error) = work(&mut own, index) {
                stop.store(true, Ordering::SeqCst);
                failures.lock().unwrap_or_else(PoisonError::into_inner).insert(index, error);
            }
        }
        states.lock().unwrap_or_else(PoisonError::into_inner).push(own);
    };
    // Plain threads, not workers of a pool: what they run may wait for pools of its own.
    std::thread::scope(|scope| -> Result<(), StageError> {
        let mut started = Vec::new();
        for _ in 1..threads {
            started.push(std::thread::Builder::new().spawn_scoped(scope, one_thread).map_err(|error| {
                StageError::new(Status::TopLevelQuantizeError, format!("cannot start {threads} threads: {error}"))
            })?);
        }
        one_thread();
        for thread in started {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        Ok(())
    })?;
    match failures.into_inner().unwrap_or_else(PoisonError::into_inner).pop_first() {
        Some((_, error)) => Err(error),
        None => Ok(states.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

/// Loads a sample and checks that it fits the graph's inputs.
pub fn load_sample(graph: &Graph, samples: &dyn Samples, index: usize) -> Result<Vec<Vec<f32>>, StageError> {
    let failed = |message: String| StageError::new(Status::QtoolsError, message);
    let buffers = samples.load(index).map_err(failed)?;
    if buffers.len() != graph.inputs.len() {
        let (expected, found) = (graph.inputs.len(), buffers.len());
        return Err(failed(format!("sample {index} has {found} tensors, the network has {expected} inputs")));
    }
    for (&input, buffer) in graph.inputs.iter().zip(&buffers) {
        let value = graph.value(input);
        let expected: usize = value.shape.iter().product();
        if buffer.len() != expected {
            return Err(failed(format!(
                "sample {index} has {} values for the input `{}`, expected {expected} (shape {:?})",
                buffer.len(),
                value.name,
                value.shape
            )));
        }
    }
    Ok(buffers)
}

/// What of a network is observed.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// The values whose ranges are wanted.
    pub values: &'a [ValueId],
    /// Factors of the lanes of some values (see [`lanes`]): the scaled values are observed, too.
    pub factors: &'a BTreeMap<ValueId, Vec<f32>>,
    /// The values whose lanes are observed as well.
    pub by_lane: &'a [ValueId],
    /// Samples of which values are kept, ascending.
    pub kept: &'a [usize],
    /// The values that are kept of them.
    pub kept_values: &'a [ValueId],
}

/// What calibration saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Of each value that was observed.
    pub observations: BTreeMap<ValueId, Observation>,
    /// Of each value that was observed and has factors: what it is with them.
    pub scaled: BTreeMap<ValueId, Observation>,
    /// Of each lane of each value of which that was wanted.
    pub lanes: BTreeMap<ValueId, Vec<Observation>>,
    /// Of each sample of which values were to be kept, in order: one buffer for each value.
    pub kept: Vec<Vec<Vec<f32>>>,
}

/// What one thread saw.
#[derive(Default)]
struct Own {
    observations: BTreeMap<ValueId, Observation>,
    scaled: BTreeMap<ValueId, Observation>,
    lanes: BTreeMap<ValueId, Vec<Observation>>,
    outputs: Vec<(usize, Vec<Vec<f32>>)>,
    buffer: Vec<f32>,
}

impl Own {
    fn observe(&mut self, graph: &Graph, id: ValueId, values: &[f32], factors: Option<&Vec<f32>>, detail: Detail) {
        self.observations.entry(id).or_default().observe(values, detail);
        if let (Some(factors), Some((_, plane))) = (factors, lanes(&graph.value(id).shape)) {
            self.buffer.clear();
            for (lane, factor) in values.chunks_exact(plane).zip(factors) {
                self.buffer.extend(lane.iter().map(|x| x * factor));
            }
            self.scaled.entry(id).or_default().observe(&self.buffer, detail);
        }
    }
}

/// Runs all samples and gathers what is asked for.
pub fn observe(
    graph: &Graph,
    observed: &Observed<'_>,
    samples: &dyn Samples,
    scheme: Scheme,
    threads: usize,
    watch: &Watch<'_>,
) -> Result<Seen, StageError> {
    if samples.is_empty() {
        return Err(StageError::new(Status::QtoolsError, "there are no calibration images, expected at least one")
            .hint("name a folder of representative images"));
    }
    let mut shown: Vec<ValueId> = observed.values.to_vec();
    let kept = if observed.kept.is_empty() { &[] } else { observed.kept_values };
    shown.extend(observed.by_lane.iter().chain(kept).filter(|id| !observed.values.contains(id)));
    shown.sort_unstable();
    shown.dedup();
    let engine = FloatEngine::new(graph, &shown)?;
    let done = AtomicUsize::new(0);
    let states = for_each_index(samples.len(), threads, Own::default, |own, index| {
        watch.check()?;
        let buffers = load_sample(graph, samples, index)?;
        let inputs: Vec<&[f32]> = buffers.iter().map(Vec::as_slice).collect();
        let mut outputs =
            observed.kept.binary_search(&index).is_ok().then(|| vec![Vec::new(); observed.kept_values.len()]);
        engine.run(&inputs, &mut |id, values| {
            if observed.values.contains(&id) {
                own.observe(graph, id, values, observed.factors.get(&id), scheme.detail());
            }
            if let (true, Some((_, plane))) = (observed.by_lane.contains(&id), lanes(&graph.value(id).shape)) {
                let lanes = values.chunks_exact(plane);
                let seen = own.lanes.entry(id).or_default();
                seen.resize(lanes.len(), Observation::default());
                seen.iter_mut().zip(lanes).for_each(|(seen, lane)| seen.observe(lane, scheme.detail_of_channels()));
            }
            for (output, _) in
                outputs.iter_mut().flatten().zip(observed.kept_values).filter(|(_, output)| **output == id)
            {
                output.extend_from_slice(values);
            }
        })?;
        own.outputs.extend(outputs.map(|outputs| (index, outputs)));
        (watch.progress)("calibrate", done.fetch_add(1, Ordering::SeqCst) + 1, samples.len());
        Ok(())
    })?;
    let (mut joined, mut scaled) = (BTreeMap::<ValueId, Observation>::new(), BTreeMap::<_, Observation>::new());
    let (mut by_lane, mut outputs) = (BTreeMap::<ValueId, Vec<Observation>>::new(), Vec::new());
    for own in states {
        for (id, observation) in &own.observations {
            joined.entry(*id).or_default().merge(observation);
        }
        for (id, observation) in &own.scaled {
            scaled.entry(*id).or_default().merge(observation);
        }
        for (id, lanes) in own.lanes {
            let joined = by_lane.entry(id).or_default();
            joined.resize(lanes.len(), Observation::default());
            joined.iter_mut().zip(&lanes).for_each(|(joined, lane)| joined.merge(lane));
        }
        outputs.extend(own.outputs);
    }
    outputs.sort_by_key(|(index, _)| *index);
    for (id, observation) in &joined {
        if observation.not_finite {
            let name = &graph.value(*id).name;
            let message = format!("`{name}` becomes infinite or not a number in float on the calibration images");
            return Err(StageError::new(Status::QtoolsError, message)
                .hint("check that the preprocessing is the one the network was trained with"));
        }
    }
    let outputs = outputs.into_iter().map(|(_, outputs)| outputs).collect();
    Ok(Seen { observations: joined, scaled, lanes: by_lane, kept: outputs })
}
