//! The layers, as a test: who may import whom. Downwards only, and siblings not at all.
//!
//! Reads the sources as text. Comments do not count, and neither does what comes after
//! `#[cfg(test)] mod tests {` nor files named `tests.rs`: tests may reach anywhere.
#![expect(
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const MAX_LINES: usize = 600;

/// What each module of the crate may name of the others, besides itself. `lib.rs` may name all of them.
///
/// A module's own parts are its own affair, unless they have a line in [`FORBIDDEN`].
const MAY_NAME: [(&str, &[&str]); 15] = [
    // Words: they may name each other.
    ("event", WORDS),
    ("id", WORDS),
    ("topic", WORDS),
    ("sse", WORDS),
    ("jitter", &[]),
    ("recent", &[]),
    // The log.
    ("engine", &["event", "id", "topic", "sse", "recent"]),
    // The fan-out, in three steps.
    ("delivery", &["event", "id", "topic", "sse", "engine"]),
    ("fanout", FAN_OUT),
    ("subscription", SUBSCRIPTION),
    ("hub", HUB),
    // Transports.
    ("http", TRANSPORT),
    ("reload", RELOAD),
    // Independent.
    ("watch", &[]),
    ("lib", LIB),
];

const WORDS: &[&str] = &["event", "id", "topic", "sse"];
const FAN_OUT: &[&str] = &[
    "event", "id", "topic", "sse", "jitter", "recent", "engine", "delivery",
];
const SUBSCRIPTION: &[&str] = &[
    "event", "id", "topic", "sse", "engine", "delivery", "fanout",
];
const HUB: &[&str] = &[
    "event",
    "id",
    "topic",
    "sse",
    "engine",
    "delivery",
    "fanout",
    "subscription",
];
const TRANSPORT: &[&str] = &[
    "event",
    "id",
    "topic",
    "sse",
    "jitter",
    "engine",
    "delivery",
    "fanout",
    "subscription",
    "hub",
];
const RELOAD: &[&str] = &[
    "event",
    "id",
    "topic",
    "sse",
    "engine",
    "delivery",
    "fanout",
    "subscription",
    "hub",
    "watch",
];
const LIB: &[&str] = &[
    "event",
    "id",
    "topic",
    "sse",
    "engine",
    "delivery",
    "fanout",
    "subscription",
    "hub",
    "http",
    "reload",
    "watch",
];

/// Words that files (by the beginning of their path) must not hold.
const FORBIDDEN: [(&[&str], &[&str], &str); 4] = [
    (
        &[
            "event.rs",
            "id.rs",
            "topic.rs",
            "topic/",
            "sse.rs",
            "sse/",
            "jitter.rs",
            "recent.rs",
            "reload/inject.rs",
            "watch/debounce.rs",
        ],
        &[
            "std::fs",
            "std::net",
            "std::thread",
            "Instant::now",
            "SystemTime::now",
            "tokio",
        ],
        "it is pure: time is an argument, and there is no IO",
    ),
    (
        &["engine.rs", "engine/"],
        &["Subscription", "Hub", "subscription", "fanout", "Channel"],
        "an engine never sees a subscriber",
    ),
    (
        &[
            "hub.rs",
            "hub/",
            "subscription.rs",
            "fanout.rs",
            "fanout/",
            "delivery.rs",
        ],
        &["memory::", "engine::Memory", "Memory,", "Memory::"],
        "the hub never names an engine",
    ),
    (
        &[
            "event.rs",
            "id.rs",
            "topic.rs",
            "topic/",
            "sse.rs",
            "sse/",
            "engine.rs",
            "engine/",
            "hub.rs",
            "hub/",
            "subscription.rs",
            "fanout.rs",
            "fanout/",
            "delivery.rs",
            "jitter.rs",
            "recent.rs",
            "watch.rs",
            "watch/",
        ],
        &["http::", "http_body", "tower_service", "hyper", "axum"],
        "HTTP belongs to the transports",
    ),
];

/// The one line in which a hub is made over a log of this crate, and the import that it needs.
const HUB_MEMORY: [&str; 2] = [
    "use crate::engine::{BoxFuture, Draft, Engine, EngineError, Memory, Retention, StatusUpdate};",
    "Hub::new(Memory::new(Retention::default()))",
];

