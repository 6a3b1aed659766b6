//! Worker threads: each does one task at a time and says how it went. They know no graph and own no state.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;
use std::time::Duration;
use std::time::Instant;

use super::job::Job;
use super::job::Log;
use super::job::Runner;
use super::job::StepFailure;
use super::judge::Files;
use super::networks::Wanted;
use crate::base::CancelToken;
use crate::base::fs;
use crate::base::fs::Stat;
use crate::base::tidy;
use crate::plan::Graph;
use crate::plan::StepId;
use crate::store::Blobs;
use crate::store::Output;
use crate::store::Seen;
use crate::store::Since;
use crate::store::StatIndex;
use crate::store::since;

/// Progress of one step is told at most this often, in milliseconds.
const PROGRESS_EVERY: u64 = 50;

/// How often a step runs whose sources are written to meanwhile.
const ATTEMPTS: usize = 3;

/// Something to do.
#[derive(Debug)]
pub(super) enum Task {
    Step(StepTask),
    Install(InstallTask),
}

/// A step to run.
#[derive(Debug)]
pub(super) struct StepTask {
    pub(super) id: StepId,
    /// What it reads; source files as they were when the key was made.
    pub(super) files: Files,
    /// Where folders of running steps lie.
    pub(super) folder: PathBuf,
    pub(super) log: PathBuf,
}

/// Files of a network to copy where they are not right.
#[derive(Debug)]
pub(super) struct InstallTask {
    pub(super) network: String,
    pub(super) build_root: PathBuf,
    pub(super) files: Vec<Wanted>,
}

/// What a worker says.
#[derive(Debug)]
pub(super) enum Message {
    Progress {
        step: StepId,
        phase: String,
        done: u64,
        of: u64,
    },
    Ran {
        worker: usize,
        step: StepId,
        duration: Duration,
        /// Bytes of memory that programs of the step held at most; 0 when there were none, or when they ended at once.
        memory: u64,
        result: Result<Vec<Output>, StepFailure>,
    },
    Installed {
        worker: usize,
        task: InstallTask,
        result: Result<usize, (StepId, StepFailure)>,
        seen: Vec<(PathBuf, Seen)>,
    },
}

/// What all workers share.
pub(super) struct Shop<'r, S, R> {
    pub(super) graph: &'r Graph<S>,
    pub(super) runner: &'r R,
    pub(super) blobs: Blobs,
    pub(super) cancel: CancelToken,
    /// How long one step may take.
    pub(super) timeout: Option<Duration>,
}

