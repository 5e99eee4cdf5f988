//! No waiting. What things cost is measured in `crates/tidings-bench`.

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
