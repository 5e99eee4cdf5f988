//! Edits the Content-Security-Policy in a response's head, so that the page may load our script, start its
//! worker and open its stream. Policies in a `<meta>` element need nothing: our script runs before them.
//!
//! What must stay true
//! - Whatever the policy forbade, it still forbids, apart from our own addresses: in a development server a
//!   policy must fail where it would fail in production.
//! - Nothing is changed that need not be. `default-src` never is: what is missing is made from it.
//! - Report-only policies are edited in the same way, or they would report us.
//!
//! The terms are those of [CSP 3](https://www.w3.org/TR/CSP3/). The addresses are written as host and path
//! without a scheme, because the scheme is then the page's own (6.7.2.7), also behind a proxy with TLS.

use std::hash::{BuildHasher, RandomState};

use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY, HeaderMap, HeaderName,
    HeaderValue,
};

/// The name of the Trusted Types policy that our script creates.
const TRUSTED_TYPES_POLICY: &str = "tidings";

/// Our own addresses, as paths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own<'a> {
    /// The host and port of the page's address.
    pub(super) authority: Option<&'a str>,
    /// The script, which is also the worker's. Its parts, and what the page requests besides the stream, are in
    /// the same directory.
    pub(super) client: &'a str,
    pub(super) stream: &'a str,
}

/// What the page gets.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// The headers as they must be, where they must be different.
    edited: Vec<(HeaderName, Vec<HeaderValue>)>,
    /// The nonce that our element needs.
    pub(super) nonce: Option<String>,
    /// Whether there is a policy at all.
    pub(super) has_policy: bool,
}

impl Admission {
    pub(super) fn apply(&mut self, headers: &mut HeaderMap) {
        for (name, values) in self.edited.drain(..) {
            headers.remove(&name);
            for value in values {
                headers.append(&name, value);
            }
        }
    }
}

/// Finds what has to be changed in the policies of a response. An error says why our script cannot run
/// there.
pub(super) fn admit(headers: &HeaderMap, own: Own<'_>) -> Result<Admission, &'static str> {
    let enforced = Policies::read(headers, CONTENT_SECURITY_POLICY)?;
    let reported = Policies::read(headers, CONTENT_SECURITY_POLICY_REPORT_ONLY)?;
    if enforced.is_empty() && reported.is_empty() {
        return Ok(Admission::default());
    }
    if enforced.policies().any(Policy::is_sandboxed) {
        return Err("its Content-Security-Policy puts it in a sandbox");
    }
    let mut nonce = Nonce {
        value: enforced
            .policies()
            .chain(reported.policies())
            .find_map(|policy| policy.script_list()?.nonce().map(str::to_owned)),
        is_needed: false,
    };
    let mut admission = Admission {
        has_policy: true,
        ..Admission::default()
    };
    for mut policies in [enforced, reported] {
        let mut is_edited = false;
        for policy in policies.lines.iter_mut().flatten() {
            is_edited |= policy.admit(own, &mut nonce)?;
        }
        if is_edited {
            let values = policies.values()?;
            admission.edited.push((policies.name, values));
        }
    }
    admission.nonce = nonce.value.filter(|_| nonce.is_needed);
    Ok(admission)
}

/// The nonce of our element: one that the policy has, or one of our own.
struct Nonce {
    value: Option<String>,
    is_needed: bool,
}

impl Nonce {
    fn need(&mut self) -> &str {
        self.is_needed = true;
        self.value.get_or_insert_with(|| {
            // The keys are random from the system, and cannot be derived from the hashes.
            let half = || RandomState::new().hash_one(0);
            format!("{:016x}{:016x}", half(), half())
        })
    }
}

/// All header lines of one name.
struct Policies {
    name: HeaderName,
    /// 4.1: each line is a list of policies, which all apply.
    lines: Vec<Vec<Policy>>,
}

impl Policies {
    fn read(headers: &HeaderMap, name: HeaderName) -> Result<Policies, &'static str> {
        let mut lines = Vec::new();
        for value in headers.get_all(&name) {
            let Ok(text) = value.to_str() else {
                return Err("its Content-Security-Policy is not ASCII");
            };
            lines.push(text.split(',').map(Policy::parse).collect());
        }
        Ok(Policies { name, lines })
    }

    fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.lines.iter().flatten()
    }

    fn is_empty(&self) -> bool {
        self.policies().all(|policy| policy.directives.is_empty())
    }

    fn values(&self) -> Result<Vec<HeaderValue>, &'static str> {
        let line = |policies: &Vec<Policy>| {
            let texts: Vec<_> = policies.iter().map(|policy| policy.text.as_str()).collect();
            HeaderValue::try_from(texts.join(","))
        };
        let values: Result<Vec<_>, _> = self.lines.iter().map(line).collect();
        values.map_err(|_| "its Content-Security-Policy cannot be edited")
    }
}

