//! Content-Security-Policies in a response's head: our script runs, and what was forbidden stays forbidden.

use serde_json::{Value, json};

use crate::app::{Answer, App, answer, page_of};
use crate::site::page_with;
use crate::support::program::Folder;
use crate::{Browser, Page};

/// A policy, and what a page of it may do itself.
struct Case {
    name: &'static str,
    headers: &'static [(&'static str, &'static str)],
    /// Run a script of its own origin that the page adds: a script without a nonce.
    runs_scripts: bool,
    /// Fetch from its own origin.
    connects: bool,
    /// Start a worker of its own origin.
    starts_workers: bool,
}

const POLICY: &str = "content-security-policy";
const REPORT_ONLY: &str = "content-security-policy-report-only";

const CASES: &[Case] = &[
    Case {
        name: "Django",
        headers: &[(
            POLICY,
            "default-src 'self'; script-src 'self'; img-src 'self' https:; frame-ancestors 'self'",
        )],
        runs_scripts: true,
        connects: true,
        starts_workers: true,
    },
    Case {
        name: "Rails, with a nonce",
        headers: &[(
            POLICY,
            "default-src 'self' https:; font-src 'self' https: data:; img-src 'self' https: data:; \
             object-src 'none'; script-src 'self' https: 'nonce-3q2+7w=='; style-src 'self' https:",
        )],
        runs_scripts: true,
        connects: true,
        starts_workers: true,
    },
    Case {
        name: "GitHub",
        headers: &[(
            POLICY,
            "default-src 'none'; base-uri 'self'; child-src github.githubassets.com; connect-src wss://alive.github.com; \
             font-src github.githubassets.com; form-action 'self'; frame-ancestors 'none'; img-src 'self' data:; \
             manifest-src 'self'; script-src github.githubassets.com; style-src 'unsafe-inline' github.githubassets.com; \
             upgrade-insecure-requests; worker-src github.githubassets.com",
        )],
        runs_scripts: false,
        connects: false,
        starts_workers: false,
    },
    Case {
        name: "strict, with a nonce",
        headers: &[(
            POLICY,
            "object-src 'none'; script-src 'nonce-r4nd0m' 'unsafe-inline' 'strict-dynamic' https: http:; base-uri 'none'",
        )],
        // Added by a script that is trusted: `eval` of the test.
        runs_scripts: true,
        connects: true,
        starts_workers: true,
    },
    Case {
        name: "strict, with hashes only",
        headers: &[(
            POLICY,
            "script-src 'strict-dynamic' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; connect-src 'none'",
        )],
        runs_scripts: true,
        connects: false,
        starts_workers: true,
    },
    Case {
        name: "a nonce alone",
        headers: &[(POLICY, "script-src 'nonce-abc'")],
        runs_scripts: false,
        connects: true,
        starts_workers: false,
    },
    Case {
        name: "Express, for its error pages",
        headers: &[(POLICY, "default-src 'none'")],
        runs_scripts: false,
        connects: false,
        starts_workers: false,
    },
    Case {
        name: "two headers, and two policies in one",
        headers: &[
            (POLICY, "default-src 'self', script-src 'nonce-abc'"),
            (POLICY, "connect-src 'none'"),
        ],
        runs_scripts: false,
        connects: false,
        starts_workers: false,
    },
    Case {
        name: "script-src-elem",
        headers: &[(
            POLICY,
            "script-src 'none'; script-src-elem 'none'; worker-src 'none'; connect-src 'none'",
        )],
        runs_scripts: false,
        connects: false,
        starts_workers: false,
    },
    Case {
        name: "Trusted Types",
        headers: &[(
            POLICY,
            "require-trusted-types-for 'script'; trusted-types app; script-src 'self'",
        )],
        runs_scripts: false,
        connects: true,
        starts_workers: false,
    },
    Case {
        name: "Trusted Types of any name",
        headers: &[(POLICY, "require-trusted-types-for 'script'")],
        runs_scripts: false,
        connects: true,
        starts_workers: false,
    },
    Case {
        name: "only reported",
        headers: &[(
            REPORT_ONLY,
            "default-src 'none'; script-src 'nonce-abc'; trusted-types 'none'; require-trusted-types-for 'script'",
        )],
        runs_scripts: true,
        connects: true,
        starts_workers: true,
    },
];

/// Collects what the browser reports about policies, from before the first script on.
const OBSERVE: &str = "window.violations = [];
    document.addEventListener('securitypolicyviolation', (e) => {
        // The browser's own request.
        if (!e.blockedURI.endsWith('/favicon.ico'))
            violations.push([e.effectiveDirective, e.blockedURI, e.sourceFile].join(' '))
    })";

fn program(case: &'static Case) -> impl Fn(&Folder, &str) -> Answer {
    move |folder, path| match path {
        "/own.js" => answer(
            200,
            "text/javascript",
            "self.ownRuns = true; self.postMessage?.(1)",
        ),
        "/data" => answer(200, "text/plain", "data"),
        _ => {
            let mut response = page_of(folder, "index.html");
            for (name, value) in case.headers {
                response.headers_mut().append(*name, value.parse().unwrap());
            }
            response
        }
    }
}

fn text(body: &str) -> String {
    page_with("<meta charset=utf-8>", body)
}

#[track_caller]
fn expect(tab: &mut Page, case: &Case, what: &str, expression: &str, expected: bool) {
    let done = tab.eval(expression);
    assert_eq!(done, Value::Bool(expected), "{}: {what}", case.name);
}

#[test]
fn our_script_runs_and_what_was_forbidden_stays_forbidden() {
    let mut browser = Browser::start();
    for case in CASES {
        let name = case.name;
        let app = App::start(&[("index.html", &text("one"))], program(case));
        let mut tab = browser.blank();
        tab.call("Log.enable", json!({}));
        tab.call(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({"source": OBSERVE}),
        );
        tab.go(&app.url("/"));
        // In a worker: it is that one which has the lock.
        tab.until(&format!(
            "/* {name} */ navigator.locks.query().then(({{held}}) => held.length === 1)"
        ));
        for text_now in ["two", "three"] {
            app.save("index.html", text(text_now));
            tab.until_text(text_now);
        }
        tab.until("navigator.locks.query().then(({held}) => held.length === 1)");
        assert_eq!(tab.eval("violations"), json!([]), "{name}");
        let mut logged = tab.events("Log.entryAdded");
        logged.retain(|entry| !entry.to_string().contains("/favicon.ico"));
        assert!(logged.is_empty(), "{name}: {logged:?}");

        expect(
            &mut tab,
            case,
            "a script",
            "new Promise((done) => {
            const script = document.createElement('script')
            script.onload = () => done(window.ownRuns === true)
            script.onerror = () => done(false)
            try { script.src = '/own.js' } catch { return done(false) }
            document.head.append(script)
        })",
            case.runs_scripts,
        );
        expect(
            &mut tab,
            case,
            "a connection",
            "fetch('/data').then(() => true, () => false)",
            case.connects,
        );
        expect(
            &mut tab,
            case,
            "a worker",
            "new Promise((done) => {
            try {
                const worker = new Worker('/own.js')
                worker.onmessage = () => done(true)
                worker.onerror = () => done(false)
            } catch { done(false) }
        })",
            case.starts_workers,
        );
    }
}
