//! Hot reloading.
mod inject;
pub use inject::{Injector, Outcome};
