//! The subcommands. Each puts the stages below together and does nothing else.

pub(crate) mod serve;
