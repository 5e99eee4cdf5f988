//! `tidings serve`.

use std::path::PathBuf;

use clap::Args;

use super::parse::SwitchParser;
use super::shared::SharedArgs;
use crate::config::Route;
use crate::config::value::file_below;
use crate::files::Compress;

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ServeArgs {
    /// The folder to serve [default: .]
    #[arg(value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,

    /// Pass requests for this path and everything below it to a backend, for example
    /// /api=http://localhost:3000; may be repeated
    #[arg(
        long,
        env = "TIDINGS_PROXY",
        hide_env = true,
        value_name = "PREFIX=URL",
        value_delimiter = ','
    )]
    pub(super) proxy: Option<Vec<Route>>,

    /// Single-page application: answer page requests without a matching file with this page
    /// [default if no FILE is given: index.html]
    #[arg(long, env = "TIDINGS_SPA", hide_env = true, value_name = "FILE", num_args = 0..=1, default_missing_value = "index.html", value_parser = file_below)]
    pub(super) spa: Option<String>,

    /// Follow symbolic links that lead out of the folder
    #[arg(long, env = "TIDINGS_FOLLOW_SYMLINKS", hide_env = true, num_args = 0, default_missing_value = "true", value_parser = SwitchParser::new())]
    pub(super) follow_symlinks: Option<bool>,

    /// Do not list the contents of folders without an index.html
    #[arg(long, env = "TIDINGS_NO_LISTING", hide_env = true, num_args = 0, default_missing_value = "true", value_parser = SwitchParser::new())]
    pub(super) no_listing: Option<bool>,

    /// When to compress: auto (for other machines only), always or never [default: auto]
    #[arg(
        long,
        env = "TIDINGS_COMPRESS",
        hide_env = true,
        value_name = "WHEN",
        hide_possible_values = true
    )]
    pub(super) compress: Option<Compress>,

    #[command(flatten)]
    pub(super) shared: SharedArgs,
}
