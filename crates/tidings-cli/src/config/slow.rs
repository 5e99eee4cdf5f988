//! A slow network to pretend to be: `--slow 3g`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How slow a network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slow {
    /// Kilobits per second, in each direction; at least 1.
    pub(crate) kbit: u32,
    /// How long each response takes to arrive.
    pub(crate) delay: Duration,
}

impl FromStr for Slow {
    type Err = String;

    fn from_str(text: &str) -> Result<Slow, String> {
        let slow = |kbit, ms| {
            Ok(Slow {
                kbit,
                delay: Duration::from_millis(ms),
            })
        };
        match text {
            // As in the browsers' developer tools.
            "3g" => return slow(1600, 560),
            "4g" => return slow(9000, 170),
            _ => {}
        }
        let (kbit, ms) = text.split_once(',').unwrap_or((text, "0"));
        match (kbit.parse(), ms.parse::<u16>()) {
            (Ok(kbit @ 1..), Ok(ms)) => slow(kbit, ms.into()),
            _ => Err(
                "give 3g, 4g, or kilobits per second and milliseconds, such as 1600,150".to_owned(),
            ),
        }
    }
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kbit/s, {} ms", self.kbit, self.delay.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_a_name_or_a_rate_and_a_delay() {
        for (text, expected) in [
            ("3g", "1600 kbit/s, 560 ms"),
            ("4g", "9000 kbit/s, 170 ms"),
            ("500", "500 kbit/s, 0 ms"),
            ("500,20", "500 kbit/s, 20 ms"),
        ] {
            assert_eq!(text.parse::<Slow>().unwrap().to_string(), expected);
        }
        for text in ["", "0", "5g", "-1", "1,", "1,-1", "1,2,3", "99999999999"] {
            assert!(text.parse::<Slow>().is_err(), "{text:?}");
        }
    }
}
