//! `tidings proxy`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::parse::SwitchParser;
use super::shared::SharedArgs;
use crate::backend::Signal;
use crate::config::value::{path_on_server, seconds};
use crate::upstream::Target;

#[derive(Args, Clone, Debug, Default)]
#[command(
    after_help = "Examples:\n  tidings proxy http://localhost:8000 --watch templates\n                    a backend that is running already\n  tidings proxy -- python app.py\n                    run this with a free port in the variable PORT\n  tidings proxy -- php -S localhost:{port}\n                    the same, for a command that takes the port as an argument\n  tidings proxy http://localhost:3000 -- npm start\n                    a command whose port cannot be chosen\n\nOptions can also be set by environment variables: TIDINGS_PORT=3000 is --port 3000."
)]
pub(crate) struct ProxyArgs {
    /// The backend: http://localhost:8000, https://.., h2c://.. or unix:/run/app.sock
    #[arg(value_name = "URL")]
    pub(super) url: Option<Target>,

    /// Run this as the backend. It gets a free port, a new one for each start: in the variable PORT,
    /// and in place of {port} in the arguments
    #[arg(last = true, value_name = "COMMAND", num_args = 1..)]
    pub(super) command: Option<Vec<OsString>>,

    /// Build and restart the command after a change in this file or folder; may be repeated
    /// [default: ., unless --watch has it]
    #[arg(
        short,
        long,
        env = "TIDINGS_RESTART",
        hide_env = true,
        value_name = "PATH"
    )]
    pub(super) restart: Option<Vec<PathBuf>>,

    /// Run this through the shell before each start of the command; if it fails, the old backend goes on
    #[arg(long, env = "TIDINGS_BUILD", hide_env = true, value_name = "COMMAND")]
    pub(super) build: Option<String>,

    /// The command is ready when a GET of this path gets a status below 500
    /// [default: when it accepts a connection]
    #[arg(long, env = "TIDINGS_HEALTH", hide_env = true, value_name = "PATH", value_parser = path_on_server)]
    pub(super) health: Option<String>,

    /// How long a start of the command may take, and how long requests wait for a backend that does not
    /// answer yet, in seconds [default: 30]
    #[arg(long, env = "TIDINGS_START_TIMEOUT", hide_env = true, value_name = "SECONDS", value_parser = seconds)]
    pub(super) start_timeout: Option<Duration>,

    /// The signal that asks the command to end [default: TERM]
    #[arg(
        long,
        env = "TIDINGS_STOP_SIGNAL",
        hide_env = true,
        value_name = "SIGNAL"
    )]
    pub(super) stop_signal: Option<Signal>,

    /// How long the command may take to end, in seconds, before it is killed [default: 5]
    #[arg(long, env = "TIDINGS_STOP_TIMEOUT", hide_env = true, value_name = "SECONDS", value_parser = seconds)]
    pub(super) stop_timeout: Option<Duration>,

    /// Send the backend's own name as Host, instead of the one that the browser sent
    #[arg(long, env = "TIDINGS_CHANGE_HOST", hide_env = true, num_args = 0, default_missing_value = "true", value_parser = SwitchParser::new())]
    pub(super) change_host: Option<bool>,

    /// Do not check the certificate of an https backend
    #[arg(long, env = "TIDINGS_INSECURE", hide_env = true, num_args = 0, default_missing_value = "true", value_parser = SwitchParser::new())]
    pub(super) insecure: Option<bool>,

    #[command(flatten)]
    pub(super) shared: SharedArgs,
}
