//! Django's own development server, by the command of `docs/django.md`.

use std::fs;

use serde_json::Value;

use crate::support::program::Folder;
use crate::tools::Tool;
use crate::{App, Browser, Page, guide};

/// The application with its database and somebody who may log in, as the page says.
fn shop() -> Option<App> {
    let mut app = App::new("django", Tool::Python)?;
    let settings = guide::snippet("django", None, "python", "loaders");
    let mut all = fs::read_to_string(app.path("shop/settings.py")).unwrap();
    // In the page the block is part of a list.
    all += &settings.replace("\n  ", "\n");
    app.save("shop/settings.py", all);
    app.once("python manage.py migrate -v0");
    app.once(
        "python manage.py shell -v0 -c 'from django.contrib.auth.models import User; \
         User.objects.create_user(\"ann\", password=\"secret\")'",
    );
    app.age("static/site.css");
    app.run(&guide::command("django", None));
    Some(app)
}

#[track_caller]
fn log_in(tab: &mut Page, app: &App) {
    tab.go(&app.url("/accounts/login/"));
    tab.fill(&[("username", "ann"), ("password", "secret")]);
    tab.until("document.querySelector('#who')?.textContent === 'ann'");
    tab.until("location.pathname === '/'");
}

#[test]
fn django_shows_what_is_saved_and_nobody_is_logged_out() {
    let Some(app) = shop() else { return };
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    log_in(&mut tab, &app);
    tab.mark();
    app.edit("templates/home.html", "fresh every day", "open at night");
    tab.until("document.querySelector('#motto').textContent === 'open at night'");
    // Code: another Django takes over.
    app.edit("shop/views.py", "Welcome", "Good evening");
    tab.until("document.querySelector('h1').textContent === 'Good evening'");
    assert_eq!(
        tab.eval("document.querySelector('#who').textContent"),
        "ann"
    );
}

#[test]
fn django_accepts_forms_from_the_address_in_the_browser() {
    let Some(app) = shop() else { return };
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    log_in(&mut tab, &app);
    tab.go(&app.url("/notes/"));
    tab.fill(&[("text", "milk")]);
    tab.until("document.querySelector('li')?.textContent === 'milk'");
    // Where the application names an address, it is the one in the browser.
    tab.call(
        "Page.navigate",
        serde_json::json!({"url": app.url("/old/")}),
    );
    tab.until(&format!("location.href === '{}'", app.url("/")));
    let elsewhere = Folder::new(&[]);
    elsewhere.save("bread.bin", vec![b'x'; 3_000_000]);
    tab.go(&app.url("/upload/"));
    tab.send_file(&elsewhere.path("bread.bin"));
    tab.until("document.querySelector('#got') !== null");
    let got = tab.eval("document.querySelector('#got').textContent");
    let got = got.as_str().unwrap();
    assert!(got.starts_with("bread.bin 3000000 "), "{got}");
}

/// The answer to a form is not a page that may be asked for once more: it stays until the person goes on.
#[test]
fn django_gets_no_form_twice_because_something_was_saved() {
    let Some(app) = shop() else { return };
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    log_in(&mut tab, &app);
    tab.go(&app.url("/notes/"));
    tab.until("document.querySelector('form') !== null");
    // Too short: the form comes back with what is wrong.
    tab.eval("document.querySelector('form').noValidate = true; document.querySelector('input[name=text]').minLength = 0");
    tab.fill(&[("text", "x")]);
    tab.until("document.querySelector('.errorlist') !== null");
    tab.mark();
    let mut other = browser.open(&app.url("/"));
    app.edit("templates/home.html", "fresh every day", "open at night");
    other.until("document.querySelector('#motto')?.textContent === 'open at night'");
    assert!(tab.is_same());
    // The form still works, with the token that it came with.
    tab.fill(&[("text", "milk")]);
    tab.until("document.querySelector('li')?.textContent === 'milk'");
    app.edit("templates/notes.html", "<h1>Notes", "<h1>All notes");
    tab.until("document.querySelector('h1')?.textContent === 'All notes'");
}

#[test]
fn djangos_error_pages_are_replaced_when_the_code_is_mended() {
    let Some(app) = shop() else { return };
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/broken/"));
    tab.until("document.title.includes('ZeroDivisionError')");
    app.edit("shop/views.py", "(1 / 0)", "(1 + 1)");
    tab.until("document.querySelector('#sum')?.textContent === '2'");
    tab.go(&app.url("/about/"));
    tab.until("document.title.includes('Page not found')");
    app.edit(
        "shop/urls.py",
        "path(\"\", views.home)",
        "path(\"\", views.home), path(\"about/\", views.home)",
    );
    tab.until("document.querySelector('h1')?.textContent === 'Welcome'");
    // Not even Python: the old one goes on, and the page says what is wrong.
    app.edit("shop/views.py", "GREETING =", "GREETING == (");
    let exited = app.line("exited");
    assert_ne!(exited["code"], 0, "{exited}");
    app.edit(
        "shop/views.py",
        "GREETING == ( \"Welcome\"",
        "GREETING = \"At last\"",
    );
    tab.until("document.querySelector('h1')?.textContent === 'At last'");
}

#[test]
fn a_page_that_django_sends_in_parts_appears_in_parts() {
    let Some(app) = shop() else { return };
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    tab.call(
        "Page.navigate",
        serde_json::json!({"url": app.url("/slow/")}),
    );
    tab.until("document.querySelector('#first') !== null");
    assert_eq!(tab.eval("document.querySelector('#rest')"), Value::Null);
    tab.eval("fetch('/slow/go/')");
    tab.until("document.querySelector('#rest') !== null");
}

#[test]
fn djangos_static_files_are_seen_when_saved_and_after() {
    let Some(app) = shop() else { return };
    let colour = |n: u32| {
        format!("getComputedStyle(document.querySelector('h1')).color === 'rgb({n}, {n}, {n})'")
    };
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    tab.until(&colour(1));
    tab.mark();
    app.save("static/site.css", "h1 { color: rgb(2, 2, 2) }");
    tab.until(&colour(2));
    assert!(tab.is_same(), "a style sheet is replaced in place");
    // Whatever the next reason to load the page is, the browser has not kept the old file.
    app.edit("templates/home.html", "fresh every day", "open at night");
    tab.until("document.querySelector('#motto').textContent === 'open at night'");
    tab.until(&colour(2));
}
