//! Keep-alives.

use super::*;
use crate::cut::parse;

pub(crate) async fn bytes_until(body: &mut SseBody, enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !enough(&bytes) {
        let frame = tokio::time::timeout(LONG, body.frame()).await.unwrap();
        let frame: Bytes = frame.unwrap().unwrap().into_data().unwrap();
        bytes.extend_from_slice(&frame);
    }
    bytes
}

#[tokio::test]
async fn a_quiet_stream_gets_an_id_once_and_then_comments() {
    let hub = Hub::with_keep_alive(Memory::new(Retention::default()), Duration::from_millis(50));
    let mut body = SseBody::from(hub.subscribe("t", Cursor::Latest).await.unwrap());
    let id = hub.cursor();
    let expected = format!("id: {id}\n\n: \n: \n: \n");
    let bytes = bytes_until(&mut body, |bytes| bytes.len() >= expected.len()).await;
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[tokio::test]
async fn a_quiet_reader_is_moved_on_so_that_it_does_not_expire() {
    let memory = Memory::new(Retention::new().events(5));
    let hub = Hub::with_keep_alive(memory, Duration::from_millis(50));
    let mut body = SseBody::from(hub.subscribe("quiet", Cursor::Latest).await.unwrap());
    for _ in 0..20 {
        hub.publish("loud", Event::data("!")).await.unwrap();
    }
    let moved_on = format!("id: {}\n\n", hub.cursor());
    let told = |bytes: &[u8]| bytes.ends_with(moved_on.as_bytes());
    let bytes = bytes_until(&mut body, told).await;
    let (heard, held) = parse(&bytes);
    assert_eq!(heard, [], "nothing that a page would be told");
    drop(body);
    hub.publish("quiet", Event::data("at last")).await.unwrap();
    for _ in 0..3 {
        hub.publish("loud", Event::data("!")).await.unwrap();
    }
    let held = EventId::new(held).unwrap();
    let mut client = Client::new(&hub, "quiet", Via::Bytes);
    client.held = Some(held);
    client.connect().await;
    assert_eq!(client.next().await, Some(Got::Event("at last".into())));
    assert_eq!(hub.stats().gaps, 0);
}

/// Some client libraries hand their users an empty message for each block that holds only an id.
#[tokio::test]
async fn a_quiet_reader_gets_no_id_without_need() {
    let memory = Memory::new(Retention::new().events(100));
    let hub = Hub::with_keep_alive(memory, Duration::from_millis(50));
    hub.set_status("quiet", status("all is quiet"))
        .await
        .unwrap();
    let mut body = SseBody::from(hub.subscribe("quiet", Cursor::Latest).await.unwrap());
    for _ in 0..20 {
        hub.publish("loud", Event::data("!")).await.unwrap();
    }
    let comments = |bytes: &[u8]| bytes.ends_with(b"\n: \n: \n: \n");
    let bytes = bytes_until(&mut body, comments).await;
    let bytes = String::from_utf8(bytes).unwrap();
    assert_eq!(bytes.matches("id: ").count(), 1, "the status's: {bytes}");
    assert_eq!(bytes.matches("\n\n").count(), 1, "{bytes}");
}

/// Keep-alives may carry a position; under load it must never be ahead of an event.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_keep_alive_never_moves_past_an_event() {
    let memory = Memory::new(Retention::new().events(1_000_000));
    let hub = Hub::with_keep_alive(memory, Duration::from_millis(2));
    const TOTAL: usize = 300;
    let publishing = {
        let hub = hub.clone();
        tokio::spawn(async move {
            for n in 0..TOTAL {
                for _ in 0..5 {
                    hub.publish("loud", Event::data("!")).await.unwrap();
                }
                hub.publish("t", Event::data(n.to_string())).await.unwrap();
                tokio::time::sleep(Duration::from_millis(u64::from(n % 10 == 0) * 4)).await;
            }
        })
    };
    let readers: Vec<_> = (0..16u64)
        .map(|reader| {
            let hub = hub.clone();
            tokio::spawn(async move {
                let mut dice = Dice(reader + 5);
                let mut client = Client::new(&hub, "t", Via::Bytes);
                client.connect_from(Cursor::Earliest).await;
                let mut n = 0;
                while n < TOTAL {
                    // A reconnect in between two looks, also right after a mark without an event.
                    let next = tokio::time::timeout(
                        Duration::from_millis(1 + dice.below(4)),
                        client.next(),
                    );
                    match next.await {
                        Ok(got) => {
                            assert_eq!(got, Some(Got::Event(n.to_string())));
                            n += 1;
                        }
                        Err(_) => {
                            client.disconnect();
                            let held = client.held.clone();
                            let from = held.map_or(Cursor::Earliest, Cursor::After);
                            client.connect_from(from).await;
                        }
                    }
                }
            })
        })
        .collect();
    for reader in readers {
        tokio::time::timeout(LONG, reader).await.unwrap().unwrap();
    }
    publishing.await.unwrap();
}
