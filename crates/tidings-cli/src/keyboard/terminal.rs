//! The mode of the terminal: each key comes at once, and is not shown.

use std::panic;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use rustix::process::{Pid, getpgrp};
use rustix::stdio::stdin;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};

/// Held while the mode is changed, and while we are stopped.
static MODE: Mutex<Mode> = Mutex::new(Mode {
    before: None,
    is_over: false,
});

struct Mode {
    /// The mode that the terminal had before; none while it has it.
    before: Option<Termios>,
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
    if mode.is_over || !is_ours() {
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
    keys.local_modes
        .remove(LocalModes::ICANON | LocalModes::ECHO);
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

/// Gives the terminal back for as long as `stop` takes.
pub(super) fn leave_while(stop: impl FnOnce()) {
    let mut mode = lock();
    restore(&mut mode);
    // Nobody sets the mode meanwhile.
    stop();
    set(&mut mode);
}

/// Whoever had the terminal meanwhile may have set another mode: ours is set again, if it is ours again.
pub(super) fn enter_again() {
    let mut mode = lock();
    mode.before = None;
    set(&mut mode);
}
