//! The commands that ask a running server: `wait` and `why`; and those about this program: `completions` and
//! `man`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap_complete::Shell;

use crate::config::value::seconds;
use crate::upstream::Target;

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Exit codes: 0: every open page shows the newest change (or no page is open). 1: so it is, but a page has errors,\nor the backend cannot be built or started. 2: there is no server that answers. 3: a page, or the server, did not\nanswer in time.\n\nExample:\n  sed -i s/red/blue/ site.css && tidings wait && take-a-screenshot"
)]
pub(crate) struct WaitArgs {
    /// The address of the server [default: the one that serves this folder]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<Target>,

    /// How long to wait
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    pub(crate) timeout: Duration,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Exit codes: 0: a change of it counts. 1: it does not. 2: that cannot be told (an error is printed)."
)]
pub(crate) struct WhyArgs {
    /// The file or folder; it need not exist
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,

    /// The address of the server [default: the one that serves this folder, if there is one]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<Target>,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ManArgs {
    /// The page of this command [default: that of tidings itself]
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Option<String>,
}
