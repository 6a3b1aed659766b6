//! Ctrl-C and its kin: the first one asks the run to stop, the second one ends the process.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::ExecError;
use crate::base::CancelToken;

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

/// From now on SIGINT, SIGTERM and SIGHUP cancel `cancel`; each of them ends the process at once, with code 128 + its
/// number, when it comes after one of them. Called once, by `cli`.
pub fn watch_signals(cancel: &CancelToken) -> Result<Signals, ExecError> {
    let signals = Signals::default();
    for number in [SIGINT, SIGTERM, SIGHUP] {
        // The order matters: at the first signal the token is not cancelled yet when this looks at it.
        flag::register_conditional_shutdown(number, 128 + number, cancel.flag()).map_err(ExecError::Signals)?;
        flag::register_usize(number, Arc::clone(&signals.0), number as usize).map_err(ExecError::Signals)?;
        flag::register(number, cancel.flag()).map_err(ExecError::Signals)?;
    }
    Ok(signals)
}
