//! Runs what has to run: one thread owns all state, workers do steps, and everything that happens is an event.
//!
//! Before anything starts, `judge` finds what every step's key is and whether the store has its result; what cannot be
//! known yet (an input is still to be made) is judged again as soon as its inputs are there. So a step that writes the
//! bytes it wrote before stops the rebuild right there.

mod completion;
mod error;
mod events;
mod explain;
mod flush;
mod job;
mod judge;
mod networks;
mod outlook;
mod peaks;
mod scheduler;
mod signals;
mod states;
#[cfg(test)]
mod tests;
mod workers;

pub use error::ExecError;
pub use events::{Broken, Event, NotRemoved, Options, Outcome, StepSummary, StopCause, Summary};
pub use explain::{Explanation, explain, known_keys};
pub use job::{Job, Log, LogEnd, Runner, StepFailure};
pub use networks::clean;
pub use scheduler::run;
pub use signals::{Signals, watch_signals};
