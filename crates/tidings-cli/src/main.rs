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
use crate::report::Say;

fn main() -> ExitCode {
    // Usage errors end here, with exit code 2; `--help` and `--version` with 0.
    let cli = Cli::parse();
    let args = match cli.command {
        Some(Command::Serve(args)) => args,
        None => cli.serve,
    };
    let say = Arc::new(Say::new(args.quiet, args.json));
    match serve::run(&args.into(), &say) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say.error(&error);
            ExitCode::FAILURE
        }
    }
}
