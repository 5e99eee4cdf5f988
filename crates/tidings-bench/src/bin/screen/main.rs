//! From a save to the screen, in Chromium, beside the peers and two floors. Prints the tables of
//! `docs/benchmarks.md`.
//!
//! `cargo run --release -p tidings-bench --bin screen [--rounds 20] [--only html,css,big,tabs,missed,size,push]`
//!
//! The first run installs the peers below `target/peers`, with npm and cargo. All servers of a table take turns in
//! one run, some saves each, with a site and a tab of their own, so read the ratios: machines differ. Needs
//! Chromium (`$CHROMIUM`, or `chromium`) and Node.js.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::print_stderr, reason = "and what it is at")]
#![expect(
    clippy::unwrap_used,
    reason = "what fails here leaves nothing to measure"
)]

mod big;
mod floor;
mod missed;
mod peers;
mod saves;
mod site;
mod size;
mod tabs;

use std::path::Path;
use std::process::Command;

use tidings_bench::chromium::Browser;
use tidings_bench::{option, text_option};

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("floor") {
        return floor::run(Path::new(&arguments.next().unwrap()));
    }
    build();
    let n_rounds = option("rounds", 20);
    let only = text_option("only");
    let wanted = |name: &str| {
        let only = only.as_deref();
        only.is_none_or(|only| only.split(',').any(|other| other == name))
    };
    let peers = match wanted("html") || wanted("css") {
        true => peers::install(),
        false => Vec::new(),
    };
    print_machine();
    if wanted("html") {
        saves::html(&peers, site::Kind::Plain, n_rounds);
        saves::html(&peers, site::Kind::WithScripts, n_rounds);
    }
    if wanted("css") {
        saves::css(&peers, n_rounds);
    }
    if wanted("big") {
        big::run(n_rounds.min(10));
    }
    if wanted("tabs") {
        tabs::run(n_rounds.min(10));
    }
    if wanted("missed") {
        missed::run(n_rounds.min(10));
    }
    if wanted("size") {
        size::run();
    }
    if wanted("push") {
        push();
    }
}

/// The program that is measured, as it is now.
fn build() {
    let built = Command::new("cargo")
        .args(["build", "--release", "--quiet"])
        .args(["-p", "tidings-cli", "-p", "tidings-bench"])
        .status();
    assert!(
        built.is_ok_and(|status| status.success()),
        "cargo build failed"
    );
}

fn print_machine() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    let browser = Browser::start().version();
    println!("{cores} cores, load average {load} at the start, {browser}.\n");
}

fn push() {
    eprintln!("push: from a save to the first byte");
    let own = std::env::current_exe().unwrap();
    let output = Command::new(own.with_file_name("push")).output().unwrap();
    println!("### From a save to the first byte at a client\n");
    println!(
        "```\n{}\n```",
        String::from_utf8_lossy(&output.stdout).trim()
    );
}
