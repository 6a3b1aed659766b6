//! Problems and the texts they point into: as data, and rendered; and the catalogue of all that can be said.

pub mod catalogue;
mod diagnostic;
mod github;
mod human;
mod json;
mod order;
mod sarif;
mod source;

pub use catalogue::{Entry, Placed};
pub use diagnostic::{Diagnostic, Severity};
pub use github::to_github;
pub use human::{Colour, Style, counted, printable, render};
pub use json::{JsonDiagnostic, count, to_json};
pub use order::{distinct, sort, tally};
pub use sarif::to_sarif;
pub use source::{Place, Position, Source, Span};
