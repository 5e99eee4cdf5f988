//! `[[headers]]` and `[[redirects]]`.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::values::Parsed;
use crate::rules::{
    Destination, HeaderRule, Name, PathGlob, Preset, RedirectRule, Source, Status, Value,
};

#[derive(Deserialize)]
pub(super) struct RawHeaders {
    path: Parsed<PathGlob>,
    set: Option<Set>,
    preset: Option<Parsed<Preset>>,
}

#[derive(Deserialize)]
#[serde(try_from = "RawHeaders")]
struct Headers(HeaderRule);

/// Names and values of headers.
struct Set(Vec<(Name, Value)>);

#[derive(Deserialize)]
pub(super) struct RawRedirect {
    from: Parsed<Source>,
    to: Parsed<Destination>,
    status: Option<Code>,
}

#[derive(Deserialize)]
#[serde(try_from = "RawRedirect")]
struct Redirect(RedirectRule);

#[derive(Deserialize)]
#[serde(try_from = "u16")]
struct Code(Status);

pub(super) fn headers<'de, D>(deserializer: D) -> Result<Vec<HeaderRule>, D::Error>
where
    D: Deserializer<'de>,
{
    let rules = Vec::<Headers>::deserialize(deserializer)?;
    Ok(rules.into_iter().map(|Headers(rule)| rule).collect())
}

pub(super) fn redirects<'de, D>(deserializer: D) -> Result<Vec<RedirectRule>, D::Error>
where
    D: Deserializer<'de>,
{
    let rules = Vec::<Redirect>::deserialize(deserializer)?;
    Ok(rules.into_iter().map(|Redirect(rule)| rule).collect())
}

impl TryFrom<RawHeaders> for Headers {
    type Error = String;

    fn try_from(raw: RawHeaders) -> Result<Headers, String> {
        if raw.set.is_none() && raw.preset.is_none() {
            return Err("`set` or `preset` is missing: no header would be set".to_owned());
        }
        let preset = raw.preset.map(|Parsed(preset)| preset.headers());
        let set = raw.set.map(|Set(set)| set);
        Ok(Headers(HeaderRule {
            path: raw.path.0,
            // What is set by name counts more than the preset.
            set: [preset, set].into_iter().flatten().flatten().collect(),
        }))
    }
}

impl TryFrom<RawRedirect> for Redirect {
    type Error = String;

    fn try_from(raw: RawRedirect) -> Result<Redirect, String> {
        let status = raw.status.map(|Code(status)| status);
        RedirectRule::new(raw.from.0, raw.to.0, status).map(Redirect)
    }
}

impl TryFrom<u16> for Code {
    type Error = String;

    fn try_from(code: u16) -> Result<Code, String> {
        Status::try_from(code).map(Code)
    }
}

impl<'de> Deserialize<'de> for Set {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Set, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Set;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of headers and values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Set, A::Error> {
                let mut set = Vec::new();
                while let Some(Parsed(name)) = map.next_key()? {
                    let Parsed(value) = map.next_value()?;
                    if set.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom("a header is set twice"));
                    }
                    set.push((name, value));
                }
                Ok(Set(set))
            }
        }

        deserializer.deserialize_any(Names)
    }
}
