//! The binary `tidings`: a hot-reloading development server for any folder and any backend.

mod backend;
mod cli;
mod commands;
mod config;
mod editor;
mod files;
mod guard;
mod listen;
mod pages;
mod referrers;
mod report;
mod rules;
mod sources;
mod upstream;

use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::{Cli, Command, UsageError};
use crate::commands::{follow, init, proxy, serve};
use crate::config::Output;
use crate::config::file::ConfigFile;
use crate::report::Console;

fn main() -> ExitCode {
    if let Some(code) = backend::run_as_guardian() {
        return code;
    }
    let cli = Cli::from_command_line();
    // What is printed may depend on the file, but errors in the file are printed as well.
    let console = console(cli.output());
    match run(cli, &console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(error) = error.downcast_ref::<UsageError>() {
                Cli::exit_with_usage("proxy", error);
            }
            console.error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli, console: &Arc<Console>) -> anyhow::Result<()> {
    let file = ConfigFile::load(&cli.file(), console)?;
    let path = file.as_ref().map(|file| file.shown.clone());
    match cli.into_command(file.as_ref()) {
        Command::Serve(args) => {
            let config = args.config(file.as_ref())?;
            let console = self::console(config.output);
            let reread = move |file: &ConfigFile| args.config(Some(file));
            if let Some(path) = path {
                follow::follow(&path, config.clone(), reread, &console);
            }
            serve::run(&config, &console)
        }
        Command::Proxy(args) => {
            let config = args.config(file.as_ref())?;
            let console = self::console(config.output);
            let reread = move |file: &ConfigFile| args.config(Some(file));
            if let Some(path) = path {
                follow::follow(&path, config.clone(), reread, &console);
            }
            proxy::run(&config, &console)
        }
        Command::Init => init::run(console),
    }
}

fn console(output: Output) -> Arc<Console> {
    Arc::new(Console::new(output.quiet, output.json))
}
