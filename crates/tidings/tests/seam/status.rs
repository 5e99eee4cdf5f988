//! Status: a newcomer gets it once, and then every later event.

use super::*;

/// How the state and its changes are made one.
#[derive(Clone, Copy)]
pub(crate) enum Keep {
    /// The publisher hands the status over with each event.
    Published,
    /// A callback makes it for each newcomer.
    Made,
}

/// A number that several threads count up: the event is the new value, and so is the status.
pub(crate) struct Counter {
    hub: Hub,
    topic: &'static str,
    keep: Keep,
    value: Arc<Mutex<u64>>,
}

impl Counter {
    fn new(hub: &Hub, topic: &'static str, keep: Keep) -> Arc<Counter> {
        let value = Arc::new(Mutex::new(0));
        match keep {
            Keep::Published => {
                let first = status(format!("{topic}:0"));
                hub.publish_with_status_blocking(topic, Event::data(format!("{topic}:0")), first)
                    .unwrap();
            }
            Keep::Made => {
                let (value, from) = (Arc::clone(&value), hub.clone());
                // A callback that holds the hub keeps it alive; here both end with the test.
                hub.make_status(topic, move || {
                    let value = value.lock().unwrap();
                    let made = AsOf::new(status(format!("{topic}:{value}")), from.cursor());
                    drop(value);
                    async { Ok(made) }
                });
            }
        }
        Arc::new(Counter {
            hub: hub.clone(),
            topic,
            keep,
            value,
        })
    }

    fn count(&self) {
        let mut value = self.value.lock().unwrap();
        *value += 1;
        let text = format!("{}:{value}", self.topic);
        let event = Event::data(text.as_str());
        match self.keep {
            Keep::Made => self.hub.publish_blocking(self.topic, event),
            Keep::Published => {
                let status = status(text);
                self.hub
                    .publish_with_status_blocking(self.topic, event, status)
            }
        }
        .unwrap();
    }
}

pub(crate) async fn a_status_and_what_follows_are_exact(
    kept: &[(&'static str, Keep)],
    door: fn() -> Door,
) {
    const THREADS: u64 = 3;
    const EACH: u64 = 1000;
    const TOTAL: u64 = THREADS * EACH;
    let hub = retaining(1_000_000);
    let counters: Vec<_> = kept
        .iter()
        .map(|(topic, keep)| Counter::new(&hub, topic, *keep))
        .collect();
    let interest = topics(&kept.iter().map(|(topic, _)| *topic).collect::<Vec<_>>());
    let n_joined = Arc::new(AtomicU64::new(0));
    let publishing: Vec<_> = (0..THREADS)
        .map(|_| {
            let counters = counters.clone();
            let n_joined = Arc::clone(&n_joined);
            std::thread::spawn(move || {
                for n in 0..EACH {
                    // Publishing goes on as long as newcomers come, so that they meet it.
                    while n > EACH / 2 && n_joined.load(Ordering::Acquire) < 60 {
                        std::thread::yield_now();
                    }
                    counters.iter().for_each(|counter| counter.count());
                }
            })
        })
        .collect();
    let done = Arc::new(AtomicBool::new(false));
    let newcomers: Vec<_> = (0..60u64)
        .map(|newcomer| {
            let (hub, interest, door) = (hub.clone(), interest.clone(), door());
            let (done, n_joined) = (Arc::clone(&done), Arc::clone(&n_joined));
            let n_topics = kept.len();
            tokio::spawn(async move {
                // All of them before publishing stops to wait for them.
                until_log_is_at(&hub, 17 * newcomer, &done).await;
                let mut client = Client::new(&hub, interest, door);
                client.connect().await;
                n_joined.fetch_add(1, Ordering::Release);
                let mut values: HashMap<String, u64> = HashMap::new();
                let number = |text: &str| {
                    let (topic, value) = text.split_once(':').unwrap();
                    (topic.to_owned(), value.parse::<u64>().unwrap())
                };
                let mut dice = Dice(newcomer + 99);
                while values.len() < n_topics || values.values().any(|value| *value < TOTAL) {
                    match client.next().await.unwrap() {
                        Got::Status(text) => {
                            let (topic, value) = number(&text);
                            let before = values.insert(topic, value);
                            assert_eq!(before, None, "one status per topic: {text}");
                        }
                        Got::Event(text) => {
                            let (topic, value) = number(&text);
                            let before = values.insert(topic, value);
                            assert_eq!(before, Some(value - 1), "before {text}");
                        }
                        Got::Gap(gap) => panic!("{gap}"),
                    }
                    if dice.below(1000) == 0 {
                        // Not before the whole status is there: till then no id is held, and a new
                        // one is due.
                        if values.len() == n_topics && client.held.is_some() {
                            client.disconnect();
                            client.connect().await;
                        }
                    }
                }
            })
        })
        .collect();
    for newcomer in newcomers {
        tokio::time::timeout(LONG, newcomer).await.unwrap().unwrap();
    }
    done.store(true, Ordering::Release);
    publishing
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_made_status_and_what_follows_are_exact() {
    a_status_and_what_follows_are_exact(&[("n", Keep::Made)], || Door::Values).await;
    a_status_and_what_follows_are_exact(&[("n", Keep::Made)], || Door::Bytes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_published_status_and_what_follows_are_exact() {
    a_status_and_what_follows_are_exact(&[("n", Keep::Published)], || Door::Values).await;
    a_status_and_what_follows_are_exact(&[("n", Keep::Published)], || Door::Bytes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_topics_with_statuses_of_their_own_are_each_exact() {
    let both = [("a", Keep::Made), ("b", Keep::Published)];
    a_status_and_what_follows_are_exact(&both, || Door::Values).await;
    a_status_and_what_follows_are_exact(&both, || Door::Bytes).await;
}

#[tokio::test]
async fn a_status_from_the_future_or_another_log_is_refused() {
    let hub = retaining(10);
    hub.publish("t", Event::data("1")).await.unwrap();
    let (epoch, last) = hub.cursor().minted().unwrap();
    for bad in [
        EventId::mint(epoch, last.next()),
        Hub::memory().cursor(),
        EventId::new("mine").unwrap(),
    ] {
        let as_of = bad.clone();
        hub.make_status("t", move || {
            let made = AsOf::new(Event::data("x"), as_of.clone());
            async { Ok(made) }
        });
        let refused = hub.subscribe("t", Cursor::Latest).await;
        let Err(SubscribeError::Status { topic, source }) = refused else {
            panic!("{bad} was taken");
        };
        assert_eq!(topic, "t");
        assert!(source.to_string().contains(bad.as_str()));
    }
    assert_eq!(hub.stats().open, 0);
}

#[tokio::test]
async fn a_status_that_is_cleared_is_not_given_to_newcomers() {
    let hub = retaining(10);
    hub.set_status("t", status("published")).await.unwrap();
    let from = hub.clone();
    hub.make_status("u", move || {
        let made = AsOf::new(status("made"), from.cursor());
        async { Ok(made) }
    });
    let both = tidings::Topics::several(["t", "u"]);
    hub.clear_status(both).await.unwrap();
    let mut client = Client::new(&hub, topics(&["t", "u"]), Door::Values);
    client.connect().await;
    hub.publish("t", Event::data("1")).await.unwrap();
    assert_eq!(client.next().await, Some(Got::Event("1".into())));
}
