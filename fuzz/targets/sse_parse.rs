//! Any input, cut anywhere: the same items, no panic, and never more in the buffer than the limit.
//!
//! The first byte is the length of the chunks, the second the limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings::sse::{Item, Parser};

fuzz_target!(|input: &[u8]| {
    let [cut, limit, stream @ ..] = input else {
        return;
    };
    let whole = items(Parser::new(), stream, usize::MAX).expect("far below the limit");
    let cuts = items(Parser::new(), stream, usize::from(*cut) + 1);
    assert_eq!(cuts.as_ref(), Some(&whole));
    assert_eq!(items(Parser::new(), stream, 1), Some(whole));

    // A parsed event is no larger than the limit, apart from line breaks.
    let limit = usize::from(*limit);
    let mut parser = Parser::with_limit(limit);
    for chunk in stream.chunks(usize::from(*cut) + 1) {
        let told = |item| {
            if let Item::Message(message) = item {
                // One invalid byte becomes a replacement character of three bytes.
                assert!(message.data.len() <= 3 * (limit + usize::from(*cut) + 1));
            }
        };
        if parser.push(chunk, told).is_err() {
            break;
        }
    }
});

fn items(mut parser: Parser, stream: &[u8], size: usize) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    for chunk in stream.chunks(size) {
        parser.push(chunk, |item| items.push(item)).ok()?;
    }
    Some(items)
}
