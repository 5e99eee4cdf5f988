//! What two answers are compared by.

use crate::http::Answer;

/// The content, without the marks of the chunks, which are cut anew on the way (RFC 9112 7.1).
#[track_caller]
pub fn content(answer: &Answer) -> Vec<u8> {
    let chunked = |line: &String| line.eq_ignore_ascii_case("transfer-encoding: chunked");
    if !answer.head.iter().any(chunked) {
        return answer.body.clone();
    }
    let mut rest = &answer.body[..];
    let mut whole = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return whole;
        }
        rest = &rest[end + 2..];
        whole.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}

/// The value of a header line.
pub fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let lines = answer.head.iter().filter_map(|line| line.split_once(':'));
    let mut named = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    named.next().map(|(_, value)| value.trim())
}
