//! The values of the file. Those that the command line has as well are parsed by the same code.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::config::{Mount, Route, value};
use crate::files::Compress;
use crate::upstream::Target;

/// A switch, or more: `host = true`, `host = "192.168.1.10"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SwitchOr<T> {
    Switch(bool),
    Value(T),
}

/// A file below the served folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileBelow(pub(crate) String);

/// The URL of a backend. The path of a Unix socket is relative to the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backend(String);

/// A part of a served site that is passed to a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proxied {
    prefix: String,
    backend: Backend,
}

/// A text that is parsed, so that an error is reported at its place.
pub(super) struct Parsed<T>(pub(super) T);

impl Backend {
    /// The same for a program that runs in another folder than the file is in.
    pub(crate) fn target(&self, folder: &Path) -> Result<Target, String> {
        match self.0.strip_prefix("unix:") {
            Some(socket) => {
                let socket = socket.strip_prefix("//").unwrap_or(socket);
                format!("unix:{}", folder.join(socket).display()).parse()
            }
            None => self.0.parse(),
        }
    }
}

impl Proxied {
    pub(crate) fn route(&self, folder: &Path) -> Result<Route, String> {
        Route::new(&self.prefix, self.backend.target(folder)?)
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Backend, String> {
        text.parse::<Target>()?;
        Ok(Backend(text.to_owned()))
    }
}

impl FromStr for FileBelow {
    type Err = String;

    fn from_str(text: &str) -> Result<FileBelow, String> {
        value::file_below(text).map(FileBelow)
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Parsed<T>, D::Error> {
        deserializer.deserialize_str(Text(|text: &str| {
            text.parse().map(Parsed).map_err(|error| format!("{error}"))
        }))
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for SwitchOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SwitchOr<T>, D::Error> {
        struct SwitchOrText<T>(PhantomData<T>);

        impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for SwitchOrText<T> {
            type Value = SwitchOr<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or a text in quotes")
            }

            fn visit_bool<E: Error>(self, switch: bool) -> Result<SwitchOr<T>, E> {
                Ok(SwitchOr::Switch(switch))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<SwitchOr<T>, E> {
                text.parse().map(SwitchOr::Value).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(SwitchOrText(PhantomData))
    }
}

/// A text that this function takes.
struct Text<F>(F);

impl<T, F: FnOnce(&str) -> Result<T, String>> Visitor<'_> for Text<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text in quotes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}

pub(super) fn text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    Parsed::deserialize(deserializer).map(|Parsed(value)| Some(value))
}

pub(super) fn compress<'de, D>(deserializer: D) -> Result<Option<Compress>, D::Error>
where
    D: Deserializer<'de>,
{
    let parse = |text: &str| match <Compress as clap::ValueEnum>::from_str(text, false) {
        Ok(compress) => Ok(Some(compress)),
        Err(_) => Err("expected \"auto\", \"always\" or \"never\"".to_owned()),
    };
    deserializer.deserialize_str(Text(parse))
}

pub(super) fn path_on_server<'de, D>(deserializer: D) -> Result<Option<String>, D::Error>
where
    D: Deserializer<'de>,
{
    deserializer.deserialize_str(Text(|text: &str| value::path_on_server(text).map(Some)))
}

/// One text, or a list of texts.
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    struct List<T>(PhantomData<T>);

    impl<'de, T: FromStr<Err: fmt::Display>> Visitor<'de> for List<T> {
        type Value = Option<Vec<T>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of texts")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            let one = text.parse().map_err(E::custom)?;
            Ok(Some(vec![one]))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some(Parsed(value)) = texts.next_element()? {
                list.push(value);
            }
            Ok(Some(list))
        }
    }

    deserializer.deserialize_any(List(PhantomData))
}

/// A program and its arguments. Not one text: it would have to be split as some shell does.
pub(super) fn arguments<'de, D>(deserializer: D) -> Result<Option<Vec<String>>, D::Error>
where
    D: Deserializer<'de>,
{
    struct Arguments;

    impl<'de> Visitor<'de> for Arguments {
        type Value = Option<Vec<String>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of the program and its arguments")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Self::Value, A::Error> {
            let mut arguments = Vec::new();
            while let Some(Parsed(argument)) = texts.next_element::<Parsed<String>>()? {
                arguments.push(argument);
            }
            match arguments.first() {
                Some(program) if !program.is_empty() => Ok(Some(arguments)),
                _ => Err(A::Error::custom(
                    "expected a list of the program and its arguments",
                )),
            }
        }
    }

