//! Calibration: every image through the float network once, observers beside it. Images run in parallel; what the
//! threads saw is joined by operations whose order does not matter, so any number of threads gives the same result.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::compiler::calibrate::Counter;
use crate::compiler::calibrate::FloatEngine;
use crate::compiler::calibrate::LaneStatistics;
use crate::compiler::calibrate::Observation;
use crate::compiler::calibrate::Samples;
use crate::compiler::calibrate::Sampling;
use crate::compiler::calibrate::Scheme;
use crate::compiler::calibrate::Watch;
use crate::compiler::calibrate::lanes;
use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::graph::Graph;
use crate::compiler::graph::Tensor;
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

/// What threads gathered by index, in its order.
#[must_use]
pub fn in_order<T>(states: Vec<Vec<(usize, T)>>) -> Vec<T> {
    let mut all: Vec<(usize, T)> = states.into_iter().flatten().collect();
    all.sort_by_key(|&(index, _)| index);
    all.into_iter().map(|(_, own)| own).collect()
}

/// Loads a sample and checks that it fits the graph's inputs.
pub fn load_sample(graph: &Graph, samples: &dyn Samples, index: usize) -> Result<Arc<Vec<Vec<f32>>>, StageError> {
    let failed = |message: String| StageError::new(Status::QtoolsError, message);
    let buffers = samples.shared(index).map_err(failed)?;
    if buffers.len() != graph.inputs.len() {
        let (expected, found) = (graph.inputs.len(), buffers.len());
        return Err(failed(format!("sample {index} has {found} tensors, the network has {expected} inputs")));
    }
    for (&input, buffer) in graph.inputs.iter().zip(buffers.iter()) {
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
    /// The values whose lanes are surveyed, on the samples of which that is asked.
    pub surveyed: &'a [ValueId],
    /// The values whose lanes are observed as well.
    pub by_lane: &'a [ValueId],
    /// The values of which elements are kept, on the samples of which that is asked; and which elements.
    pub kept: (&'a [ValueId], Sampling),
}

/// What is asked of some samples besides ranges.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Whether lanes are surveyed.
    pub surveys: bool,
    /// Factors of the lanes of some values (see [`lanes`]): the scaled values are observed, too.
    pub factors: &'a BTreeMap<ValueId, Vec<f32>>,
    /// Whether elements are kept.
    pub keeps: bool,
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
    /// Of each value that was surveyed and has lanes.
    pub statistics: BTreeMap<ValueId, LaneStatistics>,
    /// Of each sample, where that was asked: one buffer for each value.
    pub kept: Vec<Vec<Vec<f32>>>,
}

impl Seen {
    /// The plain observations, of values and of lanes, of both sets of samples.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        let ranges = |seen: &Self| Self {
            observations: seen.observations.clone(),
            scaled: BTreeMap::new(),
            lanes: seen.lanes.clone(),
            statistics: BTreeMap::new(),
            kept: Vec::new(),
        };
        let mut both = ranges(self);
        both.join(ranges(other));
        both
    }

    /// Widens what is scaled to what other samples, of which lanes were surveyed, are with the same factors.
    pub fn widen_scaled(
        &mut self,
        surveyed: &BTreeMap<ValueId, LaneStatistics>,
        factors: &BTreeMap<ValueId, Vec<f32>>,
    ) {
        for (id, scaled) in &mut self.scaled {
            if let (Some(lanes), Some(factors)) = (surveyed.get(id), factors.get(id)) {
                let pairs =
                    |bounds: &[f32]| bounds.iter().zip(factors).map(|(bound, by)| bound * by).collect::<Vec<_>>();
                let low = pairs(&lanes.low).into_iter().reduce(f32::min);
                let high = pairs(&lanes.high).into_iter().reduce(f32::max);
                low.zip(high).into_iter().for_each(|bounds| scaled.join_bounds(bounds));
            }
        }
    }

    /// Takes in what was seen on other samples; what is kept goes behind what was.
    pub fn join(&mut self, other: Self) {
        for (all, own) in [(&mut self.observations, other.observations), (&mut self.scaled, other.scaled)] {
            for (id, observation) in own {
                match all.entry(id) {
                    Entry::Vacant(entry) => drop(entry.insert(observation)),
                    Entry::Occupied(mut entry) => entry.get_mut().merge(&observation),
                }
            }
        }
        for (id, lanes) in other.lanes {
            let joined = self.lanes.entry(id).or_default();
            joined.resize(lanes.len(), Observation::default());
            joined.iter_mut().zip(&lanes).for_each(|(joined, lane)| joined.merge(lane));
        }
        self.statistics.extend(other.statistics);
        self.kept.extend(other.kept);
    }
}

