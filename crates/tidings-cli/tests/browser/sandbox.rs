//! Sandboxed frames of our own load what they use; those of strangers do not, and neither do strangers.

use crate::site::page;
use crate::{Browser, Page, Site};

/// Everything that a document may load, in each way that there is. What has arrived is in `got`, and is
/// told to the page around it. `AT` is where it is loaded from.
const USES: &str = r#"
    <script>
      window.got = new Set()
      window.tell = (what) => { got.add(what); parent.postMessage([...got].sort().join(), '*') }
      const when = (what, url) => fetch(url).then((r) => r.text()).then((t) => t.includes(what) && tell(what), () => 0)
    </script>
    <link rel=stylesheet href="AT/style.css" onload="tell('style')">
    <script src="AT/classic.js"></script>
    <script type=module src="AT/module.js"></script>
    <img src="AT/image.svg" onload="tell('image')">
    <script>
      when('fetched', 'AT/data.json')
      new FontFace('f', 'url(AT/font.woff2)').load().then(() => tell('font'), () => 0)
    </script>"#;

/// Without the font: what is served for it is none, which only shows that it was asked for.
const ALL: &str = "classic,dependency,fetched,image,module,style";

fn files() -> Vec<(&'static str, String)> {
    vec![
        (
            "style.css",
            "@import url(more.css); p { color: red }".to_owned(),
        ),
        (
            "more.css",
            "p { color: rgb(1, 2, 3) !important }".to_owned(),
        ),
        ("classic.js", "tell('classic')".to_owned()),
        (
            "module.js",
            "import './dependency.js'; tell('module')".to_owned(),
        ),
        ("dependency.js", "tell('dependency')".to_owned()),
        (
            "image.svg",
            "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>".to_owned(),
        ),
        ("data.json", "\"fetched\"".to_owned()),
        ("frame.html", page(&USES.replace("AT/", "/"))),
        ("deep/frame.html", page(&USES.replace("AT/", "../"))),
    ]
}

fn serve(own: &[(&str, &str)]) -> Site {
    let site = Site::serve(own);
    for (path, text) in files() {
        site.save(path, text);
    }
    site
}

/// A page that writes down what its frames tell, each under its address.
fn around(body: &str) -> String {
    page(&format!(
        "<script>
          window.told = []
          onmessage = ({{ data, source }}) => (told[[...document.querySelectorAll('iframe')].findIndex((f) => f.contentWindow === source)] = data)
        </script>{body}"
    ))
}

fn until_told(tab: &mut Page, frame: usize, what: &str) {
    tab.until(&format!("told[{frame}] === '{what}'"));
}

#[test]
fn a_sandboxed_frame_of_ours_loads_what_it_uses() {
    let site = serve(&[(
        "index.html",
        &around(
            "<iframe sandbox='allow-scripts' src='/frame.html?a=b#c'></iframe>
             <iframe sandbox='allow-scripts' src='deep/frame.html'></iframe>
             <iframe src='/frame.html'></iframe>
             <script>
               const made = document.createElement('iframe')
               made.sandbox = 'allow-scripts'
               made.src = '/frame'
               document.body.append(made)
             </script>",
        ),
    )]);
    let mut browser = Browser::start();
    for host in ["localhost", "127.0.0.1"] {
        let mut tab = browser.open(&format!("http://{host}:{}/", site.port()));
        for frame in 0..4 {
            until_told(&mut tab, frame, ALL);
        }
        // One that is not sandboxed stays what it is.
        assert_eq!(
            tab.eval("document.querySelectorAll('iframe')[2].contentWindow.origin === origin"),
            true
        );
    }
}

#[test]
fn what_a_sandboxed_frame_uses_is_shown_when_it_is_saved() {
    let site = serve(&[(
        "index.html",
        &around("<iframe sandbox='allow-scripts' src='/frame.html'></iframe>"),
    )]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    until_told(&mut tab, 0, ALL);
    site.save("dependency.js", "tell('saved')");
    until_told(&mut tab, 0, "classic,fetched,image,module,saved,style");
}

#[test]
fn a_stranger_gets_nothing_and_neither_do_its_frames() {
    let ours = serve(&[("index.html", &page("x"))]);
    let at = format!("http://localhost:{}", ours.port());
    let uses = USES.replace("AT", &at);
    let srcdoc = uses.replace('&', "&amp;").replace('\'', "&#39;");
    let own = format!(
        "<script>window.tell = (what) => (window.got ??= new Set()).add(what)</script>
         {}
         <iframe sandbox='allow-scripts' srcdoc='{srcdoc}'></iframe>
         <iframe sandbox='allow-scripts' src='{at}/frame.html'></iframe>
         <iframe src='{at}/frame.html'></iframe>
         <script src='{at}/@tidings/client.js'></script>
         <script src='{at}/@tidings/client.js?x&frame#guess'></script>",
        uses.replace("parent.postMessage", "void "),
    );
    let mut theirs = Site::new(&[("index.html", &around(&own))]);
    theirs.start(&["--allow-host", "stranger.example"]);
    let mut browser =
        Browser::start_with(&["--host-resolver-rules=MAP stranger.example 127.0.0.1"]);
    for host in ["127.0.0.1", "stranger.example"] {
        let mut tab = browser.open(&format!("http://{host}:{}/", theirs.port()));
        // Our page in an ordinary frame of theirs is a page of ours. That it has loaded all shows that
        // the rest, which it came after, was answered as well.
        until_told(&mut tab, 2, ALL);
        assert_eq!(tab.eval("[...(window.got ?? [])].join()"), "", "{host}");
        assert_eq!(
            tab.eval("told[0] ?? ''"),
            "",
            "{host}: a frame without an address"
        );
        assert_eq!(
            tab.eval("told[1] ?? ''"),
            "",
            "{host}: our page in a sandbox of theirs"
        );
    }
}
