//! Reads keys.

use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read};
use rustix::stdio::stdin;

use super::{Input, Key, terminal};

/// How often it is looked whether the terminal is ours again, while there is something for somebody else.
const BACKGROUND: Duration = Duration::from_millis(200);

const ESCAPE: u8 = 0x1b;

/// Ctrl-D, which ends the input where the terminal takes lines.
const END: u8 = 0x04;

/// Ctrl-L, which clears the screen in most programs.
const FORM_FEED: u8 = 0x0c;

/// Reads keys for as long as there is a terminal.
pub(super) fn read_keys(told: impl Fn(Input)) {
    read_all(
        || terminal::enter() || terminal::is_ours(),
        |bytes| inputs(bytes).into_iter().for_each(&told),
    );
    told(Input::Closed);
}

/// Reads the terminal to its end, with the mode that it has.
pub(super) fn read_to_end() {
    read_all(terminal::is_ours, |_| {});
}

/// Reads the terminal to its end, whenever it is ours: to read it in the background would stop us.
fn read_all(is_ours: impl Fn() -> bool, came: impl Fn(&[u8])) {
    let mut bytes = [0; 64];
    loop {
        let terminal = stdin();
        let mut source = [PollFd::new(&terminal, PollFlags::IN)];
        match poll(&mut source, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return,
        }
        // When it has hung up, it is nobody's any more.
        if !is_ours() && !source[0].revents().contains(PollFlags::HUP) {
            thread::sleep(BACKGROUND);
            continue;
        }
        match read(stdin(), &mut bytes) {
            Ok(0) => return,
            Ok(n_read) => came(&bytes[..n_read]),
            Err(Errno::INTR | Errno::AGAIN) => {}
            // It has hung up.
            Err(_) => return,
        }
    }
}

/// What was typed. A key that sends several bytes, as the arrows do, is none of ours.
fn inputs(bytes: &[u8]) -> Vec<Input> {
    let mut inputs = Vec::new();
    let mut rest = bytes.iter().copied();
    while let Some(byte) = rest.next() {
        match byte {
            ESCAPE => skip_sequence(&mut rest),
            END => inputs.push(Input::Closed),
            FORM_FEED => inputs.push(Input::Key(Key::Clear)),
            byte => inputs.extend(Key::of(byte).map(Input::Key)),
        }
    }
    inputs
}

/// Skips what follows an escape: ECMA-48 5.4, a control sequence ends with a byte from `@` to `~`; any other is
/// one byte long, but for those after `O`, which keypads send.
fn skip_sequence(rest: &mut impl Iterator<Item = u8>) {
    match rest.next() {
        Some(b'[') => {
            let _ = rest.find(|byte| (b'@'..=b'~').contains(byte));
        }
        Some(b'O') => {
            rest.next();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_keys_in_either_case_and_arrows_are_none() {
        let typed = inputs;
        assert_eq!(
            typed(b"rQ"),
            [Input::Key(Key::Reload), Input::Key(Key::Quit)]
        );
        assert_eq!(typed(b"\x0c"), [Input::Key(Key::Clear)]);
        assert_eq!(typed(b"\x04"), [Input::Closed]);
        assert_eq!(typed(b"\x1b[A\x1b[1;5Cq"), [Input::Key(Key::Quit)]);
        for none in [&b"\x1b[C"[..], b"\x1bOp", b"\n", b"x7", "é".as_bytes()] {
            assert_eq!(typed(none), [], "{none:?}");
        }
    }
}
