//! The certificate of `--cert` and `--key`, read again when the files have changed.
//!
//! They are looked at when somebody connects. So nothing has to watch them, a renewed certificate counts from the next
//! connection on, and connections that are open go on. While the two files do not belong together, as in
//! the middle of a renewal, or cannot be read, the last ones count.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys};

use crate::report::{Console, HintedError};

pub(crate) struct Given {
    cert: PathBuf,
    key: PathBuf,
    console: Arc<Console>,
    // Held while the files are looked at and, if they have changed, read.
    current: Mutex<Current>,
}

struct Current {
    certified: Arc<CertifiedKey>,
    /// Of the files that were tried last, whether they could be used or not.
    stamps: [Stamp; 2],
}

/// What differs when a file has been replaced or written.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    inode: u64,
}

impl Stamp {
    /// The file that a link leads to counts: clients of ACME replace links.
    fn of(path: &Path) -> Option<Stamp> {
        let meta = fs::metadata(path).ok()?;
        Some(Stamp {
            modified: meta.modified().ok(),
            len: meta.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(&meta),
            #[cfg(not(unix))]
            inode: 0,
        })
    }
}

impl Given {
    pub(crate) fn new(cert: &Path, key: &Path, console: &Arc<Console>) -> anyhow::Result<Given> {
        let stamps = stamps(cert, key);
        let certified = load(cert, key)?;
        Ok(Given {
            cert: cert.to_owned(),
            key: key.to_owned(),
            console: Arc::clone(console),
            current: Mutex::new(Current {
                certified: Arc::new(certified),
                // If they could not be looked at, they are read again.
                stamps: stamps.unwrap_or(
                    [Stamp {
                        modified: None,
                        len: 0,
                        inode: 0,
                    }; 2],
                ),
            }),
        })
    }

    fn current(&self) -> Arc<CertifiedKey> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // A file that is just being replaced may be missing.
        if let Some(stamps) = stamps(&self.cert, &self.key)
            && stamps != current.stamps
        {
            current.stamps = stamps;
            match load(&self.cert, &self.key) {
                Ok(certified) => current.certified = Arc::new(certified),
                Err(error) => {
                    let message = format!("the last certificate is still used: {error}");
                    self.console.warn(&message, error.hint.as_str().into());
                }
            }
        }
        Arc::clone(&current.certified)
    }
}

impl ResolvesServerCert for Given {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given").finish_non_exhaustive()
    }
}

fn stamps(cert: &Path, key: &Path) -> Option<[Stamp; 2]> {
    Some([Stamp::of(cert)?, Stamp::of(key)?])
}

fn load(cert: &Path, key: &Path) -> Result<CertifiedKey, HintedError> {
    let unusable = |path: &Path, why: &dyn std::fmt::Display, hint: &str| HintedError {
        message: format!("cannot use {}: {why}", path.display()),
        hint: hint.to_owned(),
    };
    let read = |path: &Path| {
        let hint = "check the path, and whether you may read it";
        fs::read(path).map_err(|error| unusable(path, &error, hint))
    };
    let pem = "the file must be PEM: it begins with -----BEGIN CERTIFICATE-----";
    let chain = CertificateDer::pem_slice_iter(&read(cert)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(cert, &error, pem))?;
    if chain.is_empty() {
        return Err(unusable(cert, &"there is no certificate in it", pem));
    }
    let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| {
        let hint = "the file must be a private key in PEM without a passphrase: \
                    `openssl pkey -in FILE -out NEW` removes one";
        unusable(key, &error, hint)
    })?;
    let certified = CertifiedKey::from_der(chain, private, &ring::default_provider());
    certified.map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            let why = format!("it is not the key of {}", cert.display());
            unusable(
                key,
                &why,
                "give the private key that the certificate is for",
            )
        }
        error => unusable(cert, &error, "check both files"),
    })
}
