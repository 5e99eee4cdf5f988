//! The command line: what can be typed.
//!
//! The structs hold exactly that: what was not typed, and is not set by a variable either, is `None`.
//! `settings.rs` makes a `config::Serve` or `config::Proxy` of it, with every default filled in.

mod parse;
mod proxy;
mod serve;
mod settings;
mod shared;

use clap::{Parser, Subcommand};

pub(crate) use proxy::ProxyArgs;
pub(crate) use serve::ServeArgs;

/// Serve a folder, and show every saved change in all open pages at once
///
/// Open the printed address in a browser. When you save a style sheet or an image, pages swap it in
/// place; when you save any other file, the pages that use it reload. Your files are never modified.
#[derive(Debug, Parser)]
#[command(
    name = "tidings",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  tidings                      serve this folder\n  tidings serve dist --open    serve ./dist and open it in the browser\n  tidings serve --host         let other devices, such as a phone, connect\n  tidings serve app --spa      serve a single-page application\n  tidings proxy http://localhost:8000\n                               the same for the pages of a server that is running already\n\nOptions can also be set by environment variables: TIDINGS_PORT=3000 is --port 3000."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a folder (the default)
    Serve(ServeArgs),
    /// Pass requests to a backend, which can be a command that tidings runs and restarts
    ///
    /// Give the address of a backend that is running, or a command that tidings runs as the backend, or
    /// both. The pages of the backend show every saved change, as those of a served folder do. A command
    /// is restarted when you save: the old one answers until the new one is ready, so no request fails.
    Proxy(ProxyArgs),
    /// Write a tidings.toml that fits this folder
    Init,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// The flags of `serve` and `proxy`.
    fn flags(command: &str) -> Vec<clap::Arg> {
        let cli = Cli::command();
        let command = cli.find_subcommand(command).unwrap();
        let arguments = command.get_arguments();
        arguments
            .filter(|argument| argument.get_long().is_some())
            .cloned()
            .collect()
    }

    #[test]
    fn the_command_line_is_well_defined() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_readme_lists_every_option_and_no_other() {
        let readme = include_str!("../../../README.md");
        let mut documented: Vec<_> = readme
            .lines()
            .filter(|line| line.starts_with("| `-"))
            .filter_map(|line| line.split("`--").nth(1).or(line.split('`').nth(1)))
            .filter_map(|flag| flag.split(['`', ' ']).next())
            .map(|flag| flag.trim_start_matches('-').to_owned())
            .collect();
        let mut defined: Vec<_> = ["serve", "proxy"]
            .into_iter()
            .flat_map(flags)
            .filter_map(|argument| argument.get_long().map(str::to_owned))
            .collect();
        documented.sort();
        defined.sort();
        defined.dedup();
        assert_eq!(documented, defined);
    }

    #[test]
    fn every_option_has_an_environment_variable() {
        for argument in ["serve", "proxy"].into_iter().flat_map(flags) {
            let Some(flag) = argument.get_long().filter(|flag| *flag != "no-open") else {
                continue;
            };
            let variable = format!("TIDINGS_{}", flag.replace('-', "_").to_uppercase());
            assert_eq!(argument.get_env(), Some(variable.as_ref()), "--{flag}");
        }
    }
}
