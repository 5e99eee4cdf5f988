//! What a page uses without seeing it: in frames that do not listen, in workers.

use crate::case::{Case, How, check};
use crate::site::{COUNT_LOADS, page, page_with};
use crate::{Browser, Site};

const RED: &str = "h1 { color: red }";
const BLUE: &str = "h1 { color: blue }";

/// A page with a frame `f` that uses `a.css`.
const fn framed(name: &'static str, how: How, html: &'static str) -> Case {
    Case {
        name,
        files: &[
            ("a.css", RED),
            (
                "inner.xhtml",
                "<html xmlns='http://www.w3.org/1999/xhtml'><head><link rel='stylesheet' href='a.css'/></head>\
                 <body><h1>x</h1></body></html>",
            ),
            (
                "inner.html",
                "<!doctype html><link rel=stylesheet href=a.css><h1>x</h1>",
            ),
        ],
        html,
        ready: "(() => { const h = f.contentDocument?.querySelector('h1')
                 return h && colour(h) === 'rgb(255, 0, 0)' })()",
        save: ("a.css", BLUE),
        shown: "(() => { const h = f.contentDocument?.querySelector('h1')
                 return h && colour(h) === 'rgb(0, 0, 255)' })()",
        how,
    }
}

#[test]
fn a_frame_that_does_not_listen_belongs_to_its_page() {
    use How::InPlace;
    check(&[
        framed(
            "srcdoc",
            InPlace,
            "<iframe id=f srcdoc='<link rel=stylesheet href=a.css><h1>x'></iframe>",
        ),
        framed(
            "written by a script",
            InPlace,
            "<iframe id=f></iframe><script>const d = f.contentDocument
             d.open(); d.write('<link rel=stylesheet href=a.css><h1>x'); d.close()</script>",
        ),
        framed(
            "filled by a script",
            InPlace,
            "<iframe id=f></iframe><script>
             f.contentDocument.body.innerHTML = '<link rel=stylesheet href=a.css><h1>x'</script>",
        ),
        framed(
            "made of a blob",
            InPlace,
            "<iframe id=f></iframe><script>
             const html = `<!doctype html><link rel=stylesheet href='${new URL('a.css', location)}'><h1>x`
             f.src = URL.createObjectURL(new Blob([html], {type: 'text/html'}))</script>",
        ),
        framed(
            "in a frame in a frame",
            InPlace,
            "<iframe id=g srcdoc='<iframe srcdoc=\"<link rel=stylesheet href=a.css><h1>x\"></iframe>'></iframe>
             <script>const f = { get contentDocument() {
                return g.contentDocument?.querySelector('iframe')?.contentDocument } }</script>",
        ),
        framed("an object", InPlace, "<object id=f data=inner.html></object>"),
        framed(
            "without scripts",
            InPlace,
            "<iframe id=f sandbox=allow-same-origin src=inner.html></iframe>",
        ),
        framed("XHTML", InPlace, "<iframe id=f src=inner.xhtml></iframe>"),
        Case {
            save: (
                "inner.html",
                "<!doctype html><style>h1 { color: blue }</style><h1>x</h1>",
            ),
            ..framed(
                "the document of an object itself",
                How::Reload,
                "<object id=f data=inner.html></object>",
            )
        },
        Case {
            save: (
                "inner.html",
                "<!doctype html><style>h1 { color: blue }</style><h1>x</h1>",
            ),
            ..framed(
                "the document of a frame without scripts",
                How::Reload,
                "<iframe id=f sandbox=allow-same-origin src=inner></iframe>",
            )
        },
    ]);
}

