//! Ids that lead nowhere: a gap, the status, then what is live.

use super::*;
use crate::cut::{now, parse};

/// A gap for this reason, told first; then what makes up for it; then what is live.
#[track_caller]
pub(crate) fn check_lost(hub: &Hub, asked: &str, reason: &str, then: &[Got]) {
    let asked = EventId::new(asked).unwrap();
    let (epoch, last) = hub.cursor().minted().unwrap();
    let from = Cursor::After(asked.clone());
    let mut cx = Context::from_waker(Waker::noop());
    let mut subscribing = Box::pin(hub.subscribe("t", from));
    let Poll::Ready(Ok(subscription)) = subscribing.as_mut().poll(&mut cx) else {
        panic!("a log in memory answers at once");
    };
    let Start::Lost {
        asked: told_asked,
        earliest,
    } = subscription.start().clone()
    else {
        panic!("{:?}", subscription.start());
    };
    assert_eq!(told_asked, asked);
    let (of, first) = earliest.minted().unwrap();
    assert_eq!(of, epoch);
    assert!(first <= last.next());
    let mut body = SseBody::from(subscription);
    let (got, _) = parse(&now(&mut body));
    let json = format!(
        r#"{{"reason":"{reason}","asked":{},"earliest":"{earliest}"}}"#,
        serde_json::to_string(asked.as_str()).unwrap()
    );
    serde_json::from_str::<serde_json::Value>(&json).unwrap();
    let got: Vec<_> = got.into_iter().map(|(got, _)| got).collect();
    assert_eq!(got[0], Got::Gap(json));
    assert_eq!(&got[1..], then);
    hub.publish_blocking("t", Event::data("live")).unwrap();
    let (live, _) = parse(&now(&mut body));
    assert_eq!(live.len(), 1);
    assert_eq!(live[0].0, Got::Event("live".into()));
}

/// Five events of which the log holds three.
pub(crate) fn short_log(with_status: bool) -> (Hub, String) {
    let hub = retaining(3);
    let (epoch, _) = hub.cursor().minted().unwrap();
    for n in 1..=5 {
        hub.publish_blocking("t", Event::data(n.to_string()))
            .unwrap();
    }
    if with_status {
        hub.publish_with_status_blocking("t", Event::data("6"), status("1 to 6"))
            .unwrap();
    }
    (hub, epoch.to_string())
}

