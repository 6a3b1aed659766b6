//! `axzoo compile`: one ONNX model, the command line of `axcompile`, and the folder that it writes.
//!
//! `flags.rs` says what may be typed, `given.rs` and `cli_args.rs` gather it from the command line and from `--cli-args`,
//! `recognized.rs` knows our own files, and
//! `request.rs` makes of it what is to be done, or everything that is wrong with it. `run.rs` goes through the stages, which
//! are the steps of a build ([`crate::toolchains::Host`]), `effects.rs` tells which properties change nothing, `sample.rs` finds what they calibrate on. `folder.rs` keeps the
//! folder of results whole (`dumps.rs`: files there whose names the user chose): work is done in a folder inside it, and known names are swapped at the end. `outcome.rs` is
//! the report, `journal.rs` the log, `artifact.rs` what a failure leaves on request.

mod artifact;
mod cli_args;
mod command;
mod dumps;
mod effects;
mod flags;
mod folder;
mod given;
mod journal;
mod notes;
mod outcome;
mod recognized;
mod request;
mod run;
mod sample;
mod summary;

pub(super) use command::compile;
pub(super) use flags::CompileArgs;
