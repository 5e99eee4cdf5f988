//! The certificate authority of this user: made once, and kept.
//!
//! There are two certificates. Browsers are told to trust the root. Its key signs one other certificate,
//! the issuer's, and is then forgotten; only the issuer's key is kept. Both certificates hold the
//! constraints of [`scope`]. Some clients ignore constraints of a root, because they take it for a name and a key only
//! (RFC 5280 6.1.1 d), but none ignores those of a certificate below it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
    date_time_ymd,
};
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::scope;
use crate::private_files;
use crate::report::HintedError;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the authority's certificates are valid.
const AUTHORITY_VALID: Duration = DAY.saturating_mul(3650);

/// How long a server's certificate is valid. Apple's systems refuse more than 825 days.
pub(super) const VALID: Duration = DAY.saturating_mul(90);

/// How much earlier than now validity begins: the clock of a phone may be slow.
const EARLIER: Duration = DAY;

/// What the names of all roots begin with.
pub(super) const NAME: &str = "tidings local CA ";

/// What is kept of it, in one file, so that its parts always belong together.
#[derive(Debug, Deserialize, Serialize)]
struct Kept {
    /// A part of the names of its certificates, so that those of two authorities differ.
    id: String,
    /// When it was made, in seconds since 1970.
    made: u64,
    root: String,
    issuer: String,
    /// The private key of the issuer.
    key: String,
}

/// The authority of this user.
pub(crate) struct Authority {
    kept: Kept,
    issuer: Issuer<'static, KeyPair>,
    issuer_der: CertificateDer<'static>,
    /// The file with the root's certificate.
    root_file: PathBuf,
}

impl Authority {
    /// The one that this user has, or else a new one.
    pub(crate) fn of_user() -> anyhow::Result<Authority> {
        let folder = private_files::folder().ok_or_else(|| HintedError {
            message: "cannot tell where to keep the certificate authority".to_owned(),
            hint: "set HOME, or give a certificate with --cert and --key".to_owned(),
        })?;
        Authority::kept_in(&folder, SystemTime::now())
    }

    /// The one in this folder, or else a new one. One that ends soon is replaced.
    pub(super) fn kept_in(folder: &Path, now: SystemTime) -> anyhow::Result<Authority> {
        let file = folder.join("authority.json");
        let read = || match private_files::read(&file)? {
            Some(text) => Ok(Some(parse(&text, &file)?)),
            None => anyhow::Ok(None),
        };
        let kept = match read()? {
            Some(kept) if kept.is_fresh(now) => kept,
            Some(_) => {
                // Of the processes that find it, one replaces it. The others would put the new one aside.
                let _lock = private_files::lock(folder);
                match read()? {
                    Some(kept) if kept.is_fresh(now) => kept,
                    Some(_) => {
                        fs::rename(&file, folder.join("authority.old.json"))
                            .with_context(|| format!("cannot replace {}", file.display()))?;
                        make_in(&file, now)?
                    }
                    None => make_in(&file, now)?,
                }
            }
            None => make_in(&file, now)?,
        };
        let root_file = folder.join("tidings-ca.pem");
        if fs::read_to_string(&root_file).ok().as_ref() != Some(&kept.root) {
            fs::write(&root_file, &kept.root)
                .with_context(|| format!("cannot write {}", root_file.display()))?;
        }
        let key = KeyPair::from_pem(&kept.key).with_context(|| unusable(&file))?;
        let issuer_der = CertificateDer::from_pem_slice(kept.issuer.as_bytes())
            .map_err(|_| anyhow::anyhow!(unusable(&file)))?;
        Ok(Authority {
            issuer: Issuer::new(issuer_params(&kept.id), key),
            issuer_der,
            kept,
            root_file,
        })
    }

    /// A certificate for these names and addresses, of which there must be at least one in the scope of
    /// the authority, and the chain up to the root.
    pub(super) fn certify(
        &self,
        names: &[SanType],
        key: &KeyPair,
        now: SystemTime,
    ) -> Result<Vec<CertificateDer<'static>>, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.to_vec();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "tidings development server");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        valid(&mut params, now, VALID);
        let leaf = params.signed_by(key, &self.issuer)?;
        Ok(vec![leaf.into(), self.issuer_der.clone()])
    }

    /// The root's certificate, in PEM.
    pub(crate) fn root_pem(&self) -> &str {
        &self.kept.root
    }

    /// The file with the root's certificate.
    pub(crate) fn root_file(&self) -> &Path {
        &self.root_file
    }

    /// What the root is called in lists of authorities.
    pub(crate) fn name(&self) -> String {
        format!("{NAME}{}", self.kept.id)
    }

    /// A part of the names of its files elsewhere.
    pub(crate) fn id(&self) -> &str {
        &self.kept.id
    }
}

impl Kept {
    /// Whether certificates of it count, and will for long enough. It was made in the future if the clock was ahead then.
    fn is_fresh(&self, now: SystemTime) -> bool {
        let made = UNIX_EPOCH.checked_add(Duration::from_secs(self.made));
        made.is_some_and(|made| {
            let age = now.duration_since(made).unwrap_or_default();
            made <= now + EARLIER && age < AUTHORITY_VALID - VALID - DAY
        })
    }
}

/// The one in this file: a new one, or that of a process that was first.
fn make_in(file: &Path, now: SystemTime) -> anyhow::Result<Kept> {
    let text = serde_json::to_string_pretty(&make(now)?)?;
    parse(&private_files::make(file, text)?, file)
}

