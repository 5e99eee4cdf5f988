//! Benchmarks. See each binary.
