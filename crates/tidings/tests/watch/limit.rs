//! The system's limits.

use super::*;

#[test]
fn directories_beyond_the_limit_are_polled() {
    on_time(|| {
        let mut site = Site::new(&["index.html", "a/x", "b/y", "b/c/z"], |options| {
            options.directory_limit = Some(1);
        });
        site.save("index.html", "second");
        site.expect(&[("index.html", Modified)]);
        site.save("b/c/z", "second");
        site.expect(&[("b/c/z", Modified)]);
        site.save("a/new", "x");
        site.expect(&[("a/new", Created)]);
        site.remove("b/y");
        site.expect(&[("b/y", Removed)]);
        site.write("b/d/e/f", "x");
        site.expect(&[("b/d/e/f", Created)]);
        site.save("b/d/e/f", "y");
        site.expect(&[("b/d/e/f", Modified)]);
    });
}

#[test]
fn a_limit_is_named_with_its_value_and_the_way_out() {
    on_time(|| {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        let (send, notices) = channel();
        let mut options = Options::new([dir.path()]);
        options.directory_limit = Some(1);
        let _watcher = Watcher::start(options, move |notice| {
            let _ = send.send(notice);
        })
        .unwrap();
        let Notice::Warning(trouble) = notices.recv_timeout(PATIENCE).unwrap() else {
            panic!("no trouble");
        };
        let limit = fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").unwrap();
        assert!(trouble.to_string().contains(limit.trim()), "{trouble}");
        let hint = trouble.hint().unwrap();
        assert!(
            hint.contains("sudo sysctl fs.inotify.max_user_watches="),
            "{hint}"
        );
    });
}
