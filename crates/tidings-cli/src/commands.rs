//! The subcommands. Each puts the stages below together and does nothing else.

pub(crate) mod about;
mod access;
mod addresses;
mod answers;
mod ask;
mod attended;
mod body;
mod control;
mod entrance;
mod explained;
pub(crate) mod follow;
pub(crate) mod init;
mod link;
mod mdns;
mod passing;
mod programs;
pub(crate) mod proxy;
pub(crate) mod serve;
mod server;
mod token;
pub(crate) mod trust;
mod unavailable;
pub(crate) mod wait;
pub(crate) mod why;
