//! The binary `tidings`: a hot-reloading development server for any folder.

mod cli;
mod commands;
mod config;
mod files;
mod guard;
mod listen;
mod pages;
mod referrers;
mod report;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::commands::serve;
use crate::report::Console;

fn main() -> ExitCode {
    // `parse` exits by itself: with 2 for a usage error, with 0 for `--help` and `--version`.
    let cli = Cli::parse();
    let args = match cli.command {
        Some(Command::Serve(args)) => args,
        None => cli.serve,
    };
    let console = Arc::new(Console::new(args.quiet, args.json));
    match serve::run(&args.into(), &console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console.error(&error);
            ExitCode::FAILURE
        }
    }
}
