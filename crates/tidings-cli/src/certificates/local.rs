//! The certificates of a server, from the local authority. They are never written to a file.
//!
//! What must stay true: whoever connects gets a certificate that is valid for at least some weeks and has the
//! addresses that the machine has now. A name that is asked for gets one of its own, if it is below `localhost` or
//! a domain that is allowed with all below it: wildcards match one label only, and none below a top-level domain. No
//! name is certified that is not well-formed: clients would refuse the certificate for every other, too.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rcgen::{KeyPair, SanType};
use tokio_rustls::rustls::crypto::ring::sign::any_ecdsa_type;
use tokio_rustls::rustls::pki_types::{DnsName, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::{CertifiedKey, SigningKey};

use super::{Authority, authority, scope};

/// A certificate is replaced when it is as old as this.
const RENEWED_AFTER: Duration = authority::VALID.saturating_sub(Duration::from_secs(30 * 86400));

/// How many names below the domains have a certificate at the same time.
const MAX_NAMES: usize = 64;

/// Tells the addresses of this machine.
type Addresses = Box<dyn Fn() -> Vec<IpAddr> + Send + Sync>;

pub(crate) struct Local {
    authority: Authority,
    /// The server's names besides `localhost`, as far as the authority may certify them.
    names: Vec<String>,
    /// Domains of which each name below is certified when it is asked for, each with a leading dot.
    domains: Vec<String>,
    addresses: Addresses,
    key: KeyPair,
    signing: Arc<dyn SigningKey>,
    // Held while a certificate is looked up or made, which takes a fraction of a millisecond.
    issued: Mutex<Issued>,
}

#[derive(Default)]
struct Issued {
    /// For all names and addresses of the machine.
    own: Option<One>,
    /// For a single name below one of the domains.
    named: HashMap<String, One>,
}

struct One {
    certified: Arc<CertifiedKey>,
    addresses: Vec<IpAddr>,
    made: SystemTime,
}

impl Local {
    /// For a server that answers to these names, and to all those below one of them where that is said.
    /// `addresses` tells those of this machine.
    pub(crate) fn new<'a>(
        authority: Authority,
        names: impl Iterator<Item = (&'a str, bool)>,
        addresses: impl Fn() -> Vec<IpAddr> + Send + Sync + 'static,
    ) -> anyhow::Result<Local> {
        let key = KeyPair::generate()?;
        let der = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let names = names.filter(|(name, _)| is_certified(name));
        let names: Vec<_> = names
            .map(|(name, with_all_below)| (name.to_ascii_lowercase(), with_all_below))
            .collect();
        let domains = names.iter().filter(|(_, with_all_below)| *with_all_below);
        let domains = domains.map(|(name, _)| format!(".{name}"));
        Ok(Local {
            authority,
            domains: domains.chain([".localhost".to_owned()]).collect(),
            names: names.into_iter().map(|(name, _)| name).collect(),
            addresses: Box::new(addresses),
            signing: any_ecdsa_type(&der)?,
            key,
            issued: Mutex::default(),
        })
    }

    fn certificate(&self, name: Option<&str>, now: SystemTime) -> Option<Arc<CertifiedKey>> {
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        let name = name.map(str::to_ascii_lowercase);
        // Names that nobody has asked for before are not kept for ever.
        if issued.named.len() >= MAX_NAMES {
            issued.named.clear();
        }
        let is_below = |name: &String| self.domains.iter().any(|domain| name.ends_with(domain));
        match name.filter(is_below) {
            Some(name) => {
                let known = issued.named.get(&name);
                if let Some(one) = known.filter(|one| one.is_fresh(now)) {
                    return Some(Arc::clone(&one.certified));
                }
                let one = self.issue(std::slice::from_ref(&name), Vec::new(), now)?;
                let certified = Arc::clone(&one.certified);
                issued.named.insert(name, one);
                Some(certified)
            }
            None => {
                let mut addresses = (self.addresses)();
                addresses.retain(|address| scope::has_address(*address));
                let known = issued.own.as_ref();
                if let Some(one) =
                    known.filter(|one| one.is_fresh(now) && one.addresses == addresses)
                {
                    return Some(Arc::clone(&one.certified));
                }
                let one = self.issue(&self.names, addresses, now)?;
                Some(Arc::clone(&issued.own.insert(one).certified))
            }
        }
    }

    /// A new certificate, for `localhost` and these.
    fn issue(&self, names: &[String], addresses: Vec<IpAddr>, now: SystemTime) -> Option<One> {
        let names = ["localhost"].into_iter().chain(names.iter().map(|n| &**n));
        let names = names.filter_map(|name| Some(SanType::DnsName(name.try_into().ok()?)));
        let loopback = [[127, 0, 0, 1].into(), IpAddr::from(1u128.to_be_bytes())];
        let all = loopback.into_iter().chain(addresses.iter().copied());
        let names: Vec<_> = names.chain(all.map(SanType::IpAddress)).collect();
        let chain = self.authority.certify(&names, &self.key, now).ok()?;
        let certified = CertifiedKey::new(chain, Arc::clone(&self.signing));
        Some(One {
            certified: Arc::new(certified),
            addresses,
            made: now,
        })
    }
}

/// Whether the authority may certify this name, and clients can read it in a certificate.
fn is_certified(name: &str) -> bool {
    DnsName::try_from(name).is_ok() && scope::has_name(&name.to_ascii_lowercase())
}

impl One {
    /// A clock that was set back makes it stale, too.
    fn is_fresh(&self, now: SystemTime) -> bool {
        now.duration_since(self.made)
            .is_ok_and(|age| age < RENEWED_AFTER)
    }
}

impl ResolvesServerCert for Local {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 6066 3: an address is never the name that is asked for.
        self.certificate(hello.server_name(), SystemTime::now())
    }
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use tokio_rustls::rustls::RootCertStore;
    use tokio_rustls::rustls::client::WebPkiServerVerifier;
    use tokio_rustls::rustls::client::danger::ServerCertVerifier;
    use tokio_rustls::rustls::crypto::ring::default_provider;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};

    use super::*;

    const DAY: Duration = Duration::from_secs(86400);

    fn local(folder: &std::path::Path, addresses: fn() -> Vec<IpAddr>) -> Local {
        let authority = Authority::kept_in(folder, SystemTime::now()).unwrap();
        let names = [
            ("Laptop.local", false),
            ("example.com", false),
            ("dev.test", true),
            ("-.test", false),
            ("x y.test", false),
        ];
        Local::new(authority, names.into_iter(), addresses).unwrap()
    }

    #[test]
    fn a_certificate_is_kept_until_it_is_old_or_the_addresses_change() {
        static LAST: AtomicU8 = AtomicU8::new(1);
        let folder = tempfile::tempdir().unwrap();
        let local = local(folder.path(), || {
            let last = LAST.load(Ordering::Relaxed);
            vec![[10, 0, 0, last].into(), [8, 8, 8, 8].into()]
        });
        let now = SystemTime::now();
        let at = |now| local.certificate(Some("laptop.local"), now).unwrap();
        let first = at(now);
        assert!(Arc::ptr_eq(&first, &at(now + 59 * DAY)));
        let renewed = at(now + 61 * DAY);
        assert!(!Arc::ptr_eq(&first, &renewed));
        LAST.store(2, Ordering::Relaxed);
        assert!(!Arc::ptr_eq(&renewed, &at(now + 61 * DAY)));
    }

    #[test]
    fn names_below_localhost_get_one_each_and_never_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let local = local(folder.path(), Vec::new);
        let now = SystemTime::now();
        let own = local.certificate(None, now).unwrap();
        let framed = local.certificate(Some("Frame.localhost"), now).unwrap();
        assert!(!Arc::ptr_eq(&own, &framed));
        let again = local.certificate(Some("frame.localhost"), now).unwrap();
        assert!(Arc::ptr_eq(&framed, &again));
        for n in 0..200 {
            local.certificate(Some(&format!("a{n}.localhost")), now);
        }
        assert!(local.issued.lock().unwrap().named.len() <= MAX_NAMES);
        // A name of the internet gets that of the machine, which the browser refuses.
        let other = local.certificate(Some("example.com"), now).unwrap();
        assert!(Arc::ptr_eq(&own, &other));
    }

    #[test]
    fn each_name_that_the_server_answers_to_is_accepted_and_none_spoils_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let local = local(folder.path(), Vec::new);
        let root = local.authority.root_pem().as_bytes();
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(root).unwrap())
            .unwrap();
        let provider = Arc::new(default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = verifier.build().unwrap();
        for (name, expected) in [
            ("localhost", true),
            ("127.0.0.1", true),
            ("laptop.local", true),
            ("dev.test", true),
            ("a.dev.test", true),
            ("b.a.dev.test", true),
            ("a.laptop.local", false),
            ("test", false),
        ] {
            let asked = name.parse::<IpAddr>().is_err().then_some(name);
            let chain = local.certificate(asked, SystemTime::now()).unwrap();
            let name = ServerName::try_from(name).unwrap();
            let [leaf, above @ ..] = &chain.cert[..] else {
                panic!("there is one");
            };
            let verified = verifier.verify_server_cert(leaf, above, &name, &[], UnixTime::now());
            assert_eq!(verified.is_ok(), expected, "{name:?}: {verified:?}");
        }
    }

    #[test]
    fn the_authority_is_the_same_at_the_next_start_and_a_new_one_when_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let id = |now| {
            let authority = Authority::kept_in(folder.path(), now).unwrap();
            authority.id().to_owned()
        };
        let first = id(now);
        assert_eq!(first, id(now + 3000 * DAY));
        assert_ne!(first, id(now + 3600 * DAY));
    }
}
