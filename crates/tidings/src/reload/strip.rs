//! Removes comments and indentation from the page's script at compile time: they are a third of it.
//!
//! What must stay true: no string or template literal in those files spans lines, because it would be
//! changed as well. `tests/client/share.mjs` checks that.

/// Removes comments, empty lines and indentation. Returns the text and its length.
pub(super) const fn strip<const N: usize>(source: &str) -> ([u8; N], usize) {
    let source = source.as_bytes();
    let mut text = [0; N];
    let mut len = 0;
    let mut at = 0;
    while at < source.len() {
        while at < source.len() && source[at] == b' ' {
            at += 1;
        }
        let is_comment = at + 1 < source.len() && source[at] == b'/' && source[at + 1] == b'/';
        let is_empty = at < source.len() && source[at] == b'\n';
        let mut in_comment = is_comment || is_empty;
        while at < source.len() {
            let byte = source[at];
            let ends = byte == b'\n';
            // A blank on both sides: the slashes of an address in a string have none.
            in_comment |= byte == b' '
                && at + 3 < source.len()
                && source[at + 1] == b'/'
                && source[at + 2] == b'/'
                && source[at + 3] == b' ';
            if !in_comment || (ends && !is_comment && !is_empty) {
                text[len] = byte;
                len += 1;
            }
            at += 1;
            if ends {
                break;
            }
        }
    }
    (text, len)
}

#[cfg(test)]
mod tests {
    use super::strip;

    #[track_caller]
    fn check(source: &str, expected: &str) {
        let (text, len) = strip::<100>(source);
        assert_eq!(std::str::from_utf8(&text[..len]).unwrap(), expected);
    }

    #[test]
    fn code_stays_and_comment_lines_go() {
        check(
            "// what\n\n  let a = 1 // why\n    // how\n  b('//c')\n",
            "let a = 1\nb('//c')\n",
        );
    }

    #[test]
    fn an_end_without_a_line_break_is_kept() {
        check("  a", "a");
        check("a\n   // b", "a\n");
        check("é / b\n  /", "é / b\n/");
    }
}
