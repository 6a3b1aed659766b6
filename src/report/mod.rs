//! What the user sees of a run: plain lines, a live display, JSON events, and the table at the end. All it knows comes
//! from `exec`'s events.

mod accuracy;
mod columns;
mod frame;
mod json;
mod label;
mod live;
mod plain;
mod screen;
mod summary;
mod table;
mod trace;

use crate::exec::Event;

pub use accuracy::{
    Accuracy, accuracy_table, accuracy_table_within, read_accuracy, read_accuracy_of, read_findings, read_lost,
};
pub use json::{JsonLines, summary_json};
pub use label::StepLabel;
pub use live::Live;
pub use plain::Plain;
pub use summary::{Refusal, counts, failure_blocks, network_table};
pub use table::{Align, bytes, duration, table, table_within};
pub use trace::Trace;

/// Something that shows events.
pub trait Report {
    /// Shows one event. Output that cannot be written (a closed pipe) is not an error of the run.
    fn event(&mut self, event: &Event<'_>);

    /// Leaves the terminal as it was.
    fn finish(&mut self) {}
}
