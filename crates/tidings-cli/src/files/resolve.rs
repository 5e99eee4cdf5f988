//! Parses request targets into paths below the root, and decides which files may be served.
//!
//! `parse_target` is the only way from a target to a path: nearly every published vulnerability of this kind
//! in a development server was a second way to write a path. Invariants:
//!
//! - a target is percent-decoded exactly once, segment by segment, after it was split;
//! - a decoded segment can be joined to a directory and names one entry *in* it: it is not empty, not
//!   `.` or `..`, and has no separator, no NUL and no control character;
//! - private files (`is_private`) are refused both by the requested path, here, and by the path of the
//!   opened file, in `open.rs`.
//!
//! This file is pure and imports nothing of this crate, so that a fuzz target can include it.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// What is encoded in a segment of a URL that we write: all but the unreserved characters of RFC 3986 and the
/// delimiters without a meaning in paths, in HTML and to shells.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'+')
    .remove(b',')
    .remove(b'=')
    .remove(b'@');

/// A requested path, relative to the root: plain names only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RelPath {
    segments: Vec<OsString>,
    /// The target ended in `/`, so it is for a directory.
    trailing_slash: bool,
    /// The target had empty segments (`/a//b`), which were dropped.
    has_empty_segments: bool,
}

/// Why a target is not a path of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadTarget {
    /// Not a valid path: 400.
    Malformed(&'static str),
    /// A path that no served file can have: 404, like any other missing file.
    Refused(&'static str),
}

/// Parses the path of a request target (without the query).
pub(crate) fn parse_target(path: &str) -> Result<RelPath, BadTarget> {
    let Some(path) = path.strip_prefix('/') else {
        return Err(BadTarget::Malformed("the path does not begin with a slash"));
    };
    let mut parsed = RelPath::default();
    let mut refused = None;
    let mut raw_segments = path.split('/').peekable();
    while let Some(raw) = raw_segments.next() {
        if raw.is_empty() {
            match raw_segments.peek() {
                Some(_) => parsed.has_empty_segments = true,
                None => parsed.trailing_slash = true,
            }
            continue;
        }
        let name = decode(raw)?;
        match check_name(&name).and_then(|()| os_name(name)) {
            Ok(name) => parsed.segments.push(name),
            // Not returned yet: if a later segment is malformed, it is a 400.
            Err(why) => refused = refused.or(Some(why)),
        }
    }
    match refused {
        Some(why) => Err(BadTarget::Refused(why)),
        None => Ok(parsed),
    }
}

/// Percent-decodes one segment, once.
fn decode(raw: &str) -> Result<Vec<u8>, BadTarget> {
    let mut bytes = raw.bytes();
    let mut name = Vec::with_capacity(raw.len());
    while let Some(byte) = bytes.next() {
        name.push(match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|digit| (digit as char).to_digit(16));
                match (digit(), digit()) {
                    (Some(high), Some(low)) => (high * 16 + low) as u8,
                    _ => return Err(BadTarget::Malformed("`%` without two hex digits")),
                }
            }
            b'#' | b'?' => return Err(BadTarget::Malformed("`?` or `#` in the path")),
            byte => byte,
        });
    }
    Ok(name)
}

fn check_name(name: &[u8]) -> Result<(), &'static str> {
    if name == b"." || name == b".." {
        return Err("a dot segment");
    }
    for &byte in name {
        match byte {
            b'/' | b'\\' => return Err("a separator inside a name"),
            0..=0x1f | 0x7f => return Err("a control character"),
            // NTFS: `a::$DATA` is another name of the file `a`, and `C:` is another drive.
            b':' | b'*' | b'?' | b'"' | b'<' | b'>' | b'|' if cfg!(windows) => {
                return Err("a character that names cannot have");
            }
            _ => {}
        }
    }
    // Windows ignores these, so that `secret.pem.` opens `secret.pem`.
    if cfg!(windows) && (name.ends_with(b".") || name.ends_with(b" ")) {
        return Err("a name that ends in a dot or a space");
    }
    if cfg!(windows) && is_device(name) {
        return Err("the name of a device");
    }
    Ok(())
}

/// Windows: `con`, `nul.txt` and the like are devices in every directory.
fn is_device(name: &[u8]) -> bool {
    let stem = name.split(|&byte| byte == b'.').next().unwrap_or(name);
    let stem = stem.trim_ascii_end().to_ascii_lowercase();
    matches!(
        &*stem,
        b"con" | b"prn" | b"aux" | b"nul" | b"conin$" | b"conout$"
    ) || (stem.len() == 4
        && (stem.starts_with(b"com") || stem.starts_with(b"lpt"))
        && stem[3].is_ascii_digit())
}

#[cfg(unix)]
fn os_name(name: Vec<u8>) -> Result<OsString, &'static str> {
    Ok(std::os::unix::ffi::OsStringExt::from_vec(name))
}

#[cfg(not(unix))]
fn os_name(name: Vec<u8>) -> Result<OsString, &'static str> {
    String::from_utf8(name)
        .map(OsString::from)
        .map_err(|_| "not UTF-8")
}

