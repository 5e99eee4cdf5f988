//! Text of others, made fit for a terminal: what programs print, in which it is one line among others, and paths in
//! commands that somebody may copy from there.

use anstyle_parse::{DefaultCharAccumulator, Params, Parser, Perform};

use super::Styles;

/// The text with its colours, where the console has colours, and without any other control sequence: a
/// program that clears the screen would clear the lines of the others.
pub(crate) fn shown(text: &str, styles: Styles) -> String {
    // Mostly there are none.
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let mut kept = Kept {
        text: String::with_capacity(text.len()),
        keeps_styles: styles.are_enabled(),
        is_styled: false,
    };
    let mut parser = Parser::<DefaultCharAccumulator>::new();
    for byte in text.bytes() {
        parser.advance(&mut kept, byte);
    }
    if kept.is_styled {
        kept.text.push_str("\x1b[0m");
    }
    kept.text
}

/// The path, quoted for a shell where that is needed.
pub(crate) fn shell_quoted(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,@%".contains(&byte);
    match path.bytes().all(plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

struct Kept {
    text: String,
    keeps_styles: bool,
    /// Some style was set, and perhaps not taken back.
    is_styled: bool,
}

impl Perform for Kept {
    fn print(&mut self, c: char) {
        // The control characters of ISO 8859 may come as UTF-8.
        if !c.is_control() {
            self.text.push(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        if byte == b'\t' {
            self.text.push('\t');
        }
    }

    /// ECMA-48 8.3.117: "select graphic rendition" ends with `m`.
    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: u8) {
        if !self.keeps_styles || ignore || action != b'm' || !intermediates.is_empty() {
            return;
        }
        let groups = params.iter().map(|group| {
            let numbers: Vec<_> = group.iter().map(u16::to_string).collect();
            numbers.join(":")
        });
        let groups: Vec<_> = groups.collect();
        self.is_styled = !matches!(groups.last().map(String::as_str), None | Some("0"));
        self.text.push_str("\x1b[");
        self.text.push_str(&groups.join(";"));
        self.text.push('m');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_and_are_taken_back_at_the_end_of_the_line() {
        let styles = Styles::for_tests(true);
        for (text, expected) in [
            ("plain", "plain"),
            ("a\tb", "a\tb"),
            ("\x1b[1;31merror\x1b[0m: x", "\x1b[1;31merror\x1b[0m: x"),
            ("\x1b[32mok", "\x1b[32mok\x1b[0m"),
            ("\x1b[38:2:1:2:3mx\x1b[m", "\x1b[38:2:1:2:3mx\x1b[0m"),
        ] {
            assert_eq!(shown(text, styles), expected, "{text:?}");
        }
    }

    #[test]
    fn nothing_moves_the_cursor_clears_the_screen_or_sets_the_title() {
        for enabled in [true, false] {
            let styles = Styles::for_tests(enabled);
            for text in [
                "\x1b[2J\x1b[Hx",
                "\x1bcx",
                "\x1b]0;title\x07x",
                "\x1b]8;;http://a/\x1b\\x",
                "\x07\x08x",
                "\u{9b}2Jx",
                "x\x1b[",
            ] {
                let shown = shown(text, styles);
                assert!(shown == "x" || shown == "2Jx", "{text:?} -> {shown:?}");
            }
        }
    }

    #[test]
    fn a_pipe_gets_no_colours() {
        let styles = Styles::for_tests(false);
        assert_eq!(shown("\x1b[1;31merror\x1b[0m: x", styles), "error: x");
    }
}