    deserializer.deserialize_any(Arguments)
}

/// A table of paths and URLs.
pub(super) fn routes<'de, D>(deserializer: D) -> Result<Option<Vec<Proxied>>, D::Error>
where
    D: Deserializer<'de>,
{
    struct Prefix(String);

    impl FromStr for Prefix {
        type Err = String;

        fn from_str(text: &str) -> Result<Prefix, String> {
            Route::prefix(text).map(Prefix)
        }
    }

    let table = deserializer.deserialize_any(Pairs("a table of paths and URLs", PhantomData))?;
    let route = |(Prefix(prefix), backend)| Proxied { prefix, backend };
    Ok(Some(table.into_iter().map(route).collect()))
}

/// A table of paths and folders.
pub(super) fn mounts<'de, D>(deserializer: D) -> Result<Option<Vec<Mount>>, D::Error>
where
    D: Deserializer<'de>,
{
    struct Prefix(String);

    impl FromStr for Prefix {
        type Err = String;

        fn from_str(text: &str) -> Result<Prefix, String> {
            Mount::prefix(text).map(Prefix)
        }
    }

    let table = deserializer.deserialize_any(Pairs("a table of paths and folders", PhantomData))?;
    let mount = |(Prefix(prefix), dir)| Mount { prefix, dir };
    Ok(Some(table.into_iter().map(mount).collect()))
}

/// A table of texts. It says what is expected.
struct Pairs<K, V>(&'static str, PhantomData<(K, V)>);

impl<'de, K, V> Visitor<'de> for Pairs<K, V>
where
    K: FromStr<Err: fmt::Display>,
    V: FromStr<Err: fmt::Display>,
{
    type Value = Vec<(K, V)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(Parsed(key)) = map.next_key()? {
            let Parsed(value) = map.next_value()?;
            pairs.push((key, value));
        }
        Ok(pairs)
    }
}

/// A whole number in a range, or any number of seconds.
struct Number<F> {
    expected: &'static str,
    parse: F,
}

impl<T, F: FnOnce(f64) -> Option<T>> Visitor<'_> for Number<F> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Option<T>, E> {
        // Exact for all numbers that are valid.
        self.visit_f64(number as f64)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<T>, E> {
        self.visit_f64(number as f64)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Option<T>, E> {
        let expected = self.expected;
        match (self.parse)(number) {
            Some(value) => Ok(Some(value)),
            None => Err(E::custom(format!("{number} is not {expected}"))),
        }
    }
}

pub(super) fn port<'de, D>(deserializer: D) -> Result<Option<u16>, D::Error>
where
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(Number {
        expected: "a port number from 0 to 65535",
        parse: |number: f64| {
            let valid = number.fract() == 0.0 && (0.0..=65535.0).contains(&number);
            valid.then_some(number as u16)
        },
    })
}

pub(super) fn seconds<'de, D>(deserializer: D) -> Result<Option<Duration>, D::Error>
where
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(Number {
        expected: "a number of seconds",
        parse: value::duration,
    })
}

/// A switch, or a number of milliseconds.
pub(super) fn interval<'de, D>(deserializer: D) -> Result<Option<SwitchOr<Duration>>, D::Error>
where
    D: Deserializer<'de>,
{
    struct Interval;

    impl Visitor<'_> for Interval {
        type Value = Option<SwitchOr<Duration>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "true, false or {}", value::INTERVAL)
        }

        fn visit_bool<E: Error>(self, switch: bool) -> Result<Self::Value, E> {
            Ok(Some(SwitchOr::Switch(switch)))
        }

        fn visit_i64<E: Error>(self, ms: i64) -> Result<Self::Value, E> {
            match u64::try_from(ms).ok().and_then(value::interval) {
                Some(interval) => Ok(Some(SwitchOr::Value(interval))),
                None => Err(E::custom(format!("{ms} is not {}", value::INTERVAL))),
            }
        }
    }

    deserializer.deserialize_any(Interval)
}
