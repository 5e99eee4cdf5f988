//! The layers of both crates, as a test: which module may import which.
//!
//! Reads the sources as text. Comments do not count, and neither does what comes after
//! `mod tests {`, nor `tests.rs` and what is in `tests/`: tests may reach anywhere.
#![expect(
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const MAX_LINES: usize = 600;

/// A crate, and what each of its modules may name of the others.
struct Crate {
    /// Where its sources are, from this crate's directory.
    src: &'static str,
    /// A line for each module, from the top down: `module: what it may name`, all of it further below.
    /// What the parts of one module name of each other is their own affair.
    layers: &'static str,
    /// A few files, to see that the sources were read.
    files: &'static str,
    forbidden: &'static [Forbidden],
}

/// Words that files must not hold, and why.
struct Forbidden {
    /// Files, or directories with a slash at the end.
    files: &'static str,
    words: &'static str,
    why: &'static str,
}

/// Transports, `watch`, the fan-out, the log, words.
const LIBRARY: Crate = Crate {
    src: "src",
    layers: "
        lib:          reload http watch hub subscription fanout delivery engine sse event id topic field
        reload:       http watch hub event id
        http:         hub subscription fanout engine jitter sse id topic
        watch:
        hub:          subscription fanout engine event id topic
        subscription: fanout delivery engine sse id
        fanout:       delivery engine recent jitter sse event id topic
        delivery:     engine sse event id topic
        engine:       recent sse event id topic
        recent:
        jitter:
        sse:          event id
        event:        id field
        id:           field
        topic:
        field:
    ",
    files: "lib.rs hub.rs fanout/open.rs engine/memory.rs sse/parse.rs",
    forbidden: &[
        Forbidden {
            files: "event.rs id.rs field.rs topic.rs topic/ sse.rs sse/ jitter.rs recent.rs \
                    reload/inject.rs watch/debounce.rs",
            words: "std::fs std::net std::thread Instant::now SystemTime::now tokio",
            why: "it is pure: time is an argument, and there is no IO",
        },
        Forbidden {
            files: "engine.rs engine/",
            words: "Subscription Hub subscription fanout Channel",
            why: "an engine never sees a subscriber",
        },
        Forbidden {
            files: "hub.rs hub/ subscription.rs fanout.rs fanout/ delivery.rs",
            words: "memory:: engine::Memory Memory, Memory::",
            why: "the hub never names an engine",
        },
        Forbidden {
            files: "event.rs id.rs field.rs topic.rs topic/ sse.rs sse/ engine.rs engine/ hub.rs hub/ \
                    subscription.rs fanout.rs fanout/ delivery.rs jitter.rs recent.rs watch.rs watch/",
            words: "http:: http_body tower_service hyper axum",
            why: "HTTP belongs to the transports",
        },
    ],
};

