//! Which step is in which state: a pure table without files, threads or clocks.
//!
//! ```text
//! Waiting ─▶ Ready ─▶ Checking ─┬─▶ Good (the store has it)
//!                        ▲      ├─▶ Queued ─▶ Running ─▶ Good or Bad
//!                        └───── ├─▶ Twin (another step with the same key runs)
//!                               └─▶ Bad (an input cannot be read)
//! ```
//!
//! "Ready" means that it may now be checked whether the step has to run: its inputs are known. From every state before
//! the end a step can become Bad, when a step before it fails or the run stops.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Ready,
    Checking,
    Twin,
    Queued,
    Running,
    Good,
    Bad,
}

/// What one step needs, weighs and takes.
#[derive(Debug, Clone, Default)]
pub(super) struct Need {
    /// The steps before it, each once.
    pub(super) inputs: Vec<usize>,
    /// Time from its beginning to the end of the longest chain behind it; the heaviest goes first.
    pub(super) weight: u64,
    /// Bytes it takes while it runs.
    pub(super) memory: u64,
    /// Which of the pools it takes a place in.
    pub(super) pool: usize,
}

/// How often, for each step that may run at a time, lighter steps start before the heaviest one that lacks memory. Then none does
/// until it fits, or a large step would wait until all small ones are done and run alone at the end.
const PATIENCE: usize = 2;

/// How much may run at a time.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// Steps.
    pub(super) steps: usize,
    /// Bytes; 0 for no limit. A step starts before a heavier one when only it fits, but not for ever: see [`PATIENCE`].
    pub(super) memory: u64,
    /// Places of each pool; without an entry, or with 0 in it, a pool has as many as steps may run.
    pub(super) pools: Vec<usize>,
}

/// What the end of a step entails. The steps named here have to be finished by the caller where so said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ended {
    /// Steps that can never run now, in order; they are Bad already.
    pub(super) skipped: Vec<usize>,
    /// Steps that waited for this one's result, which did not come; the caller finishes them as it did this one.
    pub(super) twins: Vec<usize>,
}

/// The table.
#[derive(Debug)]
pub(super) struct States {
    needs: Vec<Need>,
    dependents: Vec<Vec<usize>>,
    now: Vec<State>,
    missing: Vec<usize>,
    ready: BTreeSet<usize>,
    queue: BTreeSet<(Reverse<u64>, usize)>,
    twins: BTreeMap<usize, Vec<usize>>,
    limits: Limits,
    running: usize,
    memory: u64,
    /// The heaviest step if it lacks memory, and how many have started before it.
    passed_over: Option<(usize, usize)>,
    /// By pool: how many of its steps run.
    in_pools: Vec<usize>,
    left: usize,
}

impl States {
    /// Every step waits, or is ready when it needs nothing. `None` is a step that is not to be run: as an input it
    /// counts as good.
    pub(super) fn new(steps: Vec<Option<Need>>, limits: Limits) -> Self {
        let left = steps.iter().flatten().count();
        let mut dependents = vec![Vec::new(); steps.len()];
        let mut missing = vec![0; steps.len()];
        let mut now = vec![State::Good; steps.len()];
        let mut ready = BTreeSet::new();
        for (step, need) in steps.iter().enumerate() {
            let Some(need) = need else { continue };
            for &input in need.inputs.iter().filter(|&&input| steps[input].is_some()) {
                dependents[input].push(step);
                missing[step] += 1;
            }
            now[step] = if missing[step] == 0 { State::Ready } else { State::Waiting };
            if missing[step] == 0 {
                ready.insert(step);
            }
        }
        let in_pools = vec![0; steps.iter().flatten().map(|need| need.pool + 1).max().unwrap_or(0)];
        Self {
            needs: steps.into_iter().map(Option::unwrap_or_default).collect(),
            dependents,
            now,
            missing,
            ready,
            queue: BTreeSet::new(),
            twins: BTreeMap::new(),
            limits: Limits { steps: limits.steps.max(1), ..limits },
            running: 0,
            memory: 0,
            passed_over: None,
            in_pools,
            left,
        }
    }

