//! The binary `tidings`.
#![allow(dead_code, reason = "not wired up yet")]

mod files;
mod guard;

fn main() {}
