//! Calibration: every image through the float network once, observers beside it. Images run in parallel; what the
//! threads saw is joined by operations whose order does not matter, so any number of threads gives the same result.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::compiler::calibrate::FloatEngine;
use crate::compiler::calibrate::Observation;
use crate::compiler::calibrate::Samples;
use crate::compiler::calibrate::Scheme;
use crate::compiler::calibrate::Watch;
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

/// What each of `observed` was over all samples.
pub fn observe(
    graph: &Graph,
    observed: &[ValueId],
    samples: &dyn Samples,
    scheme: Scheme,
    threads: usize,
    watch: &Watch<'_>,
) -> Result<BTreeMap<ValueId, Observation>, StageError> {
    if samples.is_empty() {
        return Err(StageError::new(Status::QtoolsError, "there are no calibration images, expected at least one")
            .hint("name a folder of representative images"));
    }
    let engine = FloatEngine::new(graph, observed)?;
    let with_histogram = scheme == Scheme::PerTensorHistogram;
    let done = AtomicUsize::new(0);
    let states = for_each_index(samples.len(), threads, BTreeMap::<ValueId, Observation>::new, |seen, index| {
        watch.check()?;
        let buffers = load_sample(graph, samples, index)?;
        // Inputs are values too, and the engine need not report what it was given.
        for (&input, buffer) in graph.inputs.iter().zip(&buffers) {
            if observed.contains(&input) {
                seen.entry(input).or_default().observe(buffer, with_histogram);
            }
        }
        let inputs: Vec<&[f32]> = buffers.iter().map(Vec::as_slice).collect();
        engine.run(&inputs, &mut |id, values| {
            if !graph.inputs.contains(&id) {
                seen.entry(id).or_default().observe(values, with_histogram);
            }
        })?;
        (watch.progress)("calibrate", done.fetch_add(1, Ordering::SeqCst) + 1, samples.len());
        Ok(())
    })?;
    let mut joined = BTreeMap::<ValueId, Observation>::new();
    for (id, observation) in states.iter().flatten() {
        joined.entry(*id).or_default().merge(observation);
    }
    for (id, observation) in &joined {
        if observation.not_finite {
            let name = &graph.value(*id).name;
            let message = format!("`{name}` becomes infinite or not a number in float on the calibration images");
            return Err(StageError::new(Status::QtoolsError, message)
                .hint("check that the preprocessing is the one the network was trained with"));
        }
    }
    Ok(joined)
}
