//! An image is saved: every use of it in the page is shown anew, in place where that is possible for
//! all of them.

use crate::case::{Case, How, check};
use crate::site::page_with;
use crate::{Browser, Site};

const OLD: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'>\
    <g id='x'><rect width='10' height='10'/></g><filter id='f'/></svg>";
const NEW: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='20' height='10'>\
    <g id='x'><rect width='20' height='10'/></g><filter id='f'/></svg>";

/// A page that uses `a.svg`.
const fn case(
    name: &'static str,
    how: How,
    html: &'static str,
    ready: &'static str,
    shown: &'static str,
) -> Case {
    Case {
        name,
        files: &[("a.svg", OLD), ("b.svg", OLD), ("s.css", STYLE)],
        html,
        ready,
        save: ("a.svg", NEW),
        shown,
        how,
    }
}

const STYLE: &str = "
    .plain { background: url(a.svg) }
    .set { background-image: image-set('a.svg' 1x, 'b.svg' 2x) }
    .mask { mask: url('a.svg') }
    .cursor { cursor: url(a.svg), auto }
    .border { border-image: url(a.svg) 1 }
    .shorthand { --w: no-repeat; background: url(a.svg) var(--w) }
    @media all { @layer x { .nested { & i { background-image: url(a.svg) } } } }
    .text::before { content: 'url(a.svg)' url(a.svg) }
    .list { list-style-image: url(a.svg) }";

const LOADED: &str = "document.readyState === 'complete'";

#[test]
fn in_elements_they_are_shown_in_place() {
    use How::InPlace;
    check(&[
        case(
            "an img",
            InPlace,
            "<img id=i src=a.svg>",
            "i.naturalWidth === 10",
            "i.naturalWidth === 20",
        ),
        case(
            "an address with a query",
            InPlace,
            "<img id=i src='a.svg?v=1'>",
            "i.naturalWidth === 10",
            "i.naturalWidth === 20 && i.src.includes('v=1')",
        ),
        case(
            "a srcset without blanks",
            InPlace,
            "<img id=i srcset='a.svg 1x,b.svg 2x'>",
            "i.naturalWidth === 10",
            "i.naturalWidth === 20 && i.srcset.endsWith('b.svg 2x')",
        ),
        case(
            "a picture",
            InPlace,
            "<picture><source srcset='b.svg 3000w, a.svg 1w' sizes='1px'><img id=i></picture>",
            "i.naturalWidth > 0 && i.currentSrc.endsWith('a.svg')",
            "i.currentSrc.includes('tidings=')",
        ),
        case(
            "a button",
            InPlace,
            "<input type=image id=i src=a.svg>",
            "i.offsetWidth === 10",
            "i.offsetWidth === 20",
        ),
        case(
            "a poster",
            InPlace,
            "<video id=v poster=a.svg></video>",
            LOADED,
            "v.poster.includes('tidings=')",
        ),
        case(
            "an icon",
            InPlace,
            "<link id=l rel=icon href=a.svg>",
            LOADED,
            "l.href.includes('tidings=')",
        ),
        case(
            "a background attribute",
            InPlace,
            "<body background=a.svg>",
            LOADED,
            "fresh(document.body, 'backgroundImage') && named(document.body, 'backgroundImage').then(w => w === 20)",
        ),
        case(
            "an image in an SVG",
            InPlace,
            "<svg><image id=i href=a.svg /><image id=j xlink:href=a.svg /></svg>",
            "i.getBBox().width === 10 && j.getBBox().width === 10",
            "i.getBBox().width === 20 && j.getBBox().width === 20",
        ),
        case(
            "a symbol of an outside file",
            InPlace,
            "<svg><use id=u href='a.svg#x'></use></svg>",
            "u.getBBox().width === 10",
            "u.getBBox().width === 20",
        ),
        case(
            "a filter of an outside file",
            InPlace,
            "<svg><rect id=r filter='url(a.svg#f)'></rect></svg>",
            LOADED,
            "r.getAttribute('filter').includes('tidings=')",
        ),
        case(
            "in a shadow root and beside it",
            InPlace,
            "<img id=i src=a.svg><div id=b></div><script>
                b.attachShadow({mode: 'open'}).innerHTML = '<p></p>'
                const inner = b.shadowRoot.querySelector('p').attachShadow({mode: 'open'})
                inner.innerHTML = '<img src=a.svg>'</script>",
            "i.naturalWidth === 10 && inner.firstChild.naturalWidth === 10",
            "i.naturalWidth === 20 && inner.firstChild.naturalWidth === 20",
        ),
        case(
            "made later under the old address",
            InPlace,
            "<img id=i src=a.svg><script>const kept = new Image(); kept.src = 'a.svg'</script>",
            "i.naturalWidth === 10",
            "i.naturalWidth === 20 && (async () => {
                const later = new Image()
                later.src = 'a.svg'
                await later.decode()
                return later.naturalWidth === 20
            })()",
        ),
    ]);
}

