//! Hot reloading.
mod inject;
pub use inject::{Injector, LIMIT as INJECTOR_LIMIT_BYTES, Outcome};
