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
    let mut bytes = [0; 64];
    loop {
        let terminal = stdin();
        let mut source = [PollFd::new(&terminal, PollFlags::IN)];
        match poll(&mut source, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => break,
        }
        // To read it in the background would stop us.
        if !terminal::enter() && !terminal::is_ours() {
            thread::sleep(BACKGROUND);
            continue;
        }
        match read(stdin(), &mut bytes) {
            Ok(0) => break,
            Ok(n_read) => inputs(&bytes[..n_read]).for_each(&told),
            Err(Errno::INTR | Errno::AGAIN) => {}
            // It has hung up.
            Err(_) => break,
        }
    }
    told(Input::Closed);
}

/// What was typed. A key that sends several bytes, as the arrows do, is none of ours.
fn inputs(bytes: &[u8]) -> impl Iterator<Item = Input> {
    let typed = match bytes.first() {
        Some(&ESCAPE) => &[],
        _ => bytes,
    };
    typed.iter().filter_map(|&byte| match byte {
        END => Some(Input::Closed),
        FORM_FEED => Some(Input::Key(Key::Clear)),
        byte => Key::of(byte).map(Input::Key),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_keys_in_either_case_and_arrows_are_none() {
        let typed = |bytes: &[u8]| inputs(bytes).collect::<Vec<_>>();
        assert_eq!(
            typed(b"rQ"),
            [Input::Key(Key::Reload), Input::Key(Key::Quit)]
        );
        assert_eq!(typed(b"\x0c"), [Input::Key(Key::Clear)]);
        assert_eq!(typed(b"\x04"), [Input::Closed]);
        for none in [&b"\x1b[C"[..], b"\x1bOp", b"\n", b"x7", "é".as_bytes()] {
            assert_eq!(typed(none), [], "{none:?}");
        }
    }
}
