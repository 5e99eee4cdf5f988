//! Any request target: a path of plain names, which stays below the root, or an error.
#![no_main]

#[expect(dead_code, reason = "the server uses the rest")]
#[path = "../../crates/tidings-cli/src/files/resolve.rs"]
mod resolve;

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use libfuzzer_sys::fuzz_target;

fuzz_target!(|target: &str| {
    let root = Path::new("/srv/site");
    if let Some(path) = resolve::RelPath::plain(target) {
        stays_below(root, &path);
    }
    let Ok(path) = resolve::parse_target(target) else {
        return;
    };
    stays_below(root, &path);
    // The URL of a path resolves to the same path.
    let again = resolve::parse_target(&path.to_url()).expect("what we write, we read");
    assert_eq!(again.segments(), path.segments());
    assert!(!path.to_url().starts_with("//"));
    // A path that is private as opened is private as requested, too.
    let real = path.below(Path::new(""));
    if resolve::is_private_real(&real) {
        assert!(path.is_private());
    }
});

fn stays_below(root: &Path, path: &resolve::RelPath) {
    for name in path.segments() {
        let name = name.as_bytes();
        assert!(!name.is_empty() && name != b"." && name != b"..");
        assert!(!name.iter().any(|byte| b"/\\\0\r\n".contains(byte)));
    }
    let joined = path.below(root);
    let rest = joined.strip_prefix(root).expect("below the root");
    assert_eq!(rest.components().count(), path.segments().len());
    assert!(rest.components().all(|c| matches!(c, Component::Normal(_))));
}
