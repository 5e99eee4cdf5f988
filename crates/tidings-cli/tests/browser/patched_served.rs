//! Pages that a program makes are patched as well: behind the library's layer, and behind `tidings proxy`.

use crate::Browser;
use crate::app::{Answer, App, answer, page_of};
use crate::patched::{assert_kept, shows, typed};
use crate::support::program::{Folder, Server, tidings};

fn html(text: &str) -> String {
    format!(
        "<!doctype html><title>t</title><link rel=stylesheet href=/a.css><input id=i><p>{text}</p>"
    )
}

fn program(folder: &Folder, path: &str) -> Answer {
    match path {
        "/a.css" => answer(
            200,
            "text/css",
            std::fs::read(folder.path("a.css")).unwrap(),
        ),
        _ => page_of(folder, "index.html"),
    }
}

fn app(program: impl Fn(&Folder, &str) -> Answer + Send + Sync + 'static) -> App {
    App::start(
        &[
            ("index.html", &html("0")),
            ("a.css", "p { color: red }"),
            ("data.json", "1"),
        ],
        program,
    )
}

#[test]
fn a_saved_template_is_patched_in_place() {
    let app = app(program);
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    typed(&mut tab);
    for n in 1..=3 {
        app.save("index.html", html(&n.to_string()));
        tab.until(&shows(&n.to_string()));
        assert_kept(&mut tab);
    }
    app.save("a.css", "p { color: blue }");
    tab.until("getComputedStyle(document.querySelector('p')).color === 'rgb(0, 0, 255)'");
    app.save("index.html", html("4"));
    tab.until(&shows("4"));
    assert_kept(&mut tab);
    // Whatever else a program reads may show anywhere.
    app.save("data.json", "2");
    tab.until("window.__mark === undefined && document.readyState === 'complete'");
}

#[test]
fn a_page_whose_scripts_have_requested_a_part_of_it_reloads() {
    let list = "<ul></ul><script data-tidings=pure>\
        fetch('/rows').then((rows) => rows.text()).then((rows) => { document.querySelector('ul').innerHTML = rows })</script>";
    let app = App::start(
        &[
            (
                "index.html",
                &format!("<!doctype html><title>t</title><p>0</p>{list}"),
            ),
            ("rows.html", "<li>one"),
        ],
        |folder, path| match path {
            "/rows" => page_of(folder, "rows.html"),
            _ => page_of(folder, "index.html"),
        },
    );
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    tab.until("document.querySelector('li')?.textContent === 'one'");
    app.save("rows.html", "<li>two");
    tab.until("document.querySelector('li')?.textContent === 'two'");
}

#[test]
fn a_template_that_fails_is_shown_as_an_error_and_heals() {
    let app = app(|folder, path| match folder.path("broken").exists() {
        true if path == "/" => answer(500, "text/plain", "template error"),
        _ => program(folder, path),
    });
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    typed(&mut tab);
    app.save("broken", "");
    tab.until("document.body.innerText.includes('template error')");
    std::fs::remove_file(app.path("broken")).unwrap();
    app.save("index.html", html("1"));
    tab.until(&shows("1"));
}

#[test]
fn a_page_that_is_redirected_now_reloads_to_where_it_leads() {
    let app = app(
        |folder, path| match std::fs::read_to_string(folder.path("index.html")) {
            Ok(text) if text.contains("moved") && path == "/" => {
                let mut response = answer(302, "text/html", "");
                response
                    .headers_mut()
                    .insert("location", "/elsewhere".parse().unwrap());
                response
            }
            _ => program(folder, path),
        },
    );
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    typed(&mut tab);
    app.save("index.html", html("moved"));
    tab.until("location.pathname === '/elsewhere'");
    tab.until(&shows("moved"));
}

#[test]
fn a_page_with_another_policy_reloads() {
    let app = app(|folder, path| {
        let mut response = program(folder, path);
        let text = std::fs::read_to_string(folder.path("index.html")).unwrap();
        let policy = match text.contains("strict") {
            true => "img-src 'none'",
            false => "img-src 'self'",
        };
        let headers = response.headers_mut();
        headers.insert("content-security-policy", policy.parse().unwrap());
        response
    });
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    typed(&mut tab);
    app.save("index.html", html("1"));
    tab.until(&shows("1"));
    assert_kept(&mut tab);
    app.save("index.html", html("strict"));
    tab.until(&shows("strict"));
    tab.until("document.readyState === 'complete'");
    assert!(!tab.is_same());
}

