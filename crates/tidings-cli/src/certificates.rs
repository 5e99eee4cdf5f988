//! Certificates for `--https`: from an authority of this user's own, or from files.
//!
//! ```text
//! authority -> local:  certificates for the names and addresses of this machine, renewed when needed
//! files     -> given:  --cert and --key, read again when they change
//! authority -> trust:  where browsers look for authorities
//! ```

mod authority;
mod given;
mod local;
mod scope;
pub(crate) mod trust;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::ResolvesServerCert;

pub(crate) use authority::Authority;
pub(crate) use given::Given;
pub(crate) use local::Local;

/// Whether the local authority may certify this address.
pub(crate) fn covers(address: IpAddr) -> bool {
    scope::has_address(address)
}

/// What the server tells a client that begins TLS: HTTP/2 where it can, and these certificates.
pub(crate) fn server_config(
    certificates: Arc<dyn ResolvesServerCert>,
) -> io::Result<Arc<ServerConfig>> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    // RFC 7301 3.2: in the order of preference.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
