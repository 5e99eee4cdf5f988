//! Any event that can be constructed is parsed back as the same single event.
#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidings::sse::{Item, Parser, encode};
use tidings::{Event, EventId, EventName};

#[derive(Arbitrary, Debug)]
struct Fields<'a> {
    id: &'a str,
    name: Option<&'a str>,
    retry_ms: Option<u64>,
    data: &'a str,
}

fuzz_target!(|fields: Fields<'_>| {
    let Ok(id) = EventId::new(fields.id) else {
        return;
    };
    let mut event = Event::data(fields.data);
    let name = fields.name.map(EventName::new);
    if let Some(name) = &name {
        let Ok(name) = name else { return };
        event = event.named(name.clone());
    }
    if let Some(ms) = fields.retry_ms {
        event = event.with_retry(Duration::from_millis(ms));
    }
    let frame = encode(&event, &id);
    let mut heard = Vec::new();
    let mut parser = Parser::new();
    // Twice, so that state left behind by the first event would show in the second.
    for _ in 0..2 {
        parser
            .push(frame.bytes(), |item| heard.push(item))
            .expect("far below the limit");
    }
    let data = fields.data.replace("\r\n", "\n").replace('\r', "\n");
    let message = (
        fields.name.unwrap_or("message").to_owned(),
        data,
        fields.id.to_owned(),
    );
    let mut messages = Vec::new();
    let mut retries = Vec::new();
    for item in heard {
        match item {
            Item::Message(m) => messages.push((m.name, m.data, m.last_event_id)),
            Item::Retry(retry) => retries.push(retry),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(messages, [message.clone(), message]);
    let retry = fields.retry_ms.map(Duration::from_millis);
    let retry = retry.map(|retry| retry.min(Event::MAX_RETRY));
    assert_eq!(retries, Vec::from_iter(retry.into_iter().chain(retry)));
});
