//! External programs: each in a process group of its own, its output in the step's log, ended as a group when it is time
//! to stop.

use std::io;
use std::io::PipeReader;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::process::Pid;
use rustix::process::PidfdFlags;
use rustix::process::Signal;

use crate::base::CancelToken;
use crate::base::Cancelled;
use crate::base::fs;

/// How often a running program is looked at besides when it says something.
const TICK: Duration = Duration::from_millis(50);

/// How long a program that was asked to end may take for it, before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// Why an external tool did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// There is nothing to run.
    #[error("`scripted.{0}` names no command")]
    NoCommand(&'static str),
    /// It could not be started, or not be waited for.
    #[error("the command cannot be run: {0}")]
    System(#[from] io::Error),
    /// It ended with a code that is not 0.
    #[error("the command ended with exit code {0}")]
    Code(i32),
    /// A signal ended it.
    #[error("the command was ended by signal {0}")]
    Signal(i32),
    /// It ended well, but an output that later steps read is not there.
    #[error("the command ended well, but did not write `{0}`")]
    Missing(&'static str),
    /// It ended well, but an output is not what it must be.
    #[error("the command ended well, but wrote a `{name}` that {problem}")]
    Wrong {
        /// The output.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// It was time to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl ToolError {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoCommand(step) => Some(format!("write `{step} = \"…\"` below `[scripted]` in axzoo.toml")),
            Self::Code(_) | Self::Signal(_) | Self::Missing(_) | Self::Wrong { .. } => {
                Some("the step's log has what the command said".to_owned())
            }
            Self::System(_) | Self::Cancelled(_) => None,
        }
    }
}

/// Who hears what a program says and takes.
pub(super) struct Ears<'a> {
    /// Gets each line that it writes, to either stream.
    pub(super) line: &'a dyn Fn(&str),
    /// Gets the bytes of memory that it and what it started held at most so far, now and then.
    pub(super) memory: &'a dyn Fn(u64),
}

/// Runs a program to its end. Whatever of its group is left
/// then is killed: nothing goes on writing to the outputs. When it is time to stop, the group is asked to end, and killed
/// if it does not.
pub(super) fn run(mut command: Command, cancel: &CancelToken, ears: &Ears<'_>) -> Result<(), ToolError> {
    let (reader, writer) = io::pipe()?;
    rustix::fs::fcntl_setfl(&reader, rustix::fs::OFlags::NONBLOCK).map_err(io::Error::from)?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
    let mut group = Group::new(command.spawn()?);
    // It holds the writing ends of the pipe.
    drop(command);
    let mut lines = Lines { reader, rest: Vec::new(), line: ears.line };
    let status = group.wait(&mut lines, cancel, ears.memory)?;
    lines.take_all();
    lines.finish();
    if cancel.is_cancelled() {
        return Err(Cancelled.into());
    }
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(ToolError::Code(code)),
        (None, signal) => Err(ToolError::Signal(signal.unwrap_or_default())),
    }
}

/// The groups that run now.
static GROUPS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

pub(super) fn groups() -> MutexGuard<'static, Vec<Pid>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills every tool that runs, with all that it started: for a process that is about to end.
pub fn kill_tools() {
    for &pid in groups().iter() {
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    }
}

/// A running program and everything that it started.
struct Group {
    child: Child,
    pid: Option<Pid>,
    /// Readable once the program has ended.
    ended: Option<OwnedFd>,
    is_reaped: bool,
}

impl Group {
    fn new(child: Child) -> Self {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        groups().extend(pid);
        let ended = pid.and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok());
        Self { child, pid, ended, is_reaped: false }
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid.filter(|_| !self.is_reaped) {
            // A group that is gone needs no signal.
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }

    /// The program was reaped: its number may be somebody else's from now on.
    fn forget(&mut self) {
        self.is_reaped = true;
        if let Some(pid) = &self.pid {
            groups().retain(|other| other != pid);
        }
    }

