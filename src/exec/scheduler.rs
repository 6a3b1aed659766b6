//! The run: one thread that owns all state, judges steps when their inputs are there, and hands out work.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use super::ExecError;
use super::events::{Broken, Event, NotRemoved, Options, Outcome, StepSummary, StopCause, Summary};
use super::explain::{forecast, outcome_of, skipped_after};
use super::flush::flush_in_groups;
use super::job::{LogEnd, Runner, StepFailure};
use super::judge::{
    Hit, Judged, Obstacle, Scrutiny, Verdict, files_of, judge, outputs_in, record_of, wanted, wrong_files,
};
use super::networks::{Networks, remove};
use super::outlook::{changed_tools, check_build_root, expected, needs};
use super::peaks::Peaks;
use super::states::{Limits, States};
use super::workers::{InstallTask, Message, Shop, StepTask, Task};
use crate::base::CancelToken;
use crate::base::Digest;
use crate::base::fs;
use crate::base::relative;
use crate::plan::Graph;
use crate::plan::StepId;
use crate::plan::StepKind;
use crate::plan::StepSettings;
use crate::store::Entry;
use crate::store::KeyRecord;
use crate::store::Output;
use crate::store::Slot;
use crate::store::SlotName;
use crate::store::Store;
use crate::store::StoreError;

/// How often the run looks whether somebody asked it to stop, and lets displays show the time.
const TICK: Duration = Duration::from_millis(100);

/// Runs the chosen steps of a graph. A step that fails is an outcome in the summary, which also says what ended the run before its
/// time; an error is what keeps it from being begun.
pub fn run<S, R>(
    graph: &Graph<S>,
    store: &mut Store,
    runner: &R,
    options: &Options,
    cancel: &CancelToken,
    events: &mut dyn FnMut(&Event<'_>),
) -> Result<Summary, ExecError>
where
    S: StepSettings,
    R: Runner<S>,
{
    let began = Instant::now();
    graph.check()?;
    if !options.dry_run {
        store.lock(&options.purpose, cancel, |holder| events(&Event::Waiting { holder: &holder.to_string() }))?;
    }
    let wanted = wanted(graph, &options.targets);
    let scrutiny = if options.dry_run { Scrutiny::Length } else { Scrutiny::Contents };
    let judged = judge(graph, store, &wanted, options.force, scrutiny)?;
    let steps = wanted.iter().filter(|&&wanted| wanted).count();
    let pending = judged.verdicts.iter().filter(|verdict| verdict.is_pending()).count();
    let expected = expected(graph, store, &judged, options.parallel);
    events(&Event::Planned { steps, pending, expected });
    for ((old, new), steps) in changed_tools(graph, store, &judged)? {
        events(&Event::ToolChanged { old: &old, new: &new, steps });
    }
    if !options.dry_run {
        check_build_root(graph, store, &judged)?;
    }
    let mut run = Run::new(graph, store, options, events, judged, &wanted);
    let mut broken = None;
    if options.dry_run {
        run.foretell();
    } else {
        let result = run.carry_out(runner, cancel).and_then(|()| Ok(run.store.save()?));
        run.store.unlock();
        let (step, told) =
            (run.broken_at, |error: &ExecError| (error.to_string(), error.hint().map(ToOwned::to_owned)));
        broken = result.err().as_ref().map(told).map(|(message, hint)| Broken { message, hint, step });
    }
    Ok(Summary { broken, ..run.summary(began.elapsed()) })
}

/// How a step ended.
pub(super) struct End {
    pub(super) outcome: Outcome,
    pub(super) duration: Duration,
    pub(super) key: Option<Digest>,
}

/// All state of a run.
pub(super) struct Run<'r, S> {
    pub(super) graph: &'r Graph<S>,
    pub(super) store: &'r mut Store,
    pub(super) options: &'r Options,
    pub(super) events: &'r mut dyn FnMut(&Event<'_>),
    pub(super) judged: Judged<'r>,
    pub(super) networks: Networks<'r>,
    pub(super) states: States,
    /// Records and keys of steps that are queued or run.
    pub(super) making: HashMap<StepId, (Digest, KeyRecord)>,
    /// Which step makes, or made in this run, the result of a key.
    pub(super) makers: HashMap<Digest, StepId>,
    pub(super) ends: Vec<Option<End>>,
    pub(super) tasks: VecDeque<InstallTask>,
    pub(super) leftovers: Vec<(String, String)>,
    not_removed: Vec<NotRemoved>,
    pub(super) cancel: CancelToken,
    pub(super) stopped: Option<StopCause>,
    pub(super) broken: Option<StoreError>,
    /// The step at which that showed.
    broken_at: Option<StepId>,
    /// Whether something was recorded that is not on the disk for good.
    due: Arc<AtomicBool>,
    /// Whether what was recorded cannot be brought onto the disk.
    sick: Arc<AtomicBool>,
    peaks: Peaks,
    /// When the memory of this process was last looked at.
    weighed: Instant,
}