fn parse(text: &str, file: &Path) -> anyhow::Result<Kept> {
    serde_json::from_str(text).with_context(|| unusable(file))
}

fn unusable(file: &Path) -> String {
    format!(
        "cannot use {}: remove it, and a new certificate authority is made",
        file.display()
    )
}

fn make(now: SystemTime) -> Result<Kept, rcgen::Error> {
    let id = format!("{:08x}", fastrand::u32(..));
    let root_key = KeyPair::generate()?;
    let mut root = authority_params(1);
    root.distinguished_name
        .push(DnType::CommonName, format!("{NAME}{id}"));
    root.distinguished_name
        .push(DnType::OrganizationalUnitName, owner());
    valid(&mut root, now, AUTHORITY_VALID);
    let root_certificate: Certificate = root.self_signed(&root_key)?;
    let key = KeyPair::generate()?;
    let mut issuer = issuer_params(&id);
    valid(&mut issuer, now, AUTHORITY_VALID);
    let issuer = issuer.signed_by(&key, &Issuer::new(root, root_key))?;
    Ok(Kept {
        id,
        made: now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        root: root_certificate.pem(),
        issuer: issuer.pem(),
        key: key.serialize_pem(),
    })
}

/// Whose it is, for whoever finds it in a list.
fn owner() -> String {
    let user = ["USER", "LOGNAME", "USERNAME"];
    let mut user = user.iter().filter_map(|name| std::env::var(name).ok());
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    match user.next() {
        Some(user) => format!("{user}@{host}"),
        None => host,
    }
}

fn issuer_params(id: &str) -> CertificateParams {
    let mut params = authority_params(0);
    params
        .distinguished_name
        .push(DnType::CommonName, format!("tidings local issuer {id}"));
    params.use_authority_key_identifier_extension = true;
    params
}

/// What the certificates of root and issuer have in common.
fn authority_params(below: u8) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "tidings");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // Nothing but servers: no programs, no mail.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.name_constraints = Some(scope::constraints());
    params
}

fn valid(params: &mut CertificateParams, now: SystemTime, valid: Duration) {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(EARLIER);
    params.not_after = epoch + now + valid;
    // RFC 5280 4.1.2.2: at most 20 bytes, positive, and never the same twice. By default it would be made
    // from the key, which several certificates have in common.
    let serial = fastrand::u128(..) >> 1 | 1 << 126;
    params.serial_number = Some(SerialNumber::from_slice(&serial.to_be_bytes()));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_rustls::rustls::RootCertStore;
    use tokio_rustls::rustls::client::WebPkiServerVerifier;
    use tokio_rustls::rustls::client::danger::ServerCertVerifier;
    use tokio_rustls::rustls::crypto::ring::default_provider;
    use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};

    use super::*;

    /// Whether who trusts the root accepts what its issuer certifies for this name.
    fn is_accepted(authority: &Authority, name: &str, days: u64) -> bool {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(authority.root_pem().as_bytes());
        roots.add(root.unwrap()).unwrap();
        let provider = Arc::new(default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let names = CertificateParams::new([name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let now = SystemTime::now();
        let chain = authority.certify(&names.subject_alt_names, &key, now);
        let chain = chain.unwrap();
        let at = now + DAY * u32::try_from(days).unwrap();
        let at = UnixTime::since_unix_epoch(at.duration_since(UNIX_EPOCH).unwrap());
        let name = ServerName::try_from(name).unwrap();
        let verified =
            verifier
                .build()
                .unwrap()
                .verify_server_cert(&chain[0], &chain[1..], &name, &[], at);
        verified.is_ok()
    }

    #[test]
    fn what_it_certifies_counts_for_private_names_only_and_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::kept_in(folder.path(), SystemTime::now()).unwrap();
        for (name, expected) in [
            ("localhost", true),
            ("frame-1.localhost", true),
            ("laptop.local", true),
            ("192.168.1.5", true),
            ("fd00::2", true),
            ("example.com", false),
            ("localhost.example.com", false),
            ("8.8.8.8", false),
            ("2a00::1", false),
        ] {
            assert_eq!(is_accepted(&authority, name, 0), expected, "{name}");
        }
        assert!(is_accepted(&authority, "localhost", 89));
        assert!(!is_accepted(&authority, "localhost", 91));
    }

    #[test]
    fn an_authority_that_is_not_valid_yet_is_replaced_and_no_number_in_its_file_is_too_large() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let kept_at = |now| {
            let authority = Authority::kept_in(folder.path(), now).unwrap();
            authority.id().to_owned()
        };
        let ahead = kept_at(now + DAY * 1000);
        let next = kept_at(now);
        assert_ne!(next, ahead);
        assert_eq!(kept_at(now), next);
        let file = folder.path().join("authority.json");
        let text = fs::read_to_string(&file).unwrap();
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["made"] = u64::MAX.into();
        fs::write(&file, json.to_string()).unwrap();
        assert_ne!(kept_at(now), next);
    }

    #[test]
    fn processes_that_replace_an_authority_at_once_have_the_same() {
        // They have to meet in the same moment: some of these do.
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let now = SystemTime::now();
            Authority::kept_in(folder.path(), now).unwrap();
            let begin = std::sync::Barrier::new(8);
            let ids = std::thread::scope(|threads| {
                let all = [(); 8].map(|()| {
                    threads.spawn(|| {
                        begin.wait();
                        let authority = Authority::kept_in(folder.path(), now + DAY * 3600);
                        authority.unwrap().id().to_owned()
                    })
                });
                all.map(|one| one.join().unwrap())
            });
            assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        }
    }
}
