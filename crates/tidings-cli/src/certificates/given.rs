//! The certificate of `--cert` and `--key`, read again when the files have changed.
//!
//! They are looked at when somebody connects. So nothing has to watch them, a renewed certificate counts from the next
//! connection on, and connections that are open go on. While the two files do not belong together, as in
//! the middle of a renewal, or cannot be read, the last ones count.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
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
    /// The last that could be used. Held to copy or to replace it.
    certified: RwLock<Arc<CertifiedKey>>,
    /// Of the files that were tried last, whether they could be used or not. Held while the files are looked at and, if
    /// they have changed, read, which may take for ever on a file system of another machine. Nobody waits for it.
    stamps: Mutex<[Stamp; 2]>,
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
            certified: RwLock::new(Arc::new(certified)),
            // If they could not be looked at, they are read again.
            stamps: Mutex::new(stamps.unwrap_or(
                [Stamp {
                    modified: None,
                    len: 0,
                    inode: 0,
                }; 2],
            )),
        })
    }

    fn current(&self) -> Arc<CertifiedKey> {
        match self.stamps.try_lock() {
            Ok(last) => self.look(last),
            Err(TryLockError::Poisoned(last)) => self.look(last.into_inner()),
            // Somebody else is about to look.
            Err(TryLockError::WouldBlock) => {}
        }
        let certified = self.certified.read();
        Arc::clone(&certified.unwrap_or_else(PoisonError::into_inner))
    }

    fn look(&self, mut last: MutexGuard<'_, [Stamp; 2]>) {
        // A file that is just being replaced may be missing.
        let Some(stamps) = stamps(&self.cert, &self.key).filter(|stamps| *stamps != *last) else {
            return;
        };
        *last = stamps;
        match load(&self.cert, &self.key) {
            Ok(certified) => {
                let mut current = self
                    .certified
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                *current = Arc::new(certified);
            }
            Err(error) => {
                let message = format!("the last certificate is still used: {error}");
                self.console.warn(&message, error.hint.as_str().into());
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_while_another_connection_looks_at_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        let renew = || {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            for (file, pem) in [
                (&cert, made.cert.pem()),
                (&key, made.signing_key.serialize_pem()),
            ] {
                // With another inode: the time alone may be the same.
                let new = file.with_extension("new");
                fs::write(&new, pem).unwrap();
                fs::rename(&new, file).unwrap();
            }
        };
        renew();
        let console = Arc::new(Console::new(true, false));
        let given = Given::new(&cert, &key, &console).unwrap();
        let first = given.current();
        renew();
        // Its file system does not answer.
        let other = given.stamps.lock().unwrap();
        assert!(Arc::ptr_eq(&given.current(), &first));
        drop(other);
        assert!(!Arc::ptr_eq(&given.current(), &first));
    }
}
