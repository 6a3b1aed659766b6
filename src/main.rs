//! The `axzoo` program: everything is in the library.

use std::process::ExitCode;

/// Ten thousand cards are millions of small nodes, made by several threads: the system's allocator spends a third of the
/// time of `check` on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    axzoo::cli::main()
}
