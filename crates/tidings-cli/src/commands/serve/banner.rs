//! The first lines on the console: where the server can be reached, and by whom.

use std::net::IpAddr;

use serde::Serialize;

use crate::config::Serve;
use crate::listen::{Host, Listeners};
use crate::report::{Message, Styles, printable};

/// The server's addresses.
#[derive(Debug, Serialize)]
pub(super) struct Banner {
    /// The first one is for a browser on this machine.
    pub(super) urls: Vec<String>,
    dir: String,
    /// The file that settings were read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<String>,
    /// Whether other machines can connect.
    exposed: bool,
}

impl Banner {
    pub(super) fn new(config: &Serve, listeners: &Listeners) -> Banner {
        let port = listeners.port;
        let url = |host: &str| format!("http://{host}:{port}/");
        let address = |address: &IpAddr| match address {
            IpAddr::V4(address) => url(&address.to_string()),
            IpAddr::V6(address) => url(&format!("[{address}]")),
        };
        let urls = match &config.server.host {
            Host::Localhost => vec![url("localhost")],
            Host::Name(name) => vec![url(name)],
            Host::Address(any) if any.is_unspecified() => {
                let mut urls = vec![url("localhost")];
                urls.extend(own_addresses().iter().map(address));
                urls
            }
            Host::Address(one) => vec![address(one)],
        };
        Banner {
            urls,
            dir: config.dir.display().to_string(),
            config: config
                .server
                .config_file
                .as_ref()
                .map(|file| file.display().to_string()),
            exposed: !config.server.host.is_loopback(),
        }
    }
}

fn own_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = interfaces
        .into_iter()
        .filter(|i| !i.is_loopback() && !i.is_link_local());
    addresses.map(|interface| interface.ip()).collect()
}

impl Message for Banner {
    fn text(&self, styles: Styles) -> String {
        let mut lines = vec![self.quiet_text(styles)];
        lines.push(styles.dim(&format!(
            "serving {} and watching for changes; press Ctrl-C to stop",
            self.dir
        )));
        if let Some(file) = &self.config {
            lines.push(styles.dim(&format!("settings from {}", printable(file))));
        }
        if self.exposed {
            lines.push(format!(
                "exposed to the network: anyone who can reach this machine can read every file in {}, except hidden files and keys",
                self.dir
            ));
        }
        lines.join("\n")
    }

    fn quiet_text(&self, styles: Styles) -> String {
        let urls: Vec<_> = self.urls.iter().map(|url| styles.bold(url)).collect();
        urls.join("\n")
    }
}
