//! The pages that are saved, and what tells when they are on the screen.

use std::fs;
use std::path::Path;

/// Tells what is shown after each frame in which it is another: the text of `#shown` and its colour. A frame is
/// over when a message that was posted before its painting arrives.
pub(crate) const SEES_FRAMES: &str = "(() => {
    let last
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = ({ data }) => saw(data)
    const look = () => {
        const shown = document.querySelector('#shown')
        const now = shown && `[${shown.textContent}] ${getComputedStyle(shown).color}`
        if (now && now !== last) port2.postMessage((last = now))
        requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
})()";

/// Tells it as soon as it is in the document: a tab in the background has no frames.
pub(crate) const SEES_TEXT: &str = "(() => {
    let last
    const look = () => {
        const now = document.querySelector('#shown')?.textContent
        if (now && now !== last) saw(`[${(last = now)}]`)
    }
    new MutationObserver(look).observe(document, { childList: true, characterData: true, subtree: true })
})()";

/// Whether a page has scripts of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    WithScripts,
}

/// A page of some kilobytes with this text in it, after so much else.
pub(crate) fn page(kind: Kind, snippet: &str, text: &str, n_before: usize) -> String {
    let script = match kind {
        Kind::Plain => "",
        Kind::WithScripts => "<script src=\"app.js\" defer></script>",
    };
    let before = "<section><h2>A part of it</h2><p>Some <b>text</b> that stays as it is, \
                  with <a href=\"#\">a link</a> in it.</p></section>\n"
        .repeat(n_before);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>A page</title>\n\
         <link rel=\"stylesheet\" href=\"site.css\">\n{script}{snippet}\n</head>\n<body>\n{before}\
         <h1 id=\"shown\">{text}</h1>\n<form><input id=\"typed\" name=\"typed\"></form>\n\
         <ul><li>one</li><li>two</li><li>three</li></ul>\n</body>\n</html>\n"
    )
}

/// The style sheet that shows the text in this colour.
pub(crate) fn sheet(n: usize) -> String {
    let [red, green] = [n / 200 + 1, n % 200];
    let rest = ".part { margin: 1em; padding: 0 1em }\n".repeat(50);
    format!("{rest}h1 {{ color: rgb({red}, {green}, 7) }}\n")
}

/// How that colour is told.
pub(crate) fn colour(n: usize) -> String {
    format!("rgb({}, {}, 7)", n / 200 + 1, n % 200)
}

/// A folder for a site. Some servers do not watch what is below a folder that is hidden, as those of `tempdir` are.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("site").tempdir().unwrap()
}

/// Writes a whole site.
pub(crate) fn write(dir: &Path, kind: Kind, snippet: &str, n_before: usize) {
    let script = "document.addEventListener('click', () => console.log('clicked'))\n";
    let files = [
        ("index.html", page(kind, snippet, "first", n_before)),
        ("site.css", sheet(0)),
        ("app.js", script.to_owned()),
    ];
    for (name, text) in files {
        fs::write(dir.join(name), text).unwrap();
    }
}