#[test]
fn in_styles_they_are_shown_in_place() {
    use How::InPlace;
    macro_rules! styled {
        ($name:literal, $element:literal, $property:literal) => {
            case(
                $name,
                InPlace,
                concat!("<link rel=stylesheet href=s.css>", $element),
                "document.readyState === 'complete' && document.styleSheets.length === 1",
                concat!(
                    "fresh(e, '",
                    $property,
                    "') && named(e, '",
                    $property,
                    "').then(w => w === 20)"
                ),
            )
        };
    }
    check(&[
        styled!(
            "a background",
            "<b id=e class=plain>x</b>",
            "backgroundImage"
        ),
        styled!("an image-set", "<b id=e class=set>x</b>", "backgroundImage"),
        styled!("a mask", "<b id=e class=mask>x</b>", "maskImage"),
        styled!("a cursor", "<b id=e class=cursor>x</b>", "cursor"),
        styled!(
            "a border",
            "<b id=e class=border>x</b>",
            "borderImageSource"
        ),
        styled!("a list", "<li id=e class=list>x</li>", "listStyleImage"),
        styled!(
            "beside a variable",
            "<b id=e class=shorthand>x</b>",
            "backgroundImage"
        ),
        styled!(
            "in nested rules",
            "<b class=nested><i id=e>x</i></b>",
            "backgroundImage"
        ),
        case(
            "in a rule with a shorthand that cannot be read",
            InPlace,
            "<style>b { --x: 5px; background: url(a.svg); padding: var(--x); padding-left: 1px }</style>\
             <b id=e>x</b>",
            LOADED,
            "fresh(e, 'backgroundImage') && getComputedStyle(e).padding === '5px 5px 5px 1px'",
        ),
        case(
            "a variable with an address from the root",
            InPlace,
            "<style>b { background: var(--i) }</style><b id=e>x</b><script>
             document.body.style.setProperty('--i', `url(${location.pathname}a.svg)`)</script>",
            LOADED,
            "fresh(e, 'backgroundImage') && named(e, 'backgroundImage').then(w => w === 20)",
        ),
        case(
            "a filter of an outside file, beside an img",
            InPlace,
            "<style>b { filter: url(a.svg#f) }</style><b id=e>x</b><img src=a.svg>",
            LOADED,
            "fresh(e, 'filter')",
        ),
        case(
            "an inline style",
            InPlace,
            "<b id=e style='color: red; background: url(a.svg) !important'>x</b>",
            LOADED,
            "fresh(e, 'backgroundImage') && e.style.color === 'red' \
             && e.style.getPropertyPriority('background-image') === 'important'",
        ),
        case(
            "generated content, beside a string that looks like one",
            InPlace,
            "<link rel=stylesheet href=s.css><b id=e class=text></b>",
            LOADED,
            "getComputedStyle(e, '::before').content.includes('tidings=') \
             && getComputedStyle(e, '::before').content.startsWith('\"url(a.svg)\"')",
        ),
        case(
            "a sheet made by a script",
            InPlace,
            "<b id=e>x</b><script>const made = new CSSStyleSheet()
             made.replaceSync(`b { background: url(${location.pathname}a.svg) }`)
             document.adoptedStyleSheets.push(made)</script>",
            LOADED,
            "fresh(e, 'backgroundImage')",
        ),
        case(
            "a sheet of a shadow root",
            InPlace,
            "<div id=b></div><script>b.attachShadow({mode: 'open'}).innerHTML =
             '<style>@import \"s.css\";</style><i class=plain>x</i>'
             const i = b.shadowRoot.querySelector('i')</script>",
            "getComputedStyle(i).backgroundImage.includes('a.svg')",
            "fresh(i, 'backgroundImage')",
        ),
    ]);
}

