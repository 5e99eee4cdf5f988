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
fn a_linked_file_is_reported_when_what_it_leads_to_changes() {
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

/// Makes a link lead elsewhere, in one step.
fn switch(site: &Site, link: &str, target: &str) {
    std::os::unix::fs::symlink(target, site.beside("switched")).unwrap();
    fs::rename(site.beside("switched"), site.path(link)).unwrap();
}

#[test]
fn a_dangling_link_is_reported_when_its_target_appears() {
    on_time(|| {
        use std::os::unix::fs::symlink;
        let mut site = Site::with(&["index.html"]);
        symlink("build/deep/app.js", site.path("app.js")).unwrap();
        symlink("loop.js", site.path("loop.js")).unwrap();
        site.expect_silence();
        site.watcher().missed(&site.path("app.js"));
        site.watcher().missed(&site.path("loop.js"));
        site.expect_silence();
        site.write("build/deep/app.js", "1");
        site.expect_in_time(&[("app.js", Created), ("build/deep/app.js", Created)]);
        drain(&mut site);
        site.remove("build/deep/app.js");
        site.expect(&[("app.js", Removed), ("build/deep/app.js", Removed)]);
        site.save_and_see("app.js", "2");
    });
}

/// As Kubernetes mounts a ConfigMap: each file is a link through `..data`, which is switched.
#[test]
fn files_that_are_links_through_a_switched_one_are_reported() {
    on_time(|| {
        use std::os::unix::fs::symlink;
        let mut site = Site::with(&["..1/a.conf", "..2/a.conf", "..1/same", "..2/same"]);
        site.save("..2/a.conf", "other");
        symlink("..1", site.path("..data")).unwrap();
        symlink("..data/a.conf", site.path("a.conf")).unwrap();
        symlink("..data/same", site.path("same")).unwrap();
        site.settle();
        site.start(|_| {});
        // The contents have been hashed when what is asked of the same thread later is done.
        site.expect_silence();
        for version in ["..2", "..1", "..2"] {
            switch(&site, "..data", version);
            site.expect(&[("a.conf", Modified)]);
        }
        site.expect_silence();
    });
}

#[test]
fn what_a_switched_link_no_longer_leads_to_is_not_heard_of_by_its_name() {
    on_time(|| {
        use std::os::unix::fs::symlink;
        let mut site = Site::with(&["index.html"]);
        for version in ["v1", "v2"] {
            fs::create_dir(site.beside(version)).unwrap();
            fs::write(site.beside(version).join("x"), version).unwrap();
        }
        symlink("../v1", site.path("current")).unwrap();
        site.settle();
        site.start(|options| options.scope = Scope::Anywhere);
        switch(&site, "current", "../v2");
        site.expect(&[("current/x", Modified)]);
        drain(&mut site);
        fs::write(site.beside("v1/x"), "unheard").unwrap();
        fs::remove_dir_all(site.beside("v1")).unwrap();
        site.expect_silence();
        site.save("current/x", "heard");
        site.expect(&[("current/x", Modified)]);
    });
}

#[test]
fn a_link_that_comes_to_lead_out_is_gone() {
    on_time(|| {
        use std::os::unix::fs::symlink;
        let mut site = Site::with(&["in/x", "file"]);
        fs::create_dir(site.beside("out")).unwrap();
        fs::write(site.beside("out/x"), "x").unwrap();
        symlink("in", site.path("directory")).unwrap();
        symlink("file", site.path("link")).unwrap();
        site.settle();
        site.start(|_| {});
        switch(&site, "directory", "../out");
        site.expect(&[("directory", Removed)]);
        switch(&site, "link", "../out/x");
        site.expect(&[("link", Removed)]);
        fs::write(site.beside("out/x"), "y").unwrap();
        site.expect_silence();
        switch(&site, "link", "file");
        site.expect(&[("link", Created)]);
    });
}

#[test]
fn only_what_the_rule_says_yes_to_is_reported() {
    on_time(|| {
        let rule = |candidate: &Candidate<'_>| {
            assert!(candidate.real.starts_with(candidate.real_root));
            !candidate.path.ends_with("secret") && !candidate.path.starts_with("private")
        };
        let mut site = Site::new(&["secret", "a/secret", "a/x", "private/x"], |options| {
            options.scope = Scope::Where(Arc::new(rule));
        });
        for name in ["secret", "a/secret", "private/x"] {
            site.save(name, "changed");
        }
        site.rename("a/x", "a/secret");
        site.expect(&[("a/x", Removed)]);
        site.rename("a/secret", "a/x");
        site.expect(&[("a/x", Created)]);
        site.expect_silence();
    });
}
