//! What `--lan` and `--https` add to a server: whom it answers, how connections are encrypted, and under which
//! addresses it is reached.

use std::path::Path;
use std::sync::Arc;

use ring::digest::SHA256_OUTPUT_LEN;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use tokio_rustls::rustls::ServerConfig;

use super::access::Access;
use super::addresses::{self, Addresses};
use super::mdns;
use crate::certificates::{self, Authority, Given, Local, trust};
use crate::config::{Server, Tls};
use crate::guard::Guard;
use crate::guard::lan::LanToken;
use crate::private_files;
use crate::report::{Console, HintedError};

pub(super) struct Entrance {
    pub(super) access: Access,
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) addresses: Addresses,
    /// The names that requests are answered for, as they were given.
    pub(super) names: Vec<String>,
}

impl Entrance {
    /// For a server of what is in `folder`, at this port.
    pub(super) fn new(
        config: &Server,
        port: u16,
        folder: &Path,
        console: &Arc<Console>,
    ) -> anyhow::Result<Entrance> {
        let scheme = match &config.tls {
            Some(_) => "https",
            None => "http",
        };
        // Under another one, browsers would refuse the certificate.
        let counts = |address| config.tls != Some(Tls::Local) || certificates::covers(address);
        let mut addresses = Addresses::of(&config.host, (scheme, port), counts);
        let mut names = config.host_names();
        let token = match config.lan {
            true => {
                let token = LanToken::new(token_for(folder)?, port);
                let name = mdns::own_name(&addresses::own_addresses());
                // Not among them if the name of the host has a domain: that of laptop.example.com is laptop.local.
                names.extend(name.clone());
                addresses = addresses.with_token(&token, name, port);
                Some(token)
            }
            false => None,
        };
        let guard = Guard::new(&names);
        let tls = match &config.tls {
            None => None,
            Some(Tls::Files { cert, key }) => {
                let given = Given::new(cert, key, console)?;
                Some(certificates::server_config(Arc::new(given))?)
            }
            Some(Tls::Local) => {
                let authority = Authority::of_user()?;
                if !trust::is_trusted(&authority) {
                    addresses.untrusted = Some(authority.root_file().to_owned());
                }
                let local = Local::new(authority, guard.names(), addresses::own_addresses)?;
                Some(certificates::server_config(Arc::new(local))?)
            }
        };
        let access = Access {
            guard,
            port,
            https: tls.is_some(),
            token,
        };
        Ok(Entrance {
            access,
            tls,
            addresses,
            names,
        })
    }
}

/// The token of a folder: the same at the next start, so that devices stay admitted, and another one for each
/// folder, so that they are admitted to nothing else.
fn token_for(folder: &Path) -> anyhow::Result<String> {
    let random = || {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| anyhow::anyhow!("the system has no random numbers"))?;
        Ok::<_, anyhow::Error>(bytes)
    };
    let secret = match private_files::folder() {
        Some(data) => {
            let file = data.join("lan-secret");
            let secret = match private_files::read(&file)? {
                Some(secret) => secret,
                None => private_files::make(&file, letters(&random()?))?,
            };
            // An editor may have added a line break.
            let secret = secret.trim_end().to_owned();
            if secret.len() < SHA256_OUTPUT_LEN {
                return Err(HintedError {
                    message: format!("{} is too short for a secret", file.display()),
                    hint: "remove it, and a new one is made".to_owned(),
                }
                .into());
            }
            secret
        }
        // Nowhere to keep it: devices have to open the address after each start.
        None => letters(&random()?),
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, folder.as_os_str().as_encoded_bytes());
    // 120 bits: nobody guesses that, and the QR code stays small.
    Ok(letters(&tag.as_ref()[..24]))
}

/// A letter or digit for each byte: five bits of it, none of which are mistaken for one another.
fn letters(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    bytes
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte & 31)]))
        .collect()
}