#[tokio::test]
async fn an_id_that_leads_nowhere_is_a_gap_and_then_the_status() {
    let status = [Got::Status("1 to 6".into())];
    let check = |id: fn(&str) -> String, reason: &str| {
        let (hub, epoch) = short_log(true);
        check_lost(&hub, &id(&epoch), reason, &status);
    };
    check(|_| "00000000beef.3".into(), "other-log");
    check(|_| "whatever".into(), "unknown");
    check(|_| r#"with "quotes" and \ é雪"#.into(), "unknown");
    check(|epoch| format!("{epoch}.99"), "unknown");
    check(|epoch| format!("{epoch}.18446744073709551615"), "unknown");
    check(|epoch| format!("{epoch}.1"), "expired");
    check(|epoch| format!("{epoch}.0"), "expired");
}

#[tokio::test]
async fn without_a_status_an_expired_id_gets_all_that_is_left() {
    let left = ["3", "4", "5"].map(|text| Got::Event(text.into()));
    let (hub, epoch) = short_log(false);
    check_lost(&hub, &format!("{epoch}.1"), "expired", &left);
}

#[tokio::test]
async fn without_a_status_an_unknown_id_gets_what_is_live() {
    let (hub, _) = short_log(false);
    check_lost(&hub, "whatever", "unknown", &[]);
    let (hub, _) = short_log(false);
    check_lost(&hub, "00000000beef.3", "other-log", &[]);
}

#[tokio::test]
async fn the_last_event_before_the_log_begins_is_no_gap() {
    let (hub, epoch) = short_log(false);
    let asked = EventId::new(format!("{epoch}.2")).unwrap();
    let from = Cursor::After(asked.clone());
    let mut resumed = hub.subscribe("t", from).await.unwrap();
    assert_eq!(resumed.start(), &Start::Resumed { after: asked });
    let next = resumed.next().await.unwrap();
    assert_eq!(next.text().as_deref(), Some("3"));
}

#[tokio::test]
async fn a_reader_resumes_from_an_id_that_the_publisher_chose() {
    let hub = retaining(100);
    // The second is spelled like one of another log's, as by a publisher that passes its events on.
    for id in ["mine", "00000000beef.7"] {
        let event = Event::data(id).with_id(EventId::new(id).unwrap());
        let id = hub.publish("t", event).await.unwrap();
        hub.publish("t", Event::data("next")).await.unwrap();
        let mut resumed = hub.subscribe("t", Cursor::After(id)).await.unwrap();
        let next = resumed.next().await.unwrap();
        assert_eq!(next.text().as_deref(), Some("next"));
    }
}

#[tokio::test]
async fn an_aged_id_is_expired_and_not_resumed() {
    let hub = Hub::new(Memory::new(Retention::new().age(Duration::ZERO)));
    let before = hub.cursor();
    hub.publish("t", Event::data("1")).await.unwrap();
    let earliest = async || {
        let reader = hub.subscribe("t", Cursor::Earliest).await.unwrap();
        reader.cursor()
    };
    while earliest().await == Cursor::After(before.clone()) {
        tokio::task::yield_now().await;
    }
    let aged = hub.subscribe("t", Cursor::After(before)).await.unwrap();
    assert!(matches!(aged.start(), Start::Lost { .. }));
}

#[tokio::test]
async fn a_quiet_topics_status_is_no_gap_however_old_it_is() {
    let hub = retaining(10);
    hub.set_status("quiet", status("all is quiet"))
        .await
        .unwrap();
    for _ in 0..100 {
        hub.publish("loud", Event::data("!")).await.unwrap();
    }
    let mut client = Client::new(&hub, "quiet", Via::Bytes);
    client.connect().await;
    let status = Got::Status("all is quiet".into());
    assert_eq!(client.next().await, Some(status));
    hub.publish("quiet", Event::data("hm")).await.unwrap();
    assert_eq!(client.next().await, Some(Got::Event("hm".into())));
    assert_eq!(hub.stats().gaps, 0);
}

#[tokio::test]
async fn a_status_that_lost_what_follows_it_is_told_as_a_gap() {
    let hub = retaining(3);
    hub.set_status("t", status("long ago")).await.unwrap();
    for n in 1..=5 {
        hub.publish("t", Event::data(n.to_string())).await.unwrap();
    }
    let mut newcomer = hub.subscribe("t", Cursor::Latest).await.unwrap();
    let Some(Delivery::Gap(gap)) = newcomer.next().await else {
        panic!("a gap is due");
    };
    assert_eq!(gap.reason, GapReason::Expired);
    let mut texts = Vec::new();
    for _ in 0..4 {
        texts.push(newcomer.next().await.unwrap().text().unwrap());
    }
    assert_eq!(texts, ["status long ago", "3", "4", "5"]);
}

#[tokio::test]
async fn one_event_about_several_topics_comes_once() {
    let hub = retaining(100);
    let both = tidings::Topics::several(["a", "b"]);
    for interest in [topics(&["a", "b"]), "a".into(), Interest::all()] {
        let mut live = hub
            .subscribe(interest.clone(), Cursor::Latest)
            .await
            .unwrap();
        let before = hub.cursor();
        hub.publish(both.clone(), Event::data("once"))
            .await
            .unwrap();
        hub.publish("a", Event::data("next")).await.unwrap();
        let mut replayed = hub
            .subscribe(interest, Cursor::After(before))
            .await
            .unwrap();
        for reader in [&mut live, &mut replayed] {
            let first = reader.next().await.unwrap().text();
            let second = reader.next().await.unwrap().text();
            assert_eq!(first.as_deref(), Some("once"));
            assert_eq!(second.as_deref(), Some("next"));
        }
    }
}

/// Else its readers would resume from the position that it names, and miss events in silence.
#[tokio::test]
async fn an_id_that_is_spelled_like_the_logs_own_is_refused() {
    let hub = retaining(100);
    let first = hub.publish("t", Event::data("1")).await.unwrap();
    let (epoch, _) = first.minted().unwrap();
    for id in [first, EventId::mint(epoch, Seq(99))] {
        let copied = Event::data("copied").with_id(id.clone());
        let refused = hub.publish("u", copied.clone()).await;
        let Err(PublishError::ReservedId(named)) = refused else {
            panic!("{id}: {refused:?}");
        };
        assert_eq!(named, id);
        let refused = hub.publish_with_status("u", copied, status("x")).await;
        assert!(refused.is_err());
    }
    assert_eq!(hub.stats().published, 1);
    // Those of other logs may be passed on.
    let of_another = Event::data("2").with_id(Hub::memory().cursor());
    hub.publish("t", of_another).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_an_id_leads_nowhere_whatever_publishers_choose() {
    use tidings::http::Endpoint;
    let hub = retaining(100);
    // Every spelling by which nonsense could be called.
    for id in ["malformed", "unknown", "null", "undefined", "-"] {
        let event = Event::data("chosen").with_id(EventId::new(id).unwrap());
        hub.publish("t", event).await.unwrap();
    }
    hub.set_status("t", status("all")).await.unwrap();
    let request = http::Request::get("/?last_event_id=a%0Ab")
        .body(())
        .unwrap();
    let endpoint = Endpoint::new(hub.clone(), "t");
    let mut body = endpoint.respond(&request.into_parts().0).into_body();
    let (got, _) = parse(&now(&mut body));
    let Got::Gap(gap) = &got[0].0 else {
        panic!("{got:?}");
    };
    assert!(gap.contains(r#""reason":"unknown","asked":"""#), "{gap}");
    assert_eq!(got[1].0, Got::Status("all".into()));
}

#[tokio::test]
async fn a_reader_is_not_told_of_a_gap_where_none_of_it_was_its_own() {
    let hub = retaining(10);
    let mut quiet = Client::new(&hub, "quiet", Via::Bytes);
    let held = hub.publish("quiet", Event::data("1")).await.unwrap();
    let asleep = hub.subscribe("quiet", Cursor::After(held.clone())).await;
    for n in 0..100 {
        let topic = ["loud", "other"][n % 2];
        hub.publish(topic, Event::data("!")).await.unwrap();
    }
    hub.publish("quiet", Event::data("2")).await.unwrap();
    // One that comes back, one that was there and did not read, and one with another interest.
    quiet.held = Some(held.clone());
    quiet.connect().await;
    assert_eq!(quiet.next().await, Some(Got::Event("2".into())));
    let next = asleep.unwrap().next().await.unwrap();
    assert_eq!(next.text().as_deref(), Some("2"));
    assert_eq!(hub.stats().gaps, 0);
    let both = hub
        .subscribe(topics(&["quiet", "loud"]), Cursor::After(held))
        .await
        .unwrap();
    assert!(matches!(both.start(), Start::Lost { .. }), "it lost some");
}

/// The reader may have had the first of the two, and then it has not had what lies between them.
#[tokio::test]
async fn an_id_that_was_used_twice_loses_nothing_in_silence() {
    let hub = retaining(3);
    let twice = EventId::new("twice").unwrap();
    let event = |text: &str| Event::data(text).with_id(twice.clone());
    hub.publish("t", event("1")).await.unwrap();
    for text in ["2", "3"] {
        hub.publish("t", Event::data(text)).await.unwrap();
    }
    hub.publish("t", event("4")).await.unwrap();
    // The first use is gone, and nothing that follows it: no gap.
    let from = Cursor::After(twice.clone());
    let mut reader = hub.subscribe("t", from.clone()).await.unwrap();
    for expected in ["2", "3", "4"] {
        let next = reader.next().await.unwrap();
        assert_eq!(next.text().as_deref(), Some(expected));
    }
    hub.publish("t", Event::data("5")).await.unwrap();
    // Now something is: told, and then all that is left.
    let mut reader = hub.subscribe("t", from).await.unwrap();
    assert!(matches!(reader.next().await, Some(Delivery::Gap(_))));
    for expected in ["3", "4", "5"] {
        let next = reader.next().await.unwrap();
        assert_eq!(next.text().as_deref(), Some(expected));
    }
}

/// What a topic without a status has left comes after the gap, too.
#[tokio::test]
async fn an_expired_id_gets_what_is_left_of_topics_without_a_status() {
    let hub = retaining(3);
    let asked = hub.cursor();
    for n in 1..=4 {
        hub.publish("plain", Event::data(n.to_string()))
            .await
            .unwrap();
    }
    hub.publish_with_status("kept", Event::data("5"), status("as of 5"))
        .await
        .unwrap();
    let mut client = Client::new(&hub, topics(&["plain", "kept"]), Via::Bytes);
    client.connect_from(Cursor::After(asked)).await;
    assert!(matches!(client.next().await, Some(Got::Gap(_))));
    assert_eq!(client.next().await, Some(Got::Status("as of 5".into())));
    assert_eq!(client.next().await, Some(Got::Event("3".into())));
    assert_eq!(client.next().await, Some(Got::Event("4".into())));
    hub.publish("kept", Event::data("6")).await.unwrap();
    assert_eq!(client.next().await, Some(Got::Event("6".into())));
    assert_eq!(hub.stats().gaps, 1);
}