impl<S, R> Shop<'_, S, R>
where
    S: Send + Sync,
    R: Runner<S>,
{
    /// Does tasks until there are no more. Whatever happens in one, the scheduler hears how it ended. A send fails only when the scheduler is gone, and then nobody listens.
    pub(super) fn work(&self, worker: usize, tasks: &Receiver<Task>, messages: &Sender<Message>) {
        while let Ok(task) = tasks.recv() {
            let message = match task {
                Task::Step(mut task) => {
                    // The worker's own, and used again: making and removing a folder for each step costs more than the step.
                    task.folder.push(worker.to_string());
                    let started = Instant::now();
                    let memory = AtomicU64::new(0);
                    let result = caught(|| self.run(&task, &memory, messages)).unwrap_or_else(Err);
                    let memory = memory.into_inner();
                    Message::Ran { worker, step: task.id, duration: started.elapsed(), memory, result }
                }
                Task::Install(task) => {
                    let mut seen = Vec::new();
                    let result = caught(|| self.install(&task, &mut seen));
                    let result = result.unwrap_or_else(|failure| match task.files.first() {
                        Some(first) => Err((first.step, failure)),
                        None => Ok(0),
                    });
                    Message::Installed { worker, task, result, seen }
                }
            };
            if messages.send(message).is_err() {
                return;
            }
        }
    }

    fn run(&self, task: &StepTask, memory: &AtomicU64, messages: &Sender<Message>) -> Result<Vec<Output>, StepFailure> {
        fs::empty_folder(&task.folder)?;
        let log = Log::create(task.log.clone())?;
        let result = self.attempts(task, &log, memory, messages).and_then(|()| Ok(self.blobs.take_in(&task.folder)?));
        result.map_err(|failure| StepFailure { log: Some(Box::new(log.end())), ..failure })
    }

    /// Does the work until no source was written to meanwhile: one that was, and holds what it held, may have been read as
    /// something else. Where only the time of its last change of any kind is another, once more is enough: a tool that links its
    /// input, or sets its mode, does so each time.
    fn attempts(
        &self,
        task: &StepTask,
        log: &Log,
        memory: &AtomicU64,
        messages: &Sender<Message>,
    ) -> Result<(), StepFailure> {
        let hint = "run the same command again";
        for attempt in 1.. {
            let before: Vec<Option<Stat>> = task.files.sources.iter().map(|(path, _)| fs::stat(path)).collect();
            self.work_on(task, log, memory, messages)?;
            let mut touched = None;
            for ((path, seen), before) in task.files.sources.iter().zip(before) {
                match since(path, seen, before) {
                    Since::Unchanged => {}
                    Since::Linked if attempt > 1 => {}
                    Since::Linked | Since::Written => touched = Some(path),
                    Since::Changed => {
                        let message = format!("`{}` was changed during the build", path.display());
                        return Err(StepFailure::new(message).hint(hint));
                    }
                }
            }
            let Some(path) = touched else { break };
            if attempt == ATTEMPTS {
                let message = format!("`{}` was written to each time that the step ran", tidy(path).display());
                let hint = "nothing may write to it meanwhile, nor the tool itself";
                return Err(StepFailure::new(message).hint(hint));
            }
            let path = tidy(path);
            log.line(&format!("`{}` was touched meanwhile, and holds what it held: once more", path.display()));
            fs::empty_folder(&task.folder)?;
        }
        Ok(())
    }

    fn work_on(
        &self,
        task: &StepTask,
        log: &Log,
        memory: &AtomicU64,
        messages: &Sender<Message>,
    ) -> Result<(), StepFailure> {
        for (role, digest) in &task.files.artifacts {
            self.blobs.verify(digest, role)?;
        }
        let started = Instant::now();
        let cancel = self.cancel.until(self.timeout.and_then(|timeout| started.checked_add(timeout)));
        let told = AtomicU64::new(0);
        let progress = |phase: &str, done: u64, of: u64| {
            let now = started.elapsed().as_millis() as u64 + PROGRESS_EVERY;
            let last = told.load(Ordering::Relaxed);
            let is_time = now >= last + PROGRESS_EVERY || done == of;
            if is_time && told.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                let _ = messages.send(Message::Progress { step: task.id, phase: phase.to_owned(), done, of });
            }
        };
        let weigh = |bytes: u64| {
            memory.fetch_max(bytes, Ordering::Relaxed);
        };
        let job = Job {
            id: task.id,
            step: self.graph.step(task.id),
            inputs: &task.files.inputs,
            output: &task.folder,
            log,
            cancel: &cancel,
            progress: &progress,
            memory: &weigh,
        };
        match caught(|| self.runner.run(&job))? {
            Err(_) if cancel.is_late() && !self.cancel.is_cancelled() => Err(self.late()),
            Err(failure) if !failure.no_space && fs::is_disk_full(&task.folder) => {
                // A program says so in its log only.
                Err(StepFailure { no_space: true, ..failure.hint(fs::NO_SPACE_HINT) })
            }
            result => result,
        }
    }

    fn late(&self) -> StepFailure {
        let limit = self.timeout.unwrap_or_default();
        let failure = StepFailure::new(format!("it was stopped after {limit:?}, the longest that a step may take"));
        failure.hint("give it longer: `--timeout`, or `timeout` in `[toolchain]` of axzoo.toml")
    }

    /// Copies what is not right; how many that were. `seen` gets what every file holds.
    fn install(&self, task: &InstallTask, seen: &mut Vec<(PathBuf, Seen)>) -> Result<usize, (StepId, StepFailure)> {
        let index = StatIndex::default();
        let mut written = 0;
        for wanted in &task.files {
            let path = task.build_root.join(&wanted.file);
            if let Some(found) = index.look(&path).ok().filter(|seen| seen.digest == wanted.digest) {
                seen.push((path, found));
                continue;
            }
            let copied = self.blobs.copy_out(&wanted.digest, &wanted.file, &path);
            let found = copied.map_err(|error| (wanted.step, StepFailure::from(error)))?;
            seen.push((path, found));
            written += 1;
        }
        Ok(written)
    }
}

/// What the work gives, or the panic that ended it.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, StepFailure> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| StepFailure::bug(&words_of(panic.as_ref())))
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
