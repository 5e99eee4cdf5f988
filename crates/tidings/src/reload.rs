//! Hot reloading.
pub mod inject;
