//! PHP's built-in server, by the command of `docs/php.md`.

use crate::support::program::Folder;
use crate::tools::Tool;
use crate::{App, Browser, guide};

fn php() -> Option<App> {
    let mut app = App::new("php", Tool::Program("php"))?;
    app.run(&guide::command("php", Some("The built-in server")));
    Some(app)
}

#[test]
fn php_shows_what_is_saved_and_the_session_goes_on() {
    let Some(app) = php() else { return };
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    tab.until("document.querySelector('#visits').textContent === '1'");
    app.edit("public/index.php", "<h1>one", "<h1>two");
    tab.until("document.querySelector('h1')?.textContent === 'two'");
    assert_ne!(
        tab.eval("document.querySelector('#visits').textContent"),
        "1"
    );
    let elsewhere = Folder::new(&[]);
    elsewhere.save("photo.bin", vec![b'x'; 500_000]);
    tab.send_file(&elsewhere.path("photo.bin"));
    tab.until("document.querySelector('#got')?.textContent.startsWith('photo.bin ')");
    assert_eq!(tab.eval("location.href"), app.url("/"));
}

/// With `display_errors` off, which is Debian's default, an error is an empty page.
#[test]
fn an_empty_error_of_php_is_shown_as_a_page_and_replaced_when_mended() {
    let Some(app) = php() else { return };
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/broken.php"));
    tab.until("document.body.innerText.includes('500')");
    app.save("public/broken.php", "<h1>mended</h1>");
    tab.until("document.querySelector('h1')?.textContent === 'mended'");
    tab.go(&app.url("/later.php?x"));
    app.save("public/later.php", "<h1>there</h1>");
    tab.until("document.querySelector('h1')?.textContent === 'there'");
}
