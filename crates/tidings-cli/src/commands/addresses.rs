//! The addresses under which a server is reached, and how they are printed.

use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;

use serde::Serialize;

use crate::guard::lan::LanToken;
use crate::listen::Host;
use crate::report::{Styles, printable, qr_code};

/// What is printed of them.
#[derive(Debug, Serialize)]
pub(super) struct Addresses {
    /// The first one is for a browser on this machine.
    pub(super) urls: Vec<String>,
    /// Whether other machines can connect.
    pub(super) exposed: bool,
    /// Whether they need a token.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) lan: bool,
    /// The one that other devices open, for a QR code.
    #[serde(skip)]
    pub(super) scanned: Option<String>,
    /// The certificate that browsers have to trust, unless some already do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) untrusted: Option<PathBuf>,
}

impl Addresses {
    /// The address for a browser on this machine.
    pub(super) fn url(&self) -> &str {
        self.urls.first().map_or("", |url| url)
    }

    /// For all addresses of this machine, only those that `counts` says yes to.
    pub(super) fn of(
        host: &Host,
        (scheme, port): (&str, u16),
        counts: impl Fn(IpAddr) -> bool,
    ) -> Addresses {
        Addresses {
            urls: urls(host, (scheme, port), counts),
            exposed: !host.is_loopback(),
            lan: false,
            scanned: None,
            untrusted: None,
        }
    }

    /// Those of other machines get the token, and the one that most likely works from there is first.
    pub(super) fn with_token(
        mut self,
        token: &LanToken,
        name: Option<String>,
        port: u16,
    ) -> Addresses {
        let scheme = self.urls.first().and_then(|url| url.split(':').next());
        let scheme = scheme.unwrap_or("http").to_owned();
        let url = |host: &str| format!("{scheme}://{host}:{port}/");
        let best = outgoing_address().map(|address| url(&in_url(address)));
        let (own, mut others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.urls)
            .into_iter()
            .partition(|shown| *shown == url("localhost"));
        others.sort_by_key(|other| Some(other) != best.as_ref());
        others.extend(name.map(|name| url(&name)));
        let others: Vec<_> = others.iter().map(|url| token.in_address(url)).collect();
        self.scanned = others.first().cloned();
        self.urls = own.into_iter().chain(others).collect();
        self.lan = true;
        self
    }

    /// The addresses, one a line.
    pub(super) fn lines(&self, styles: Styles) -> String {
        let urls: Vec<_> = self.urls.iter().map(|url| styles.bold(url)).collect();
        urls.join("\n")
    }

    pub(super) fn qr_code(&self, styles: Styles) -> Option<String> {
        qr_code(self.scanned.as_ref()?, styles)
    }

    /// What has to be done before browsers show no warning.
    pub(super) fn trust(&self) -> Option<String> {
        let file = self.untrusted.as_ref()?;
        Some(format!(
            "browsers do not trust the certificate yet: run `tidings trust`, and for other devices copy {} to them",
            printable(&file.display().to_string())
        ))
    }

    /// Who else can connect, and what they can then do.
    pub(super) fn exposure(&self, allows: &str) -> Option<String> {
        match (self.exposed, self.lan) {
            (false, _) => None,
            (true, true) => Some(format!(
                "open to the network: every device that has opened an address with the token can {allows}"
            )),
            (true, false) => Some(format!(
                "exposed to the network: anyone who can reach this machine can {allows}"
            )),
        }
    }
}

fn urls(host: &Host, (scheme, port): (&str, u16), counts: impl Fn(IpAddr) -> bool) -> Vec<String> {
    let url = |host: &str| format!("{scheme}://{host}:{port}/");
    match host {
        Host::Localhost => vec![url("localhost")],
        Host::Name(name) => vec![url(name)],
        Host::Address(any) if any.is_unspecified() => {
            let others = own_addresses().into_iter().filter(|own| counts(*own));
            let others = others.map(|own| url(&in_url(own)));
            std::iter::once(url("localhost")).chain(others).collect()
        }
        Host::Address(one) => vec![url(&in_url(*one))],
    }
}

fn in_url(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// The addresses of this machine, besides loopback.
pub(super) fn own_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = interfaces
        .into_iter()
        .filter(|i| !i.is_loopback() && !i.is_link_local());
    addresses.map(|interface| interface.ip()).collect()
}

/// Whether an address is one that this machine can be reached at.
pub(super) fn is_own_address(address: IpAddr) -> bool {
    address.is_loopback() || own_addresses().contains(&address)
}

/// The address of the interface that leads out of the machine, not to a virtual machine or container.
/// Connecting a UDP socket sends nothing, so the other address need not exist.
fn outgoing_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("203.0.113.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip())
}
