//! Watching directories.
