//! The binary `tidings`: a hot-reloading development server for any folder and any backend.

mod backend;
mod certificates;
mod cli;
mod commands;
mod config;
mod editor;
mod files;
mod guard;
mod instances;
mod keyboard;
mod listen;
mod pages;
mod private_files;
mod referrers;
mod report;
mod rules;
mod sources;
mod upstream;

use std::process::ExitCode;
use std::sync::Arc;

use tidings::watch;

use crate::cli::{Cli, Command, UsageError};
use crate::commands::{about, follow, init, proxy, serve, trust, wait, why};
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
    let ended = run(cli, &console);
    keyboard::leave_terminal();
    match ended {
        Ok(code) => code,
        Err(error) => {
            if let Some(error) = error.downcast_ref::<UsageError>() {
                Cli::exit_with_usage(error);
            }
            console.error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli, console: &Arc<Console>) -> anyhow::Result<ExitCode> {
    let file = ConfigFile::load(&cli.file(), console)?;
    let path = file.as_ref().map(|file| file.shown.clone());
    match cli.into_command(file.as_ref()) {
        Command::Serve(args) => {
            let config = args.config(file.as_ref())?;
            let console = server_console(config.output);
            let reread = move |file: &ConfigFile| args.config(Some(file));
            if let Some(path) = path {
                follow::follow(&path, config.clone(), reread, &console);
            }
            let ended = serve::run(&config, &console);
            console.flush();
            ended?;
        }
        Command::Proxy(args) => {
            let config = args.config(file.as_ref())?;
            let console = server_console(config.output);
            let reread = move |file: &ConfigFile| args.config(Some(file));
            if let Some(path) = path {
                follow::follow(&path, config.clone(), reread, &console);
            }
            let ended = proxy::run(&config, &console);
            console.flush();
            ended?;
        }
        Command::Init => init::run(console)?,
        Command::Trust(args) => trust::run(args.remove, &args.stores(), console)?,
        Command::Wait(args) => return Ok(wait::run(args.url.as_ref(), args.timeout, console)),
        Command::Why(args) => {
            let alone = || watched(console);
            return Ok(why::run(&args.path, args.url.as_ref(), alone, console));
        }
        Command::Completions(args) => about::completions(args.shell, Cli::definition(), console),
        Command::Man(args) => about::man(args.command.as_deref(), Cli::definition(), console)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What `tidings` alone would watch here.
fn watched(console: &Arc<Console>) -> anyhow::Result<Option<watch::Options>> {
    let cli = Cli::without_arguments()?;
    let file = ConfigFile::load(&cli.file(), console)?;
    let file = file.as_ref();
    match cli.into_command(file) {
        Command::Serve(args) => Ok(Some(serve::watched(&args.config(file)?)?)),
        Command::Proxy(args) => Ok(args.config(file)?.watch_options()),
        _ => Ok(None),
    }
}

fn console(output: Output) -> Arc<Console> {
    Arc::new(Console::new(output.quiet, output.json))
}

fn server_console(output: Output) -> Arc<Console> {
    Arc::new(Console::new(output.quiet, output.json).queued())
}