    /// Steps that have not ended.
    pub(super) const fn left(&self) -> usize {
        self.left
    }

    /// Steps that run.
    #[cfg(test)]
    pub(super) const fn running(&self) -> usize {
        self.running
    }

    /// The next step whose inputs are all good: Ready becomes Checking.
    pub(super) fn next_to_check(&mut self) -> Option<usize> {
        let step = self.ready.pop_first()?;
        self.set(step, State::Checking);
        Some(step)
    }

    /// The step has to run: Checking becomes Queued.
    pub(super) fn queue(&mut self, step: usize) {
        debug_assert_eq!(self.now[step], State::Checking);
        self.set(step, State::Queued);
        self.queue.insert((Reverse(self.needs[step].weight), step));
    }

    /// Another step, queued or running, makes what this one needs: Checking becomes Twin.
    pub(super) fn wait_for(&mut self, step: usize, other: usize) {
        debug_assert_eq!(self.now[step], State::Checking);
        debug_assert!(matches!(self.now[other], State::Queued | State::Running));
        self.set(step, State::Twin);
        self.twins.entry(other).or_default().push(step);
    }

    /// The heaviest queued step that the limits allow: Queued becomes Running.
    pub(super) fn next_to_start(&mut self) -> Option<usize> {
        if self.running >= self.limits.steps {
            return None;
        }
        let has_place = |step: usize| {
            let pool = self.needs[step].pool;
            let places = self.limits.pools.get(pool).copied().unwrap_or(0);
            places == 0 || self.in_pools[pool] < places
        };
        let has_memory = |step: usize| {
            let together = self.memory.saturating_add(self.needs[step].memory);
            self.running == 0 || self.limits.memory == 0 || together <= self.limits.memory
        };
        let (_, heaviest) = self.queue.iter().copied().find(|&(_, step)| has_place(step))?;
        let passed = self.passed_over.filter(|(step, _)| *step == heaviest).map_or(0, |(_, times)| times);
        if !has_memory(heaviest) && passed >= PATIENCE * self.limits.steps {
            return None;
        }
        let found = self.queue.iter().copied().find(|&(_, step)| has_place(step) && has_memory(step))?;
        self.queue.remove(&found);
        let (_, step) = found;
        self.passed_over = (step != heaviest).then_some((heaviest, passed + 1));
        self.set(step, State::Running);
        self.running += 1;
        self.memory = self.memory.saturating_add(self.needs[step].memory);
        self.in_pools[self.needs[step].pool] += 1;
        Some(step)
    }

    /// The step ended.
    pub(super) fn finish(&mut self, step: usize, good: bool) -> Ended {
        let mut ended = Ended::default();
        if !self.end(step, good) {
            return ended;
        }
        let mut twins = self.twins.remove(&step).unwrap_or_default();
        twins.retain(|&twin| self.now[twin] == State::Twin);
        if good {
            for twin in twins {
                self.set(twin, State::Ready);
                self.ready.insert(twin);
            }
            for dependent in self.dependents[step].clone() {
                self.missing[dependent] -= 1;
                if self.missing[dependent] == 0 && self.now[dependent] == State::Waiting {
                    self.set(dependent, State::Ready);
                    self.ready.insert(dependent);
                }
            }
        } else {
            ended.twins = twins;
            let mut doomed = self.dependents[step].clone();
            let mut skipped = BTreeSet::new();
            while let Some(next) = doomed.pop() {
                if self.end(next, false) {
                    skipped.insert(next);
                    doomed.extend_from_slice(&self.dependents[next]);
                }
            }
            ended.skipped = skipped.into_iter().collect();
        }
        ended
    }

    /// Nothing more is started: everything that does not run ends Bad and is returned, in order.
    pub(super) fn stop(&mut self) -> Vec<usize> {
        (0..self.now.len()).filter(|&step| self.now[step] != State::Running && self.end(step, false)).collect()
    }

