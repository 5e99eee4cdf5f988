//! Any document, cut anywhere: the output is the document, with the script inserted at most once, and does
//! not depend on how it was cut.
//!
//! The first byte is the length of the chunks.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tidings::reload::{Injector, Outcome};

/// Something that no input contains by chance.
const SNIPPET: &[u8] = b"<script src=\"/@tidings/fuzz-5d1f0c.js\"></script>";

fuzz_target!(|input: &[u8]| {
    let [cut, page @ ..] = input else { return };
    if find(page, SNIPPET).is_some() {
        return;
    }
    let (whole, outcome) = inject(page, usize::MAX);
    assert_eq!(
        inject(page, usize::from(*cut) + 1),
        (whole.clone(), outcome)
    );
    assert_eq!(inject(page, 1), (whole.clone(), outcome));
    match outcome {
        Outcome::Injected => {
            let at = find(&whole, SNIPPET).expect("the script is in the output");
            let (before, rest) = whole.split_at(at);
            let after = &rest[SNIPPET.len()..];
            assert_eq!([before, after].concat(), page);
        }
        _ => assert_eq!(whole, page),
    }
});

fn inject(page: &[u8], size: usize) -> (Vec<u8>, Outcome) {
    let mut injector = Injector::new(Bytes::from_static(SNIPPET));
    let mut out = Vec::new();
    for chunk in page.chunks(size) {
        injector.push(Bytes::copy_from_slice(chunk), &mut out);
    }
    injector.finish(&mut out);
    (
        out.concat(),
        injector.outcome().expect("decided at the end"),
    )
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}