/// What was seen on one sample alone, in the order of samples.
type Alone = (usize, BTreeMap<ValueId, LaneStatistics>, Vec<Vec<f32>>);

/// What one thread saw.
#[derive(Default)]
struct Own {
    seen: Seen,
    alone: Vec<Alone>,
    counter: Counter,
}

/// Runs samples through a network and gathers what they are there.
pub struct Observer<'a> {
    graph: &'a Graph,
    engine: FloatEngine,
    observed: Observed<'a>,
    /// By value: what of it is wanted.
    wanted: Vec<Wanted>,
    samples: &'a dyn Samples,
    scheme: Scheme,
    threads: usize,
    watch: &'a Watch<'a>,
    done: AtomicUsize,
}

/// What is wanted of a value.
#[derive(Debug, Clone, Copy, Default)]
struct Wanted {
    range: bool,
    survey: bool,
    lanes: bool,
}

impl<'a> Observer<'a> {
    /// Prepares the network. Fails when there are no samples.
    pub fn new(
        graph: &'a Graph,
        observed: Observed<'a>,
        samples: &'a dyn Samples,
        (scheme, threads): (Scheme, usize),
        watch: &'a Watch<'a>,
    ) -> Result<Self, StageError> {
        if samples.is_empty() {
            return Err(StageError::new(Status::QtoolsError, "there are no calibration images, expected at least one")
                .hint("name a folder of representative images"));
        }
        let mut wanted = vec![Wanted::default(); graph.values.len()];
        observed.values.iter().for_each(|id| wanted[id.index()].range = true);
        observed.surveyed.iter().for_each(|id| wanted[id.index()].survey = true);
        observed.by_lane.iter().for_each(|id| wanted[id.index()].lanes = true);
        let lists = [observed.values, observed.surveyed, observed.by_lane, observed.kept.0];
        let mut shown: Vec<ValueId> = lists.concat();
        shown.sort_unstable();
        shown.dedup();
        let engine = FloatEngine::prepared(graph, &shown, threads)?;
        Ok(Self { graph, engine, observed, wanted, samples, scheme, threads, watch, done: AtomicUsize::new(0) })
    }