/// A backend whose pages are for those with its cookie, and which says what it was asked.
const SESSIONS: &str = r#"
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = "session=1" in self.headers.get("Cookie", "")
        is_page = self.headers.get("Sec-Fetch-Dest") == "document"
        text = open("index.html").read() if known or self.path == "/login" else "who are you?"
        is_css = ".css" in self.path
        if is_css: text = open("a.css").read()
        body = text.replace("DEST", "page" if is_page else "fetch").encode()
        self.send_response(200 if known or self.path == "/login" else 401)
        if self.path == "/login": self.send_header("Set-Cookie", "session=1; HttpOnly; SameSite=Strict; Path=/")
        self.send_header("Content-Type", "text/css" if is_css else "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

fn proxy(folder: &Folder, flags: &[&str]) -> Server {
    let mut command = tidings();
    let command = command.current_dir(folder.root());
    let command = command.args(["proxy", "--json", "--port", "0"]).args(flags);
    Server::run(command.args(["--", "python3", "app.py", "{port}"]))
}

#[test]
fn behind_the_proxy_a_page_is_asked_for_with_the_cookies_of_its_user() {
    let folder = Folder::new(&[
        ("app.py", SESSIONS),
        ("index.html", &html("0 DEST")),
        ("a.css", ""),
    ]);
    let server = proxy(&folder, &["--watch", "index.html"]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&format!("http://localhost:{}/login", server.port));
    tab.go(&format!("http://localhost:{}/private?page=2", server.port));
    tab.until(&shows("0 page"));
    typed(&mut tab);
    for n in 1..=2 {
        folder.save("index.html", html(&format!("{n} DEST")));
        tab.until(&shows(&format!("{n} page")));
        assert_kept(&mut tab);
    }
}

#[test]
fn after_a_restart_of_the_backend_a_page_is_patched_and_its_style_sheets_are_new() {
    let source = |text: &str, colour: &str| {
        let page = SESSIONS.replace(
            "open(\"index.html\").read()",
            &format!("'''{}'''", html(text)),
        );
        page.replace(
            "open(\"a.css\").read()",
            &format!("'p {{ color: {colour} }}'"),
        )
    };
    let folder = Folder::new(&[("app.py", &source("0", "red"))]);
    let server = proxy(&folder, &[]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&format!("http://localhost:{}/login", server.port));
    tab.until(&shows("0"));
    typed(&mut tab);
    // No file of the sheet's name was saved: its text is in the program.
    for (n, colour, rgb) in [
        ("1", "green", "rgb(0, 128, 0)"),
        ("2", "blue", "rgb(0, 0, 255)"),
    ] {
        folder.save("app.py", source(n, colour));
        tab.until(&shows(n));
        tab.until(&format!(
            "getComputedStyle(document.querySelector('p')).color === '{rgb}'"
        ));
        assert_kept(&mut tab);
    }
    // A page with scripts reloads: they may have changed as well.
    folder.save("app.py", source("3<script src=/x.js></script>", "blue"));
    tab.until(&shows("3"));
    assert!(!tab.is_same());
}

#[test]
fn a_page_that_answers_a_form_is_left_alone() {
    let app = app(program);
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    let mut other = browser.open(&app.url("/"));
    tab.eval(
        "const form = Object.assign(document.createElement('form'), {method: 'post'}); \
              document.body.append(form); form.submit()",
    );
    tab.until("document.readyState === 'complete' && performance.getEntriesByType('navigation')[0].type === 'navigate' && !document.querySelector('script')");
    tab.mark();
    app.save("index.html", html("1"));
    other.until(&shows("1"));
    assert!(tab.is_same());
    tab.until(&shows("0"));
}

#[test]
fn a_page_goes_on_with_its_nonce() {
    let n_answers = std::sync::atomic::AtomicUsize::new(0);
    let styled = |text: &str, colour: &str| {
        let style = format!("<style nonce=NONCE>p {{ color: {colour} }}</style>");
        html(text).replace("<input", &format!("{style}<input"))
    };
    let app = app(move |folder, path| {
        let n = n_answers.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let nonce = format!("n{n}");
        let text = std::fs::read_to_string(folder.path("index.html")).unwrap();
        let mut response = match path {
            "/" => answer(
                200,
                "text/html; charset=utf-8",
                text.replace("NONCE", &nonce),
            ),
            _ => program(folder, path),
        };
        let policy = format!(
            "default-src 'self'; script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'"
        );
        let headers = response.headers_mut();
        headers.insert("content-security-policy", policy.parse().unwrap());
        response
    });
    app.save("index.html", styled("0", "red"));
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    tab.until(&shows("0"));
    typed(&mut tab);
    for (n, colour, rgb) in [
        ("1", "green", "rgb(0, 128, 0)"),
        ("2", "blue", "rgb(0, 0, 255)"),
    ] {
        app.save("index.html", styled(n, colour));
        tab.until(&shows(n));
        tab.until(&format!(
            "getComputedStyle(document.querySelector('p')).color === '{rgb}'"
        ));
        assert_kept(&mut tab);
    }
}
