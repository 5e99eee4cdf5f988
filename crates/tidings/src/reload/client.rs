//! The script of the pages, and its parts: files of their own that it loads when it needs them.
//!
//! The sources are in `client/`. Those of the script share one scope, and so do those of a part. Only whole
//! lines and comments are removed from them, at compile time.

use std::sync::LazyLock;

use super::strip;

/// These sources, joined and stripped.
macro_rules! script {
    ($($source:expr),* $(,)?) => {{
        const SOURCE: &str = concat!($($source),*);
        const STRIPPED: ([u8; SOURCE.len()], usize) = strip::strip(SOURCE);
        match str::from_utf8(STRIPPED.0.split_at(STRIPPED.1).0) {
            Ok(text) => text,
            Err(_) => panic!("only whole lines were removed"),
        }
    }};
}

/// The script that runs in the page. Serve it as `text/javascript; charset=utf-8`.
pub const CLIENT_JS: &str = script![
    include_str!("client/start.js"),
    include_str!("client/ids.js"),
    include_str!("client/share.js"),
    include_str!("client/worker.js"),
    include_str!("client/page.js"),
    include_str!("client/parts.js"),
    include_str!("client/addresses.js"),
    include_str!("client/documents.js"),
    include_str!("client/sheets.js"),
    include_str!("client/console.js"),
    include_str!("client/problem.js"),
    include_str!("client/badge.js"),
    include_str!("client/restore.js"),
    include_str!("client/uses.js"),
    include_str!("client/served.js"),
    include_str!("client/swapping.js"),
    include_str!("client/patching.js"),
    include_str!("client/report.js"),
    include_str!("client/change.js"),
    include_str!("client/receive.js"),
    include_str!("client/join.js"),
    include_str!("client/end.js"),
];

/// Updates in place what the page has loaded.
const SWAP_JS: &str = script![
    include_str!("client/parts/swap/start.js"),
    include_str!("client/parts/swap/addresses.js"),
    include_str!("client/parts/swap/sheets.js"),
    include_str!("client/parts/swap/rules.js"),
    include_str!("client/parts/swap/resources.js"),
    include_str!("client/parts/swap/updates.js"),
    include_str!("client/parts/swap/end.js"),
];

/// Patches the page after its HTML was saved.
const PATCH_JS: &str = script![
    include_str!("client/parts/patch/start.js"),
    include_str!("client/parts/patch/parse.js"),
    include_str!("client/parts/patch/gates.js"),
    include_str!("client/parts/patch/match.js"),
    include_str!("client/parts/patch/live.js"),
    include_str!("client/parts/patch/plan.js"),
    include_str!("client/parts/patch/forms.js"),
    include_str!("client/parts/patch/quotes.js"),
    include_str!("client/parts/patch/apply.js"),
    include_str!("client/parts/patch/end.js"),
];

/// Gets what the page is patched with.
const UPDATE_JS: &str = script![include_str!("client/parts/update.js")];

/// Shows a problem of the backend over the page.
const OVERLAY_JS: &str = script![
    "{\n",
    "const problemStyle = `\n",
    include_str!("client/problem.css"),
    "`\n",
    include_str!("client/parts/overlay.js"),
    "}\n",
];

/// Shows whether the page is connected, and what was done about the last change.
const BADGE_JS: &str = script![
    "{\n",
    "const badgeStyle = `\n",
    include_str!("client/parts/badge.css"),
    "`\n",
    include_str!("client/parts/badge.js"),
    "}\n",
];

/// Puts back after a reload what the user was doing.
const RESTORE_JS: &str = script![include_str!("client/parts/restore.js")];

/// Sends the page's errors.
const CONSOLE_JS: &str = script![include_str!("client/parts/console.js")];

/// The names of all files below the script's directory, and their text.
const FILES: [(&str, &str); 8] = [
    ("client.js", CLIENT_JS),
    ("swap.js", SWAP_JS),
    ("patch.js", PATCH_JS),
    ("update.js", UPDATE_JS),
    ("overlay.js", OVERLAY_JS),
    ("badge.js", BADGE_JS),
    ("console.js", CONSOLE_JS),
    ("restore.js", RESTORE_JS),
];

/// The name of the script's source map.
pub(super) const MAP_NAME: &str = "client.map";

/// Tells developer tools to pass over the script: a debugger does not step into it, and where it has wrapped a
/// method of the console, the place is shown from which the page has called that (ECMA-426, `ignoreList`). Each
/// line is its own source.
static MAP: LazyLock<String> = LazyLock::new(|| {
    let lines = CLIENT_JS.lines().count();
    let mappings = format!("AAAA{}", ";AACA".repeat(lines.saturating_sub(1)));
    format!(
        r#"{{"version":3,"sources":["client.js"],"names":[],"mappings":"{mappings}","ignoreList":[0]}}"#
    )
});

/// The script, one of its parts, or its source map.
pub(super) fn file(name: &str) -> Option<&'static str> {
    if name == MAP_NAME {
        return Some(&MAP);
    }
    let found = FILES.iter().find(|(file, _)| *file == name)?;
    Some(found.1)
}

/// A hash of all files, for the address under which browsers cache them.
pub(super) static VERSION: LazyLock<String> = LazyLock::new(|| {
    // FNV-1a: the same in every process of one version.
    let bytes = FILES.iter().flat_map(|(_, text)| text.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
});