/// One serialized policy, and where its directives are in it.
struct Policy {
    text: String,
    /// The name in lower case, and the range of the value with the blanks before it.
    directives: Vec<(String, std::ops::Range<usize>)>,
}

/// The sources of a fetch directive.
#[derive(Clone, Copy)]
struct SourceList<'a>(&'a str);

impl Policy {
    /// 2.2.1: directives are separated by semicolons, and the first of each name counts.
    fn parse(text: &str) -> Policy {
        let mut directives: Vec<(String, std::ops::Range<usize>)> = Vec::new();
        let mut start = 0;
        for directive in text.split(';') {
            let trimmed = directive.trim_ascii();
            let name_end = trimmed
                .find(|c: char| c.is_ascii_whitespace())
                .unwrap_or(trimmed.len());
            let name = trimmed[..name_end].to_ascii_lowercase();
            if !name.is_empty() && !directives.iter().any(|(other, _)| *other == name) {
                let indent = directive.len() - directive.trim_ascii_start().len();
                let value = start + indent + name_end..start + indent + trimmed.len();
                directives.push((name, value));
            }
            start += directive.len() + 1;
        }
        Policy {
            text: text.to_owned(),
            directives,
        }
    }

    fn list(&self, name: &str) -> Option<SourceList<'_>> {
        let (_, range) = self.directives.iter().find(|(other, _)| other == name)?;
        Some(SourceList(&self.text[range.clone()]))
    }

    /// The first of these directives that is there, which is the one that counts (6.8.3).
    fn effective<'a>(&self, names: &[&'a str]) -> Option<(&'a str, SourceList<'_>)> {
        names
            .iter()
            .find_map(|name| Some((*name, self.list(name)?)))
    }

    /// What governs script elements.
    fn script_list(&self) -> Option<SourceList<'_>> {
        let (_, list) = self.effective(&["script-src-elem", "script-src", "default-src"])?;
        Some(list)
    }

    /// Whether the page has no scripts, or an origin that is nobody's.
    fn is_sandboxed(&self) -> bool {
        self.list("sandbox")
            .is_some_and(|flags| !(flags.has("allow-scripts") && flags.has("allow-same-origin")))
    }

    /// Edits the policy so that it admits us. Returns whether anything was changed.
    fn admit(&mut self, own: Own<'_>, nonce: &mut Nonce) -> Result<bool, &'static str> {
        let mut is_edited = self.admit_script(own, nonce)?;
        is_edited |= self.admit_worker(own)?;
        is_edited |= self.admit_connections(own)?;
        is_edited |= self.admit_trusted_types();
        Ok(is_edited)
    }

    fn admit_script(&mut self, own: Own<'_>, nonce: &mut Nonce) -> Result<bool, &'static str> {
        let names = ["script-src-elem", "script-src", "default-src"];
        let Some((name, list)) = self.effective(&names) else {
            return Ok(false);
        };
        let source = match &nonce.value {
            Some(value) if list.has_nonce(value) => {
                nonce.need();
                return Ok(false);
            }
            _ if list.allows_our_origin() && !list.is_strict_dynamic() => return Ok(false),
            // 8.2: it makes addresses count for nothing, and 'unsafe-inline', which a nonce would switch off,
            // has no effect beside it.
            _ if list.is_strict_dynamic() => format!("'nonce-{}'", nonce.need()),
            _ => own.directory()?,
        };
        if list.has(&source) {
            return Ok(false);
        }
        match name {
            "default-src" => self.insert("script-src", list.0.to_owned(), &source),
            _ => self.append(name, &source),
        }
        Ok(true)
    }

    fn admit_worker(&mut self, own: Own<'_>) -> Result<bool, &'static str> {
        let names = ["worker-src", "child-src", "script-src", "default-src"];
        let Some((name, list)) = self.effective(&names) else {
            return Ok(false);
        };
        let is_script_list = matches!(name, "script-src" | "default-src");
        // 6.7.1.1: a worker is not inserted by the parser, so 'strict-dynamic' allows it.
        if list.allows_our_origin() || (is_script_list && list.is_strict_dynamic()) {
            return Ok(false);
        }
        let source = own.directory()?;
        if list.has(&source) {
            return Ok(false);
        }
        match name {
            "worker-src" => self.append(name, &source),
            _ => self.insert("worker-src", list.addresses(), &source),
        }
        Ok(true)
    }

    /// For a page without a worker, which opens the stream itself.
    fn admit_connections(&mut self, own: Own<'_>) -> Result<bool, &'static str> {
        let Some((name, list)) = self.effective(&["connect-src", "default-src"]) else {
            return Ok(false);
        };
        if list.allows_our_origin() {
            return Ok(false);
        }
        let sources = [own.source(own.stream)?, own.directory()?];
        if sources.iter().all(|source| list.has(source)) {
            return Ok(false);
        }
        let source = sources.join(" ");
        match name {
            "connect-src" => self.append(name, &source),
            _ => self.insert("connect-src", list.addresses(), &source),
        }
        Ok(true)
    }

    /// Trusted Types 4.2: with `require-trusted-types-for`, a worker's address must come from a policy, whose
    /// name must be in the list if there is one.
    fn admit_trusted_types(&mut self) -> bool {
        let Some(list) = self.list("trusted-types") else {
            return false;
        };
        if list.has("*")
            || list
                .0
                .split_ascii_whitespace()
                .any(|name| name == TRUSTED_TYPES_POLICY)
        {
            return false;
        }
        self.append("trusted-types", TRUSTED_TYPES_POLICY);
        true
    }

    /// Adds a source to a directive.
    fn append(&mut self, name: &str, source: &str) {
        let Some((_, range)) = self.directives.iter().find(|(other, _)| other == name) else {
            return;
        };
        let value = &self.text[range.clone()];
        // 6.7.2.4: 'none' counts only by itself.
        let edited = match SourceList(value).is_none() {
            true => format!(" {source}"),
            false => format!("{value} {source}"),
        };
        let range = range.clone();
        self.text.replace_range(range, &edited);
        *self = Policy::parse(&self.text);
    }

    /// Adds a directive with the sources of the one that it takes the place of, and ours.
    fn insert(&mut self, name: &str, fallback: String, source: &str) {
        let fallback = match SourceList(&fallback).is_none() {
            true => String::new(),
            false => fallback,
        };
        let fallback = fallback.trim_ascii();
        let end = self.text.trim_ascii_end().trim_end_matches(';').len();
        let space = if fallback.is_empty() { "" } else { " " };
        let directive = format!("; {name} {fallback}{space}{source}");
        self.text.insert_str(end, &directive);
        *self = Policy::parse(&self.text);
    }
}

impl Own<'_> {
    /// 6.7.2.11: a path with a slash at its end matches everything below it. That of a script at the top would
    /// match the whole site, so it is admitted alone.
    fn directory(&self) -> Result<String, &'static str> {
        let path = path_of(self.client);
        match path.rfind('/') {
            Some(end @ 1..) => self.source(&path[..=end]),
            _ => self.source(path),
        }
    }

    /// A host-source for one of our paths (2.3.1). A source cannot name an IPv6 address.
    fn source(&self, path: &str) -> Result<String, &'static str> {
        let authority = self.authority.unwrap_or_default();
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        let is_label = |label: &str| {
            let is_host_char = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            !label.is_empty() && label.bytes().all(is_host_char)
        };
        if !host.split('.').all(is_label) || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(
                "its Content-Security-Policy cannot be told of an address like this one: use localhost",
            );
        }
        // 2.3.1: a path holds neither semicolon nor comma, and the query does not count.
        let path = path_of(path).replace(';', "%3B").replace(',', "%2C");
        Ok(format!("{authority}{path}"))
    }
}

