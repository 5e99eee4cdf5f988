//! Passes requests to a backend.

mod target;

pub(crate) use target::Target;
