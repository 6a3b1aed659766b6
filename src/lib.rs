//! `axzoo` is `make` for NPU model zoos.
//!
//! The way through, in one direction (see ARCHITECTURE.md):
//!
//! 1. [`cli`] turns the command line into settings,
//! 2. [`cards`] reads the model cards, [`config`] resolves each model's compiler configuration with the origin of every
//!    value, [`cascade`] checks that a network fits the device,
//! 3. [`plan`] makes a graph of steps, [`exec`] runs what [`store`] does not already hold,
//! 4. [`toolchains`] do the work of a step; the default one is the embedded [`compiler`],
//! 5. [`pack`] writes what the runtime opens, [`report`] tells the user.
//!
//! Rooms are listed in order: a room uses only rooms above it (`tests/house` enforces it).

pub mod base;
pub mod cards;
pub mod cascade;
pub mod check;
pub mod cli;
pub mod compiler;
pub mod config;
pub mod convert;
pub mod diag;
pub mod exec;
pub mod imaging;
pub mod pack;
pub mod plan;
pub mod properties;
pub mod report;
pub mod store;
pub mod toolchains;
pub mod yaml;
