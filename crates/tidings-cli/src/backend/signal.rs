//! The signal that asks a backend to end.

use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Hup,
    Int,
    Quit,
    Kill,
    Usr1,
    Usr2,
    Term,
}

impl FromStr for Signal {
    type Err = String;

    /// In any case, with or without `SIG`.
    fn from_str(text: &str) -> Result<Signal, String> {
        let name = text.to_ascii_uppercase();
        match name.strip_prefix("SIG").unwrap_or(&name) {
            "HUP" => Ok(Signal::Hup),
            "INT" => Ok(Signal::Int),
            "QUIT" => Ok(Signal::Quit),
            "KILL" => Ok(Signal::Kill),
            "USR1" => Ok(Signal::Usr1),
            "USR2" => Ok(Signal::Usr2),
            "TERM" => Ok(Signal::Term),
            _ => Err("give one of TERM, INT, HUP, QUIT, USR1, USR2 or KILL".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_written_with_or_without_sig_in_any_case() {
        for text in ["INT", "SIGINT", "int", "SigInt"] {
            assert_eq!(text.parse(), Ok(Signal::Int), "{text:?}");
        }
        for text in ["", "2", "SIG", "STOP"] {
            assert!(text.parse::<Signal>().is_err(), "{text:?}");
        }
    }
}
