//! The signal that asks a command to end, as `--stop-signal` names it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A signal that programs take as a request to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Signal {
    Hup,
    Int,
    Quit,
    Kill,
    Usr1,
    Usr2,
    Term,
    Winch,
}

const NAMES: [(&str, Signal); 8] = [
    ("HUP", Signal::Hup),
    ("INT", Signal::Int),
    ("QUIT", Signal::Quit),
    ("KILL", Signal::Kill),
    ("USR1", Signal::Usr1),
    ("USR2", Signal::Usr2),
    ("TERM", Signal::Term),
    ("WINCH", Signal::Winch),
];

impl FromStr for Signal {
    type Err = String;

    fn from_str(text: &str) -> Result<Signal, String> {
        let name = text.to_ascii_uppercase();
        let name = name.strip_prefix("SIG").unwrap_or(&name);
        match NAMES.iter().find(|(known, _)| *known == name) {
            Some((_, signal)) => Ok(*signal),
            None => {
                let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
                Err(format!("give one of {}", names.join(", ")))
            }
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, signal)| signal == self);
        f.write_str(name.map_or("TERM", |(name, _)| name))
    }
}

#[cfg(unix)]
impl From<Signal> for rustix::process::Signal {
    fn from(signal: Signal) -> rustix::process::Signal {
        match signal {
            Signal::Hup => rustix::process::Signal::HUP,
            Signal::Int => rustix::process::Signal::INT,
            Signal::Quit => rustix::process::Signal::QUIT,
            Signal::Kill => rustix::process::Signal::KILL,
            Signal::Usr1 => rustix::process::Signal::USR1,
            Signal::Usr2 => rustix::process::Signal::USR2,
            Signal::Term => rustix::process::Signal::TERM,
            Signal::Winch => rustix::process::Signal::WINCH,
        }
    }
}

/// The name of the signal with this number, as `kill -l` says it: `SIGKILL`.
#[cfg(unix)]
pub(super) fn name_of(number: i32) -> String {
    use rustix::process::Signal as S;
    let known = [
        (S::HUP, "SIGHUP"),
        (S::INT, "SIGINT"),
        (S::QUIT, "SIGQUIT"),
        (S::ILL, "SIGILL"),
        (S::TRAP, "SIGTRAP"),
        (S::ABORT, "SIGABRT"),
        (S::BUS, "SIGBUS"),
        (S::FPE, "SIGFPE"),
        (S::KILL, "SIGKILL"),
        (S::USR1, "SIGUSR1"),
        (S::SEGV, "SIGSEGV"),
        (S::USR2, "SIGUSR2"),
        (S::PIPE, "SIGPIPE"),
        (S::ALARM, "SIGALRM"),
        (S::TERM, "SIGTERM"),
        (S::XCPU, "SIGXCPU"),
        (S::SYS, "SIGSYS"),
    ];
    let found = known.iter().find(|(signal, _)| signal.as_raw() == number);
    found.map_or_else(
        || format!("signal {number}"),
        |(_, name)| (*name).to_owned(),
    )
}

#[cfg(not(unix))]
pub(super) fn name_of(number: i32) -> String {
    format!("signal {number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_named_with_or_without_sig_in_any_case() {
        for name in ["TERM", "term", "SIGTERM", "SigTerm"] {
            assert_eq!(name.parse(), Ok(Signal::Term), "{name}");
        }
        for (name, signal) in NAMES {
            assert_eq!(name.parse(), Ok(signal));
            assert_eq!(signal.to_string(), name);
        }
        let error = "STOP".parse::<Signal>().unwrap_err();
        assert!(error.contains("INT") && error.contains("TERM"), "{error}");
    }
}
