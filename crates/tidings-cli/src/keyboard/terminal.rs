//! The mode of the terminal: each key comes at once, and is not shown.

use std::panic;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use rustix::process::{Pid, getpgrp};
use rustix::stdio::stdin;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};

/// Held while the mode is changed.
static MODE: Mutex<Mode> = Mutex::new(Mode {
    before: None,
    is_stopped: false,
    is_over: false,
});

/// What our mode has not.
const LINES: LocalModes = LocalModes::ICANON.union(LocalModes::ECHO);

struct Mode {
    /// The mode that the terminal had before; none while it has it.
    before: Option<Termios>,
    /// We are stopped, or are about to be: the mode is not set until we go on.
    is_stopped: bool,
    /// The process is about to end: the mode is not set any more.
    is_over: bool,
}

static AT_PANIC: Once = Once::new();

/// Whether the terminal listens to us. Otherwise a shell or another program has it.
pub(super) fn is_ours() -> bool {
    tcgetpgrp(stdin()).is_ok_and(|foreground: Pid| foreground == getpgrp())
}

/// Sets the mode, if the terminal is ours. Returns whether it is set.
pub(super) fn enter() -> bool {
    set(&mut lock())
}

fn lock() -> MutexGuard<'static, Mode> {
    MODE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn set(mode: &mut Mode) -> bool {
    if mode.is_over || mode.is_stopped || !is_ours() {
        return false;
    }
    if mode.before.is_some() {
        return true;
    }
    let Ok(before) = tcgetattr(stdin()) else {
        return false;
    };
    let mut keys = before.clone();
    // `ISIG` stays: Ctrl-C is a signal. So does `OPOST`: lines end as they did.
    keys.local_modes.remove(LINES);
    keys.special_codes[SpecialCodeIndex::VMIN] = 1;
    keys.special_codes[SpecialCodeIndex::VTIME] = 0;
    if tcsetattr(stdin(), OptionalActions::Now, &keys).is_err() {
        return false;
    }
    mode.before = Some(before);
    AT_PANIC.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // Not where the thread that panics has the mode.
            if let Ok(mut mode) = MODE.try_lock() {
                restore(&mut mode);
            }
            report(info);
        }));
    });
    true
}

fn restore(mode: &mut Mode) {
    let Some(before) = mode.before.take() else {
        return;
    };
    // In the background this would stop us, and the shell has set its own mode.
    if is_ours() {
        let _ = tcsetattr(stdin(), OptionalActions::Now, &before);
    }
}

/// Gives the terminal back as it was, for good.
pub(super) fn leave() {
    let mut mode = lock();
    mode.is_over = true;
    restore(&mut mode);
}

/// Gives the terminal back until [`enter_again`] is called. The caller stops the process then: threads go on for
/// a moment when that is asked for, and must not set the mode.
pub(super) fn leave_until_continued() {
    let mut mode = lock();
    mode.is_stopped = true;
    restore(&mut mode);
}

/// The process goes on. Whoever had the terminal meanwhile may have set another mode: ours is set again, if it is ours again.
pub(super) fn enter_again() {
    let mut mode = lock();
    mode.is_stopped = false;
    // Ours may be set still, after SIGSTOP, and must not be taken for the one that there was before.
    let is_set = |now: Termios| !now.local_modes.intersects(LINES);
    if mode.before.is_some() && tcgetattr(stdin()).is_ok_and(is_set) {
        return;
    }
    mode.before = None;
    set(&mut mode);
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    /// Set for the process that panics.
    const PANICS: &str = "TIDINGS_TEST_PANICS";
    const SET: &str = "the mode is set";

    /// A process of its own, at a terminal of its own, because there is one mode and one hook in each. Its session
    /// goes on when it has ended: the system sets the mode itself when that is over.
    #[test]
    fn a_panic_of_any_thread_gives_the_terminal_back() {
        if std::env::var_os(PANICS).is_some() {
            assert!(enter(), "it is in the foreground");
            let modes = || tcgetattr(stdin()).unwrap().local_modes;
            assert!(!modes().intersects(LocalModes::ICANON | LocalModes::ECHO));
            println!("{SET}");
            // The process goes on: as it is when the thread is one of the runtime.
            let panicked = std::thread::spawn(|| panic!("on purpose")).join();
            assert!(panicked.is_err());
            assert!(modes().contains(LocalModes::ICANON | LocalModes::ECHO));
            // The next key takes it again, and the next panic gives it back.
            assert!(enter());
            panic!("once more");
        }
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let terminal = File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap());
        let terminal = terminal.unwrap();
        let end = || Stdio::from(terminal.try_clone().unwrap());
        let (_, module) = module_path!().split_once("::").unwrap();
        let test = format!("{module}::a_panic_of_any_thread_gives_the_terminal_back");
        let session = Command::new("setsid")
            .args(["--ctty", "--wait", "sh", "-c"])
            .args(["\"$@\"; echo ended; exec cat", "sh"])
            .arg(std::env::current_exe().unwrap())
            .args([&*test, "--exact", "--nocapture", "--test-threads=1"])
            .env(PANICS, "1")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn();
        let mut session = session.expect("setsid, of util-linux");
        let lines = BufReader::new(File::from(master)).lines();
        let lines: Vec<_> = lines
            .map(Result::unwrap)
            .take_while(|line| line != "ended")
            .collect();
        let modes = tcgetattr(&terminal).unwrap().local_modes;
        session.kill().unwrap();
        session.wait().unwrap();
        let has = |text: &str| lines.iter().any(|line| line.contains(text));
        assert!(has(SET) && has("once more"), "{lines:?}");
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO));
    }
}
