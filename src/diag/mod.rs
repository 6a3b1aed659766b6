//! Problems and the texts they point into: as data, and rendered.

mod diagnostic;
mod human;
mod json;
mod source;

pub use diagnostic::{Diagnostic, Severity};
pub use human::{Colour, counted, printable, render};
pub use json::{count, to_json};
pub use source::{Place, Position, Source, Span};
