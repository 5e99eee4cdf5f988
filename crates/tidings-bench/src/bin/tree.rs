//! The cost of starting to watch a large tree of 20,000 directories with 200,000 files. The floor is a walk
//! of the same tree that only reads the directories.
//!
//! `cargo run --release -p tidings-bench --bin tree [--directories 20000]`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "what fails here leaves nothing to measure"
)]

use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Instant;

use tidings::watch::{Notice, Options, Watcher};
use tidings_bench::option;

fn main() {
    let n_directories = option("directories", 20_000);
    let dir = tempfile::tempdir().unwrap();
    for n in 0..n_directories {
        let at = dir.path().join(format!("d{}/e{}/f{n}", n % 20, n % 200));
        fs::create_dir_all(&at).unwrap();
        for file in 0..10 {
            fs::write(at.join(file.to_string()), "x").unwrap();
        }
    }
    for _ in 0..3 {
        let begun = Instant::now();
        let entries = count(dir.path());
        let floor = begun.elapsed();

        let (send, notices) = channel();
        let before = resident_kib();
        let begun = Instant::now();
        let watcher = Watcher::start(Options::new([dir.path()]), move |notice| {
            let _ = send.send(notice);
        })
        .unwrap();
        let returned = begun.elapsed();
        let notice = notices.recv().unwrap();
        let ready = begun.elapsed();
        let Notice::Ready { directories, .. } = notice else {
            panic!("{notice:?}");
        };
        println!(
            "{entries} entries read in {floor:.1?}; start returned after {returned:.1?}, {directories} directories \
             watched after {ready:.1?} ({:.1}x), {} KiB more",
            ready.as_secs_f64() / floor.as_secs_f64(),
            resident_kib().saturating_sub(before)
        );
        drop(watcher);
    }
}

fn count(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).unwrap().flatten();
    entries
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => 1 + count(&entry.path()),
            false => 1,
        })
        .sum()
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}
