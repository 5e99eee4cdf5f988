//! Cut anywhere: whatever a client holds when its stream breaks, it gets the rest.

use super::*;

/// All that a body has now.
pub(crate) fn now(body: &mut SseBody) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(frame)) = Pin::new(&mut *body).poll_frame(&mut cx) {
        bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    bytes
}

pub(crate) fn parse(bytes: &[u8]) -> (Vec<(Got, String)>, String) {
    let mut parser = Parser::new();
    let mut got = Vec::new();
    let tell = |item| {
        if let Item::Message(message) = item {
            let id = message.last_event_id.clone();
            got.push((Got::from_message(message), id));
        }
    };
    parser.push(bytes, tell).unwrap();
    (got, parser.last_event_id().to_owned())
}

/// A client's picture of the world: a status replaces its topic, an event is added to it.
#[derive(Debug, Default, PartialEq, Eq, Clone)]
pub(crate) struct Picture(HashMap<String, Vec<String>>);

impl Picture {
    fn see(&mut self, got: &Got) {
        match got {
            // "a=1,2,3": all of topic a so far.
            Got::Status(text) => {
                let (topic, all) = text.split_once('=').unwrap();
                let all = all.split(',').filter(|one| !one.is_empty());
                self.0
                    .insert(topic.to_owned(), all.map(str::to_owned).collect());
            }
            Got::Event(text) => {
                let (topic, one) = text.split_once('+').unwrap();
                let all = self.0.entry(topic.to_owned()).or_default();
                all.push(one.to_owned());
            }
            Got::Gap(_) => {}
        }
    }
}

/// Reads the stream, cuts it after every byte, comes back with the id that a browser would have, and
/// must have the same picture as one who was never cut.
pub(crate) async fn check_cuts(
    hub: &Hub,
    interest: &Interest,
    asked: Option<EventId>,
    whole: &Picture,
) {
    let open = async |held: Option<EventId>| {
        let from = held.map_or(Cursor::Latest, Cursor::After);
        SseBody::from(hub.subscribe(interest.clone(), from).await.unwrap())
    };
    let bytes = now(&mut open(asked.clone()).await);
    let mut resumed = 0;
    for cut in 0..=bytes.len() {
        let (before, held) = parse(&bytes[..cut]);
        let held = match held.is_empty() {
            true => asked.clone(),
            false => Some(EventId::new(held).unwrap()),
        };
        let resumes = held != asked;
        let (after, _) = parse(&now(&mut open(held).await));
        let mut picture = Picture::default();
        let all: Vec<_> = before.iter().chain(&after).map(|(got, _)| got).collect();
        all.iter().for_each(|got| picture.see(got));
        if resumes {
            resumed += 1;
            assert!(
                after.iter().all(|(got, _)| matches!(got, Got::Event(_))),
                "cut at {cut}: an id was held, so it goes on from there: {after:?}"
            );
            for (n, one) in all.iter().enumerate() {
                assert!(!all[..n].contains(one), "cut at {cut}: {one:?} came twice");
            }
        } else {
            let first = after.iter().find(|(got, _)| !matches!(got, Got::Gap(_)));
            assert!(
                matches!(first, Some((Got::Status(_), _))) || whole.0.is_empty(),
                "cut at {cut}: no id was held, so the status comes again: {after:?}"
            );
        }
        assert_eq!(&picture, whole, "cut at {cut}");
    }
    assert!(resumed > 0, "some cut is after the first id");
}

pub(crate) fn picture(topics: &[(&str, &str)]) -> Picture {
    let mut picture = Picture::default();
    for (topic, all) in topics {
        picture.see(&Got::Status(format!("{topic}={all}")));
    }
    picture
}

pub(crate) async fn publish(hub: &Hub, events: &[&str]) {
    for text in events {
        let (topic, _) = text.split_once('+').unwrap();
        hub.publish(topic, Event::data(*text)).await.unwrap();
    }
}

#[tokio::test]
async fn one_status_may_be_cut_anywhere() {
    let hub = retaining(100);
    publish(&hub, &["a+1", "a+2"]).await;
    hub.set_status("a", status("a=1,2")).await.unwrap();
    publish(&hub, &["a+3", "b+1", "a+4"]).await;
    check_cuts(&hub, &"a".into(), None, &picture(&[("a", "1,2,3,4")])).await;
}

#[tokio::test]
async fn two_statuses_and_what_lies_between_may_be_cut_anywhere() {
    let hub = retaining(100);
    publish(&hub, &["a+1", "b+1"]).await;
    hub.set_status("a", status("a=1")).await.unwrap();
    publish(&hub, &["b+2", "a+2", "c+1", "a+3"]).await;
    // Its own event is in the status, and lies behind the other one.
    hub.publish_with_status("b", Event::data("b+3"), status("b=1,2,3"))
        .await
        .unwrap();
    publish(&hub, &["a+4", "b+4", "c+2"]).await;
    let whole = picture(&[("a", "1,2,3,4"), ("b", "1,2,3,4")]);
    check_cuts(&hub, &topics(&["a", "b"]), None, &whole).await;
    check_cuts(
        &hub,
        &topics(&["b", "a"]),
        Some(id_from_an_earlier_run()),
        &whole,
    )
    .await;
}

#[tokio::test]
async fn a_gap_and_its_status_may_be_cut_anywhere() {
    let hub = retaining(3);
    let expired = hub.cursor();
    publish(&hub, &["a+1", "a+2", "b+1", "a+3"]).await;
    hub.set_status("a", status("a=1,2,3")).await.unwrap();
    publish(&hub, &["a+4", "b+2"]).await;
    let whole = picture(&[("a", "1,2,3,4")]);
    check_cuts(&hub, &"a".into(), Some(expired), &whole).await;
    check_cuts(&hub, &"a".into(), Some(id_from_an_earlier_run()), &whole).await;
}

/// An id of a log that no longer exists.
pub(crate) fn id_from_an_earlier_run() -> EventId {
    Hub::memory().cursor()
}

#[tokio::test]
async fn a_newcomer_without_a_status_holds_a_position_from_the_start() {
    let hub = retaining(100);
    hub.publish("t", Event::data("before")).await.unwrap();
    let mut client = Client::new(&hub, "t", Via::Deliveries);
    let newcomer = hub.subscribe("t", Cursor::Latest).await.unwrap();
    let Cursor::After(held) = newcomer.cursor() else {
        panic!("{:?}", newcomer.cursor());
    };
    drop(newcomer);
    // Its connection breaks before it has got anything; it must not miss what comes now.
    hub.publish("t", Event::data("meanwhile")).await.unwrap();
    client.held = Some(held);
    client.connect().await;
    assert_eq!(client.next().await, Some(Got::Event("meanwhile".into())));
}
