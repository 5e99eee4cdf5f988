//! The flags that `serve` and `proxy` have in common.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use clap::Args;

use super::parse::SwitchParser;
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
