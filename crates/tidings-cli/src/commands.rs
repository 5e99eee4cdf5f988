//! The subcommands. Each puts the stages below together and does nothing else.

pub(crate) mod init;
pub(crate) mod proxy;
pub(crate) mod serve;
mod server;
