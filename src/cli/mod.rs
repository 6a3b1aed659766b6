//! The command line.
pub mod settings;
