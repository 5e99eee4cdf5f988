//! Makes this user's browsers and programs trust the local authority, and takes that back.
//!
//! There are two kinds of places: the system's store (`system`), and the databases of NSS that Firefox and, on
//! Linux, Chromium use (`nss`). Nothing asks for a password here: where the user may not write, the command
//! that an administrator has to run is told.

mod nss;
mod program;
mod system;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use ring::digest::{SHA256, digest};
use serde::Serialize;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::{Authority, authority};
use crate::private_files;

/// The name of the file that says which authority was added somewhere.
const NOTE: &str = "trusted";

/// Where authorities are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Store {
    /// The system's: curl, Safari, Edge, Chrome on macOS and Windows
    System,
    /// The databases of Firefox, and of Chrome and Chromium on Linux
    Nss,
}

/// What was done at one place.
#[derive(Debug, Serialize)]
pub(crate) struct Step {
    /// The place.
    pub(crate) place: String,
    pub(crate) outcome: Outcome,
    /// Why it did not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
    /// What the user can do then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Added,
    Removed,
    Failed,
}

impl Step {
    fn done(place: impl Into<String>, outcome: Outcome) -> Step {
        Step {
            place: place.into(),
            outcome,
            why: None,
            hint: None,
        }
    }

    fn failed(place: impl Into<String>, why: impl Into<String>, hint: Option<String>) -> Step {
        Step {
            place: place.into(),
            outcome: Outcome::Failed,
            why: Some(why.into()),
            hint,
        }
    }
}

/// Adds the authority to these stores.
pub(crate) fn add(authority: &Authority, stores: &[Store]) -> Vec<Step> {
    let mut steps = Vec::new();
    for store in stores {
        match store {
            Store::System => steps.extend(system::add(authority)),
            Store::Nss => steps.extend(nss::add(authority)),
        }
    }
    if steps.iter().any(|step| step.outcome == Outcome::Added) {
        // Without this note, the server tells again how to trust it.
        let _ = fs::write(note(authority), authority.id());
    }
    steps
}

/// Removes all authorities of this program, whether they are still used or not. So none is needed for it: it may
/// be its file that is wanted no more.
pub(crate) fn remove(stores: &[Store]) -> Vec<Step> {
    let mut steps = Vec::new();
    for store in stores {
        match store {
            Store::System => steps.extend(system::remove()),
            Store::Nss => steps.extend(nss::remove()),
        }
    }
    let is_nowhere = steps.iter().all(|step| step.outcome == Outcome::Removed)
        && [Store::System, Store::Nss]
            .iter()
            .all(|store| stores.contains(store));
    if let Some(folder) = private_files::folder().filter(|_| is_nowhere) {
        let _ = fs::remove_file(folder.join(NOTE));
    }
    steps
}

/// The names of our authorities in a list that a program prints, whatever else it says about each.
fn names_in(list: &str) -> BTreeSet<&str> {
    let found = list
        .match_indices(authority::NAME)
        .map(|(at, _)| &list[at..]);
    let name = |text: &'_ str| {
        let is_id = |character: char| character.is_ascii_hexdigit();
        let id = &text[authority::NAME.len()..];
        authority::NAME.len() + id.find(|character| !is_id(character)).unwrap_or(id.len())
    };
    found.map(|text| &text[..name(text)]).collect()
}

/// Whether it was added somewhere.
pub(crate) fn is_trusted(authority: &Authority) -> bool {
    fs::read_to_string(note(authority)).is_ok_and(|id| id == authority.id())
}

/// The SHA-256 of the certificate, as browsers show it.
pub(crate) fn fingerprint(authority: &Authority) -> String {
    let der = CertificateDer::from_pem_slice(authority.root_pem().as_bytes());
    let digest = digest(&SHA256, der.as_deref().unwrap_or_default());
    let bytes: Vec<_> = digest.as_ref().iter().map(|b| format!("{b:02X}")).collect();
    bytes.join(":")
}

fn note(authority: &Authority) -> PathBuf {
    authority.root_file().with_file_name(NOTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_authorities_are_found_in_the_lists_of_each_system() {
        let macos = "    \"alis\"<blob>=\"tidings local CA 0a1b2c3d\"\n    \"labl\"<blob>=\"tidings local CA 0a1b2c3d\"\n\
                     \"labl\"<blob>=\"Other CA\"";
        let windows = "Aussteller: OU=me@pc, CN=tidings local CA 0a1b2c3d, O=tidings\r\n\
                       Antragsteller: CN=tidings local CA ffffffff\r\n";
        assert_eq!(names_in(macos), ["tidings local CA 0a1b2c3d"].into());
        assert_eq!(
            names_in(windows),
            ["tidings local CA 0a1b2c3d", "tidings local CA ffffffff"].into()
        );
        assert!(names_in("").is_empty());
    }
}
