//! Slow readers: they go back to the log, and are told where it has overtaken them.

use super::*;

pub(crate) async fn a_reader_that_is_overtaken_is_told(via: fn() -> Via) {
    let hub = retaining(1000);
    let mut counting = 0;
    let mut count = || {
        counting += 1;
        hub.publish_with_status_blocking("n", Event::data(format!("{counting}")), status(counting))
            .unwrap()
    };
    count();
    let mut slow = Client::new(&hub, "n", via());
    slow.connect().await;
    assert_eq!(slow.next().await, Some(Got::Status("1".into())));
    let mut quick = Client::new(&hub, "n", via());
    quick.connect().await;
    assert_eq!(quick.next().await, Some(Got::Status("1".into())));
    for n in 2..=5000 {
        count();
        assert_eq!(quick.next().await, Some(Got::Event(n.to_string())));
    }
    assert_eq!(
        hub.stats().gaps,
        0,
        "who reads does not suffer from who does not"
    );
    let Some(Got::Gap(gap)) = slow.next().await else {
        panic!("a gap is due");
    };
    assert!(gap.contains("behind"), "{gap}");
    assert_eq!(slow.next().await, Some(Got::Status("5000".into())));
    assert_eq!(hub.stats().gaps, 1);
    for n in 5001..5400 {
        count();
        if n % 7 == 0 {
            slow.disconnect();
            slow.connect().await;
        }
        assert_eq!(slow.next().await, Some(Got::Event(n.to_string())));
    }
    assert_eq!(hub.stats().gaps, 1);
}

#[tokio::test]
async fn a_reader_that_is_overtaken_is_told_as_deliveries() {
    a_reader_that_is_overtaken_is_told(|| Via::Deliveries).await;
}

#[tokio::test]
async fn a_reader_that_is_overtaken_is_told_as_bytes() {
    a_reader_that_is_overtaken_is_told(|| Via::Bytes).await;
}

#[tokio::test]
async fn a_slow_reader_that_the_log_still_serves_misses_nothing() {
    let hub = retaining(10_000);
    let mut slow = Client::new(&hub, "t", Via::Bytes);
    slow.connect().await;
    for n in 0..3000 {
        hub.publish("t", Event::data(n.to_string())).await.unwrap();
    }
    for n in 0..3000 {
        assert_eq!(slow.next().await, Some(Got::Event(n.to_string())));
    }
    assert_eq!(hub.stats().gaps, 0);
}
