use std::collections::VecDeque;
use std::task::Waker;

use proptest::prelude::*;

use super::*;

const SNIPPET: &[u8] = b"<script src=/x.js></script>";

type Step = Poll<Option<Result<Frame<Bytes>, &'static str>>>;

/// A body that is told what it has each time it is polled.
#[derive(Default)]
struct Script {
    steps: VecDeque<Step>,
}

impl Script {
    fn of(steps: impl IntoIterator<Item = Step>) -> Script {
        Script {
            steps: steps.into_iter().collect(),
        }
    }
}

fn data(bytes: &[u8]) -> Step {
    Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(bytes)))))
}

impl Body for Script {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Step {
        self.steps.pop_front().unwrap_or(Poll::Ready(None))
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let bytes = |step: &Step| match step {
            Poll::Ready(Some(Ok(frame))) => frame.data_ref().map_or(0, Bytes::len) as u64,
            _ => 0,
        };
        SizeHint::with_exact(self.steps.iter().map(bytes).sum())
    }
}

fn poll(body: &mut InjectBody<Script>) -> Step {
    let mut cx = Context::from_waker(Waker::noop());
    Pin::new(body).poll_frame(&mut cx)
}

fn inject(steps: impl IntoIterator<Item = Step>) -> InjectBody<Script> {
    InjectBody::new(Script::of(steps), Bytes::from_static(SNIPPET))
}

#[track_caller]
fn check_next(body: &mut InjectBody<Script>, expected: &[u8]) {
    match poll(body) {
        Poll::Ready(Some(Ok(frame))) => assert_eq!(frame.into_data().unwrap(), expected),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check_pending(body: &mut InjectBody<Script>) {
    assert!(poll(body).is_pending());
}

#[test]
fn a_page_appears_piece_by_piece_as_it_comes() {
    let mut body = inject([
        data(b"<!doctype html>"),
        Poll::Pending,
        data(b"<html><head><title>a"),
        Poll::Pending,
        data(b"</title><p>one"),
        Poll::Pending,
        data(b"two"),
    ]);
    // Up to here the script may belong after what is still to come.
    check_pending(&mut body);
    check_next(&mut body, b"<!doctype html>");
    check_next(&mut body, b"<html><head>");
    check_next(&mut body, SNIPPET);
    check_next(&mut body, b"<title>a");
    check_pending(&mut body);
    check_next(&mut body, b"</title><p>one");
    check_pending(&mut body);
    check_next(&mut body, b"two");
    assert!(body.is_end_stream());
    assert!(matches!(poll(&mut body), Poll::Ready(None)));
}

#[test]
fn trailers_come_last() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", http::HeaderValue::from_static("1"));
    let frame = Poll::Ready(Some(Ok(Frame::trailers(trailers.clone()))));
    let mut body = inject([data(b" "), frame]);
    check_next(&mut body, b" ");
    check_next(&mut body, SNIPPET);
    assert!(!body.is_end_stream());
    match poll(&mut body) {
        Poll::Ready(Some(Ok(frame))) => assert_eq!(frame.into_trailers().unwrap(), trailers),
        other => panic!("{other:?}"),
    }
    assert!(body.is_end_stream());
}

#[test]
fn an_error_comes_after_what_was_held_back_and_is_the_end() {
    let mut body = inject([
        data(b"<!-- half"),
        Poll::Ready(Some(Err("reset"))),
        data(b"never"),
    ]);
    check_next(&mut body, SNIPPET);
    check_next(&mut body, b"<!-- half");
    assert!(!body.is_end_stream());
    assert!(matches!(poll(&mut body), Poll::Ready(Some(Err("reset")))));
    assert!(matches!(poll(&mut body), Poll::Ready(None)));
}

#[test]
fn the_size_is_exact_once_it_is_decided() {
    let mut body = inject([data(b"<p>one"), data(b"two")]);
    let hint = body.size_hint();
    assert_eq!(
        (hint.lower(), hint.upper()),
        (9, Some(9 + SNIPPET.len() as u64))
    );
    check_next(&mut body, SNIPPET);
    assert_eq!(body.size_hint().exact(), Some(9));
    check_next(&mut body, b"<p>one");
    assert_eq!(body.size_hint().exact(), Some(3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    /// However a document is cut, and however often its body is pending in between.
    #[test]
    fn the_document_is_the_same_however_it_comes(
        pieces in proptest::collection::vec(
            "<!doctype html>|<html>|<head>|<body>|<p>|text|<!-- c -->| |\n|\u{e9}|<|-->|\u{feff}|</head>",
            0..12,
        ),
        cuts in proptest::collection::vec(0..64_usize, 0..12),
        pauses in proptest::collection::vec(any::<bool>(), 16),
    ) {
        let document = pieces.concat().into_bytes();
        let mut whole = Injector::new(Bytes::from_static(SNIPPET));
        let mut expected = Vec::new();
        whole.push(Bytes::from(document.clone()), &mut expected);
        whole.finish(&mut expected);
        let expected = expected.concat();

        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(document.len())).collect();
        cuts.sort_unstable();
        cuts.push(document.len());
        let mut steps = Vec::new();
        let mut start = 0;
        for (cut, pause) in cuts.into_iter().zip(pauses) {
            if pause {
                steps.push(Poll::Pending);
            }
            steps.push(data(&document[start..cut]));
            start = cut;
        }
        let mut body = inject(steps);
        let mut sent = Vec::new();
        loop {
            let hint = body.size_hint();
            let so_far = sent.len() as u64;
            let rest = expected.len() as u64 - so_far;
            prop_assert!(hint.lower() <= rest && hint.upper().is_none_or(|upper| upper >= rest));
            match poll(&mut body) {
                Poll::Pending => {}
                Poll::Ready(Some(frame)) => sent.extend(frame.unwrap().into_data().unwrap()),
                Poll::Ready(None) => break,
            }
        }
        prop_assert_eq!(body.outcome(), whole.outcome());
        prop_assert_eq!(sent, expected);
        prop_assert!(body.is_end_stream());
    }
}

#[test]
fn a_document_without_content_is_followed_by_the_page_for_that() {
    let shown = |steps: Vec<Step>| {
        let mut body = inject(steps).or_if_blank(Bytes::from_static(b"<h1>500</h1>"));
        let mut sent = Vec::new();
        while let Poll::Ready(Some(Ok(frame))) = poll(&mut body) {
            sent.extend(frame.into_data().unwrap_or_default());
        }
        String::from_utf8(sent).unwrap()
    };
    let script = "<script src=/x.js></script>";
    assert_eq!(shown(vec![]), format!("{script}<h1>500</h1>"));
    assert_eq!(shown(vec![data(b"")]), format!("{script}<h1>500</h1>"));
    assert_eq!(shown(vec![data(b""), data(b"x")]), format!("{script}x"));
}