    /// Ends a step, unless it has ended; says whether.
    fn end(&mut self, step: usize, good: bool) -> bool {
        match self.now[step] {
            State::Good | State::Bad => return false,
            State::Ready => {
                self.ready.remove(&step);
            }
            State::Queued => {
                self.queue.remove(&(Reverse(self.needs[step].weight), step));
            }
            State::Running => {
                self.running -= 1;
                self.memory = self.memory.saturating_sub(self.needs[step].memory);
                self.in_pools[self.needs[step].pool] -= 1;
            }
            State::Waiting | State::Checking | State::Twin => {}
        }
        self.set(step, if good { State::Good } else { State::Bad });
        self.left -= 1;
        true
    }

    fn set(&mut self, step: usize, state: State) {
        self.now[step] = state;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a scripted step does when it is checked, and when it runs.
    #[derive(Debug, Clone, Copy)]
    struct Script {
        is_known: bool,
        fails: bool,
        /// A step shares its result with every other step of the same group.
        group: u8,
        memory: u64,
        pool: usize,
    }

    #[derive(Debug, Clone)]
    struct Case {
        inputs: Vec<Vec<usize>>,
        scripts: Vec<Script>,
        wanted: Vec<bool>,
        limits: Limits,
        /// Which of the running steps ends next, one after the other.
        picks: Vec<usize>,
        stop_after: Option<usize>,
    }

    fn any_case() -> impl Strategy<Value = Case> {
        (1_usize..14).prop_flat_map(|count| {
            let inputs: Vec<_> =
                (0..count).map(|step| proptest::collection::btree_set(0..step.max(1), 0..=step.min(3))).collect();
            let script = (any::<bool>(), proptest::bool::weighted(0.2), 0_u8..6, 0_u64..5, 0_usize..3)
                .prop_map(|(is_known, fails, group, memory, pool)| Script { is_known, fails, group, memory, pool });
            (
                inputs,
                proptest::collection::vec(script, count),
                proptest::collection::vec(proptest::bool::weighted(0.9), count),
                (1_usize..4, 0_u64..7, proptest::collection::vec(0_usize..3, 0..3)),
                proptest::collection::vec(0_usize..8, count),
                proptest::option::weighted(0.3, 0_usize..6),
            )
                .prop_map(|(inputs, scripts, wanted, (steps, memory, pools), picks, stop_after)| Case {
                    inputs: inputs.into_iter().map(|set| set.into_iter().collect()).collect(),
                    scripts,
                    wanted,
                    limits: Limits { steps, memory, pools },
                    picks,
                    stop_after,
                })
        })
    }

    /// Plays a case to its end. For each step: whether it was good, and when it ended.
    fn play(case: &Case) -> Result<Vec<Option<bool>>, TestCaseError> {
        let count = case.inputs.len();
        let needs = (0..count).map(|step| {
            let Script { memory, pool, .. } = case.scripts[step];
            let need = Need { inputs: case.inputs[step].clone(), weight: step as u64 % 3, memory, pool };
            case.wanted[step].then_some(need)
        });
        let mut states = States::new(needs.collect(), case.limits.clone());
        let mut ended: Vec<Option<bool>> = vec![None; count];
        let mut running: Vec<usize> = Vec::new();
        let mut made: BTreeSet<u8> = BTreeSet::new();
        let mut making: BTreeMap<u8, usize> = BTreeMap::new();
        let mut picks = case.picks.iter().cycle();
        let mut finishes = 0;
        loop {
            if case.stop_after == Some(finishes) {
                for step in states.stop() {
                    prop_assert_eq!(ended[step].replace(false), None, "step {} ended twice", step);
                }
            }
            while let Some(step) = states.next_to_check() {
                let script = case.scripts[step];
                for &input in case.inputs[step].iter().filter(|&&input| case.wanted[input]) {
                    prop_assert_eq!(ended[input], Some(true), "step {} was checked before its input {}", step, input);
                }
                if script.is_known || made.contains(&script.group) {
                    prop_assert_eq!(ended[step].replace(true), None, "step {} ended twice", step);
                    states.finish(step, true);
                } else if let Some(&other) = making.get(&script.group) {
                    states.wait_for(step, other);
                } else {
                    making.insert(script.group, step);
                    states.queue(step);
                }
            }
            while let Some(step) = states.next_to_start() {
                running.push(step);
                prop_assert!(running.len() <= case.limits.steps);
                let memory: u64 = running.iter().map(|&step| case.scripts[step].memory).sum();
                prop_assert!(running.len() == 1 || case.limits.memory == 0 || memory <= case.limits.memory);
                for (pool, &places) in case.limits.pools.iter().enumerate().filter(|(_, places)| **places > 0) {
                    prop_assert!(running.iter().filter(|&&step| case.scripts[step].pool == pool).count() <= places);
                }
            }
            prop_assert_eq!(states.running(), running.len());
            if running.is_empty() {
                break;
            }
            let pick = picks.next().copied().unwrap_or(0) % running.len();
            let step = running.swap_remove(pick);
            finishes += 1;
            making.retain(|_, other| *other != step);
            let good = !case.scripts[step].fails;
            if good {
                made.insert(case.scripts[step].group);
            }
            let mut bad = vec![step];
            while let Some(step) = bad.pop() {
                prop_assert_eq!(ended[step].replace(good), None, "step {} ended twice", step);
                let after = states.finish(step, good);
                for skipped in after.skipped {
                    prop_assert_eq!(ended[skipped].replace(false), None, "step {} ended twice", skipped);
                }
                bad.extend(after.twins);
            }
        }
        prop_assert_eq!(states.left(), 0);
        Ok(ended)
    }

    #[test]
    fn a_large_step_does_not_wait_for_all_small_ones() {
        let need = |weight, memory| Some(Need { weight, memory, ..Need::default() });
        // A small one that runs already, the large one, and many small ones.
        let needs = [need(200, 4), need(100, 8)].into_iter().chain((0..50).map(|_| need(1, 4)));
        let mut states = States::new(needs.collect(), Limits { steps: 2, memory: 10, pools: Vec::new() });
        while let Some(step) = states.next_to_check() {
            states.queue(step);
        }
        let mut running: Vec<usize> = Vec::new();
        let mut before = 0;
        loop {
            while let Some(step) = states.next_to_start() {
                running.push(step);
            }
            if running.contains(&1) {
                break;
            }
            let first = running.remove(0);
            states.finish(first, true);
            before += 1;
        }
        assert!(before <= 1 + PATIENCE * 2, "{before} small steps ran before the large one");
        assert_eq!(running, [1]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn each_step_ends_once_after_its_inputs_and_within_the_limits(case in any_case()) {
            let ended = play(&case)?;
            for (step, end) in ended.iter().enumerate() {
                prop_assert_eq!(end.is_some(), case.wanted[step], "step {}", step);
                let mut inputs = case.inputs[step].iter().filter(|&&input| case.wanted[input]);
                if *end == Some(true) {
                    prop_assert!(inputs.all(|&input| ended[input] == Some(true)), "step {} went on without its inputs", step);
                }
            }
        }

        #[test]
        fn what_ends_well_does_not_depend_on_how_many_run_at_a_time(case in any_case(), steps in 1_usize..5) {
            let alone = Case { stop_after: None, limits: Limits { steps: 1, memory: 0, pools: Vec::new() }, ..case.clone() };
            let limits = Limits { steps, memory: 0, pools: case.limits.pools.clone() };
            let together = Case { stop_after: None, limits, ..case };
            // Whether a member of a group fails must not depend on which member is first.
            let of_group = |case: &Case| case.scripts.iter().map(|script| Script { fails: script.group == 0, ..*script }).collect();
            let alone = Case { scripts: of_group(&alone), ..alone };
            let together = Case { scripts: of_group(&together), ..together };
            prop_assert_eq!(play(&alone)?, play(&together)?);
        }
    }

    #[test]
    fn the_longest_way_goes_first() {
        let need = |weight, inputs: &[usize]| Some(Need { inputs: inputs.to_vec(), weight, ..Need::default() });
        let limits = Limits { steps: 3, memory: 0, pools: Vec::new() };
        let mut states = States::new(vec![need(1, &[]), need(9, &[]), need(5, &[])], limits);
        while let Some(step) = states.next_to_check() {
            states.queue(step);
        }
        let order: Vec<usize> = std::iter::from_fn(|| states.next_to_start()).collect();
        assert_eq!(order, [1, 2, 0]);
    }
}
