//! The flags that `serve` and `proxy` have in common.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tidings::reload::ReloadMode;

use super::parse::SwitchParser;
use crate::config::Slow;
use crate::config::value::milliseconds;
use crate::listen::Host;

/// The address of `--host` without a value.
pub(super) const ALL_ADDRESSES: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SharedArgs {
    /// Listen on exactly this port; 0 selects any free one [default: 8080, or the next free port]
    #[arg(short, long, env = "TIDINGS_PORT", hide_env = true)]
    pub(super) port: Option<u16>,

    /// Fail if port 8080 is in use, instead of trying the next ones
    #[arg(long, env = "TIDINGS_STRICT_PORT", hide_env = true, num_args = 0, default_missing_value = "true", value_parser = SwitchParser::new())]
    pub(super) strict_port: Option<bool>,

    /// Listen on this address, or on all addresses if none is given, so that other machines can
    /// connect [default: this machine only]
    #[arg(long, env = "TIDINGS_HOST", hide_env = true, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "0.0.0.0")]
    pub(super) host: Option<Host>,

    /// Also answer requests for this host name; may be repeated [default: localhost and IP addresses]
    #[arg(
        long,
        env = "TIDINGS_ALLOW_HOST",
        hide_env = true,
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub(super) allow_host: Option<Vec<String>>,

    /// Open the browser, at this path if one is given
    #[arg(short, long, env = "TIDINGS_OPEN", hide_env = true, value_name = "PATH", num_args = 0..=1, default_missing_value = "/")]
    pub(super) open: Option<String>,

    /// Do not open the browser, even if TIDINGS_OPEN or the file says so
    // Not `overrides_with`: clap would refuse the flag where the variable is set.
    #[arg(long)]
    pub(super) no_open: bool,

    /// Also watch this file or folder; a change in it reloads every page; may be repeated
    #[arg(
        short,
        long,
        env = "TIDINGS_WATCH",
        hide_env = true,
        value_name = "PATH"
    )]
    pub(super) watch: Option<Vec<PathBuf>>,

    /// Do not watch files that match, in .gitignore syntax; `!GLOB` watches them after all; may be
    /// repeated
    #[arg(
        short,
        long,
        env = "TIDINGS_IGNORE",
        hide_env = true,
        value_name = "GLOB"
    )]
    pub(super) ignore: Option<Vec<String>>,

    /// Also watch files that .gitignore files exclude
    #[arg(long, env = "TIDINGS_NO_GITIGNORE", hide_env = true, num_args = 0, default_missing_value = "true", value_parser = SwitchParser::new())]
    pub(super) no_gitignore: Option<bool>,

    /// Look for changes every MS milliseconds, instead of being told by the system [default: only
    /// where the system does not tell; 500 if no MS is given]
    #[arg(long, env = "TIDINGS_POLL", hide_env = true, value_name = "MS", num_args = 0..=1, default_missing_value = "500", value_parser = milliseconds)]
    pub(super) poll: Option<Duration>,

    /// When a saved HTML page is updated in place: auto (where that is what a reload would show),
    /// patch (also pages with scripts) or full (never: it reloads) [default: auto]
    #[arg(long, env = "TIDINGS_RELOAD", hide_env = true, value_name = "MODE")]
    pub(super) reload: Option<ReloadMode>,

    /// Do not put back scroll positions, focus and typed text after a reload
    #[arg(long, env = "TIDINGS_NO_RESTORE", hide_env = true, num_args = 0, default_missing_value = "true", value_parser = SwitchParser::new())]
    pub(super) no_restore: Option<bool>,

    /// Show a badge in each page: connected or not, and what was done about the last change
    #[arg(long, env = "TIDINGS_BADGE", hide_env = true, num_args = 0, default_missing_value = "true", value_parser = SwitchParser::new())]
    pub(super) badge: Option<bool>,

    /// Print the errors of the pages [default with --json]
    #[arg(long, env = "TIDINGS_FORWARD_CONSOLE", hide_env = true, num_args = 0, default_missing_value = "true", value_parser = SwitchParser::new())]
    pub(super) forward_console: Option<bool>,

    /// Let devices in the local network connect that have the printed address, and show it as a QR
    /// code
    #[arg(long, env = "TIDINGS_LAN", hide_env = true, num_args = 0, default_missing_value = "true", value_parser = SwitchParser::new())]
    pub(super) lan: Option<bool>,

    /// Serve HTTPS and HTTP/2, with a certificate of a local authority that is made for you
    #[arg(long, env = "TIDINGS_HTTPS", hide_env = true, num_args = 0, default_missing_value = "true", value_parser = SwitchParser::new())]
    pub(super) https: Option<bool>,

    /// Serve HTTPS with this certificate chain, in PEM; needs --key
    #[arg(long, env = "TIDINGS_CERT", hide_env = true, value_name = "FILE")]
    pub(super) cert: Option<PathBuf>,

    /// The private key of --cert, in PEM
    #[arg(long, env = "TIDINGS_KEY", hide_env = true, value_name = "FILE")]
    pub(super) key: Option<PathBuf>,

    /// Answer as slowly as a network: 3g, 4g, or kilobits per second and milliseconds of delay
    #[arg(
        long,
        env = "TIDINGS_SLOW",
        hide_env = true,
        value_name = "3g|4g|KBIT[,MS]"
    )]
    pub(super) slow: Option<Slow>,

    /// Stop when standard input is closed
    #[arg(long, env = "TIDINGS_STDIN_QUIT", hide_env = true, num_args = 0, default_missing_value = "true", value_parser = SwitchParser::new())]
    pub(super) stdin_quit: Option<bool>,

    /// Print only the address, warnings and errors
    #[arg(short, long, env = "TIDINGS_QUIET", hide_env = true, num_args = 0, default_missing_value = "true", value_parser = SwitchParser::new())]
    pub(super) quiet: Option<bool>,

    /// Print one JSON object per line
    #[arg(long, env = "TIDINGS_JSON", hide_env = true, num_args = 0, default_missing_value = "true", value_parser = SwitchParser::new())]
    pub(super) json: Option<bool>,

    /// Read the settings from this file [default: tidings.toml, here or in a folder above]
    #[arg(long, env = "TIDINGS_CONFIG", hide_env = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Do not read a tidings.toml, even if TIDINGS_CONFIG names one
    #[arg(long)]
    pub(super) no_config: bool,
}
