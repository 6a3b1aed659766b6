//! A child process in a group of its own, whose lines are read while it can be ended at any moment.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process_group;

use crate::base::CancelToken;
use crate::toolchains::process::groups;

/// How often a wish to stop is looked for.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long a process that is asked to end may take.
const GRACE: Duration = Duration::from_millis(500);

/// Bytes of standard error that are remembered: its end.
const REMEMBERED: usize = 16 << 10;

/// Bytes that one line of standard output may have.
const LINE_LIMIT: u64 = 1 << 20;

/// A running process. Dropping it ends the whole group.
pub(super) struct Process {
    child: Child,
    lines: Receiver<String>,
    errors: Arc<Mutex<Vec<u8>>>,
}

/// What a wait ended with.
pub(super) enum Heard {
    Line(String),
    End(ExitStatus),
    Cancelled,
}

impl Process {
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn()?;
        let (sender, lines) = channel();
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || {
                let mut reader = BufReader::new(output);
                let mut line = Vec::new();
                while reader.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                    if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                        break;
                    }
                    line.clear();
                }
            });
        }
        let errors = Arc::new(Mutex::new(Vec::new()));
        if let Some(mut output) = child.stderr.take() {
            let errors = Arc::clone(&errors);
            thread::spawn(move || {
                let mut piece = [0; 4096];
                while let Ok(count @ 1..) = output.read(&mut piece) {
                    let mut held = errors.lock().unwrap_or_else(PoisonError::into_inner);
                    held.extend_from_slice(piece.get(..count).unwrap_or_default());
                    let surplus = held.len().saturating_sub(REMEMBERED);
                    held.drain(..surplus);
                }
            });
        }
        let process = Self { child, lines, errors };
        // A second interrupt ends the program at once, and with it what it started.
        groups().extend(process.group());
        Ok(process)
    }

    /// The next line, or how the process ended.
    pub(super) fn next(&mut self, cancel: &CancelToken) -> io::Result<Heard> {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => return Ok(Heard::Line(line)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => thread::sleep(PATIENCE),
            }
            if cancel.is_cancelled() {
                return Ok(Heard::Cancelled);
            }
            if let Some(status) = self.child.try_wait()? {
                // What was written last may still be on its way.
                return Ok(match self.lines.recv_timeout(PATIENCE) {
                    Ok(line) => Heard::Line(line),
                    Err(_) => Heard::End(status),
                });
            }
        }
    }

    /// The end of what was written to standard error.
    pub(super) fn errors(&self) -> String {
        let held = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&held).into_owned()
    }

    fn group(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group() {
            // Nobody of the group may be left, which is what is wanted.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let is_over = |child: &mut Child| !matches!(child.try_wait(), Ok(None));
        if !is_over(&mut self.child) {
            self.signal(Signal::TERM);
            let begin = Instant::now();
            while !is_over(&mut self.child) && begin.elapsed() < GRACE {
                thread::sleep(Duration::from_millis(10));
            }
        }
        // Also for what the process left behind.
        self.signal(Signal::KILL);
        let own = self.group();
        groups().retain(|other| Some(*other) != own);
        let _ = self.child.wait();
    }
}