    fn wait(&mut self, lines: &mut Lines<'_>, cancel: &CancelToken, memory: &dyn Fn(u64)) -> io::Result<ExitStatus> {
        let tick = Timespec { tv_sec: 0, tv_nsec: i64::from(TICK.subsec_nanos()) };
        let mut is_open = true;
        let mut asked: Option<Instant> = None;
        let mut weighed = Instant::now();
        loop {
            if weighed.elapsed() >= TICK {
                memory(fs::memory_of_group(self.child.id()));
                weighed = Instant::now();
            }
            let mut waited = Vec::with_capacity(2);
            waited.extend(self.ended.as_ref().map(|ended| PollFd::new(ended, PollFlags::IN)));
            if is_open {
                waited.push(PollFd::new(&lines.reader, PollFlags::IN));
            }
            match rustix::event::poll(&mut waited, Some(&tick)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let has_ended = self.ended.is_some() && waited.first().is_some_and(|it| !it.revents().is_empty());
            drop(waited);
            is_open = is_open && lines.take_all();
            if has_ended {
                // Not reaped yet, so the group's number is still its own.
                self.signal(Signal::KILL);
                let status = self.child.wait()?;
                self.forget();
                return Ok(status);
            }
            if self.ended.is_none()
                && let Some(status) = self.child.try_wait()?
            {
                self.forget();
                return Ok(status);
            }
            if cancel.is_cancelled() {
                match asked {
                    None => {
                        self.signal(Signal::TERM);
                        asked = Some(Instant::now());
                    }
                    Some(since) if since.elapsed() >= GRACE => self.signal(Signal::KILL),
                    Some(_) => {}
                }
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_reaped {
            self.signal(Signal::KILL);
            let _ = self.child.wait();
            self.forget();
        }
    }
}

/// What comes out of a pipe, line by line.
struct Lines<'a> {
    reader: PipeReader,
    rest: Vec<u8>,
    line: &'a dyn Fn(&str),
}

/// A line longer than this is given in pieces: a program that writes no line ends takes no memory.
const LONGEST_LINE: usize = 64 * 1024;

impl Lines<'_> {
    /// Takes what is there; whether there may be more later.
    fn take_all(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.reader.read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => self.take(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.rest.len() >= LONGEST_LINE {
                self.finish();
            }
        }
    }

    fn finish(&mut self) {
        if !self.rest.is_empty() {
            let bytes = std::mem::take(&mut self.rest);
            (self.line)(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering;

    use super::*;

    fn shell(script: &str, cancel: &CancelToken) -> (Result<(), ToolError>, Vec<String>) {
        let said = Mutex::new(Vec::new());
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let line = |line: &str| said.lock().expect("no line panics").push(line.to_owned());
        let result = run(command, cancel, &Ears { line: &line, memory: &|_| () });
        (result, said.into_inner().expect("no line panics"))
    }

    #[test]
    fn a_program_is_judged_by_how_it_ends_and_heard_on_both_streams() {
        let cases = [
            ("echo a; echo b >&2; printf c", "Ok(())", vec!["a", "b", "c"]),
            ("echo x; exit 3", "Err(Code(3))", vec!["x"]),
            ("kill -9 $$", "Err(Signal(9))", vec![]),
            // What it leaves behind neither keeps the step from ending nor lives on.
            ("sleep 100 & echo left", "Ok(())", vec!["left"]),
            ("printf 'bad \\377 byte\\r\\n'", "Ok(())", vec!["bad \u{fffd} byte"]),
        ];
        for (script, expected, lines) in cases {
            let (result, said) = shell(script, &CancelToken::new());
            assert_eq!(
                (format!("{result:?}").as_str(), said),
                (expected, lines.into_iter().map(String::from).collect())
            );
        }
    }

    #[test]
    fn a_program_is_weighed_with_all_that_it_started() {
        let most = AtomicU64::new(0);
        let memory = |bytes: u64| {
            most.fetch_max(bytes, Ordering::Relaxed);
        };
        let mut command = Command::new("/bin/sh");
        // A text of 20 MB in a shell that a shell started.
        let inner = "text=$(head -c 20000000 /dev/zero | tr '\\0' a); sleep 0.5; echo ${#text}";
        command.args(["-c", &format!("sh -c '{}'; true", inner.replace('\'', "'\\''"))]);
        run(command, &CancelToken::new(), &Ears { line: &|_| (), memory: &memory }).expect("it ends well");
        let most = most.into_inner();
        assert!((20_000_000..400_000_000).contains(&most), "{most} bytes");
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let alive = folder.path().join("alive").display().to_string();
        let began = Instant::now();
        let cancel = CancelToken::new().until(Some(began + Duration::from_millis(200)));
        let script = format!("(while true; do touch {alive}; sleep 0.02; done) & wait");
        let (result, _) = shell(&script, &cancel);
        assert!(matches!(result, Err(ToolError::Cancelled(_))), "{result:?}");
        assert!(began.elapsed() < GRACE, "it had to be killed");
        let _ = crate::base::fs::remove_file(alive.as_ref());
        std::thread::sleep(Duration::from_millis(100));
        assert!(!crate::base::fs::exists(alive.as_ref()), "a process of the group lives on");
    }

    #[test]
    fn a_program_that_does_not_listen_is_killed() {
        let began = Instant::now();
        let cancel = CancelToken::new().until(Some(began + Duration::from_millis(50)));
        let (result, _) = shell("trap '' TERM; while true; do sleep 0.05; done", &cancel);
        assert!(matches!(result, Err(ToolError::Cancelled(_))), "{result:?}");
        assert!((GRACE..GRACE * 3).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
}