struct Source {
    /// Relative to `src`, with slashes.
    path: String,
    n_lines: usize,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let code: Vec<&str> = code
            .lines()
            .map(|line| line.find("//").map_or(line, |comment| &line[..comment]))
            .collect();
        Source {
            path: path.to_owned(),
            n_lines: text.lines().count(),
            code: code.join("\n"),
        }
    }

    /// The module of the crate that the file belongs to.
    fn module(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap()
    }

    /// The modules of the crate that the code names: in `use crate::a::b`, `use crate::{a, b::c}` and
    /// `crate::a::b` anywhere.
    fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for after in self.code.split("crate::").skip(1) {
            // `pub(crate)` has no colons, and a group is its outermost parts.
            match after.strip_prefix('{') {
                None => names.extend(word(after)),
                Some(group) => {
                    let mut depth = 0;
                    let mut part = String::new();
                    for c in group.chars() {
                        match c {
                            '{' => depth += 1,
                            '}' if depth == 0 => break,
                            '}' => depth -= 1,
                            ',' if depth == 0 => names.extend(word(&std::mem::take(&mut part))),
                            c if depth == 0 => part.push(c),
                            _ => {}
                        }
                    }
                    names.extend(word(&part));
                }
            }
        }
        names
    }
}

fn word(text: &str) -> Option<String> {
    let text = text.trim_start();
    let end = text.find(|c: char| c != '_' && !c.is_alphanumeric());
    let word = &text[..end.unwrap_or(text.len())];
    (!word.is_empty()).then(|| word.to_owned())
}

/// What is wrong with a file.
fn complaints(source: &Source) -> Vec<String> {
    let path = &source.path;
    let mut found = Vec::new();
    if source.n_lines > MAX_LINES {
        found.push(format!("{path}: {} lines, split it", source.n_lines));
    }
    if path.ends_with("tests.rs") {
        return found;
    }
    let Some((_, allowed)) = MAY_NAME
        .iter()
        .find(|(module, _)| *module == source.module())
    else {
        found.push(format!(
            "{path}: say in tidy.rs which layer `{}` is in",
            source.module()
        ));
        return found;
    };
    for name in source.names() {
        // Items of `lib.rs` would hide which layer they come from, so modules are named, not re-exports.
        if name != source.module() && !allowed.contains(&name.as_str()) {
            found.push(format!("{path}: may not name crate::{name}"));
        }
    }
    let mut code = source.code.clone();
    if path == "hub.rs" {
        for line in HUB_MEMORY {
            code = code.replacen(line, "", 1);
        }
    }
    for (files, words, why) in FORBIDDEN {
        if !files
            .iter()
            .any(|file| path == file || (file.ends_with('/') && path.starts_with(file)))
        {
            continue;
        }
        for word in words {
            if code.contains(word) {
                found.push(format!("{path}: may not name {word}: {why}"));
            }
        }
    }
    found
}

fn sources(dir: &Path, below: &str, found: &mut Vec<Source>) {
    let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{below}{name}");
        if entry.file_type().unwrap().is_dir() {
            sources(&entry.path(), &format!("{path}/"), found);
        } else if name.ends_with(".rs") {
            found.push(Source::new(
                &path,
                &fs::read_to_string(entry.path()).unwrap(),
            ));
        }
    }
}

