use super::*;

fn report(page: &str, n: u64, did: &str, more: &str) -> PageReport {
    let json = format!(r#"{{"page":"{page}","n":{n},"at":"/{page}","did":"{did}"{more}}}"#);
    PageReport::parse(json.as_bytes()).unwrap()
}

fn id(position: u64) -> EventId {
    EventId::new(format!("00000000000e.{position}")).unwrap()
}

fn shows(page: &str, n: u64, position: u64) -> PageReport {
    report(page, n, "none", &format!(r#","id":"{}""#, id(position)))
}

/// The pages that have not answered, by their numbers.
fn unanswered(pages: &OpenPages, position: u64) -> Vec<(u32, Unanswered)> {
    let missing = pages.unanswered(&id(position)).into_iter();
    missing.map(|(page, why)| (page.number, why)).collect()
}

#[test]
fn a_page_has_answered_once_it_shows_the_call_or_a_later_event() {
    let mut pages = OpenPages::default();
    pages.heard(&report("a", 1, "open", ""));
    assert_eq!(unanswered(&pages, 5), [(1, Unanswered::Silent)]);
    pages.heard(&shows("a", 2, 4));
    assert_eq!(unanswered(&pages, 5), [(1, Unanswered::Silent)]);
    pages.heard(&shows("a", 3, 5));
    assert_eq!(unanswered(&pages, 5), []);
    // Loaded after the call.
    pages.heard(&shows("b", 1, 9));
    assert_eq!(unanswered(&pages, 5), []);
    // What another run of the server has said does not count.
    let other_run = report("c", 1, "none", r#","id":"00000000000f.7""#);
    pages.heard(&other_run);
    assert_eq!(unanswered(&pages, 5), [(3, Unanswered::Silent)]);
}

#[test]
fn reports_that_come_in_another_order_than_they_were_sent_are_as_good() {
    let mut pages = OpenPages::default();
    pages.heard(&shows("a", 2, 5));
    pages.heard(&report("a", 1, "open", ""));
    assert_eq!(unanswered(&pages, 5), []);
    pages.heard(&report("a", 9, "leave", ""));
    pages.heard(&shows("a", 8, 6));
    assert_eq!(pages.len(), 0, "it has left");
    // Back from the back/forward cache.
    pages.heard(&report("a", 10, "open", ""));
    assert_eq!(pages.len(), 1);
}

#[test]
fn a_page_that_reloads_is_waited_for_until_the_next_one_is_there() {
    let mut pages = OpenPages::default();
    pages.heard(&shows("a", 1, 1));
    let reload = report("a", 2, "reload", &format!(r#","id":"{}""#, id(2)));
    pages.heard(&reload);
    pages.heard(&report("a", 3, "leave", ""));
    assert_eq!(unanswered(&pages, 3), [(1, Unanswered::Reloading)]);
    let next = |n, position| {
        let more = format!(r#","id":"{}","was":"a""#, id(position));
        report("next", n, "none", &more)
    };
    let heard = pages.heard(&next(1, 2)).unwrap();
    assert_eq!(heard.page.number, 1, "it keeps its number");
    assert_eq!(heard.reloaded_for.as_deref(), Some(id(2).as_str()));
    assert_eq!(unanswered(&pages, 3), [(1, Unanswered::Silent)]);
    pages.heard(&next(2, 3));
    assert_eq!(unanswered(&pages, 3), []);
    assert_eq!(pages.heard(&reload), None, "it comes late");
    assert_eq!(pages.len(), 1);
}

#[test]
fn a_page_that_may_not_store_anything_is_found_by_its_path() {
    let mut pages = OpenPages::default();
    pages.heard(&report("a", 1, "reload", ""));
    let next = br#"{"page":"b","n":1,"at":"/a","did":"open"}"#;
    pages.heard(&PageReport::parse(next).unwrap());
    assert_eq!(unanswered(&pages, 1), [(1, Unanswered::Silent)]);
}

#[test]
fn who_is_silent_is_forgotten_after_a_while_and_who_is_busy_is_not() {
    let start = Instant::now();
    let mut pages = OpenPages::default();
    for page in ["crashed", "busy", "good"] {
        pages.heard(&report(page, 1, "open", ""));
    }
    pages.called(start);
    pages.heard(&report("busy", 0, "here", ""));
    pages.heard(&shows("good", 2, 5));
    assert_eq!(
        unanswered(&pages, 5),
        [(1, Unanswered::Silent), (2, Unanswered::Busy)]
    );
    pages.forget_lost(&id(5), start + Duration::from_secs(2));
    assert_eq!(pages.len(), 3, "too soon to say");
    // The time counts from the first call that was not answered.
    pages.called(start + Duration::from_secs(2));
    pages.heard(&report("busy", 0, "here", ""));
    pages.forget_lost(&id(5), start + SILENCE);
    assert_eq!(unanswered(&pages, 5), [(2, Unanswered::Busy)]);
    // It was only very slow.
    pages.heard(&shows("crashed", 2, 5));
    assert_eq!(pages.len(), 3);
}

#[test]
fn the_number_of_pages_is_bounded() {
    let mut pages = OpenPages::default();
    for n in 0..MAX_PAGES + 10 {
        pages.heard(&report(&format!("p{n}"), 1, "open", ""));
    }
    assert_eq!(pages.len(), MAX_PAGES);
    for n in 0..MAX_PAGES + 10 {
        pages.heard(&report(&format!("p{n}"), 2, "leave", ""));
    }
    assert_eq!((pages.len(), pages.left.len()), (0, MAX_LEFT));
}

#[test]
fn the_number_of_pages_that_were_replaced_is_bounded() {
    let mut pages = OpenPages::default();
    for n in 0..MAX_LEFT + 10 {
        let was = format!(r#","was":"p{}""#, n.wrapping_sub(1));
        pages.heard(&report(&format!("p{n}"), 1, "open", &was));
    }
    assert_eq!((pages.len(), pages.left.len()), (1, MAX_LEFT));
}

#[test]
fn a_page_is_known_however_many_have_ended_without_a_word() {
    let mut pages = OpenPages::default();
    pages.heard(&report("first", 1, "open", ""));
    for n in 1..MAX_PAGES {
        pages.heard(&report(&format!("p{n}"), 1, "open", ""));
    }
    // It is there, as its worker says.
    pages.heard(&report("first", 0, "here", ""));
    let heard = pages.heard(&report("new", 1, "open", ""));
    assert_eq!(heard.unwrap().page.path, "/new");
    let at = |path: &str| pages.is_at(&[path.to_owned()]);
    assert_eq!((at("/first"), at("/p1"), at("/p2")), (true, false, true));
}

#[test]
fn what_cannot_be_a_report_is_none() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"id":"x"}"#,
        r#"{"did":7}"#,
        r#"{"did":"open","n":-1}"#,
        &format!(r#"{{"did":"open","page":"{}"}}"#, "x".repeat(65)),
        &format!(
            r#"{{"did":"reload","page":"a","id":"{}"}}"#,
            "x".repeat(129)
        ),
    ] {
        assert!(PageReport::parse(text.as_bytes()).is_none(), "{text}");
    }
    let long = format!(r#"{{"did":"open","page":"a","at":"/{}"}}"#, "é".repeat(999));
    let parsed = PageReport::parse(long.as_bytes()).unwrap();
    assert!(parsed.at.len() <= 512 && parsed.at.len() > 500);
}

#[test]
fn a_page_that_waits_for_the_backend_has_not_answered_and_is_not_forgotten() {
    let mut pages = OpenPages::default();
    pages.heard(&shows("a", 1, 1));
    pages.called(Instant::now());
    let held = report("a", 2, "held", &format!(r#","id":"{}""#, id(2)));
    pages.heard(&held);
    assert_eq!(unanswered(&pages, 2), [(1, Unanswered::Held)]);
    pages.forget_lost(&id(2), Instant::now() + RELOAD);
    assert_eq!(pages.len(), 1);
    // The page that is loaded in the end.
    pages.heard(&report("a", 3, "reload", &format!(r#","id":"{}""#, id(2))));
    pages.heard(&report(
        "b",
        1,
        "none",
        &format!(r#","was":"a","id":"{}""#, id(3)),
    ));
    assert_eq!(unanswered(&pages, 2), []);
}

#[test]
fn a_silent_page_has_left_if_it_could_not_say_so_but_not_if_its_worker_is_there() {
    let mut pages = OpenPages::default();
    let now = Instant::now();
    for (page, more) in [
        ("a", ""),
        ("b", r#","mute":true"#),
        ("c", r#","mute":true"#),
    ] {
        pages.heard(&report(page, 1, "open", more));
    }
    pages.called(now);
    pages.forget_closed(now);
    assert_eq!(pages.len(), 3);
    pages.heard(&report("c", 0, "here", ""));
    pages.forget_closed(now + SILENCE);
    let left = [(1, Unanswered::Silent), (3, Unanswered::Busy)];
    assert_eq!(unanswered(&pages, 1), left);
}
