//! The patcher, apart from all that decides when it is called: its part of the client is loaded as it is served,
//! into frames whose documents are patched and compared with a fresh load of the new text.
//!
//! What is told of a failure has the two texts in it. `TIDINGS_PATCH_TRIALS=3000 cargo test -p tidings-cli --test browser
//! patch::` tries more documents than usual.

use serde_json::{Value, json};

use crate::site::page;
use crate::{Browser, Page, Site};

/// How many random pages are edited, unless the variable says otherwise.
const TRIALS: u64 = 320;

struct Frames {
    page: Page,
    _browser: Browser,
    _site: Site,
}

impl Frames {
    fn start() -> Frames {
        let css = ["i { width: 1px }", "i { width: 2px }", "i { width: 3px }"];
        let site = Site::serve(&[
            ("index.html", &page("")),
            ("a.css", css[0]),
            ("b.css", css[1]),
            ("c.css", css[2]),
            ("frames.mjs", include_str!("patch/frames.mjs")),
            ("fuzz.mjs", include_str!("patch/fuzz.mjs")),
            ("random.mjs", include_str!("patch/random.mjs")),
            ("sabotage.mjs", include_str!("patch/sabotage.mjs")),
            ("scripted.mjs", include_str!("patch/scripted.mjs")),
            ("special.mjs", include_str!("patch/special.mjs")),
            ("states.mjs", include_str!("patch/states.mjs")),
        ]);
        let mut browser =
            Browser::start_with(&["--autoplay-policy=no-user-gesture-required", "--mute-audio"]);
        let page = browser.open(&site.url("/"));
        Frames {
            page,
            _browser: browser,
            _site: site,
        }
    }

    /// What a function of one of the modules returns.
    #[track_caller]
    fn call(&mut self, module: &str, call: &str) -> Value {
        self.page.eval(&format!(
            "import('/{module}.mjs').then((module) => module.{call})"
        ))
    }

    /// Tries so many random pages, from this seed on, a few at a time. Returns how many edits were patched and how
    /// many were left to a reload.
    #[track_caller]
    fn fuzz(&mut self, seed: u64, trials: u64, steps: u64) -> (u64, u64) {
        let (mut patched, mut reloaded) = (0, 0);
        for start in (seed..seed + trials).step_by(40) {
            let trials = 40.min(seed + trials - start);
            let options = json!({"seed": start, "trials": trials, "steps": steps});
            let told = self.call("fuzz", &format!("fuzz({options})"));
            assert_eq!(told["wrong"], json!([]), "{told:#}");
            patched += told["patched"].as_u64().unwrap();
            let reasons = told["reloads"].as_object().unwrap().values();
            reloaded += reasons.filter_map(Value::as_u64).sum::<u64>();
        }
        (patched, reloaded)
    }
}

fn trials() -> u64 {
    let trials = std::env::var("TIDINGS_PATCH_TRIALS");
    trials.map_or(TRIALS, |text| text.parse().unwrap())
}

#[test]
fn random_edits_end_on_what_a_fresh_load_shows() {
    let (patched, reloaded) = Frames::start().fuzz(1, trials(), 1);
    assert!(reloaded * 100 <= (patched + reloaded) * 3, "{reloaded}");
}

#[test]
fn a_chain_of_patches_ends_on_what_a_fresh_load_shows() {
    let (patched, reloaded) = Frames::start().fuzz(500_000, trials() / 10, 6);
    assert!(reloaded * 100 <= (patched + reloaded) * 3, "{reloaded}");
}

#[test]
fn documents_that_parsers_stumble_over_are_right_or_reloaded() {
    let mut frames = Frames::start();
    let failed = frames.call("special", "special()");
    assert_eq!(failed, json!([]), "{failed:#}");
}

#[test]
fn another_source_of_a_frame_adds_nothing_to_the_history() {
    let told = Frames::start().call("special", "historyOfFrames()");
    let done = json!({"done": true});
    assert_eq!(
        told,
        json!({"results": [done, done], "entries": 0, "text": "c"})
    );
}

/// What a move loses in Chromium: a selection, and a custom element that does not know of moves is connected again.
#[test]
fn the_state_of_a_page_stays() {
    let told = Frames::start().call("states", "states()");
    assert_eq!(told["cells"], 80);
    assert_eq!(
        told["lost"],
        json!([
            "a text selection, wrap",
            "an instance of a custom element, wrap",
        ]),
        "{told:#}"
    );
}

#[test]
fn what_the_user_has_set_stays_and_other_fields_get_their_new_defaults() {
    let told = Frames::start().call("states", "fields()");
    let radio = [false, true, false, false, true];
    let expected = json!([
        "typed", "new", radio[0], radio[1], radio[2], radio[3], radio[4], "1", "2"
    ]);
    assert_eq!(told, json!({"done": true, "now": expected}), "{told:#}");
}

#[test]
fn a_page_with_scripts_is_never_patched_by_default() {
    let told = Frames::start().call("scripted", "scripted('auto')");
    assert_eq!(told["wrong"], json!([]), "{told:#}");
    assert_eq!(told["broken"], json!([]), "{told:#}");
    // 19 scripts, 21 edits; and the page without a script.
    assert_eq!(told["reloaded"], 19 * 21);
    assert_eq!(told["equal"], 21);
}

/// Nothing in a document shows that a script has counted its words, or keeps them in memory. These are all the
/// cases of the 420 that come out wrong when the user has asked for patches of pages with scripts.
#[test]
fn with_reload_patch_only_what_no_document_shows_comes_out_wrong() {
    let told = Frames::start().call("scripted", "scripted('patch')");
    assert_eq!(
        told["wrong"],
        json!([
            "words, longer text",
            "search, text of a paragraph",
            "search, longer text",
        ]),
        "{told:#}"
    );
    assert_eq!(told["broken"], json!([]), "{told:#}");
    assert!(told["equal"].as_u64().unwrap() >= 240, "{told:#}");
}

#[test]
fn a_patch_that_went_wrong_is_found_out() {
    let mut frames = Frames::start();
    let told = frames.call("sabotage", "sabotaged({seed: 9000, trials: 12})");
    let kinds = told.as_object().unwrap();
    assert!(!kinds.is_empty());
    for (name, result) in kinds {
        assert_eq!(result["missed"], json!([]), "{name}: {result:#}");
        assert!(result["found"].as_u64().unwrap() > 0, "{name}");
    }
}
