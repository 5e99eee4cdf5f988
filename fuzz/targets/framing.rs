//! Any bytes of a connection: the check of their framing does not depend on how they are split.
#![no_main]

#[expect(dead_code, reason = "the server uses the rest")]
#[path = "../../crates/tidings-cli/src/listen/framing.rs"]
mod framing;

use framing::{Followed, Framing};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let whole = followed([bytes]);
    assert_eq!(whole, followed(bytes.chunks(1)));
    assert_eq!(whole, followed(bytes.chunks(usize::from(size).max(1))));
});

/// Where requests end, and where one is refused.
fn followed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<usize>, Option<usize>) {
    let mut framing = Framing::default();
    let (mut ends, mut passed) = (Vec::new(), 0);
    for piece in pieces {
        let mut rest = piece;
        while !rest.is_empty() {
            let n = match framing.follow(rest) {
                Followed::More => rest.len(),
                Followed::End(n) => {
                    ends.push(passed + n);
                    n
                }
                Followed::Refused(n) => return (ends, Some(passed + n)),
            };
            assert!(n > 0);
            passed += n;
            rest = &rest[n..];
        }
    }
    (ends, None)
}
