//! The real program, run as a user runs it.
#![expect(clippy::disallowed_methods, reason = "tests look at files directly")]

mod commands;
mod errors;
mod rebuild;
mod shared;
mod space;
