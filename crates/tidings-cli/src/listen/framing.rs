//! Where a request ends, by strict rules, before hyper parses it.
//!
//! Hyper is lenient in places: it takes both lengths and uses one, merges equal ones, and accepts a bare LF
//! as the end of a line. Two parsers that disagree about where a request ends let a client hide a second
//! one in the first (request smuggling), and behind `tidings proxy` there is a second parser that we do
//! not know. So only what all parsers read alike passes. RFC 9112 lets a server refuse each of these.
//!
//! What must stay true
//! - The verdict does not depend on how the bytes are split.
//! - The byte with which a refused line would end does not pass, so hyper never sees the whole of it.
//! - It is cheap: lines are found with `memchr`, bodies are skipped by count, and bytes are kept only of a
//!   line that is split between two reads. Hyper bounds the length of all lines.
//! - It checks what decides about the framing. Everything else is left to hyper.

use memchr::{memchr, memchr3};

/// Follows the requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Framing {
    at: At,
    head: Head,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    RequestLine,
    Field,
    /// So many bytes of a body whose length was given.
    Body(u64),
    ChunkSize,
    /// So many bytes of a chunk.
    Chunk(u64),
    ChunkEnd,
    Trailer,
}

/// What the lines of a head that have come so far say about the body.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    length: Option<u64>,
    is_chunked: bool,
}

/// What some bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Followed {
    /// All of them belong to the request, which goes on.
    More,
    /// The request ends with this many of them.
    End(usize),
    /// Only this many of them may pass, and no more after that.
    Refused(usize),
}

/// So many bytes may pass, and no more.
struct Refused(usize);

/// A line breaks the rules.
struct Invalid;

/// The largest size of a chunk that fits into an `u64` has so many digits.
const MAX_SIZE_DIGITS: usize = 16;

impl Framing {
    /// Whether the head of the request is complete and its body is not.
    pub(super) fn is_in_body(&self) -> bool {
        !matches!(self.at, At::RequestLine | At::Field)
    }

    /// Whether nothing has come of the next request.
    pub(super) fn is_between_requests(&self) -> bool {
        self.at == At::RequestLine && self.line.is_empty()
    }

    /// Follows the bytes up to the end of the request. Must not be called again after a refusal.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Followed {
        let mut n = 0;
        while n < bytes.len() {
            let rest = &bytes[n..];
            n += match self.at {
                At::Body(left) => {
                    let skipped = len_of(left, rest);
                    self.at = At::Body(left - skipped as u64);
                    skipped
                }
                At::Chunk(left) => {
                    let skipped = len_of(left, rest);
                    self.at = match left - skipped as u64 {
                        0 => At::ChunkEnd,
                        left => At::Chunk(left),
                    };
                    skipped
                }
                _ => match self.follow_line(rest) {
                    Ok(len) => len,
                    Err(Refused(passing)) => return Followed::Refused(n + passing),
                },
            };
            if self.at == At::Body(0) {
                *self = Framing::default();
                return Followed::End(n);
            }
        }
        Followed::More
    }

    /// Follows the bytes up to the end of the line.
    fn follow_line(&mut self, bytes: &[u8]) -> Result<usize, Refused> {
        let is_after_cr = self.line.last() == Some(&b'\r');
        let (len, end) = end_of_line(bytes, is_after_cr);
        let kept = self.line.len();
        let mut joined = Vec::new();
        // Mostly nothing has to be copied.
        let line = if kept == 0 && end != LineEnd::Missing {
            &bytes[..len]
        } else {
            self.line.extend_from_slice(&bytes[..len]);
            joined = std::mem::take(&mut self.line);
            &joined
        };
        if let Some(fault) = self.at.fault(line) {
            return Err(Refused(fault - kept));
        }
        match end {
            LineEnd::Missing => {
                self.line = joined;
                Ok(len)
            }
            LineEnd::Odd => Err(Refused(len)),
            LineEnd::CrLf => match self.line(line.strip_suffix(b"\r").unwrap_or(line)) {
                Ok(()) => Ok(len + 1),
                // The LF does not pass.
                Err(Invalid) => Err(Refused(len)),
            },
        }
    }

    /// A line is complete.
    fn line(&mut self, line: &[u8]) -> Result<(), Invalid> {
        self.at = match self.at {
            // RFC 9112 2.2: empty lines before a request are ignored.
            At::RequestLine if line.is_empty() => At::RequestLine,
            At::RequestLine => At::Field,
            At::Field if line.is_empty() => self.head.body(),
            At::Field => {
                self.head.field(line)?;
                At::Field
            }
            At::ChunkSize => match chunk_size(line)? {
                0 => At::Trailer,
                size => At::Chunk(size),
            },
            At::ChunkEnd => At::ChunkSize,
            At::Trailer if line.is_empty() => At::Body(0),
            At::Trailer => {
                let (name, _) = split_field(line)?;
                // RFC 9110 6.5.1: nothing about framing or routing may be in a trailer.
                let is_framing = is_named(name, b"content-length")
                    || is_named(name, b"transfer-encoding")
                    || is_named(name, b"host");
                if is_framing {
                    return Err(Invalid);
                }
                At::Trailer
            }
            At::Body(_) | At::Chunk(_) => self.at,
        };
        Ok(())
    }
}

