//! Tables of pages that use one file in some way: what each shows when it is saved, and whether it was
//! reloaded for that. All cases of a table have one browser.

use serde_json::Value;

use crate::{Browser, Page, Site};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The document stays, and with it what was typed.
    InPlace,
    /// Loaded once more, and not oftener.
    Reload,
}

/// A page, and a file that is saved.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub name: &'static str,
    /// What is in the page's folder beside `index.html`, before.
    pub files: &'static [(&'static str, &'static str)],
    /// What the page holds.
    pub html: &'static str,
    /// True when the page has loaded whatever it loads.
    pub ready: &'static str,
    /// What is saved then.
    pub save: (&'static str, &'static str),
    /// True when the page shows it.
    pub shown: &'static str,
    pub how: How,
}

/// In each page, before all else: counts its loads, and knows what is shown. The poster is what is saved
/// last, to see that all before it has been heard.
const FIRST: &str = "<!doctype html><title>t</title><input id=typed><video id=last poster=last.svg></video><script>
    sessionStorage[location.pathname] = Number(sessionStorage[location.pathname] ?? 0) + 1
    const colour = (e, d = e.ownerDocument) => d.defaultView.getComputedStyle(e).color
    // The width of the image that a style names. It counts as a load of the page, so it may be asked
    // for only when all is done.
    const named = async (e, property) => {
        const image = new Image()
        image.src = getComputedStyle(e)[property].match(/url\\(\"(.*?)\"/)[1]
        await image.decode()
        return image.naturalWidth
    }
    const fresh = (e, property) => getComputedStyle(e)[property].includes('tidings=')
    </script>";

pub fn site_of(cases: &[Case]) -> Site {
    let site = Site::new(&[]);
    for (n, case) in cases.iter().enumerate() {
        for (path, text) in case.files {
            site.save(&format!("{n}/{path}"), text);
        }
        site.save(&format!("{n}/index.html"), format!("{FIRST}{}", case.html));
    }
    site
}

#[track_caller]
pub fn check(cases: &[Case]) {
    let mut site = site_of(cases);
    site.start(&[]);
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    for (n, case) in cases.iter().enumerate() {
        check_one(&site, &mut tab, n, case);
    }
}

#[track_caller]
fn check_one(site: &Site, tab: &mut Page, n: usize, case: &Case) {
    let name = case.name;
    tab.go(&site.url(&format!("/{n}/")));
    tab.until(&format!("/* {name}: before */ {}", case.ready));
    tab.mark();
    tab.eval("typed.value = 'typed'");
    let (path, text) = case.save;
    site.save(&format!("{n}/{path}"), text);
    tab.until(&format!("/* {name}: after */ {}", case.shown));
    tab.until(&format!("/* {name} */ document.readyState === 'complete'"));
    site.save(&format!("{n}/last.svg"), "<svg/>");
    tab.until(&format!(
        "/* {name}: last */ last.poster.includes('tidings=')"
    ));
    let loads = tab.eval("Number(sessionStorage[location.pathname])");
    let expected = match case.how {
        How::InPlace => 1,
        How::Reload => 2,
    };
    assert_eq!(loads, Value::from(expected), "{name}: {:?}", case.how);
    assert_eq!(tab.is_same(), case.how == How::InPlace, "{name}");
    if case.how == How::InPlace {
        assert_eq!(tab.eval("typed.value"), "typed", "{name}");
    }
}
