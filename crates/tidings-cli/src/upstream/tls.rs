//! TLS to a backend, with the system's certificates. Nothing of it is loaded before the first connection.

use std::io;
use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::connect::{Connected, Versions};
use super::error::ErrorKind;
use super::prompt_tcp::PromptTcp;

const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

#[derive(Default)]
pub(super) struct Tls {
    /// Accept any certificate.
    pub(super) insecure: bool,
    config: OnceCell<Configs>,
}

#[derive(Clone)]
struct Configs {
    any: Arc<ClientConfig>,
    http1: Arc<ClientConfig>,
}

impl Tls {
    pub(super) fn new(insecure: bool) -> Tls {
        Tls {
            insecure,
            config: OnceCell::new(),
        }
    }

    pub(super) async fn connect(
        &self,
        host: &str,
        tcp: PromptTcp,
        versions: Versions,
    ) -> io::Result<Connected> {
        let insecure = self.insecure;
        let configs = self.config.get_or_try_init(|| async move {
            // Some hundred certificates are read from files.
            tokio::task::spawn_blocking(move || load(insecure))
                .await
                .map_err(io::Error::other)?
        });
        let configs = configs.await?;
        let config = match versions {
            Versions::Any => &configs.any,
            Versions::Http1 => &configs.http1,
        };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let io = TlsConnector::from(Arc::clone(config))
            .connect(name, tcp)
            .await?;
        let is_h2 = io.get_ref().1.alpn_protocol() == Some(H2);
        Ok(Connected {
            io: Box::new(io),
            is_h2,
        })
    }
}

fn load(insecure: bool) -> io::Result<Configs> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let mut config = match insecure {
        true => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth(),
        false => {
            let mut roots = RootCertStore::empty();
            let found = rustls_native_certs::load_native_certs();
            // A certificate that cannot be used is one that this system does not trust.
            roots.add_parsable_certificates(found.certs);
            builder.with_root_certificates(roots).with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    let http1 = Arc::new(config.clone());
    config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
    Ok(Configs {
        any: Arc::new(config),
        http1,
    })
}

/// Why a connection failed, if TLS is the reason.
pub(super) fn error_kind(error: &io::Error) -> Option<ErrorKind> {
    match error.get_ref()?.downcast_ref()? {
        Error::InvalidCertificate(_) => Some(ErrorKind::Certificate),
        _ => Some(ErrorKind::Tls),
    }
}

/// For `--insecure`: the certificate is not checked, but its owner must have its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
