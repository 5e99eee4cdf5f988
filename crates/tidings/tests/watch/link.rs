//! Symbolic links.

use super::*;
use crate::root::drain;

#[test]
fn a_linked_directory_is_watched_under_all_its_names() {
    on_time(|| {
        use std::os::unix::fs::symlink;
        let mut site = Site::with(&["real/x"]);
        symlink("real", site.path("link")).unwrap();
        symlink("..", site.path("real/loop")).unwrap();
        site.settle();
        site.start(|_| {});
        site.save("real/x", "second");
        site.expect_in_time(&[("link/x", Modified), ("real/x", Modified)]);
        site.save("link/x", "third");
        site.expect_in_time(&[("link/x", Modified), ("real/x", Modified)]);
        site.write("link/new/y", "y");
        let mut missing = vec!["link/new/y", "real/new/y"];
        while !missing.is_empty() {
            let set = site.next_set();
            let named = site.named(&set);
            missing.retain(|name| !named.iter().any(|(said, _)| said == name));
        }
        drain(&mut site);
        site.expect_silence();
    });
}

#[test]
fn a_linked_file_is_said_when_what_it_leads_to_changes() {
    on_time(|| {
        use std::os::unix::fs::symlink;
        let mut site = Site::with(&["a/real.css"]);
        fs::create_dir(site.beside("shared")).unwrap();
        fs::write(site.beside("shared/out.css"), "first").unwrap();
        symlink("a/real.css", site.path("in.css")).unwrap();
        symlink("../shared/out.css", site.path("out.css")).unwrap();
        site.settle();
        site.start(|options| options.scope = Scope::Anywhere);
        site.save("a/real.css", "second");
        site.expect_in_time(&[("a/real.css", Modified), ("in.css", Modified)]);
        fs::write(site.beside("shared/out.css"), "second").unwrap();
        site.expect(&[("out.css", Modified)]);
        symlink("../shared/out.css", site.path("late.css")).unwrap();
        site.expect(&[("late.css", Created)]);
        site.expect_silence();
        fs::write(site.beside("shared/out.css"), "third").unwrap();
        site.expect_in_time(&[("late.css", Modified), ("out.css", Modified)]);
    });
}

// The newest time.
