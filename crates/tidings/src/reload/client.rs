//! The script of the pages, and its parts: files of their own that it loads when it needs them.
//!
//! The sources are in `client/`; those of one file share one scope. What is served is in `client/minified/`, made by
//! `client/minify.mjs`: run that after every change of a source.

use std::sync::LazyLock;

/// The script that runs in the page. Serve it as `text/javascript; charset=utf-8`.
pub const CLIENT_JS: &str = include_str!("client/minified/client.js");

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("client/minified/", $name)))),*]
    };
}

/// The names of all files below the script's directory, and their text.
const FILES: &[(&str, &str)] = files![
    "client.js",
    // Updates in place what the page has loaded.
    "swap.js",
    // Gets what the page is patched with, after its HTML was saved.
    "update.js",
    // Patches the page.
    "patch.js",
    // Shows a problem of the backend over the page.
    "overlay.js",
    // Shows whether the page is connected, and what was done about the last change.
    "badge.js",
    // Sends the page's errors.
    "console.js",
    // Puts back after a reload what the user was doing.
    "restore.js",
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
    let bytes = FILES.iter().flat_map(|(_, text)| text.bytes());
    format!("{:016x}", fnv1a(bytes))
});

/// FNV-1a: the same in every process, and in `minify.mjs`.
fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    #[test]
    fn each_file_was_made_from_its_sources_as_they_are_now() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/reload/client");
        let list = fs::read_to_string(directory.join("files.txt")).unwrap();
        let lines = list.lines().filter(|line| !line.starts_with('#'));
        let mut names = Vec::new();
        for line in lines {
            let (name, sources) = line.split_once(": ").unwrap();
            let bytes = sources
                .split(' ')
                .flat_map(|source| fs::read(directory.join(source)).unwrap());
            let first = format!("// {:016x}\n", fnv1a(bytes));
            let text = file(name).unwrap_or_else(|| panic!("{name} is not served"));
            assert!(
                text.starts_with(&first),
                "{name} is out of date: run crates/tidings/src/reload/client/minify.mjs"
            );
            names.push(name);
        }
        assert_eq!(names.len(), FILES.len(), "{names:?}");
    }
}
