//! Every code that a diagnostic may have: one row each, from which come `axzoo check --explain`, `docs/diagnostics.md`,
//! the rules of SARIF and the list that `tests/errors` must cover. `tests/house` refuses a code without a row.

mod build;
mod card;
mod card_values;
mod cascade;
mod compile;
mod config;
mod convert;
mod document;
mod entry;
mod explain;
mod file;
mod find;
mod images;
mod onnx;
mod pipeline;
mod run;
mod settings;
mod yaml;

pub use document::document;
pub use entry::{Entry, Placed};
pub use explain::explain;
pub use find::{Unknown, all, find, look_up};
