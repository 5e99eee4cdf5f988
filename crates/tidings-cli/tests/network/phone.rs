//! Chromium as another device, and as a browser that trusts the authority.

use std::net::TcpListener;

use serde_json::json;

use crate::chromium::Browser;
use crate::home::other_device;
use crate::{Folder, Home};

const PAGE: &str = "<!doctype html><link rel=stylesheet href=a.css><h1>one</h1>";
const FRAMING: &str = "<!doctype html><script>onmessage = e => { window.told = e.data }</script>\
    <iframe sandbox=allow-scripts src=framed.html></iframe>";
const FRAMED: &str = "<!doctype html><link rel=stylesheet href=a.css><h1>x</h1><script>onload = () => \
    parent.postMessage(getComputedStyle(document.querySelector('h1')).color, '*')</script>";
const RED: &str = "getComputedStyle(document.querySelector('h1')).color === 'rgb(255, 0, 0)'";

fn site() -> Folder {
    Folder::new(&[
        ("index.html", PAGE),
        ("a.css", "h1 { color: blue }"),
        ("framing.html", FRAMING),
        ("framed.html", FRAMED),
    ])
}

#[test]
fn a_phone_that_opens_the_address_shows_every_save() {
    let Some(device) = other_device() else { return };
    let (home, folder) = (Home::new(), site());
    let server = home.serve(&folder, &["--lan", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&server.first).unwrap();
    let urls = told["urls"].as_array().unwrap();
    let has_device = |url: &&str| url.contains(&device.to_string());
    let address = urls.iter().filter_map(|url| url.as_str()).find(has_device);
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    tab.call("Page.navigate", json!({"url": address.unwrap()}));
    tab.until("document.querySelector('h1')?.innerText === 'one'");
    let shown = format!("http://{device}:{}/", server.port);
    assert_eq!(tab.eval("location.href"), shown, "the token does not stay");
    tab.mark();
    folder.save("a.css", "h1 { color: red }");
    tab.until(RED);
    assert!(tab.is_same());
    folder.save("index.html", PAGE.replace("one", "two"));
    tab.until("document.querySelector('h1')?.innerText === 'two'");
}

#[test]
fn a_browser_that_trusts_the_authority_uses_http2_and_websockets_pass() {
    let (home, folder) = (Home::new(), site());
    let trusted = home.run(&["trust", "--store", "nss"]);
    if trusted.err.contains("there is no certutil") || trusted.out.contains("there is no certutil")
    {
        eprintln!("SKIPPED: there is no certutil of NSS");
        return;
    }
    assert_eq!(trusted.code, Some(0), "{trusted:?}");
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    let echo = format!("/echo=http://{}", backend.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in backend.incoming() {
            let mut socket = tungstenite::accept(socket.unwrap()).unwrap();
            while let Ok(message) = socket.read() {
                if message.is_text() && socket.send(message).is_err() {
                    break;
                }
            }
        }
    });
    let server = home.serve(&folder, &["--https", "--proxy", &echo]);
    let url = format!("https://localhost:{}/", server.port);
    let line = server.out.next().unwrap();
    assert!(line.starts_with("serving "), "{line}");
    let mut browser = Browser::start_at_home(&home.path(""), &[]);
    let mut tab = browser.open(&url);
    assert_eq!(tab.eval("isSecureContext"), true);
    let protocol = "performance.getEntriesByType('navigation')[0].nextHopProtocol";
    assert_eq!(tab.eval(protocol), "h2");
    tab.mark();
    folder.save("a.css", "h1 { color: red }");
    tab.until(RED);
    assert!(tab.is_same());
    // A sandboxed frame is opened under a name of its own, which needs a certificate, too.
    let mut framing = browser.open(&format!("{url}framing.html"));
    framing.until("window.told === 'rgb(255, 0, 0)'");
    let said = tab.eval(
        "new Promise((resolve, reject) => {
            const socket = new WebSocket(`wss://${location.host}/echo`);
            socket.onopen = () => socket.send('hello');
            socket.onmessage = event => resolve(event.data);
            socket.onerror = () => reject('refused');
        })",
    );
    assert_eq!(said, "hello");

    // Taken back: a browser that starts then does not trust it.
    let removed = home.run(&["trust", "--store", "nss", "--remove"]);
    assert!(removed.out.starts_with("removed from "), "{removed:?}");
    drop(browser);
    let mut browser = Browser::start_at_home(&home.path(""), &[]);
    let mut tab = browser.blank();
    let outcome = tab.call("Page.navigate", json!({"url": url}));
    assert_eq!(outcome["errorText"], "net::ERR_CERT_AUTHORITY_INVALID");
}

/// The key that is kept is of no use for names of the internet, in a browser that trusts the root.
#[test]
fn a_browser_refuses_what_the_authority_may_not_certify() {
    let (home, folder, files) = (Home::new(), site(), Folder::new(&[]));
    let trusted = home.run(&["trust", "--store", "nss"]);
    if trusted.code != Some(0) {
        eprintln!("SKIPPED: there is no certutil of NSS");
        return;
    }
    let kept = std::fs::read_to_string(home.data("authority.json")).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    let text = |name: &str| kept[name].as_str().unwrap();
    let mut issuer = rcgen::CertificateParams::default();
    issuer.distinguished_name = rcgen::DistinguishedName::new();
    let name = format!("tidings local issuer {}", text("id"));
    issuer
        .distinguished_name
        .push(rcgen::DnType::OrganizationName, "tidings");
    issuer
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    let issuer_key = rcgen::KeyPair::from_pem(text("key")).unwrap();
    let issuer = rcgen::Issuer::new(issuer, issuer_key);
    let mut browser =
        Browser::start_at_home(&home.path(""), &["--host-resolver-rules=MAP * 127.0.0.1"]);
    for (host, expected) in [
        ("app.test", None),
        ("bank.example", Some("net::ERR_CERT_INVALID")),
    ] {
        let mut leaf = rcgen::CertificateParams::new([host.to_owned()]).unwrap();
        leaf.not_before = rcgen::date_time_ymd(2026, 1, 1);
        leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        files.save("cert.pem", format!("{}{}", leaf.pem(), text("issuer")));
        files.save("key.pem", key.serialize_pem());
        let (cert, private) = (files.path("cert.pem"), files.path("key.pem"));
        let flags = [
            "--cert",
            cert.to_str().unwrap(),
            "--key",
            private.to_str().unwrap(),
            "--allow-host",
            host,
        ];
        let server = home.serve(&folder, &flags);
        let url = format!("https://{host}:{}/", server.port);
        let mut tab = browser.blank();
        let outcome = tab.call("Page.navigate", json!({"url": url}));
        assert_eq!(outcome["errorText"].as_str(), expected, "{host}: {outcome}");
    }
}
