//! Runs a backend.

mod signal;

pub(crate) use signal::Signal;
