//! The subcommands. Each puts the stages below together and does nothing else.

mod answers;
mod body;
mod control;
pub(crate) mod follow;
pub(crate) mod init;
mod passing;
pub(crate) mod proxy;
pub(crate) mod serve;
mod server;
mod unavailable;