#[test]
fn where_a_swap_would_not_reach_all_uses_the_page_reloads() {
    use How::Reload;
    check(&[
        case(
            "a canvas beside an img",
            Reload,
            "<img id=i src=a.svg><canvas></canvas><script>
             const image = new Image(); image.src = 'a.svg'
             image.decode().then(() => window.drawn = image.naturalWidth)</script>",
            "window.drawn === 10 && i.naturalWidth === 10",
            "window.drawn === 20 && i.naturalWidth === 20",
        ),
        case(
            "an image that a script keeps",
            Reload,
            "<script>const image = new Image(); image.src = 'a.svg'</script>",
            "image.naturalWidth === 10",
            "image.naturalWidth === 20",
        ),
        case(
            "text that a script has fetched, beside an img",
            Reload,
            "<img id=i src=a.svg><script>fetch('a.svg').then(r => r.text()).then(t => window.text = t)</script>",
            "window.text?.includes(\"width='10'\") && i.naturalWidth === 10",
            "window.text?.includes(\"width='20'\") && i.naturalWidth === 20",
        ),
        case(
            "a variable",
            Reload,
            "<style>:root { --i: url(a.svg) } b { background: var(--i) } i { background: url(a.svg) }</style>\
             <b>x</b><i>y</i>",
            LOADED,
            "sessionStorage[location.pathname] === '2' && document.readyState === 'complete' \
             && named(document.querySelector('b'), 'backgroundImage').then(w => w === 20)",
        ),
        case(
            "an address that cannot be read beside one that can",
            Reload,
            "<style>:root { --w: no-repeat } b { background: url(a.svg) var(--w); background-color: red } \
             i { background: url(a.svg) }</style><b>x</b><i id=e>y</i>",
            LOADED,
            "sessionStorage[location.pathname] === '2' && document.readyState === 'complete' \
             && named(e, 'backgroundImage').then(w => w === 20)",
        ),
        case(
            "an object beside an img",
            Reload,
            "<img id=i src=a.svg><object id=o data=a.svg></object>",
            "i.naturalWidth === 10 && o.contentDocument?.documentElement?.width?.baseVal.value === 10",
            "i.naturalWidth === 20 && o.contentDocument?.documentElement?.width?.baseVal.value === 20",
        ),
        case(
            "an embed beside an img",
            Reload,
            "<img id=i src=a.svg><embed id=o src=a.svg>",
            "i.naturalWidth === 10 && o.getSVGDocument()?.documentElement.width.baseVal.value === 10",
            "i.naturalWidth === 20 && o.getSVGDocument()?.documentElement.width.baseVal.value === 20",
        ),
        case(
            "a frame beside an img",
            Reload,
            "<img id=i src=a.svg><iframe id=o src=a.svg></iframe>",
            "i.naturalWidth === 10 && o.contentDocument.documentElement.width?.baseVal.value === 10",
            "i.naturalWidth === 20 && o.contentDocument.documentElement.width?.baseVal.value === 20",
        ),
        case(
            "a sheet made by a script, with an address that nobody can resolve",
            Reload,
            "<img id=i src=a.svg><script>const made = new CSSStyleSheet({baseURL: 'elsewhere/'})
             made.replaceSync(`b { background: url(../a.svg) }`)
             document.adoptedStyleSheets.push(made)</script>",
            "i.naturalWidth === 10",
            "i.naturalWidth === 20",
        ),
    ]);
}

#[test]
fn an_image_that_was_swapped_stays_so_when_its_sheet_is_saved() {
    let site = Site::serve(&[
        (
            "index.html",
            &page_with(
                "<link rel=stylesheet href=css/a.css>",
                "<h1>x</h1><svg><use id=u href='i.svg#x'></use></svg>",
            ),
        ),
        ("css/a.css", "h1 { color: red; background: url(../i.svg) }"),
        ("i.svg", OLD),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.until("u.getBBox().width === 10");
    tab.mark();
    tab.eval("window.image = () => getComputedStyle(document.querySelector('h1')).backgroundImage");
    site.save("i.svg", NEW);
    tab.until("u.getBBox().width === 20 && image().includes('tidings=')");
    for colour in ["rgb(0, 0, 255)", "rgb(0, 128, 0)"] {
        // Each image address that is shown from here on, frame by frame.
        tab.eval(
            "window.shown = new Set(); (function look() { shown.add(image()); requestAnimationFrame(look) })()",
        );
        site.save(
            "css/a.css",
            format!("h1 {{ color: {colour}; background: url(../i.svg) }}"),
        );
        tab.until(&format!(
            "getComputedStyle(document.querySelector('h1')).color === '{colour}' \
             && document.querySelectorAll('link').length === 1"
        ));
        assert_eq!(
            tab.eval("shown.size"),
            1,
            "{}",
            tab.eval("[...shown].join()")
        );
        assert_eq!(tab.eval("image().includes('tidings=')"), true);
    }
    assert!(tab.is_same());
    // And when the page is loaded anew, by whatever.
    site.save(
        "index.html",
        page_with(
            "",
            "<svg><use id=u href='i.svg#x'></use></svg><i id=again></i>",
        ),
    );
    tab.until("document.getElementById('again') !== null && u.getBBox().width === 20");
}
