//! The real program, run as a user runs it.
#![expect(clippy::disallowed_methods, reason = "tests look at files directly")]
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "a test that skips says so")]
#![expect(clippy::panic, reason = "a test that cannot go on fails")]

mod care;
mod cascade;
mod commands;
mod compile;
mod config;
mod convert;
mod disk;
mod errors;
mod faults;
mod hostile;
mod images;
mod layers;
mod leftovers;
mod memory;
mod models;
mod modes;
mod mutations;
mod names;
mod rebuild;
mod run;
mod scripted;
mod sequences;
mod shared;
mod space;
mod table;
mod together;
mod told;
