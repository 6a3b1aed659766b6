//! Ctrl-C and its kin: the first one asks the run to stop, the second one ends the process and the tools that it runs.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::process;
use std::thread;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::pipe;

use super::ExecError;
use crate::base::CancelToken;
use crate::toolchains;

/// Which signal asked the run to stop.
#[derive(Debug, Clone, Default)]
pub struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// The signal's number; its exit code is 128 more.
    #[must_use]
    pub fn received(&self) -> Option<u8> {
        u8::try_from(self.0.load(Ordering::SeqCst)).ok().filter(|&number| number != 0)
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP cancel `cancel`; each of them kills the external tools that run and ends the process
/// at once, with code 128 + its number, when it comes after one of them. Called once, by `cli`.
pub fn watch_signals(cancel: &CancelToken) -> Result<Signals, ExecError> {
    let signals = Signals::default();
    let (reader, writer) = UnixStream::pair().map_err(ExecError::Signals)?;
    for number in [SIGINT, SIGTERM, SIGHUP] {
        flag::register_usize(number, Arc::clone(&signals.0), number as usize).map_err(ExecError::Signals)?;
        flag::register(number, cancel.flag()).map_err(ExecError::Signals)?;
        let writer = writer.try_clone().map_err(ExecError::Signals)?;
        pipe::register(number, writer).map_err(ExecError::Signals)?;
    }
    let received = signals.clone();
    let watch = thread::Builder::new().name("signals".to_owned()).spawn(move || end_at_the_second(reader, &received));
    watch.map_err(ExecError::Signals)?;
    Ok(signals)
}

/// A byte comes for each signal. What is half done is the next run's to put right, as after any other death.
fn end_at_the_second(mut reader: UnixStream, signals: &Signals) {
    if reader.read_exact(&mut [0; 2]).is_ok() {
        toolchains::kill_tools();
        process::exit(128 + i32::from(signals.received().unwrap_or_default()));
    }
}
