//! The framing check against a second, naive implementation, and hyper behind it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use super::plain;
use crate::listen::driver;
use crate::listen::framing::{Followed, Framing};

/// A complete request: its first line and its body.
type Parsed = (String, Vec<u8>);

/// What a parser says about all bytes of a connection.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    /// Where requests end.
    ends: Vec<usize>,
    is_refused: bool,
}

/// Reads everything at once, with strings.
fn naive(bytes: &[u8]) -> (Verdict, Vec<Parsed>) {
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    let mut verdict = Verdict::default();
    let mut requests = Vec::new();
    // Latin-1 above would be two bytes, so positions are counted in characters.
    let mut chars: Vec<char> = text.chars().collect();
    chars.reverse();
    loop {
        match naive_request(&mut chars) {
            Ok(request) => {
                requests.push(request);
                verdict.ends.push(bytes.len() - chars.len());
            }
            Err(stop) => {
                verdict.is_refused = stop == Stop::Refused;
                return (verdict, requests);
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Stop {
    Refused,
    Incomplete,
}

/// Takes a request from the end of the reversed characters.
fn naive_request(rest: &mut Vec<char>) -> Result<Parsed, Stop> {
    let mut first = naive_line(rest, |_| true)?;
    while first.is_empty() {
        first = naive_line(rest, |_| true)?;
    }
    let (mut length, mut chunked) = (None, false);
    loop {
        let line = naive_line(rest, |_| true)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = naive_field(&line)?;
        match name.as_str() {
            "content-length" if length.is_none() && !chunked => {
                let is_number = !value.is_empty() && value.chars().all(|c| c.is_ascii_digit());
                let number = value.parse::<u64>().ok().filter(|_| is_number);
                length = Some(number.ok_or(Stop::Refused)?);
            }
            "transfer-encoding" if length.is_none() && !chunked => {
                chunked = value.eq_ignore_ascii_case("chunked");
                if !chunked {
                    return Err(Stop::Refused);
                }
            }
            name if ["content-length", "transfer-encoding"].contains(&&*name.replace('_', "-")) => {
                return Err(Stop::Refused);
            }
            _ => {}
        }
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            let is_size = |line: &str| {
                let size = line.split(';').next().unwrap();
                (1..=16).contains(&size.len()) && size.chars().all(|c| c.is_ascii_hexdigit())
            };
            let line = naive_line(rest, is_size)?;
            let size = line.split(';').next().unwrap();
            let size = u64::from_str_radix(size, 16).unwrap();
            if size == 0 {
                break;
            }
            naive_bytes(rest, size, &mut body)?;
            naive_line(rest, str::is_empty)?;
        }
        loop {
            let line = naive_line(rest, |_| true)?;
            if line.is_empty() {
                break;
            }
            let (name, _) = naive_field(&line)?;
            if ["content-length", "transfer-encoding", "host"].contains(&&*name.replace('_', "-")) {
                return Err(Stop::Refused);
            }
        }
    } else {
        naive_bytes(rest, length.unwrap_or(0), &mut body)?;
    }
    Ok((first, body))
}

/// A line of which `is_good` holds. Of an incomplete one it must hold after some continuation.
fn naive_line(rest: &mut Vec<char>, is_good: impl Fn(&str) -> bool) -> Result<String, Stop> {
    let mut line = String::new();
    let may_go_on = |line: &str| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        is_good(line) || is_good(&format!("{line}0"))
    };
    loop {
        match rest.pop() {
            None if line.ends_with('\r') => {
                return Err(match is_good(&line[..line.len() - 1]) {
                    true => Stop::Incomplete,
                    false => Stop::Refused,
                });
            }
            None if may_go_on(&line) => return Err(Stop::Incomplete),
            None => return Err(Stop::Refused),
            Some('\n') if line.ends_with('\r') => {
                line.pop();
                return if is_good(&line) {
                    Ok(line)
                } else {
                    Err(Stop::Refused)
                };
            }
            Some('\n' | '\0') => return Err(Stop::Refused),
            Some(_) if line.ends_with('\r') => return Err(Stop::Refused),
            Some(c) => line.push(c),
        }
    }
}

fn naive_field(line: &str) -> Result<(String, String), Stop> {
    let (name, value) = line.split_once(':').ok_or(Stop::Refused)?;
    let space = [' ', '\t'];
    if name.is_empty() || name.starts_with(space) || name.ends_with(space) {
        return Err(Stop::Refused);
    }
    Ok((
        name.to_ascii_lowercase(),
        value.trim_matches(space).to_owned(),
    ))
}

fn naive_bytes(rest: &mut Vec<char>, n: u64, body: &mut Vec<u8>) -> Result<(), Stop> {
    for _ in 0..n {
        body.push(rest.pop().ok_or(Stop::Incomplete)? as u32 as u8);
    }
    Ok(())
}

/// What the framing check says about these pieces, and how many bytes it lets pass.
fn checked(pieces: &[&[u8]]) -> (Verdict, usize) {
    let mut framing = Framing::default();
    let mut verdict = Verdict::default();
    let mut passed = 0;
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let n = match framing.follow(rest) {
                Followed::More => rest.len(),
                Followed::End(n) => {
                    verdict.ends.push(passed + n);
                    n
                }
                Followed::Refused(n) => {
                    verdict.is_refused = true;
                    return (verdict, passed + n);
                }
            };
            passed += n;
            rest = &rest[n..];
        }
    }
    (verdict, passed)
}