#[test]
fn imports_go_downwards_only() {
    let mut all = Vec::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&src, "", &mut all);
    let names: Vec<_> = all.iter().map(|source| source.path.as_str()).collect();
    for must in [
        "lib.rs",
        "hub.rs",
        "fanout/open.rs",
        "engine/memory.rs",
        "sse/parse.rs",
    ] {
        assert!(names.contains(&must), "{must} was not read");
    }
    let found: Vec<_> = all.iter().flat_map(complaints).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn each_rule_is_noticed_when_it_is_broken() {
    #[track_caller]
    fn check(path: &str, code: &str, complaint: &str) {
        let found = complaints(&Source::new(path, code));
        let noticed = found.iter().any(|found| found.contains(complaint));
        assert!(noticed, "{path}: {code:?}: {found:?}");
    }
    #[track_caller]
    fn check_fine(path: &str, code: &str) {
        assert_eq!(complaints(&Source::new(path, code)), [""; 0], "{code:?}");
    }
    check("event.rs", "use crate::engine::Stored;", "crate::engine");
    check(
        "sse/parse.rs",
        "use crate::{event::{self, Event}, hub::Hub};",
        "crate::hub",
    );
    check(
        "id.rs",
        "fn now() { std::time::Instant::now() }",
        "Instant::now",
    );
    check("topic/pattern.rs", "use std::fs::File;", "std::fs");
    check("reload/inject.rs", "tokio::spawn(x)", "tokio");
    check(
        "watch/debounce.rs",
        "let at = SystemTime::now();",
        "SystemTime::now",
    );
    check("engine/memory.rs", "use crate::hub::Hub;", "crate::hub");
    check("engine.rs", "fn of(s: &Subscription) {}", "Subscription");
    check(
        "fanout/open.rs",
        "use crate::engine::Memory;",
        "engine::Memory",
    );
    check("fanout.rs", "use crate::hub::Hub;", "crate::hub");
    check(
        "fanout.rs",
        "use crate::subscription::Subscription;",
        "crate::subscription",
    );
    check("subscription.rs", "use crate::hub::Hub;", "crate::hub");
    check("hub.rs", "use crate::engine::memory::Log;", "memory::");
    check("hub.rs", "Memory::new(Retention { events: 1 })", "Memory::");
    check(
        "subscription.rs",
        "use crate::http::SseBody;",
        "crate::http",
    );
    check("hub.rs", "use http::Request;", "http::");
    check(
        "http/body.rs",
        "use crate::reload::Injector;",
        "crate::reload",
    );
    check("reload.rs", "use crate::http::Endpoint;", "crate::http");
    check("watch/native.rs", "use crate::id::Seq;", "crate::id");
    check("http.rs", "use crate::watch::Watcher;", "crate::watch");
    check("http.rs", "use crate::Hub;", "crate::Hub");
    check("extra.rs", "", "which layer");
    check("hub.rs", &"\n".repeat(601), "601 lines");
    check("hub/tests.rs", &"\n".repeat(601), "601 lines");

    check_fine(
        "hub.rs",
        "// not crate::http, and no Memory::new either\npub(crate) fn x() {}",
    );
    check_fine("hub.rs", &HUB_MEMORY.join("\n"));
    check_fine("hub/tests.rs", "use crate::http::Endpoint;");
    check_fine(
        "event.rs",
        "x\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}",
    );
    check_fine(
        "http.rs",
        "use crate::{\n    hub::{Hub, Stats},\n    id::Seq,\n};",
    );
    check_fine("watch/debounce.rs", "use std::time::Instant;");
}

#[test]
fn the_library_depends_on_no_framework_and_no_runtime() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    // Also those of one platform: `[target.'cfg(..)'.dependencies]`.
    let sections = manifest
        .split("\n[")
        .filter_map(|section| section.split_once("]\n"));
    let dependencies: Vec<&str> = sections
        .filter(|(title, _)| *title == "dependencies" || title.ends_with(".dependencies"))
        .map(|(_, lines)| lines)
        .collect();
    assert_eq!(dependencies.len(), 3, "everywhere, on Linux, elsewhere");
    let name = |line: &'_ str| line.split(['.', ' ', '=']).next().map(str::to_owned);
    let lines = dependencies.iter().flat_map(|lines| lines.lines());
    let names: Vec<_> = lines.filter_map(name).collect();
    assert!(
        names.iter().any(|name| name == "tower-service"),
        "{names:?}"
    );
    // `tower-service` and `http-body` are traits and nothing else.
    let frameworks = [
        "axum",
        "hyper",
        "hyper-util",
        "tokio",
        "tower",
        "tower-http",
        "warp",
    ];
    for framework in frameworks {
        assert!(!names.iter().any(|name| name == framework), "{framework}");
    }
}

#[test]
fn the_feature_table_is_the_manifests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let features = manifest.split("\n[features]\n").nth(1).unwrap();
    let features = features.split("\n[").next().unwrap().lines();
    let features: BTreeSet<_> = features
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name != "default")
        .collect();
    let docs = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let rows = docs.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let rows: BTreeSet<_> = rows
        .filter_map(|row| row.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(rows, features);
}
