//! The `axzoo` program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    axzoo::cli::main()
}
