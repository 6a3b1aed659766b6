//! The command line: what may be typed, what it means, and how it ends.

mod args;
mod build;
mod cache;
mod cascade;
mod check;
mod clean;
mod compile;
mod config;
mod convert;
mod failure;
mod kept;
mod list;
mod output;
mod plans;
mod quantity;
mod remarks;
mod run;
pub mod settings;
mod split;
mod targets;
mod why;
mod zoo;

use std::panic;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use self::args::{CacheCommand, Cli, Command, ConfigCommand};
use self::failure::{BUG, Failure};
use self::output::Output;

/// Runs the program: reads the arguments, does the command, says how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new();
    let Ok(result) = panic::catch_unwind(|| run(&cli.command, output, cli.directory.as_deref())) else {
        output.note("error: this is a bug in axzoo; please report it with the lines above and the command\n");
        return ExitCode::from(BUG);
    };
    match result {
        Ok(()) if output.is_lost() => {
            output.note("error: standard output could not be written\n");
            Failure::Reported.code()
        }
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match &failure {
                Failure::Usage(problems) | Failure::Problems(problems) => output.diagnostics(problems),
                Failure::Failed(problem) => output.diagnostics(std::slice::from_ref(problem)),
                Failure::Reported | Failure::Interrupted(_) => {}
            }
            failure.code()
        }
    }
}

fn run(command: &Command, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    match command {
        Command::Build(arguments) => build::build(arguments, output, directory),
        Command::Check(arguments) => check::check(arguments, output, directory),
        Command::Compile(arguments) => compile::compile(arguments, output, directory),
        Command::Why(arguments) => why::why(arguments, output, directory),
        Command::List(arguments) => list::list(arguments, output, directory),
        Command::Cascade(arguments) => cascade::cascade(arguments, output, directory),
        Command::Clean(arguments) => clean::clean(arguments, output, directory),
        Command::Cache(arguments) => match &arguments.command {
            CacheCommand::Stats(arguments) => cache::stats(arguments, output, directory),
            CacheCommand::Verify(arguments) => cache::verify(arguments, output, directory),
            CacheCommand::Gc(arguments) => cache::collect(arguments, output, directory),
            CacheCommand::Clear(arguments) => cache::clear(arguments, output, directory),
        },
        Command::Run(arguments) => run::run(arguments, output, directory),
        Command::Convert(arguments) => convert::convert(arguments, output, directory),
        Command::Config(arguments) => match &arguments.command {
            ConfigCommand::Show(arguments) => config::show(arguments, output, directory),
            ConfigCommand::List(arguments) => config::list(arguments, output, directory),
            ConfigCommand::Diff(arguments) => config::diff(arguments, output, directory),
            ConfigCommand::Schema(arguments) => {
                config::schema(arguments, output);
                Ok(())
            }
        },
    }
}