/// Good requests, most of them with one or two odd bytes somewhere.
fn connection() -> impl Strategy<Value = Vec<u8>> {
    let good = prop::sample::select(vec![
        "GET /a HTTP/1.1\r\nHost: x\r\nA: b, c\r\n\r\n",
        "\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
        "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "POST /d HTTP/1.1\r\nHost: x\r\ntransfer-encoding:\tChunked\r\n\r\n3;a=b\r\nabc\r\nA\r\n\r\n23456\r\n9\r\n00\r\nA: b\r\n\r\n",
        "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    ]);
    let odd = prop::sample::select(vec![
        "\r",
        "\n",
        "\r\n",
        "\0",
        " ",
        "\t",
        ":",
        ";",
        ",",
        "+",
        "-",
        "_",
        "0",
        "5",
        "a",
        "0x",
        "\u{a0}",
        "\r\n ",
        "Content-Length: 5\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "chunked",
        "Content_Length: 1\r\n",
        "0\r\n\r\n",
        "ffffffffffffffff",
        "\r\n\r\n",
    ]);
    let change = (any::<prop::sample::Index>(), 0..3usize, odd);
    let request = (good, prop::collection::vec(change, 0..3));
    prop::collection::vec(request, 1..4).prop_map(|requests| {
        let mut all = Vec::new();
        for (good, changes) in requests {
            let mut request: Vec<u8> = good.into();
            for (at, removed, odd) in changes {
                let at = at.index(request.len());
                let end = (at + removed).min(request.len());
                let odd = odd.chars().map(|c| c as u32 as u8);
                request.splice(at..end, odd);
            }
            all.extend(request);
        }
        all
    })
}

fn split<'a>(bytes: &'a [u8], at: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<_> = at.iter().map(|at| at.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect()
}

/// What hyper gives to a handler completely.
fn served(pieces: &[&[u8]]) -> Vec<Parsed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let requests: Arc<Mutex<Vec<Parsed>>> = Arc::default();
    let seen = Arc::clone(&requests);
    let handle = Arc::new(move |request: Request<Incoming>, _| {
        let seen = Arc::clone(&seen);
        async move {
            let (parts, body) = request.into_parts();
            if let Ok(body) = body.collect().await {
                let first = format!("{} {} {:?}", parts.method, parts.uri, parts.version);
                seen.lock().unwrap().push((first, body.to_bytes().into()));
            }
            plain("")
        }
    });
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let (_shutdown, is_shutdown) = watch::channel(false);
        let peer = super::local_peer();
        tokio::spawn(driver::serve(server, peer, handle, is_shutdown));
        for piece in pieces {
            // The other end may have been closed.
            let _ = client.write_all(piece).await;
            tokio::task::yield_now().await;
        }
        // Time passes when there is nothing left to do.
        tokio::time::sleep(Duration::from_secs(1000)).await;
        let _ = client.shutdown().await;
        let _ = client.read_to_end(&mut Vec::new()).await;
    });
    std::mem::take(&mut requests.lock().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_verdict_is_that_of_a_naive_parser_however_the_bytes_are_split(
        bytes in connection(),
        at in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let whole = checked(&[&bytes]);
        let shown = bytes.escape_ascii();
        prop_assert_eq!(&whole.0, &naive(&bytes).0, "{}", shown);
        prop_assert_eq!(&whole, &checked(&split(&bytes, &at)), "{}", shown);
        let single: Vec<_> = bytes.chunks(1).collect();
        prop_assert_eq!(&whole, &checked(&single), "{}", shown);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_handler_gets_the_requests_that_a_naive_parser_reads(
        bytes in connection(),
        at in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let (_, expected) = naive(&bytes);
        let got = served(&split(&bytes, &at));
        // Hyper may refuse more.
        prop_assert!(got.len() <= expected.len(), "{:?} and not {:?}", got, expected);
        for (got, expected) in got.iter().zip(&expected) {
            prop_assert_eq!(got, expected);
        }
    }
}
