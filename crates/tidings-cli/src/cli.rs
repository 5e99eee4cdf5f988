//! The command line: what can be typed, and its conversion into a [`Config`].

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};

use crate::config::Config;
use crate::files::{self, Compress};
use crate::listen::{DEFAULT_PORT, Host, Ports};

/// The address of `--host` without a value: all addresses.
const ALL_ADDRESSES: &str = "0.0.0.0";

/// Serve a folder, and show every saved change in all open pages at once
///
/// Open the printed address in a browser. When you save a style sheet or an image, pages swap it in
/// place; when you save any other file, the pages that use it reload. Your files are never modified.
#[derive(Debug, Parser)]
#[command(
    name = "tidings",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  tidings                      serve this folder\n  tidings serve dist --open    serve ./dist and open it in the browser\n  tidings serve --host         let other devices, such as a phone, connect\n  tidings serve app --spa      serve a single-page application\n\nOptions can also be set by environment variables: TIDINGS_PORT=3000 is --port 3000."
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
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ServeArgs {
    /// The folder to serve
    #[arg(default_value = ".", value_name = "DIR")]
    dir: PathBuf,

    /// Listen on exactly this port; 0 selects any free one [default: 8080, or the next free port]
    #[arg(short, long, env = "TIDINGS_PORT", hide_env = true)]
    port: Option<u16>,

    /// Fail if port 8080 is in use, instead of trying the next ones
    #[arg(long, env = "TIDINGS_STRICT_PORT", hide_env = true, value_parser = FalseyValueParser::new())]
    strict_port: bool,

    /// Listen on this address, or on all addresses if none is given, so that other machines can
    /// connect [default: this machine only]
    #[arg(long, env = "TIDINGS_HOST", hide_env = true, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = ALL_ADDRESSES)]
    host: Option<Host>,

    /// Also answer requests for this host name; may be repeated [default: localhost and IP addresses]
    #[arg(
        long,
        env = "TIDINGS_ALLOW_HOST",
        hide_env = true,
        value_name = "NAME",
        value_delimiter = ','
    )]
    allow_host: Vec<String>,

    /// Open the browser, at this path if one is given
    #[arg(short, long, env = "TIDINGS_OPEN", hide_env = true, value_name = "PATH", num_args = 0..=1, default_missing_value = "/", overrides_with = "no_open")]
    open: Option<String>,

    /// Do not open the browser, even if TIDINGS_OPEN is set
    #[arg(long, overrides_with = "open")]
    no_open: bool,

    /// Single-page application: answer page requests without a matching file with this page
    /// [default if no FILE is given: index.html]
    #[arg(long, env = "TIDINGS_SPA", hide_env = true, value_name = "FILE", num_args = 0..=1, default_missing_value = "index.html", value_parser = file_below)]
    spa: Option<String>,

    /// Also watch this file or folder; a change in it reloads every page; may be repeated
    #[arg(
        short,
        long,
        env = "TIDINGS_WATCH",
        hide_env = true,
        value_name = "PATH"
    )]
    watch: Vec<PathBuf>,

    /// Do not watch files that match, in .gitignore syntax; `!GLOB` watches them after all; may be
    /// repeated
    #[arg(
        short,
        long,
        env = "TIDINGS_IGNORE",
        hide_env = true,
        value_name = "GLOB"
    )]
    ignore: Vec<String>,

    /// Also watch files that .gitignore files exclude
    #[arg(long, env = "TIDINGS_NO_GITIGNORE", hide_env = true, value_parser = FalseyValueParser::new())]
    no_gitignore: bool,

    /// Follow symbolic links that lead out of the folder
    #[arg(long, env = "TIDINGS_FOLLOW_SYMLINKS", hide_env = true, value_parser = FalseyValueParser::new())]
    follow_symlinks: bool,

    /// Do not list the contents of folders without an index.html
    #[arg(long, env = "TIDINGS_NO_LISTING", hide_env = true, value_parser = FalseyValueParser::new())]
    no_listing: bool,

    /// When to compress: auto (for other machines only), always or never
    #[arg(
        long,
        env = "TIDINGS_COMPRESS",
        hide_env = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    compress: Compress,

    /// Print only the address, warnings and errors
    #[arg(short, long, env = "TIDINGS_QUIET", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) quiet: bool,

    /// Print one JSON object per line
    #[arg(long, env = "TIDINGS_JSON", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) json: bool,
}

