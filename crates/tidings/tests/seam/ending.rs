//! Endings: one stream, all of them, a topic, the hub.

use super::*;

pub(crate) async fn ended(mut subscription: Subscription) -> Vec<String> {
    let mut texts = Vec::new();
    let all = async {
        while let Some(delivery) = subscription.next().await {
            texts.push(delivery.text().unwrap());
        }
    };
    tokio::time::timeout(LONG, all).await.unwrap();
    texts
}

#[tokio::test]
async fn disconnect_ends_one_stream_and_no_other() {
    let hub = retaining(100);
    let one = hub.subscribe("t", Cursor::Latest).await.unwrap();
    let mut other = hub.subscribe("t", Cursor::Latest).await.unwrap();
    let id = one.id();
    let ending = tokio::spawn(ended(one));
    assert!(hub.disconnect(id));
    assert_eq!(ending.await.unwrap(), [""; 0]);
    assert!(!hub.disconnect(id), "it is gone");
    hub.publish("t", Event::data("still here")).await.unwrap();
    assert!(other.next().await.is_some());
    let open: Vec<_> = hub.streams().iter().map(|stream| stream.id).collect();
    assert_eq!(open, [other.id()]);
}

#[tokio::test]
async fn a_stream_that_is_ended_gets_what_was_before_and_nothing_after() {
    let hub = retaining(10_000);
    // Within the window and far out of it.
    for n in [1, 256, 257, 3000] {
        let reader = hub.subscribe("t", Cursor::Latest).await.unwrap();
        for n in 0..n {
            hub.publish("t", Event::data(n.to_string())).await.unwrap();
        }
        hub.disconnect(reader.id());
        hub.disconnect(reader.id());
        for _ in 0..10 {
            hub.publish("t", Event::data("after")).await.unwrap();
        }
        let got = ended(reader).await;
        let got: Vec<_> = got.iter().filter(|text| *text != "after").collect();
        let expected: Vec<String> = (0..n).map(|n| n.to_string()).collect();
        assert_eq!(got, expected.iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn disconnect_all_ends_everyone_within_its_time() {
    let hub = retaining(100);
    let mut ending = Vec::new();
    for _ in 0..50 {
        let reader = hub.subscribe("t", Cursor::Latest).await.unwrap();
        ending.push(tokio::spawn(ended(reader)));
    }
    hub.disconnect_all(Duration::from_millis(50));
    for reader in ending {
        reader.await.unwrap();
    }
    assert_eq!(hub.stats().open, 0);
    assert!(!hub.is_closed());
    assert!(hub.subscribe("t", Cursor::Latest).await.is_ok());
}

#[tokio::test]
async fn a_finished_topic_ends_its_streams_until_it_is_published_again() {
    let hub = retaining(100);
    let reader = hub.subscribe("t", Cursor::Latest).await.unwrap();
    let mut wider = hub
        .subscribe(topics(&["t", "u"]), Cursor::Latest)
        .await
        .unwrap();
    hub.publish("t", Event::data("the last")).await.unwrap();
    hub.finish("t");
    assert_eq!(ended(reader).await, ["the last"]);
    let newcomer = hub.subscribe("t", Cursor::Latest).await;
    assert!(matches!(newcomer, Err(SubscribeError::Finished)));
    assert!(hub.is_finished(&"t".into()));
    assert!(!hub.is_finished(&topics(&["t", "u"])), "u may go on");
    assert!(!hub.is_finished(&Interest::any_of([])), "nothing was named");
    hub.publish("u", Event::data("goes on")).await.unwrap();
    assert_eq!(
        wider.next().await.unwrap().text().as_deref(),
        Some("the last")
    );
    assert_eq!(
        wider.next().await.unwrap().text().as_deref(),
        Some("goes on")
    );
    hub.publish("t", Event::data("again")).await.unwrap();
    assert!(hub.subscribe("t", Cursor::Latest).await.is_ok());
}

/// Whoever gets in between `finish` looking at the streams and its own look at what is finished would
/// wait for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn finish_leaves_nobody_behind_who_is_just_coming() {
    for _ in 0..50 {
        let hub = retaining(100);
        let coming: Vec<_> = (0..8)
            .map(|_| {
                let hub = hub.clone();
                tokio::spawn(async move {
                    while let Ok(reader) = hub.subscribe("t", Cursor::Latest).await {
                        ended(reader).await;
                    }
                })
            })
            .collect();
        tokio::task::yield_now().await;
        hub.finish("t");
        for reader in coming {
            tokio::time::timeout(LONG, reader).await.unwrap().unwrap();
        }
        assert_eq!(hub.stats().open, 0);
    }
}

#[tokio::test]
async fn a_closed_hub_takes_nothing_and_its_streams_end_after_the_last_word() {
    let hub = retaining(100);
    let readers = [
        hub.subscribe("t", Cursor::Latest).await.unwrap(),
        hub.subscribe(Interest::all(), Cursor::Latest)
            .await
            .unwrap(),
    ];
    hub.publish("t", Event::data("the last")).await.unwrap();
    let ending = readers.map(|reader| tokio::spawn(ended(reader)));
    tokio::time::timeout(LONG, hub.close(Duration::ZERO))
        .await
        .unwrap();
    for reader in ending {
        assert_eq!(reader.await.unwrap(), ["the last"]);
    }
    assert!(hub.is_closed());
    let published = hub.publish("t", Event::data("x")).await;
    assert!(matches!(published, Err(PublishError::Closed)));
    let status = hub.set_status("t", Event::data("x")).await;
    assert!(matches!(status, Err(PublishError::Closed)));
    let newcomer = hub.subscribe("t", Cursor::Latest).await;
    assert!(matches!(newcomer, Err(SubscribeError::Closed)));
    assert_eq!(hub.stats().open, 0);
}

#[tokio::test]
async fn close_does_not_wait_for_ever_for_a_reader_that_does_not_read() {
    let hub = retaining(100);
    let asleep = hub.subscribe("t", Cursor::Latest).await.unwrap();
    let closing = hub.close(Duration::from_millis(20));
    tokio::time::timeout(LONG, closing).await.unwrap();
    assert_eq!(hub.stats().open, 1);
    assert_eq!(ended(asleep).await, [""; 0]);
    assert_eq!(hub.stats().open, 0);
}

#[tokio::test]
async fn close_may_be_called_by_several() {
    let hub = retaining(100);
    let reader = hub.subscribe("t", Cursor::Latest).await.unwrap();
    let other = hub.clone();
    let both = async { tokio::join!(hub.close(Duration::ZERO), other.close(Duration::ZERO)) };
    let ((), _) = tokio::join!(
        async {
            tokio::time::timeout(LONG, both).await.unwrap();
        },
        ended(reader)
    );
    tokio::time::timeout(LONG, hub.close(Duration::ZERO))
        .await
        .unwrap();
}

#[tokio::test]
async fn close_returns_to_each_of_several_in_its_own_time() {
    for (one, other) in [(20, 400), (400, 20)] {
        let hub = retaining(100);
        let asleep = hub.subscribe("t", Cursor::Latest).await.unwrap();
        let [one, other] = [one, other].map(|ms| hub.close(Duration::from_millis(ms)));
        let both = async { tokio::join!(one, other) };
        tokio::time::timeout(LONG, both).await.unwrap();
        assert_eq!(hub.stats().open, 1, "it does not read");
        drop(asleep);
    }
}
