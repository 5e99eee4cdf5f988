//! Bursts, and directories that come, go and are rebuilt.

use super::*;
use crate::random::Model;
use crate::root::drain;

#[test]
fn a_burst_is_gathered_and_complete() {
    on_time(|| {
        let names: Vec<String> = (0..200).map(|n| format!("d{}/f{n}", n % 7)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut site = Site::with(&names);
        for name in &names {
            site.save(name, "second");
        }
        let mut sets = 0;
        let mut left: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        while !left.is_empty() {
            let set = site.next_set();
            sets += 1;
            for (name, kind) in site.named(&set) {
                assert_eq!(kind, Modified);
                let at = left.iter().position(|of| *of == name).expect("said twice");
                left.swap_remove(at);
            }
        }
        assert!(sets < 100, "{sets} notices for 200 files");
        site.expect_silence();
    });
}

#[test]
fn new_nested_directories_are_watched_and_what_is_in_them_is_reported() {
    on_time(|| {
        let mut site = Site::with(&["index.html"]);
        site.write("a/b/c/x", "x");
        site.expect(&[("a/b/c/x", Created)]);
        drain(&mut site);
        site.save("a/b/c/x", "y");
        site.expect(&[("a/b/c/x", Modified)]);
        site.save("a/b/z", "z");
        site.expect(&[("a/b/z", Created)]);
        site.expect_silence();
    });
}

#[test]
fn an_empty_directory_is_reported_itself() {
    on_time(|| {
        let mut site = Site::with(&["index.html"]);
        fs::create_dir(site.path("empty")).unwrap();
        site.expect(&[("empty", Created)]);
        fs::remove_dir(site.path("empty")).unwrap();
        site.expect(&[("empty", Removed)]);
        site.expect_silence();
    });
}

#[test]
fn a_directory_moved_in_and_away_is_reported() {
    on_time(|| {
        let mut site = Site::with(&["index.html"]);
        fs::create_dir_all(site.beside("outside/deep")).unwrap();
        fs::write(site.beside("outside/deep/x"), "x").unwrap();
        fs::rename(site.beside("outside"), site.path("inside")).unwrap();
        site.expect(&[("inside/deep/x", Created)]);
        site.save("inside/deep/x", "y");
        site.expect(&[("inside/deep/x", Modified)]);
        site.rename("inside", "renamed");
        site.expect_in_time(&[("inside", Removed), ("renamed/deep/x", Created)]);
        site.save("renamed/deep/x", "z");
        site.expect(&[("renamed/deep/x", Modified)]);
        fs::rename(site.path("renamed"), site.beside("outside")).unwrap();
        site.expect(&[("renamed", Removed)]);
        fs::write(site.beside("outside/deep/x"), "unheard").unwrap();
        site.expect_silence();
    });
}

#[test]
fn a_directory_wiped_and_rebuilt_is_watched_again() {
    on_time(|| {
        let mut site = Site::with(&["out/a/x", "out/b/y", "index.html"]);
        for round in 0..30 {
            fs::remove_dir_all(site.path("out")).unwrap();
            site.write("out/a/x", &format!("x{round}"));
            site.write("out/b/y", &format!("y{round}"));
            let (mut x, mut y) = (false, false);
            while !(x && y) {
                let set = site.next_set();
                for (name, kind) in site.named(&set) {
                    x |= name == "out/a/x" && kind != Removed;
                    y |= name == "out/b/y" && kind != Removed;
                }
            }
            // Watched: a save is heard.
            site.save_and_see("out/a/x", &format!("again{round}"));
        }
    });
}

#[test]
fn contents_of_the_root_wiped_and_rewritten_are_reported_to_the_last() {
    on_time(|| {
        let names: Vec<String> = (0..40).map(|n| format!("d{}/e/f{n}", n % 5)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut site = Site::with(&names);
        let mut model = Model::of(&site, &names);
        for round in 0..10 {
            for n in 0..5 {
                fs::remove_dir_all(site.path(&format!("d{n}"))).unwrap();
            }
            for name in &names {
                site.write(name, &format!("round {round}"));
            }
        }
        model.catch_up(&mut site);
    });
}

/// The first page of a large tree does not wait until it is walked.
#[test]
fn start_does_not_wait_for_the_walk() {
    let site = Site::with(&["a/b/c"]);
    let (open, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let mut options = Options::new([site.root()]);
    options.scope = Scope::Where(Arc::new(move |_| {
        // Ends when the other end is gone.
        let _ = gate.lock().unwrap().recv();
        true
    }));
    let (send, notices) = channel();
    let watcher = Watcher::start(options, move |notice| {
        let _ = send.send(notice);
    });
    // The walk is under way, and stays so for as long as this lasts.
    assert!(notices.try_recv().is_err());
    drop(open);
    let notice = notices.recv_timeout(PATIENCE).unwrap();
    assert!(
        matches!(notice, Notice::Ready { directories: 3, .. }),
        "{notice:?}"
    );
    drop(watcher);
}
