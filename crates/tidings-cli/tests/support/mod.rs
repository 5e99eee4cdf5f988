//! What every test of the binary starts with: a folder of files, and the program that serves it.
#![allow(dead_code, reason = "each test crate uses its part of it")]

pub mod program;
