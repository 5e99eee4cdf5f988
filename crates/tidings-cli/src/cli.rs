//! The command line: what can be typed.
//!
//! The structs hold exactly that: what was not typed, and is not set by a variable either, is `None`.
//! `settings.rs` makes a `config::Serve` or `config::Proxy` of it, with every default filled in.

mod parse;
mod programs;
mod proxy;
mod serve;
mod settings;
mod shared;
mod trust;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args as _, CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use programs::{CompletionsArgs, ManArgs, WaitArgs, WhyArgs};
pub(crate) use proxy::ProxyArgs;
pub(crate) use serve::ServeArgs;
pub(crate) use settings::UsageError;
use shared::SharedArgs;
pub(crate) use trust::TrustArgs;

/// Serve a folder, and show every saved change in all open pages at once
///
/// Open the printed address in a browser. When you save a style sheet, an image or the HTML of a page, pages
/// update in place; when you save any other file, the pages that use it reload. Your files are never modified.
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
    /// Whether something was typed that only `serve` has: then `tidings` serves, whatever the file says.
    #[arg(skip)]
    is_serve: bool,
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
    /// Make browsers trust the certificates of --https
    Trust(TrustArgs),
    /// Wait until every open page shows what was saved last
    ///
    /// For programs that change files and then look at the pages. It waits until the running server has seen
    /// everything that was saved before this command, and each open page shows it.
    Wait(WaitArgs),
    /// Tell whether a change of a file counts, and which rule says so
    ///
    /// Also tells which open pages use it and what they would do, if a server is running.
    Why(WhyArgs),
    /// Print the completions for a shell
    ///
    /// For example, in bash: tidings completions bash > ~/.local/share/bash-completion/completions/tidings
    Completions(CompletionsArgs),
    /// Print the manual page
    ///
    /// For example: tidings man | man -l -
    Man(ManArgs),
}

impl Cli {
    /// What was typed. Exits with 2 for a usage error, and with 0 for `--help` and `--version`.
    pub(crate) fn from_command_line() -> Cli {
        let matches = Cli::command().get_matches();
        Cli::from_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    fn from_matches(matches: &ArgMatches) -> Result<Cli, clap::Error> {
        let shared = SharedArgs::augment_args(clap::Command::new("shared"));
        let is_shared = |id: &clap::Id| shared.get_arguments().any(|shared| shared.get_id() == id);
        let typed =
            |id: &clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        let serve = ServeArgs::augment_args(clap::Command::new("serve"));
        let mut ids = serve.get_arguments().map(clap::Arg::get_id);
        let is_serve = ids.any(|id| !is_shared(id) && typed(id));
        Ok(Cli {
            is_serve,
            ..Cli::from_arg_matches(matches)?
        })
    }

    /// What `tidings` alone would do, by the variables and the file.
    pub(crate) fn without_arguments() -> anyhow::Result<Cli> {
        let matches = Cli::command().try_get_matches_from(["tidings"])?;
        Ok(Cli::from_matches(&matches)?)
    }

    /// The definition that all of it comes from, for `completions` and `man`.
    pub(crate) fn definition() -> clap::Command {
        let mut definition = Cli::command();
        definition.build();
        definition
    }

    /// Exits with 2, and prints the usage of the subcommand.
    pub(crate) fn exit_with_usage(error: &UsageError) -> ! {
        let mut cli = Cli::command();
        cli.build();
        let command = cli.find_subcommand(error.command).cloned().unwrap_or(cli);
        command
            .clone()
            .error(ErrorKind::MissingRequiredArgument, error)
            .exit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::ConfigFile;

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
            let is_set = |flag: &&str| !["no-open", "no-config"].contains(flag);
            let Some(flag) = argument.get_long().filter(is_set) else {
                continue;
            };
            let variable = format!("TIDINGS_{}", flag.replace('-', "_").to_uppercase());
            assert_eq!(argument.get_env(), Some(variable.as_ref()), "--{flag}");
        }
    }

    #[test]
    fn every_option_is_a_key_of_the_file_and_the_other_way_round() {
        for command in ["serve", "proxy"] {
            let shared = flags("serve");
            let shared: Vec<_> = shared.iter().filter_map(|flag| flag.get_long()).collect();
            let other = flags("proxy");
            let other: Vec<_> = other.iter().filter_map(|flag| flag.get_long()).collect();
            let mut expected: Vec<_> = match command {
                "serve" => shared.clone(),
                _ => other.clone(),
            };
            // What both have is at the top of the file; what only one has is in its section.
            expected.retain(|flag| !(shared.contains(flag) && other.contains(flag)));
            let mut expected: Vec<_> = expected.into_iter().map(key_of).collect();
            // Arguments without a name.
            expected.extend(match command {
                // Mounts are too long to be typed.
                "serve" => &["dir", "mounts"][..],
                _ => &["url", "command"],
            });
            let mut keys: Vec<_> = crate::config::file::keys_of(command).collect();
            keys.sort_unstable();
            expected.sort_unstable();
            assert_eq!(keys, expected, "[{command}]");
        }
        let both = |flag: &str| {
            flags("proxy")
                .iter()
                .any(|other| other.get_long() == Some(flag))
        };
        let shared = flags("serve");
        let shared = shared.iter().filter_map(|flag| flag.get_long());
        // What says which file is read is not in it, and `open = false` is `--no-open`.
        let special = |flag: &&str| !["config", "no-config", "no-open"].contains(flag);
        let mut expected: Vec<_> = shared
            .filter(|flag| both(flag))
            .filter(special)
            .map(key_of)
            .collect();
        // What is in the file alone.
        expected.extend(["run", "serve", "proxy", "headers", "redirects"]);
        let mut keys: Vec<_> = crate::config::file::keys_of("").collect();
        keys.sort_unstable();
        expected.sort_unstable();
        assert_eq!(keys, expected);
    }

    fn key_of(flag: &str) -> &str {
        flag.strip_prefix("no-").unwrap_or(flag)
    }

    /// The command that runs, and what is typed of it that matters here.
    fn run(arguments: &[&str], file: Option<&str>) -> Command {
        let arguments = ["tidings"].iter().chain(arguments);
        let matches = Cli::command().get_matches_from(arguments);
        let file = file.map(ConfigFile::of_text);
        Cli::from_matches(&matches)
            .unwrap()
            .into_command(file.as_ref())
    }

    #[test]
    fn the_file_says_what_the_program_does_without_arguments() {
        let proxy = Some("run = \"proxy\"");
        assert!(matches!(run(&[], None), Command::Serve(_)));
        assert!(matches!(run(&[], Some("port = 1")), Command::Serve(_)));
        assert!(matches!(run(&[], proxy), Command::Proxy(_)));
        assert!(matches!(run(&["--port", "1"], proxy), Command::Proxy(_)));
        assert!(matches!(run(&["serve"], proxy), Command::Serve(_)));
        assert!(matches!(run(&["proxy"], None), Command::Proxy(_)));
        // Only `serve` has these.
        assert!(matches!(run(&["dir"], proxy), Command::Serve(_)));
        assert!(matches!(run(&["--spa"], proxy), Command::Serve(_)));
    }
}