impl<'r, S: StepSettings> Run<'r, S> {
    fn new(
        graph: &'r Graph<S>,
        store: &'r mut Store,
        options: &'r Options,
        events: &'r mut dyn FnMut(&Event<'_>),
        judged: Judged<'r>,
        wanted: &[bool],
    ) -> Self {
        let places = |kind: &StepKind| options.pools.get(kind).copied().unwrap_or(0);
        let pools = StepKind::ALL.iter().map(places).collect();
        let limits = Limits { steps: options.parallel, memory: options.memory, pools };
        let states = States::new(needs(graph, store, &judged), limits);
        Self {
            graph,
            store,
            options,
            events,
            judged,
            networks: Networks::new(graph, wanted),
            states,
            making: HashMap::new(),
            makers: HashMap::new(),
            ends: wanted.iter().map(|_| None).collect(),
            tasks: VecDeque::new(),
            leftovers: Vec::new(),
            not_removed: Vec::new(),
            cancel: CancelToken::new(),
            stopped: None,
            broken: None,
            broken_at: None,
            due: Arc::default(),
            sick: Arc::default(),
            peaks: Peaks::new(fs::memory_of_this_process()),
            weighed: Instant::now(),
        }
    }

    /// Says what a run would do.
    fn foretell(&mut self) {
        for (id, forecast) in self.graph.ids().zip(forecast(self.graph, &self.judged.verdicts)) {
            if let Some((outcome, key)) = forecast {
                let outcome = match outcome {
                    Outcome::Failed(failure) => Outcome::Failed(self.told(id, None, &failure)),
                    other => other,
                };
                self.tell(id, End { outcome, duration: Duration::ZERO, key });
            }
        }
    }

    fn carry_out<R: Runner<S>>(&mut self, runner: &R, cancel: &CancelToken) -> Result<(), ExecError> {
        for id in self.graph.ids() {
            if let Verdict::Hit(hit) = &self.judged.verdicts[id.index()] {
                if !hit.is_last {
                    self.store.set_slot(&SlotName::of(self.graph.step(id)), &hit.slot);
                }
                let end = End { outcome: outcome_of(hit), duration: Duration::ZERO, key: Some(hit.slot.key) };
                self.tell(id, end);
            }
        }
        if self.states.left() > 0 || !self.tasks.is_empty() {
            self.work(runner, cancel);
        }
        if let Some(error) = self.broken.take() {
            return Err(error.into());
        }
        self.leftovers.sort();
        let events = &mut *self.events;
        let left = remove(self.store, &self.leftovers, |network, file| events(&Event::Removed { network, file }));
        for file in left {
            let file = NotRemoved { message: relative(&file.message, &self.options.root), ..file };
            (self.events)(&Event::NotRemoved(&file));
            self.not_removed.push(file);
        }
        Ok(())
    }

    fn work<R: Runner<S>>(&mut self, runner: &R, cancel: &CancelToken) {
        let shop = Shop {
            graph: self.graph,
            runner,
            blobs: self.store.blobs().clone(),
            cancel: self.cancel.clone(),
            timeout: self.options.timeout,
        };
        let (sender, messages) = mpsc::channel();
        let workers = self.options.parallel.clamp(1, self.states.left() + self.tasks.len());
        let disk = self.store.disk();
        let due = Arc::clone(&self.due);
        let sick = Arc::clone(&self.sick);
        let flushed = thread::scope(|scope| {
            let (running, end) = mpsc::channel();
            let flusher = scope.spawn(move || {
                let flushed = flush_in_groups(&due, &end, || disk.flush());
                sick.store(flushed.is_err(), Ordering::Release);
                flushed
            });
            let mut tasks = Vec::new();
            for worker in 0..workers {
                let (give, take) = mpsc::channel();
                let (shop, sender) = (&shop, sender.clone());
                scope.spawn(move || shop.work(worker, &take, &sender));
                tasks.push(give);
            }
            drop(sender);
            self.supervise(&tasks, &messages, cancel);
            drop(running);
            flusher.join()
        });
        if let (Ok(Err(error)), None) = (flushed, &self.broken) {
            self.broken = Some(error);
        }
        // What cannot be removed now is swept at the next start.
        let _ = self.store.remove_work();
    }

    /// Hands out work until there is none left.
    fn supervise(&mut self, workers: &[Sender<Task>], messages: &Receiver<Message>, cancel: &CancelToken) {
        let mut idle: Vec<usize> = (0..workers.len()).rev().collect();
        loop {
            if cancel.is_cancelled() && self.stopped != Some(StopCause::Interrupted) {
                self.stop(StopCause::Interrupted);
            }
            if self.sick.load(Ordering::Acquire) && self.stopped.is_none() {
                self.stop(StopCause::Store);
            }
            while let Some(step) = self.states.next_to_check() {
                self.check(step);
            }
            while let Some(&worker) = idle.last() {
                let Some(task) = self.next_task() else { break };
                idle.pop();
                // A worker lives until its sender is dropped, so this cannot fail.
                let _ = workers[worker].send(task);
            }
            if idle.len() == workers.len() {
                return;
            }
            if self.weighed.elapsed() >= TICK {
                self.peaks.see(fs::memory_of_this_process());
                self.weighed = Instant::now();
            }
            match messages.recv_timeout(TICK) {
                Ok(message) => {
                    self.hear(message, &mut idle);
                    while let Ok(message) = messages.try_recv() {
                        self.hear(message, &mut idle);
                    }
                }
                Err(RecvTimeoutError::Timeout) => (self.events)(&Event::Tick),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn next_task(&mut self) -> Option<Task> {
        if let Some(task) = self.tasks.pop_front() {
            return Some(Task::Install(task));
        }
        loop {
            let id = StepId::at(self.states.next_to_start()?);
            let known = |step| outputs_in(&self.judged.verdicts, step);
            let step = self.graph.step(id);
            match files_of(self.graph, id, &self.judged.sources, known, self.store.blobs()) {
                Ok(files) => {
                    let expected = self.store.slot(&SlotName::of(step)).map(|slot| u64::from(slot.duration_ms));
                    let expected = expected.filter(|&ms| ms > 0).map(Duration::from_millis);
                    (self.events)(&Event::Started { step: id, expected });
                    self.peaks.start(id, step.memory);
                    // A tool that a killed run left behind may still write: never into a folder of this run.
                    let folder = self.store.temporary().join(std::process::id().to_string());
                    let log = self.store.log_path(&step.network, step.model.as_deref(), step.kind.word());
                    return Some(Task::Step(StepTask { id, files, folder, log }));
                }
                Err(obstacle) => self.fail(id, &failure_of(obstacle), Duration::ZERO),
            }
        }
    }

    /// A step's inputs are known: uses a result, or queues the step.
    fn check(&mut self, index: usize) {
        let id = StepId::at(index);
        let known = |step| outputs_in(&self.judged.verdicts, step);
        let record = match record_of(self.graph, id, &self.judged.sources, known) {
            Ok(record) => record,
            Err(obstacle) => return self.fail(id, &failure_of(obstacle), Duration::ZERO),
        };
        let key = record.key();
        if let Some(&maker) = self.makers.get(&key).filter(|maker| self.making.contains_key(maker)) {
            // Before the store is asked: what it has may be the result that is being made once more.
            return self.states.wait_for(index, maker.index());
        }
        let found = self.find(id, key);
        if let Some(error) = self.broken.take() {
            return self.give_up(error, id);
        }
        if let Some(hit) = found {
            self.use_hit(id, hit);
        } else {
            if let Err(error) = self.store.forget_partial(key) {
                return self.give_up(error, id);
            }
            self.makers.insert(key, id);
            self.making.insert(id, (key, record));
            self.states.queue(index);
        }
    }

    /// A result of `key` whose artifacts are all there. Prerequisite: no step is making it.
    fn find(&mut self, id: StepId, key: Digest) -> Option<Hit> {
        let is_made_now = self.makers.contains_key(&key);
        if self.options.force && !is_made_now {
            return None;
        }
        let last = self.store.slot(&SlotName::of(self.graph.step(id))).filter(|slot| slot.key == key);
        let is_last = last.is_some() && !is_made_now;
        let slot = match last.filter(|_| is_last && !self.store.is_forgotten(&key)) {
            Some(slot) => slot,
            None => match self.store.entry(&key) {
                Ok(entry) => entry.map(|entry| Slot { key, outputs: entry.outputs, duration_ms: entry.duration_ms })?,
                Err(error) => {
                    self.broken = Some(error);
                    return None;
                }
            },
        };
        if !is_made_now {
            // A step after this one may be about to read them, and then it is too late to make them again.
            if let Err(error) = self.store.blobs().remove_unsound(&slot.outputs.iter().collect::<Vec<_>>()) {
                self.broken = Some(error);
                return None;
            }
        }
        if !slot.outputs.iter().all(|output| self.store.blobs().holds(output)) {
            return None;
        }
        let mut hit = Hit { slot, is_last, wrong: Vec::new() };
        if let (Some(install), true) = (&self.graph.step(id).install, is_last) {
            hit.wrong = wrong_files(self.store, install, &hit.slot.outputs);
        }
        Some(hit)
    }

    fn use_hit(&mut self, id: StepId, hit: Hit) {
        let end = End { outcome: outcome_of(&hit), duration: Duration::ZERO, key: Some(hit.slot.key) };
        self.succeed(id, hit, end);
    }

    fn succeed(&mut self, id: StepId, hit: Hit, end: End) {
        self.store.set_slot(&SlotName::of(self.graph.step(id)), &hit.slot);
        self.judged.verdicts[id.index()] = Verdict::Hit(hit);
        self.states.finish(id.index(), true);
        self.tell(id, end);
    }

    /// A step failed, and with it those that wait for the same result; what needs them is skipped.
    fn fail(&mut self, id: StepId, failure: &StepFailure, duration: Duration) {
        self.end_badly(id, None, &Outcome::Failed(failure.clone()), duration);
        if failure.no_space && matches!(self.stopped, None | Some(StopCause::FailFast)) {
            self.stop(StopCause::NoSpace);
        } else if self.options.fail_fast && self.stopped.is_none() {
            self.stop(StopCause::FailFast);
        }
    }

    /// `awaited` is the result that the step waited for, where another step was to make it: that step, and the key.
    fn end_badly(
        &mut self,
        id: StepId,
        awaited: Option<(StepId, Option<Digest>)>,
        outcome: &Outcome,
        duration: Duration,
    ) {
        let ended = self.states.finish(id.index(), false);
        let made = self.making.remove(&id).map(|(key, _)| key);
        if let Some(key) = made {
            self.makers.remove(&key);
        }
        let key = made.or(awaited.and_then(|(_, key)| key));
        if let Some(key) = key {
            // A result that was to be made once more still counts.
            let is_lost = !self.store.has_whole(&key).is_ok_and(|whole| whole);
            if matches!(outcome, Outcome::Failed(_)) && is_lost {
                self.store.set_failure(&SlotName::of(self.graph.step(id)), key);
            }
        }
        let told = match outcome {
            Outcome::Failed(failure) => Outcome::Failed(self.told(id, awaited.map(|(maker, _)| maker), failure)),
            other => other.clone(),
        };
        self.tell(id, End { outcome: told, duration, key });
        let skipped = skipped_after(self.graph, id);
        for step in ended.skipped {
            let end = End { outcome: skipped.clone(), duration: Duration::ZERO, key: None };
            self.tell(StepId::at(step), end);
        }
        for twin in ended.twins {
            self.end_badly(StepId::at(twin), Some((id, key)), outcome, Duration::ZERO);
        }
    }

    /// A failure in the words for one step: files relative to the root, the place in its own card, and the step whose
    /// result it waited for.
    fn told(&self, id: StepId, maker: Option<StepId>, failure: &StepFailure) -> StepFailure {
        let mut told = failure.placed(self.graph.step(id));
        told.message = relative(&told.message, &self.options.root);
        if let Some(maker) = maker {
            let maker = self.graph.step(maker);
            let (kind, subject) = (maker.kind, maker.subject());
            told.message = format!("its result is that of `{kind}` of `{subject}`, which failed: {}", told.message);
            // The end of the log stands with the step that wrote it.
            told.log = failure.log.as_ref().map(|log| Box::new(LogEnd { path: log.path.clone(), tail: Vec::new() }));
        }
        if let Some(log) = told.log.take() {
            let path = log.path.strip_prefix(&self.options.root).unwrap_or(&log.path).to_owned();
            told.log = Some(Box::new(LogEnd { path, ..*log }));
        }
        told
    }

    /// Starts nothing more.
    pub(super) fn stop(&mut self, cause: StopCause) {
        self.stopped = Some(cause);
        (self.events)(&Event::Stopping { cause });
        if cause != StopCause::FailFast {
            self.cancel.cancel();
            for task in std::mem::take(&mut self.tasks) {
                self.leave_out(&task.files);
            }
        }
        for step in self.states.stop() {
            let end = End { outcome: self.not_tried(), duration: Duration::ZERO, key: None };
            self.tell(StepId::at(step), end);
        }
    }

    /// The outcome of a step that was not begun, or not ended, since the run stops.
    pub(super) fn not_tried(&self) -> Outcome {
        let why = match self.stopped {
            Some(StopCause::FailFast) => "another step failed, and --fail-fast was given",
            Some(StopCause::Store) => "the cache cannot be written",
            Some(StopCause::NoSpace) => "no space is left on the disk",
            Some(StopCause::Interrupted) | None => "the build was interrupted",
        };
        Outcome::Skipped { why: why.to_owned() }
    }

    /// The store cannot be used any more: ends the run once the steps that run have ended.
    fn give_up(&mut self, error: StoreError, id: StepId) {
        let is_told = matches!(self.stopped, Some(StopCause::Store | StopCause::NoSpace));
        let failure = StepFailure::new(error.to_string());
        self.broken = Some(error);
        self.broken_at.get_or_insert(id);
        let outcome = if is_told { self.not_tried() } else { Outcome::Failed(failure) };
        self.end_badly(id, None, &outcome, Duration::ZERO);
        if !is_told {
            self.stop(StopCause::Store);
        }
    }

    fn hear(&mut self, message: Message, idle: &mut Vec<usize>) {
        match message {
            Message::Progress { step, phase, done, of } => {
                (self.events)(&Event::Progress { step, phase: &phase, done, of });
            }
            Message::Ran { worker, step, duration, memory, result } => {
                idle.push(worker);
                let memory = self.peaks.end(step, memory);
                if memory > 0 && result.is_ok() {
                    self.store.set_memory(&SlotName::of(self.graph.step(step)), memory);
                }
                match result {
                    Ok(outputs) => self.keep(step, outputs, duration),
                    Err(_) if self.cancel.is_cancelled() => {
                        let outcome = self.not_tried();
                        self.end_badly(step, None, &outcome, duration);
                    }
                    Err(failure) => self.fail(step, &failure, duration),
                }
            }
            Message::Installed { worker, task, result, seen } => {
                idle.push(worker);
                for (path, seen) in seen {
                    self.store.stats.remember(&path, seen);
                }
                self.installed(&task, result);
            }
        }
    }

    /// A step ran: its result goes into the journal before anything uses it.
    fn keep(&mut self, id: StepId, outputs: Vec<Output>, duration: Duration) {
        let Some((key, record)) = self.making.remove(&id) else { return };
        let duration_ms = u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        let entry = Entry { record, outputs, duration_ms };
        if let Err(error) = self.store.done(key, &entry) {
            return self.give_up(error, id);
        }
        self.due.store(true, Ordering::Release);
        let slot = Slot { key, outputs: entry.outputs, duration_ms };
        let hit = Hit { slot, is_last: false, wrong: Vec::new() };
        self.succeed(id, hit, End { outcome: Outcome::Ran, duration, key: Some(key) });
    }

    fn summary(self, wall: Duration) -> Summary {
        let mut steps = Vec::new();
        for (id, end) in self.graph.ids().zip(self.ends) {
            let Some(end) = end else { continue };
            let step = self.graph.step(id);
            steps.push(StepSummary {
                id,
                network: step.network.clone(),
                model: step.model.clone(),
                step: step.kind,
                outcome: end.outcome,
                duration_ms: u64::try_from(end.duration.as_millis()).unwrap_or(u64::MAX),
                key: end.key,
            });
        }
        let interrupted = self.stopped == Some(StopCause::Interrupted);
        Summary { steps, not_removed: self.not_removed, wall, interrupted, broken: None }
    }
}

fn failure_of(obstacle: Obstacle) -> StepFailure {
    match obstacle {
        Obstacle::Broken(failure) => failure,
        Obstacle::Unknown => StepFailure::bug("a step was begun before its inputs were there"),
    }
}
