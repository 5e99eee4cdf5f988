//! Makes this user's browsers and programs trust the local authority, and takes that back.
//!
//! There are two kinds of places: the system's store (`system`), and the databases of NSS that Firefox and, on
//! Linux, Chromium use (`nss`). Nothing asks for a password here: where the user may not write, the command
//! that an administrator has to run is told.

mod nss;
mod program;
mod system;

use std::fs;
use std::path::PathBuf;

use ring::digest::{SHA256, digest};
use serde::Serialize;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::Authority;

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

/// Removes it, and older authorities of this program.
pub(crate) fn remove(authority: &Authority, stores: &[Store]) -> Vec<Step> {
    let mut steps = Vec::new();
    for store in stores {
        match store {
            Store::System => steps.extend(system::remove(authority)),
            Store::Nss => steps.extend(nss::remove()),
        }
    }
    let _ = fs::remove_file(note(authority));
    steps
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
    authority.root_file().with_file_name("trusted")
}
