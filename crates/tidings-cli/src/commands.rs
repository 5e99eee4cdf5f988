//! The subcommands. Each puts the stages below together and does nothing else.

mod access;
mod addresses;
mod answers;
mod body;
mod control;
mod entrance;
pub(crate) mod follow;
pub(crate) mod init;
mod link;
mod mdns;
mod passing;
pub(crate) mod proxy;
pub(crate) mod serve;
mod server;
pub(crate) mod trust;
mod unavailable;