impl At {
    /// The first byte that may not be in a line, where hyper would notice it at once. The line may be
    /// incomplete; its CR is part of it. (A head and trailers are parsed when they are complete.)
    fn fault(self, line: &[u8]) -> Option<usize> {
        match self {
            At::ChunkSize => {
                let is_digit = |byte: &u8| byte.is_ascii_hexdigit();
                let n_digits = line.iter().take_while(|byte| is_digit(byte)).count();
                let is_good = match line.get(n_digits) {
                    None => n_digits <= MAX_SIZE_DIGITS,
                    Some(b';' | b'\r') => (1..=MAX_SIZE_DIGITS).contains(&n_digits),
                    Some(_) => false,
                };
                (!is_good).then_some(n_digits.min(MAX_SIZE_DIGITS))
            }
            At::ChunkEnd => line.iter().position(|byte| *byte != b'\r'),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    /// The next byte is the LF, after a CR.
    CrLf,
    /// The next byte may be in no line, or makes the CR before it a bare one.
    Odd,
    /// All bytes belong to the line.
    Missing,
}

/// How many bytes come before the LF of this line or an odd byte. The CR is one of them.
fn end_of_line(bytes: &[u8], is_after_cr: bool) -> (usize, LineEnd) {
    let after_cr = |at: usize| match bytes.get(at) {
        Some(b'\n') => (at, LineEnd::CrLf),
        // RFC 9112 2.2: a bare CR is invalid.
        Some(_) => (at, LineEnd::Odd),
        None => (at, LineEnd::Missing),
    };
    if is_after_cr {
        return after_cr(0);
    }
    match memchr3(b'\r', b'\n', b'\0', bytes) {
        None => (bytes.len(), LineEnd::Missing),
        Some(cr) if bytes[cr] == b'\r' => after_cr(cr + 1),
        // RFC 9112 2.2: a recipient may take a bare LF as the end of a line, but not all do. RFC 9110
        // 5.5: NUL is invalid, and dangerous.
        Some(odd) => (odd, LineEnd::Odd),
    }
}

/// How many of these bytes belong to a body of which so much is left.
fn len_of(left: u64, bytes: &[u8]) -> usize {
    usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))
}

impl Head {
    fn field(&mut self, line: &[u8]) -> Result<(), Invalid> {
        let (name, value) = split_field(line)?;
        if is_named(name, b"content-length") {
            // RFC 9110 8.6: a second length may be refused even if it is the same. RFC 9112 6.1: so may
            // a request with both.
            if !is_exactly(name, b"content-length") || self.length.is_some() || self.is_chunked {
                return Err(Invalid);
            }
            self.length = Some(number(value, 10)?);
        } else if is_named(name, b"transfer-encoding") {
            // RFC 9112 6.1: `chunked` must be applied once, and last. It is the only coding that we
            // understand; RFC 9110 8.6 forbids a length beside it.
            let is_chunked = is_exactly(name, b"transfer-encoding")
                && value.eq_ignore_ascii_case(b"chunked")
                && !self.is_chunked
                && self.length.is_none();
            if !is_chunked {
                return Err(Invalid);
            }
            self.is_chunked = true;
        }
        Ok(())
    }

    /// What comes after the head (RFC 9112 6.3).
    fn body(self) -> At {
        match self.is_chunked {
            true => At::ChunkSize,
            false => At::Body(self.length.unwrap_or(0)),
        }
    }
}

/// The name and the value of a field line (RFC 9112 5).
fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), Invalid> {
    let colon = memchr(b':', line).ok_or(Invalid)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    match name {
        // RFC 9112 5.1: whitespace before the colon must be refused. 5.2: a line that begins with
        // whitespace continues the one before, which a server may refuse.
        [] | [b' ' | b'\t', ..] | [.., b' ' | b'\t'] => Err(Invalid),
        _ => Ok((name, trim(value))),
    }
}

/// Without the optional whitespace of RFC 9110 5.6.3, which is less than what Rust takes for whitespace.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether this is the name of the field, which is given in lower case, or would be taken for it by a
/// gateway: CGI and its successors, such as WSGI, replace the hyphens of names with underscores
/// (RFC 3875 4.1.18).
fn is_named(name: &[u8], field: &[u8]) -> bool {
    let is_like = |(a, b): (&u8, &u8)| a.to_ascii_lowercase() == *b || *a == b'_' && *b == b'-';
    name.len() == field.len() && name.iter().zip(field).all(is_like)
}

fn is_exactly(name: &[u8], field: &[u8]) -> bool {
    name.eq_ignore_ascii_case(field)
}

/// RFC 9112 7.1: `1*HEXDIG [ chunk-ext ]`. Whitespace before an extension is grammatical, and refused,
/// because parsers differ about it.
fn chunk_size(line: &[u8]) -> Result<u64, Invalid> {
    let end = memchr(b';', line).unwrap_or(line.len());
    number(&line[..end], 16)
}

/// Digits only: no sign, no prefix, no whitespace, no list.
fn number(digits: &[u8], radix: u32) -> Result<u64, Invalid> {
    if digits.is_empty() {
        return Err(Invalid);
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = char::from(*digit).to_digit(radix).ok_or(Invalid)?;
        let number = number.checked_mul(radix.into()).ok_or(Invalid)?;
        number.checked_add(digit.into()).ok_or(Invalid)
    })
}