impl From<ServeArgs> for Config {
    fn from(args: ServeArgs) -> Config {
        Config {
            ports: match (args.port, args.strict_port) {
                (Some(port), _) => Ports::Exactly(port),
                (None, true) => Ports::Exactly(DEFAULT_PORT),
                (None, false) => Ports::From(DEFAULT_PORT),
            },
            watch: args.watched(),
            ignore: args.ignored(),
            open: args.open.filter(|_| !args.no_open),
            dir: args.dir,
            host: args.host.unwrap_or(Host::Localhost),
            allowed_hosts: args.allow_host,
            spa: args.spa,
            gitignore: !args.no_gitignore,
            follow_symlinks: args.follow_symlinks,
            listing: !args.no_listing,
            compress: args.compress,
        }
    }
}

impl ServeArgs {
    /// The paths of `--watch`. On the command line, each is one path, whatever characters it contains; the
    /// variable is a list like `PATH`.
    fn watched(&self) -> Vec<PathBuf> {
        watched(&self.watch, std::env::var_os("TIDINGS_WATCH").as_deref())
    }

    /// The patterns of `--ignore`. A value may hold several, separated by commas; commas in braces, as in
    /// `*.{tmp,log}`, do not separate.
    fn ignored(&self) -> Vec<String> {
        let mut globs = Vec::new();
        for list in &self.ignore {
            let mut depth = 0_usize;
            let parts = list.split(|character| {
                match character {
                    '{' => depth += 1,
                    '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                character == ',' && depth == 0
            });
            globs.extend(parts.filter(|glob| !glob.is_empty()).map(str::to_owned));
        }
        globs
    }
}

fn watched(given: &[PathBuf], variable: Option<&OsStr>) -> Vec<PathBuf> {
    match (given, variable) {
        ([one], Some(list)) if one.as_os_str() == list => std::env::split_paths(list)
            .filter(|path| !path.as_os_str().is_empty())
            .collect(),
        _ => given.to_vec(),
    }
}

/// The value of `--spa`: a file that need not exist yet, but must be one that may be served.
fn file_below(text: &str) -> Result<String, String> {
    match files::could_be_served(text) {
        true => Ok(text.to_owned()),
        false => Err(
            "give the path below the folder, such as app/index.html, without a leading slash, `..` or hidden names"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

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
        let command = Cli::command();
        let mut defined: Vec<_> = command
            .get_arguments()
            .filter_map(|argument| argument.get_long())
            .map(str::to_owned)
            .collect();
        documented.sort();
        defined.sort();
        assert_eq!(documented, defined);
    }

    #[test]
    #[cfg(unix)]
    fn a_path_to_watch_is_taken_as_typed_and_the_variable_holds_several() {
        let path = |path: &str| PathBuf::from(path);
        let typed = [path("a,b:c")];
        assert_eq!(watched(&typed, None), typed);
        assert_eq!(watched(&typed, Some("x:y".as_ref())), typed);
        let variable = [path("/a,b:c:")];
        let several = watched(&variable, Some("/a,b:c:".as_ref()));
        assert_eq!(several, [path("/a,b"), path("c")]);
    }

    #[test]
    fn every_option_has_an_environment_variable() {
        for argument in Cli::command().get_arguments() {
            let Some(flag) = argument.get_long().filter(|flag| *flag != "no-open") else {
                continue;
            };
            let variable = format!("TIDINGS_{}", flag.replace('-', "_").to_uppercase());
            assert_eq!(argument.get_env(), Some(variable.as_ref()), "--{flag}");
        }
    }

    #[test]
    fn serve_is_the_default_command() {
        let plain = Cli::parse_from(["tidings", "site", "--port", "3000"]);
        assert_eq!(plain.serve.dir, PathBuf::from("site"));
        let Some(Command::Serve(args)) =
            Cli::parse_from(["tidings", "serve", "site", "--port", "3000"]).command
        else {
            panic!("not the subcommand")
        };
        assert_eq!((args.dir, args.port), (PathBuf::from("site"), Some(3000)));
    }

    #[test]
    fn the_page_of_an_app_is_given_below_the_folder() {
        for (text, expected) in [
            ("index.html", true),
            ("./app/index.html", true),
            ("../index.html", false),
            ("app/../../index.html", false),
            ("/abs/index.html", false),
            (".env", false),
            ("", false),
        ] {
            let parsed = Cli::try_parse_from(["tidings", "--spa", text]);
            assert_eq!(parsed.is_ok(), expected, "{text:?}");
        }
    }
}
