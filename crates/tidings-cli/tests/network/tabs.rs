//! Many tabs over one HTTP/2 connection.

use crate::chromium::Browser;
use crate::{Folder, Home};

#[test]
fn twenty_tabs_over_http2_all_load_and_all_show_a_save() {
    let page = |text: &str| format!("<!doctype html><h1>{text}</h1>");
    let folder = Folder::new(&[("index.html", &page("one"))]);
    let home = Home::new();
    let trusted = home.run(&["trust", "--store", "nss"]);
    if trusted.code != Some(0) {
        eprintln!("SKIPPED: there is no certutil of NSS");
        return;
    }
    let server = home.serve(&folder, &["--https"]);
    let url = format!("https://localhost:{}/", server.port);
    let mut browser = Browser::start_at_home(&home.path(""), &[]);
    let mut tabs: Vec<_> = (0..20).map(|_| browser.open(&url)).collect();
    for text in ["two", "three"] {
        folder.save("index.html", page(text));
        for tab in &mut tabs {
            tab.until_text(text);
        }
    }
    // Private windows share nothing, so each has a stream of its own: more than six are no problem here.
    let mut private: Vec<_> = (0..8).map(|_| browser.open_private(&url)).collect();
    folder.save("index.html", page("four"));
    for tab in tabs.iter_mut().chain(&mut private) {
        tab.until_text("four");
    }
}