#[test]
fn a_frame_that_listens_answers_for_itself() {
    let site = Site::serve(&[
        ("index.html", &page("<iframe src=inner></iframe>")),
        (
            "inner.html",
            &page_with(
                &format!("{COUNT_LOADS}<link rel=stylesheet href=a.css><script src=a.js></script>"),
                "<h1>x</h1>",
            ),
        ),
        ("a.css", RED),
        ("a.js", "window.v = 1"),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.until("frames[0].v === 1");
    tab.mark();
    site.save("a.css", BLUE);
    tab.until(
        "frames[0].getComputedStyle(frames[0].document.querySelector('h1')).color === 'rgb(0, 0, 255)'",
    );
    assert_eq!(tab.eval("Number(sessionStorage.loads)"), 1);
    site.save("a.js", "window.v = 2");
    tab.until("frames[0].v === 2");
    assert_eq!(tab.eval("Number(sessionStorage.loads)"), 2);
    assert!(tab.is_same());
}

/// The document of a sandboxed frame cannot listen, and the page around it cannot look into it.
#[test]
fn a_sandboxed_frame_is_shown_anew_with_the_page_around_it() {
    // The frame says what it shows.
    let inner = page_with(
        "<link rel=stylesheet href=a.css>",
        "<h1>x</h1><script>onload = () => parent.postMessage(
            getComputedStyle(document.querySelector('h1')).color, '*')</script>",
    );
    let around = page_with(
        COUNT_LOADS,
        "<script>onmessage = e => window.shown = e.data</script>\
         <iframe sandbox=allow-scripts src=inner.html></iframe>",
    );
    let site = Site::serve(&[
        ("around.html", &around),
        ("inner.html", &inner),
        (
            "other.html",
            &page_with("<link rel=stylesheet href=a.css>", "<h1>x</h1>"),
        ),
        ("a.css", RED),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/around.html"));
    let mut other = browser.open(&site.url("/other.html"));
    tab.until("window.shown === 'rgb(255, 0, 0)'");
    other.mark();
    site.save("a.css", BLUE);
    tab.until("window.shown === 'rgb(0, 0, 255)'");
    assert_eq!(tab.eval("Number(sessionStorage.loads)"), 2);
    other.until("getComputedStyle(document.querySelector('h1')).color === 'rgb(0, 0, 255)'");
    assert!(other.is_same(), "it has no such frame");
}

/// A page with workers, which say what `lib.js` or `data.json` holds.
const fn worker(name: &'static str, html: &'static str) -> Case {
    Case {
        name,
        files: &[
            ("lib.js", "self.v = 'old'"),
            ("data.json", "\"old\""),
            ("module.js", "export const v = 'old'"),
            ("imports.js", "importScripts('lib.js'); postMessage(v)"),
            (
                "fetches.js",
                "fetch('data.json').then(r => r.json()).then(v => postMessage(v))",
            ),
            ("deep.js", "export {v} from './module.js'"),
            (
                "module-worker.js",
                "import {v} from './deep.js'; postMessage(v)",
            ),
            ("nests.js", "new Worker('imports.js').onmessage = e => postMessage(e.data)"),
            (
                "shared.js",
                "importScripts('lib.js'); onconnect = e => e.ports[0].postMessage(v)",
            ),
            (
                "service.js",
                "importScripts('lib.js'); oninstall = () => skipWaiting()
                 onmessage = e => e.source.postMessage(v)",
            ),
            (
                "missing.js",
                "try { importScripts('later.js') } catch {} postMessage(self.v ?? 'old')",
            ),
            (
                "worklet.js",
                "import {v} from './module.js'
                 registerProcessor(v, class extends AudioWorkletProcessor { process() { return true } })",
            ),
        ],
        html,
        ready: "window.v === 'old'",
        save: ("lib.js", "self.v = 'new'"),
        shown: "window.v === 'new'",
        how: How::Reload,
    }
}

#[test]
fn what_a_worker_uses_reloads_its_page() {
    check(&[
        worker(
            "importScripts",
            "<script>new Worker('imports.js').onmessage = e => window.v = e.data</script>",
        ),
        Case {
            save: ("imports.js", "postMessage('new')"),
            ..worker(
                "the worker's script itself",
                "<script>new Worker('imports.js').onmessage = e => window.v = e.data</script>",
            )
        },
        Case {
            save: ("data.json", "\"new\""),
            ..worker(
                "fetch",
                "<script>new Worker('fetches.js').onmessage = e => window.v = e.data</script>",
            )
        },
        Case {
            save: ("module.js", "export const v = 'new'"),
            ..worker(
                "modules",
                "<script>new Worker('module-worker.js', {type: 'module'}).onmessage =
                 e => window.v = e.data</script>",
            )
        },
        worker(
            "a worker of a worker",
            "<script>new Worker('nests.js').onmessage = e => window.v = e.data</script>",
        ),
        worker(
            "a worker of a blob",
            "<script>const text = `importScripts('${new URL('lib.js', location)}'); postMessage(v)`
             new Worker(URL.createObjectURL(new Blob([text]))).onmessage = e => window.v = e.data</script>",
        ),
        Case {
            save: ("later.js", "self.v = 'new'"),
            ..worker(
                "a script that was missing",
                "<script>new Worker('missing.js').onmessage = e => window.v = e.data</script>",
            )
        },
        worker(
            "a worker of a page whose address has been changed since",
            "<script>const before = location.pathname
             history.replaceState(null, '', 'another/address')
             new Worker('../imports.js').onmessage = e => window.v = e.data
             history.replaceState(null, '', before)</script>",
        ),
        worker(
            "a page without referrers",
            "<meta name=referrer content=no-referrer>
             <script>new Worker('imports.js').onmessage = e => window.v = e.data</script>",
        ),
        worker(
            "a shared worker",
            "<script>new SharedWorker('shared.js').port.onmessage = e => window.v = e.data</script>",
        ),
        worker(
            "a worker of a frame that does not listen",
            "<iframe srcdoc=\"<script>new Worker('imports.js').onmessage =
             e => parent.v = e.data</script>\"></iframe>",
        ),
        Case {
            save: ("module.js", "export const v = 'new'"),
            ..worker(
                "an audio worklet",
                "<script>const context = new AudioContext()
                 context.audioWorklet.addModule('worklet.js').then(() => {
                    for (const v of ['old', 'new']) try {
                        new AudioWorkletNode(context, v)
                        window.v = v
                    } catch {}
                 })</script>",
            )
        },
        worker(
            "a service worker",
            "<script>navigator.serviceWorker.onmessage = e => window.v = e.data
             const ask = worker => worker.state === 'activated' ? worker.postMessage(0)
                : worker.addEventListener('statechange', () => ask(worker), { once: true })
             navigator.serviceWorker.register('service.js', {updateViaCache: 'none'}).then(async r => {
                await r.update()
                ask(r.installing ?? r.waiting ?? r.active) })</script>",
        ),
    ]);
}

#[test]
fn a_page_without_the_worker_is_left_alone() {
    let with = page("<script>new Worker('w.js').onmessage = e => window.v = e.data</script>");
    let site = Site::serve(&[
        ("with.html", &with),
        ("without.html", &page("x")),
        ("around.html", &page("<iframe src=with></iframe>")),
        ("w.js", "importScripts('lib.js'); postMessage(v)"),
        ("lib.js", "self.v = 1"),
    ]);
    let mut browser = Browser::start();
    let mut with = browser.open(&site.url("/with"));
    let mut without = browser.open(&site.url("/without.html"));
    let mut around = browser.open(&site.url("/around.html"));
    with.until("window.v === 1");
    around.until("frames[0].v === 1");
    without.mark();
    around.mark();
    site.save("lib.js", "self.v = 2");
    with.until("window.v === 2");
    around.until("frames[0].v === 2");
    // What comes later shows that all before it has been heard.
    site.save("without.html", page("y"));
    assert!(around.is_same());
    without.until_text("y");
    assert!(without.is_same());
}

#[test]
fn a_worker_from_before_the_server_was_restarted_is_not_forgotten() {
    let index = page("<script>new Worker('w.js').onmessage = e => window.v = e.data</script>");
    let mut site = Site::serve(&[
        ("index.html", &index),
        ("w.js", "importScripts('lib.js'); postMessage(v)"),
        ("lib.js", "self.v = 1"),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.until("window.v === 1");
    tab.mark();
    site.stop();
    site.start(&[]);
    assert!(tab.is_same());
    site.save("lib.js", "self.v = 2");
    tab.until("window.v === 2");
}
