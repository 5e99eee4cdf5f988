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
    let hub = Hub::new(Memory::new(Retention {
        age: Some(Duration::ZERO),
        ..Retention::default()
    }));
    let before = hub.cursor();
    hub.publish("t", Event::data("1")).await.unwrap();
    while seq_of(
        &hub.subscribe("t", Cursor::Earliest)
            .await
            .unwrap()
            .id_told(),
    ) == Seq(0)
    {
        tokio::task::yield_now().await;
    }
    let aged = hub.subscribe("t", Cursor::After(before)).await.unwrap();
    assert!(matches!(aged.start(), Start::Lost { .. }));
}

/// Where a stream begins, as it tells on the wire.
pub(crate) trait Told {
    fn id_told(self) -> EventId;
}

impl Told for Subscription {
    fn id_told(self) -> EventId {
        let (_, held) = parse(&now(&mut SseBody::from(self)));
        EventId::new(held).unwrap()
    }
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
    let mut client = Client::new(&hub, "quiet", Door::Bytes);
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
