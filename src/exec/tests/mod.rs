//! Whole runs: real files in temporary folders, and a runner that follows a script.

mod failures;
mod interruption;
mod rebuilds;
mod zoo;
