//! Order: every reader sees exactly the log's order, live, late, asleep and reconnecting.

use super::*;

pub(crate) async fn every_reader_gets_the_logs_order(via: fn() -> Via) {
    const PUBLISHERS: usize = 4;
    const EACH: usize = 1000;
    const READERS: u64 = 18;
    let hub = retaining(1_000_000);
    let done = Arc::new(AtomicBool::new(false));
    // The place everyone begins to count from: the first event that each of them gets.
    let readers: Vec<_> = (0..READERS)
        .map(|reader| {
            let (hub, done, via) = (hub.clone(), Arc::clone(&done), via());
            tokio::spawn(async move {
                let mut dice = Dice(reader + 1);
                until_log_moves(&hub, dice.below(2000), &done).await;
                let mut client = Client::new(&hub, "t", via);
                let first = match reader % 3 {
                    0 => Cursor::Earliest,
                    1 => Cursor::After(hub.cursor()),
                    _ => Cursor::Latest,
                };
                client.connect_from(first).await;
                let mut got = Vec::new();
                loop {
                    match client.next().await.unwrap() {
                        Got::Event(text) if text == "end" => return got,
                        Got::Event(text) => got.push(text),
                        other => panic!("{other:?}"),
                    }
                    match dice.below(400) {
                        // Out of the window, and back by way of the log.
                        0 => until_log_moves(&hub, 600, &done).await,
                        // Gone for a while, and back by id.
                        1 | 2 => {
                            client.disconnect();
                            until_log_moves(&hub, dice.below(500), &done).await;
                            client.connect().await;
                        }
                        3..20 => tokio::task::yield_now().await,
                        _ => {}
                    }
                }
            })
        })
        .collect();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let hub = hub.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    let event = Event::data(format!("{publisher}-{n}"));
                    hub.publish("t", event).await.unwrap();
                    hub.publish("other", Event::data("x")).await.unwrap();
                    if n % 64 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.unwrap();
    }
    done.store(true, Ordering::Release);
    hub.publish("t", Event::data("end")).await.unwrap();

    let mut log = Vec::new();
    let mut all = Client::new(&hub, "t", Via::Deliveries);
    all.connect_from(Cursor::Earliest).await;
    while let Some(Got::Event(text)) = all.next().await {
        if text == "end" {
            break;
        }
        log.push(text);
    }
    assert_eq!(log.len(), PUBLISHERS * EACH);
    for (reader, got) in readers.into_iter().enumerate() {
        let got = tokio::time::timeout(LONG, got).await.unwrap().unwrap();
        // From where it began to the end: order, no gap and no double are one claim.
        let from = log.len().checked_sub(got.len()).unwrap();
        assert!(got == log[from..], "reader {reader} from {from}");
        if reader % 3 == 0 {
            assert_eq!(from, 0, "who asks for all gets all");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_reader_gets_the_logs_order_as_deliveries() {
    every_reader_gets_the_logs_order(|| Via::Deliveries).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_reader_gets_the_logs_order_as_bytes() {
    every_reader_gets_the_logs_order(|| Via::Bytes).await;
}