    /// Runs some of the samples.
    pub fn run(&self, places: &[usize], asked: Asked<'_>) -> Result<Seen, StageError> {
        let states = for_each_index(places.len(), self.threads, Own::default, |own, index| {
            self.watch.check()?;
            let buffers = load_sample(self.graph, self.samples, places[index])?;
            let inputs: Vec<&[f32]> = buffers.iter().map(Vec::as_slice).collect();
            let (values, sampling) = self.observed.kept;
            let mut kept = vec![Vec::new(); if asked.keeps { values.len() } else { 0 }];
            let mut statistics = BTreeMap::new();
            self.engine.run(&inputs, &mut |id, elements| {
                self.see(own, id, elements, asked);
                let plane = lanes(&self.graph.value(id).shape).filter(|_| asked.surveys);
                if let (true, Some((_, plane))) = (self.wanted[id.index()].survey, plane) {
                    statistics.insert(id, LaneStatistics::of(elements, plane));
                }
                for (kept, _) in kept.iter_mut().zip(values).filter(|(_, value)| **value == id) {
                    kept.reserve_exact(sampling.ranges(elements.len()).map(|range| range.len()).sum());
                    sampling.ranges(elements.len()).for_each(|range| kept.extend_from_slice(&elements[range]));
                }
            })?;
            own.alone.push((index, statistics, kept));
            (self.watch.progress)("calibrate", self.done.fetch_add(1, Ordering::SeqCst) + 1, self.samples.len());
            Ok(())
        })?;
        let (mut seen, mut alone) = (Seen::default(), Vec::new());
        for own in states {
            seen.join(own.seen);
            alone.extend(own.alone);
        }
        alone.sort_by_key(|&(index, ..)| index);
        for (_, statistics, kept) in alone {
            for (id, one) in statistics {
                seen.statistics.entry(id).or_default().join(one, places.len());
            }
            seen.kept.extend(asked.keeps.then_some(kept));
        }
        for (id, observation) in &seen.observations {
            if observation.not_finite {
                return Err(self.not_finite(*id));
            }
        }
        Ok(seen)
    }

    /// Why a value is infinite or not a number: the weights that are so themselves, where it depends on such.
    fn not_finite(&self, id: ValueId) -> StageError {
        let name = &self.graph.value(id).name;
        let message = format!("`{name}` becomes infinite or not a number in float");
        let producers = self.graph.producers();
        let of = |value: ValueId| {
            producers.get(value.index()).copied().flatten().and_then(|at| self.graph.nodes.get(at.index()))
        };
        let mut met = BTreeSet::from([id]);
        let mut left = vec![id];
        let mut first: Option<(ValueId, &str, &str, usize)> = None;
        while let Some((value, node)) = left.pop().and_then(|value| Some((value, of(value)?))) {
            for &input in &node.inputs {
                let constant = self.graph.value(input);
                let numbers = constant.constant.as_ref().and_then(Tensor::as_f32).unwrap_or_default();
                let bad = numbers.iter().filter(|number| !number.is_finite()).count();
                if bad > 0 && first.is_none_or(|(place, ..)| value < place) {
                    first = Some((value, &node.name, &constant.name, bad));
                }
                left.extend(met.insert(input).then_some(input).filter(|&input| of(input).is_some()));
            }
        }
        if let Some((_, node, constant, bad)) = first {
            let are = if bad == 1 { "number is" } else { "numbers are" };
            let message = format!("{message}: {bad} {are} so in `{constant}`, which node `{node}` reads");
            let hint = "the file itself holds them: export the model again from weights that are finite";
            return StageError::new(Status::QtoolsError, message).node(node).hint(hint);
        }
        let error = StageError::new(Status::QtoolsError, format!("{message} on the calibration images"));
        let error = error.hint("check that the preprocessing is the one the network was trained with");
        match of(id) {
            Some(node) => error.node(&node.name),
            None => error,
        }
    }

    fn see(&self, own: &mut Own, id: ValueId, values: &[f32], asked: Asked<'_>) {
        let Own { seen, counter, .. } = own;
        let (wanted, divided) = (self.wanted[id.index()], lanes(&self.graph.value(id).shape));
        if wanted.range {
            let detail = self.scheme.detail();
            seen.observations.entry(id).or_default().observe(values, detail, counter);
            if let (Some(factors), Some((_, plane))) = (asked.factors.get(&id), divided) {
                let scaled = seen.scaled.entry(id).or_default();
                scaled.observe_scaled(values, (factors, plane), detail, counter);
            }
        }
        if let (true, Some((_, plane))) = (wanted.lanes, divided) {
            let lanes = values.chunks_exact(plane);
            let seen = seen.lanes.entry(id).or_default();
            seen.resize(lanes.len(), Observation::default());
            let detail = self.scheme.detail_of_channels();
            seen.iter_mut().zip(lanes).for_each(|(seen, lane)| seen.observe(lane, detail, counter));
        }
    }
}