impl RelPath {
    /// A path from the command line or from this program, which is not percent-encoded. `None` if it is not
    /// below the root.
    pub(crate) fn plain(path: &str) -> Option<RelPath> {
        let mut segments = Vec::new();
        let meaningless = |name: &&str| name.is_empty() || *name == ".";
        for name in path.split('/').filter(|name| !meaningless(name)) {
            check_name(name.as_bytes()).ok()?;
            segments.push(OsString::from(name));
        }
        (!segments.is_empty()).then_some(RelPath {
            segments,
            ..RelPath::default()
        })
    }

    pub(crate) fn segments(&self) -> &[OsString] {
        &self.segments
    }

    pub(crate) fn name(&self) -> Option<&OsStr> {
        self.segments.last().map(OsString::as_os_str)
    }

    pub(crate) fn has_trailing_slash(&self) -> bool {
        self.trailing_slash
    }

    pub(crate) fn has_empty_segments(&self) -> bool {
        self.has_empty_segments
    }

    pub(crate) fn below(&self, root: &Path) -> PathBuf {
        let mut path = root.to_path_buf();
        path.extend(&self.segments);
        path
    }

    /// The entry `name` of this directory.
    pub(crate) fn child(&self, name: &OsStr) -> RelPath {
        let mut child = RelPath {
            segments: self.segments.clone(),
            ..RelPath::default()
        };
        child.segments.push(name.to_os_string());
        child
    }

    /// This path with `.html` after it, for clean URLs.
    pub(crate) fn with_html(&self) -> Option<RelPath> {
        let mut page = self.clone();
        page.segments.last_mut()?.push(".html");
        Some(page)
    }

    /// The same path with a trailing slash.
    pub(crate) fn with_trailing_slash(&self) -> RelPath {
        RelPath {
            trailing_slash: true,
            ..self.clone()
        }
    }

    /// The percent-encoded URL path. It begins with exactly one slash, so that it never means another host, as
    /// `//evil.example/` would.
    pub(crate) fn to_url(&self) -> String {
        self.written(percent_encode)
    }

    /// The decoded URL path, for display and for matching. Lossy where it is not UTF-8.
    pub(crate) fn decoded(&self) -> String {
        self.written(|name| name.to_string_lossy().into_owned())
    }

    fn written(&self, name_of: impl Fn(&OsStr) -> String) -> String {
        let mut url = String::from("/");
        for (index, name) in self.segments.iter().enumerate() {
            if index > 0 {
                url.push('/');
            }
            url.push_str(&name_of(name));
        }
        if self.trailing_slash && !self.segments.is_empty() {
            url.push('/');
        }
        url
    }

    /// Whether a name in the requested path is private.
    pub(crate) fn is_private(&self) -> bool {
        self.segments.iter().any(|name| is_private(name))
    }
}

/// One segment of a URL, percent-encoded.
pub(crate) fn percent_encode(name: &OsStr) -> String {
    percent_encoding::percent_encode(name.as_encoded_bytes(), SEGMENT).to_string()
}

/// Whether files with this name are never served: hidden files and key material. Case-insensitive, as some file
/// systems are.
pub(crate) fn is_private(name: &OsStr) -> bool {
    const EXTENSIONS: [&str; 7] = ["pem", "key", "p12", "pfx", "jks", "keystore", "env"];
    const KEYS: [&str; 4] = ["id_rsa", "id_ed25519", "id_ecdsa", "id_dsa"];
    let name = name.as_encoded_bytes();
    if name.starts_with(b".") {
        // RFC 8615: the one hidden directory that is meant to be served.
        return !name.eq_ignore_ascii_case(b".well-known");
    }
    let extension = name.iter().rposition(|&byte| byte == b'.');
    let extension = extension.map_or(&b""[..], |dot| &name[dot + 1..]);
    let begins_with = |key: &str| {
        let start = name.get(..key.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(key.as_bytes()))
    };
    EXTENSIONS
        .iter()
        .any(|private| extension.eq_ignore_ascii_case(private.as_bytes()))
        || KEYS.iter().any(|key| begins_with(key))
}

/// Whether the file at `real` may be served from `root`: the only rule of containment. Both paths are canonical.
/// The caller must make sure that `real` is the path of the file that is opened.
pub(crate) fn may_be_served(real: &Path, root: &Path, follow_symlinks: bool) -> bool {
    match real.strip_prefix(root) {
        Ok(relative) => !is_private_real(relative),
        Err(_) if follow_symlinks => {
            // The root itself may lie in a hidden directory. So names that the root and the target have in
            // common are not checked, and all others in the target are.
            let common = real.components().zip(root.components());
            let common = common.take_while(|(a, b)| a == b).count();
            !is_private_real(&real.components().skip(common).collect::<PathBuf>())
        }
        Err(_) => false,
    }
}

/// `is_private` for a path with its symlinks resolved, relative to the root.
///
/// pnpm, bun and deno keep packages in `node_modules/.pnpm` and the like, and link to them by plain
/// names: such a directory in a `node_modules` is not private if a link leads there.
pub(crate) fn is_private_real(real: &Path) -> bool {
    let mut parent = OsStr::new("");
    let mut components = real.components().peekable();
    while let Some(component) = components.next() {
        let Component::Normal(name) = component else {
            continue;
        };
        let store = parent == "node_modules" && components.peek().is_some();
        if is_private(name) && !(store && name.as_encoded_bytes().starts_with(b".")) {
            return true;
        }
        parent = name;
    }
    false
}

#[cfg(test)]
mod tests;
