//! What a command prints: lines, passed on as they come, and the last of them kept.
//!
//! A line is what is between two line breaks, or up to a pause, or [`MAX_LINE`] of it. Each waits until
//! those before it were reported, so a terminal that does not keep up slows down the command, and nothing
//! else: memory is bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::event::{Event, Source, Stream};
use super::reporter::Reporter;

/// Longer lines are passed on in parts of this size, in bytes.
const MAX_LINE: usize = 1 << 20;

/// A line without its end, such as a prompt, is passed on after this pause.
const PARTIAL_AFTER: Duration = Duration::from_millis(200);

/// How many lines are kept, and how many bytes of each.
const KEPT_LINES: usize = 100;
const KEPT_BYTES: usize = 2000;

/// The last lines of a command, of both streams as they came.
#[derive(Clone, Debug, Default)]
pub(super) struct LastLines(Arc<Mutex<VecDeque<String>>>);

impl LastLines {
    pub(super) fn get(&self) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }

    fn push(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        let mut end = line.len().min(KEPT_BYTES);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        lines.push_back(line[..end].to_owned());
    }
}

/// Passes on lines until the last process that could write any has ended.
pub(super) async fn pass_on(
    mut from: impl AsyncRead + Unpin,
    source: Source,
    stream: Stream,
    last: LastLines,
    reporter: Reporter,
) {
    let mut splitter = Splitter::default();
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut buffer);
        let read = match splitter.has_partial() {
            true => tokio::time::timeout(PARTIAL_AFTER, read).await,
            false => Ok(read.await),
        };
        let mut lines = Vec::new();
        let is_end = match read {
            Ok(Ok(n @ 1..)) => {
                splitter.push(&buffer[..n], &mut lines);
                false
            }
            Ok(_) => {
                splitter.flush(&mut lines);
                true
            }
            Err(_) => {
                splitter.flush(&mut lines);
                false
            }
        };
        for line in lines {
            last.push(&line);
            reporter
                .line(Event::Output {
                    from: source,
                    stream,
                    line,
                })
                .await;
        }
        if is_end {
            return;
        }
    }
}

/// Splits bytes into lines.
#[derive(Debug, Default)]
struct Splitter {
    partial: Vec<u8>,
    /// The last byte was a carriage return: a line feed right after it belongs to it.
    after_return: bool,
}

impl Splitter {
    fn has_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    fn push(&mut self, bytes: &[u8], lines: &mut Vec<String>) {
        for byte in bytes {
            let after_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    self.end_line(lines);
                }
                _ => {
                    self.partial.push(*byte);
                    if self.partial.len() == MAX_LINE {
                        self.end_line(lines);
                    }
                }
            }
        }
    }

    fn flush(&mut self, lines: &mut Vec<String>) {
        if self.has_partial() {
            self.end_line(lines);
        }
    }

    fn end_line(&mut self, lines: &mut Vec<String>) {
        lines.push(String::from_utf8_lossy(&self.partial).into_owned());
        // A long line does not keep its memory.
        match self.partial.capacity() > 64 << 10 {
            true => self.partial = Vec::new(),
            false => self.partial.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(parts: &[&[u8]]) -> Vec<String> {
        let (mut splitter, mut lines) = (Splitter::default(), Vec::new());
        for part in parts {
            splitter.push(part, &mut lines);
        }
        splitter.flush(&mut lines);
        lines
    }

    #[test]
    fn a_line_ends_at_any_line_break_and_at_the_end() {
        assert_eq!(
            split(&[b"a\nb\r\nc\rd\n\ne"]),
            ["a", "b", "c", "d", "", "e"]
        );
        assert_eq!(split(&[b"a\r", b"\nb"]), ["a", "b"]);
        assert_eq!(split(&[b"a\r", b"b"]), ["a", "b"]);
        assert_eq!(split(&[b""]), [""; 0]);
    }

    #[test]
    fn what_is_not_utf_8_is_replaced_and_a_character_in_two_reads_is_whole() {
        assert_eq!(split(&[b"caf\xc3", b"\xa9\n\xff!"]), ["café", "\u{fffd}!"]);
    }

    #[test]
    fn a_line_without_end_comes_in_parts() {
        let lines = split(&[&vec![b'x'; 2 * MAX_LINE + 1]]);
        let lengths: Vec<_> = lines.iter().map(String::len).collect();
        assert_eq!(lengths, [MAX_LINE, MAX_LINE, 1]);
        let lines = split(&[&vec![b'x'; MAX_LINE - 1], b"\n"]);
        assert_eq!(lines.len(), 1);
    }

    #[test]
    fn only_the_last_lines_are_kept_and_only_the_beginning_of_each() {
        let last = LastLines::default();
        for n in 0..KEPT_LINES + 5 {
            last.push(&format!("{n}"));
        }
        last.push(&"é".repeat(KEPT_BYTES));
        let lines = last.get();
        assert_eq!(lines.len(), KEPT_LINES);
        assert_eq!(lines[0], "6");
        assert_eq!(lines[KEPT_LINES - 1], "é".repeat(KEPT_BYTES / 2));
    }

    proptest! {
        #[test]
        fn how_the_bytes_were_read_makes_no_difference(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..60),
            cut in 0_usize..60,
        ) {
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(split(&[first, second]), split(&[&bytes]));
        }
    }
}
