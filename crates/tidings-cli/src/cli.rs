//! The command line: what can be typed, and its conversion into a [`Config`].

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};

use crate::config::Config;
use crate::files::{self, Compress};
use crate::listen::{DEFAULT_PORT, Host, Ports};

/// Where `--host` without a value listens: everywhere.
const EVERYWHERE: &str = "0.0.0.0";

/// Serves a folder and shows every save in every open page, at once.
///
/// Open the address it prints and keep the page beside your editor. Style sheets and images are
/// swapped in place, everything else reloads the pages it concerns. Nothing is written to your files.
#[derive(Debug, Parser)]
#[command(
    name = "tidings",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  tidings                      serve this folder\n  tidings serve dist --open    serve ./dist and open it in the browser\n  tidings serve --host         let the phone on your desk see it, too\n  tidings serve app --spa      one page for all addresses\n\nEach flag can be given as a variable: --port 3000 is TIDINGS_PORT=3000."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a folder (what `tidings` does by itself)
    Serve(ServeArgs),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ServeArgs {
    /// The folder to serve
    #[arg(default_value = ".", value_name = "DIR")]
    dir: PathBuf,

    /// Listen on exactly this port; 0 takes any free one [default: 8080, or the next free one]
    #[arg(short, long, env = "TIDINGS_PORT", hide_env = true)]
    port: Option<u16>,

    /// Fail if port 8080 is taken, instead of trying the next ones
    #[arg(long, env = "TIDINGS_STRICT_PORT", hide_env = true, value_parser = FalseyValueParser::new())]
    strict_port: bool,

    /// Listen on this address, or everywhere if none is given, so that other machines can connect
    /// [default: this machine only]
    #[arg(long, env = "TIDINGS_HOST", hide_env = true, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = EVERYWHERE)]
    host: Option<Host>,

    /// Answer requests for this host name, too; repeatable [default: localhost and IP addresses]
    #[arg(
        long,
        env = "TIDINGS_ALLOW_HOST",
        hide_env = true,
        value_name = "NAME",
        value_delimiter = ','
    )]
    allow_host: Vec<String>,

    /// Open the page in the browser; a path opens that page
    #[arg(short, long, env = "TIDINGS_OPEN", hide_env = true, value_name = "PATH", num_args = 0..=1, default_missing_value = "/", overrides_with = "no_open")]
    open: Option<String>,

    /// Do not open the browser, whatever TIDINGS_OPEN says
    #[arg(long, overrides_with = "open")]
    no_open: bool,

    /// Single-page application: addresses without a file get this page
    #[arg(long, env = "TIDINGS_SPA", hide_env = true, value_name = "FILE", num_args = 0..=1, default_missing_value = "index.html", value_parser = file_below)]
    spa: Option<String>,

    /// Watch this file or folder as well; a change there reloads every page; repeatable
    #[arg(
        short,
        long,
        env = "TIDINGS_WATCH",
        hide_env = true,
        value_name = "PATH"
    )]
    watch: Vec<PathBuf>,

    /// Do not watch what matches, in the syntax of .gitignore; `!GLOB` watches it after all; repeatable
    #[arg(
        short,
        long,
        env = "TIDINGS_IGNORE",
        hide_env = true,
        value_name = "GLOB"
    )]
    ignore: Vec<String>,

    /// Watch what .gitignore files name, too
    #[arg(long, env = "TIDINGS_NO_GITIGNORE", hide_env = true, value_parser = FalseyValueParser::new())]
    no_gitignore: bool,

    /// Serve what symbolic links lead to outside of the folder
    #[arg(long, env = "TIDINGS_FOLLOW_SYMLINKS", hide_env = true, value_parser = FalseyValueParser::new())]
    follow_symlinks: bool,

    /// Do not list folders that have no index.html
    #[arg(long, env = "TIDINGS_NO_LISTING", hide_env = true, value_parser = FalseyValueParser::new())]
    no_listing: bool,

    /// When to compress: for other machines only (auto), always or never
    #[arg(
        long,
        env = "TIDINGS_COMPRESS",
        hide_env = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    compress: Compress,

    /// Print the address and errors, nothing else
    #[arg(short, long, env = "TIDINGS_QUIET", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) quiet: bool,

    /// Print one JSON object per line, for programs
    #[arg(long, env = "TIDINGS_JSON", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) json: bool,
}

impl From<ServeArgs> for Config {
    fn from(args: ServeArgs) -> Config {
        Config {
            ports: match (args.port, args.strict_port) {
                (Some(port), _) => Ports::Exactly(port),
                (None, true) => Ports::Exactly(DEFAULT_PORT),
                (None, false) => Ports::Near(DEFAULT_PORT),
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
    /// The paths of `--watch`. One that is typed is taken as it is, whatever is in its name; the
    /// variable holds several as `PATH` does.
    fn watched(&self) -> Vec<PathBuf> {
        watched(&self.watch, std::env::var_os("TIDINGS_WATCH").as_deref())
    }

    /// The patterns of `--ignore`: several in one go are separated by commas, but not by those in
    /// braces, as in `*.{tmp,log}`.
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

/// `--spa`: a file that need not exist yet, but could be served if it did.
fn file_below(text: &str) -> Result<String, String> {
    match files::could_be_served(text) {
        true => Ok(text.to_owned()),
        false => Err(
            "name a file as it lies below the folder, as in app/index.html: without a leading slash, `..` or hidden names"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_readme_names_every_flag_and_no_other() {
        let readme = include_str!("../../../README.md");
        let mut told: Vec<_> = readme
            .lines()
            .filter(|line| line.starts_with("| `-"))
            .filter_map(|line| line.split("`--").nth(1).or(line.split('`').nth(1)))
            .filter_map(|flag| flag.split(['`', ' ']).next())
            .map(|flag| flag.trim_start_matches('-').to_owned())
            .collect();
        let command = Cli::command();
        let mut typed: Vec<_> = command
            .get_arguments()
            .filter_map(|argument| argument.get_long())
            .map(str::to_owned)
            .collect();
        told.sort();
        typed.sort();
        assert_eq!(told, typed);
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
    fn every_flag_has_its_variable() {
        for argument in Cli::command().get_arguments() {
            let Some(flag) = argument.get_long().filter(|flag| *flag != "no-open") else {
                continue;
            };
            let variable = format!("TIDINGS_{}", flag.replace('-', "_").to_uppercase());
            assert_eq!(argument.get_env(), Some(variable.as_ref()), "--{flag}");
        }
    }

    #[test]
    fn plain_and_serve_are_the_same() {
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
    fn the_page_of_an_app_is_named_from_the_folder() {
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