fn path_of(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

impl<'a> SourceList<'a> {
    fn sources(self) -> impl Iterator<Item = &'a str> {
        self.0.split_ascii_whitespace()
    }

    fn has(self, wanted: &str) -> bool {
        self.sources()
            .any(|source| source.eq_ignore_ascii_case(wanted))
    }

    fn is_none(self) -> bool {
        self.sources()
            .all(|source| source.eq_ignore_ascii_case("'none'"))
    }

    /// Whether every address of the page's own origin matches. That others do as well is not noticed: then a
    /// source is added that makes no difference.
    fn allows_our_origin(self) -> bool {
        // 6.7.2.7: `http:` matches https as well.
        self.has("'self'") || self.has("*") || self.has("http:")
    }

    fn is_strict_dynamic(self) -> bool {
        self.has("'strict-dynamic'")
    }

    fn nonce(self) -> Option<&'a str> {
        self.sources().find_map(nonce_of)
    }

    fn has_nonce(self, wanted: &str) -> bool {
        self.sources()
            .any(|source| nonce_of(source) == Some(wanted))
    }

    /// The sources that match by address: of the others none matches a worker or a connection.
    fn addresses(self) -> String {
        let is_address =
            |source: &&str| !source.starts_with('\'') || source.eq_ignore_ascii_case("'self'");
        let addresses: Vec<_> = self.sources().filter(is_address).collect();
        addresses.join(" ")
    }
}

/// 2.3.1: `'nonce-` and a value in base64, which needs no escaping in an attribute.
fn nonce_of(source: &str) -> Option<&str> {
    let start = source.get(..7)?;
    let value = source.get(7..)?.strip_suffix('\'')?;
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte);
    let fits =
        start.eq_ignore_ascii_case("'nonce-") && !value.is_empty() && value.bytes().all(is_base64);
    fits.then_some(value)
}

#[cfg(test)]
mod tests;