/// The command line, the commands, what they put together.
const PROGRAM: Crate = Crate {
    src: "../tidings-cli/src",
    layers: "
        main:      cli commands config backend keyboard report
        cli:       config rules files upstream backend certificates listen
        commands:  config pages referrers sources editor rules files upstream backend guard certificates private_files listen instances keyboard report
        config:    rules files upstream backend listen report
        pages:     files report
        referrers: files
        sources:   files
        editor:
        rules:
        files:
        upstream:
        backend:
        guard:
        certificates: private_files report
        private_files: report
        listen:    report
        instances:
        keyboard:
        report:
    ",
    files: "main.rs commands/serve.rs files/resolve.rs guard/frames.rs listen/driver.rs",
    forbidden: &[
        Forbidden {
            files: "cli.rs cli/ config.rs config/ commands.rs commands/ pages.rs referrers.rs referrers/ \
                    sources.rs editor.rs rules.rs rules/ files.rs files/ upstream.rs upstream/ backend.rs backend/ guard.rs guard/ listen.rs listen/ \
                    instances.rs instances/ keyboard.rs keyboard/",
            words: "println! print! stdout() stderr()",
            why: "only report/ prints",
        },
        Forbidden {
            files: "guard.rs guard/ referrers.rs referrers/ rules.rs rules/",
            words: "std::fs TcpStream tokio Instant::now SystemTime::now",
            why: "it decides by the head of a request, without IO",
        },
    ],
};

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
        let code = text.split("mod tests {").next().unwrap();
        let code: Vec<&str> = code
            .lines()
            .map(|line| line.find("//").map_or(line, |comment| &line[..comment]))
            .collect();
        let mut code = code.join("\n");
        if path == "hub.rs" {
            for line in HUB_MEMORY {
                code = code.replacen(line, "", 1);
            }
        }
        Source {
            path: path.to_owned(),
            n_lines: text.lines().count(),
            code,
        }
    }

    fn is_test(&self) -> bool {
        let mut parts = self.path.split('/');
        parts.any(|part| part == "tests" || part == "tests.rs")
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

impl Crate {
    /// The modules, each with what it may name.
    fn layers(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let lines = self.layers.lines().filter_map(|line| line.split_once(':'));
        lines
            .map(|(module, names)| (module.trim(), names.split_whitespace().collect()))
            .collect()
    }

    /// What is wrong with its table: a cycle would need a module that names one above it.
    fn complaints_about_layers(&self) -> Vec<String> {
        let layers = self.layers();
        let mut found = Vec::new();
        for (index, (module, names)) in layers.iter().enumerate() {
            for name in names {
                let below = &layers[index + 1..];
                if !below.iter().any(|(module, _)| module == name) {
                    found.push(format!("{module}: {name} is not below it in the table"));
                }
            }
        }
        found
    }

    /// What is wrong with a file.
    fn complaints(&self, source: &Source) -> Vec<String> {
        let path = &source.path;
        let mut found = Vec::new();
        if source.n_lines > MAX_LINES {
            found.push(format!("{path}: {} lines, split it", source.n_lines));
        }
        if source.is_test() {
            return found;
        }
        let module = source.module();
        let layers = self.layers();
        let Some((_, allowed)) = layers.iter().find(|(name, _)| *name == module) else {
            found.push(format!(
                "{path}: say in tidy.rs which layer `{module}` is in"
            ));
            return found;
        };
        for name in source.names() {
            // Items of `lib.rs` would hide which layer they come from, so modules are named, not re-exports.
            if name != module && !allowed.contains(&name.as_str()) {
                found.push(format!("{path}: may not name crate::{name}"));
            }
        }
        for Forbidden { files, words, why } in self.forbidden {
            let is_meant =
                |file: &str| path == file || (file.ends_with('/') && path.starts_with(file));
            if !files.split_whitespace().any(is_meant) {
                continue;
            }
            for word in words.split_whitespace() {
                if source.code.contains(word) {
                    found.push(format!("{path}: may not name {word}: {why}"));
                }
            }
        }
        found
    }

    fn sources(&self) -> Vec<Source> {
        let mut found = Vec::new();
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join(self.src);
        sources(&src, "", &mut found);
        for must in self.files.split_whitespace() {
            let is_read = found.iter().any(|source| source.path == must);
            assert!(is_read, "{}/{must} was not read", self.src);
        }
        found
    }
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
    for package in [LIBRARY, PROGRAM] {
        let sources = package.sources();
        let mut found = package.complaints_about_layers();
        found.extend(sources.iter().flat_map(|source| package.complaints(source)));
        assert!(found.is_empty(), "{}:\n{}", package.src, found.join("\n"));
    }
}

#[test]
fn a_cycle_in_a_table_is_noticed() {
    let table = |layers| Crate { layers, ..LIBRARY };
    let cycle = table("a: b\nb: c\nc: a");
    assert_eq!(
        cycle.complaints_about_layers(),
        ["c: a is not below it in the table"]
    );
    let unknown = table("a: b");
    assert_eq!(
        unknown.complaints_about_layers(),
        ["a: b is not below it in the table"]
    );
    let fine = table("a: b c\nb: c\nc:");
    assert_eq!(fine.complaints_about_layers(), [""; 0]);
}

#[test]
fn each_rule_is_noticed_when_it_is_broken() {
    #[track_caller]
    fn check_in(package: &Crate, path: &str, code: &str, complaint: &str) {
        let found = package.complaints(&Source::new(path, code));
        let noticed = found.iter().any(|found| found.contains(complaint));
        assert!(noticed, "{path}: {code:?}: {found:?}");
    }
    #[track_caller]
    fn check(path: &str, code: &str, complaint: &str) {
        check_in(&LIBRARY, path, code, complaint);
    }
    #[track_caller]
    fn check_program(path: &str, code: &str, complaint: &str) {
        check_in(&PROGRAM, path, code, complaint);
    }
    #[track_caller]
    fn check_fine(path: &str, code: &str) {
        let found = LIBRARY.complaints(&Source::new(path, code));
        assert_eq!(found, [""; 0], "{code:?}");
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
    check("reload.rs", "use crate::engine::Engine;", "crate::engine");
    check("watch/native.rs", "use crate::id::Seq;", "crate::id");
    check("http.rs", "use crate::watch::Watcher;", "crate::watch");
    check("http.rs", "use crate::Hub;", "crate::Hub");
    check("field.rs", "use crate::event::Event;", "crate::event");
    check("id.rs", "use crate::event::Event;", "crate::event");
    check("extra.rs", "", "which layer");
    check("hub.rs", &"\n".repeat(601), "601 lines");
    check("hub/tests.rs", &"\n".repeat(601), "601 lines");

    check_program(
        "commands/serve.rs",
        "use crate::cli::ServeArgs;",
        "crate::cli",
    );
    check_program("config.rs", "use crate::cli::Cli;", "crate::cli");
    check_program("files/open.rs", "use crate::guard::Guard;", "crate::guard");
    check_program("guard.rs", "use crate::files::Body;", "crate::files");
    check_program(
        "listen/driver.rs",
        "use crate::commands::serve;",
        "crate::commands",
    );
    check_program(
        "pages.rs",
        "use crate::{report, commands::serve};",
        "crate::commands",
    );
    check_program("report.rs", "use crate::listen::Host;", "crate::listen");
    check_program("pages.rs", r#"println!("saved")"#, "only report/ prints");
    check_program("guard/frames.rs", "std::fs::read(path)", "without IO");
    check_program("driver.rs", "", "which layer");
    check_program("files.rs", &"\n".repeat(601), "601 lines");
    check_program("files/tests/paths.rs", &"\n".repeat(601), "601 lines");

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
