//! The binary `tidings`: a hot-reloading development server for any folder.

mod backend;
mod cli;
mod commands;
mod config;
mod files;
mod guard;
mod listen;
mod pages;
mod referrers;
mod report;
mod upstream;

use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::cli::{Cli, Command};
use crate::commands::{init, proxy, serve};
use crate::report::Console;

fn main() -> ExitCode {
    // `parse` exits by itself: with 2 for a usage error, with 0 for `--help` and `--version`.
    let cli = Cli::parse();
    let (console, result) = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => {
            let console = console(args.output());
            let result = serve::run(&args.config(), &console);
            (console, result)
        }
        Command::Proxy(args) => {
            let console = console(args.output());
            let config = match args.config() {
                Ok(config) => config,
                Err(error) => usage_error("proxy", &error.0),
            };
            let result = proxy::run(&config, &console);
            (console, result)
        }
        Command::Init => {
            let console = Arc::new(Console::new(false, false));
            let result = init::run(&console);
            (console, result)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console.error(&error);
            ExitCode::FAILURE
        }
    }
}

fn console(output: config::Output) -> Arc<Console> {
    Arc::new(Console::new(output.quiet, output.json))
}

/// Exits with 2, and prints the usage of the subcommand.
fn usage_error(command: &str, message: &str) -> ! {
    let mut cli = Cli::command();
    cli.build();
    match cli.find_subcommand_mut(command) {
        Some(command) => command
            .error(ErrorKind::MissingRequiredArgument, message)
            .exit(),
        None => cli
            .error(ErrorKind::MissingRequiredArgument, message)
            .exit(),
    }
}
