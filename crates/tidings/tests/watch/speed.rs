//! No waiting, and large trees.

use super::*;
use crate::random::pause;

/// Prints what it measures; fails only where something waits that must not.
#[test]
fn a_complete_save_does_not_wait() {
    on_time(|| {
        let mut site = Site::with(&["index.html"]);
        let mut took = Vec::new();
        for round in 0..200 {
            let mut file = File::create(site.path("index.html")).unwrap();
            file.write_all(format!("round {round}").as_bytes()).unwrap();
            let closed = Instant::now();
            drop(file);
            let (at, notice, _) = site.notices.recv_timeout(PATIENCE).unwrap();
            assert!(matches!(notice, Notice::Changed(_)));
            took.push(at.saturating_duration_since(closed));
            // Not within the 10 ms in which the same path is gathered, nor the ninth in 50 ms.
            pause(12);
        }
        // What one wake of a thread costs here and now: the floor under every push.
        let (send, woken) = channel::<Instant>();
        let waiter = std::thread::spawn(move || {
            let mut wakes: Vec<Duration> = woken.iter().map(|sent| sent.elapsed()).collect();
            wakes.sort_unstable();
            wakes[wakes.len() / 2]
        });
        for _ in 0..100 {
            pause(2);
            send.send(Instant::now()).unwrap();
        }
        drop(send);
        println!("one wake of a thread: median {:?}", waiter.join().unwrap());
        took.sort_unstable();
        println!(
            "close to callback: median {:?}, p99 {:?}, max {:?}",
            took[100], took[198], took[199]
        );
        assert!(took[20] < Duration::from_millis(8), "{:?}", took[20]);
        site.newest_ms = 0;
    });
}

/// Prints what a large tree costs. Run it by name, with `--release -- --ignored --nocapture`.
#[test]
#[ignore = "makes 20,000 directories and 200,000 files"]
fn a_large_tree_is_walked_in_about_a_second() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..20_000 {
        let at = dir.path().join(format!("d{}/e{}/f{n}", n % 20, n % 200));
        fs::create_dir_all(&at).unwrap();
        for file in 0..10 {
            fs::write(at.join(file.to_string()), "x").unwrap();
        }
    }
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(45) {
        std::thread::yield_now();
    }
    let (send, notices) = channel();
    let options = Options {
        roots: vec![dir.path().to_owned()],
        ..Options::default()
    };
    let before_kib = resident_kib();
    let start = Instant::now();
    let watcher = Watcher::start(options, move |notice| {
        let _ = send.send(notice);
    })
    .unwrap();
    let returned = start.elapsed();
    let notice = notices.recv_timeout(PATIENCE).unwrap();
    let Notice::Ready { directories, .. } = notice else {
        panic!("{notice:?}");
    };
    println!(
        "start returned after {returned:?}, {directories} directories ready after {:?}, {} KiB",
        start.elapsed(),
        resident_kib() - before_kib
    );
    drop(watcher);
}

pub(crate) fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
