//! The first lines on the console: where the server can be reached, and by whom.

use serde::Serialize;

use super::super::addresses::Addresses;
use crate::config::Serve;
use crate::report::{Message, Styles, printable};

/// The server's addresses.
#[derive(Debug, Serialize)]
pub(super) struct Banner {
    #[serde(flatten)]
    pub(super) addresses: Addresses,
    dir: String,
    /// What is passed to backends: the prefix and the URL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    proxy: Vec<(String, String)>,
    /// The file that settings were read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<String>,
}

impl Banner {
    pub(super) fn new(config: &Serve, addresses: Addresses) -> Banner {
        Banner {
            addresses,
            dir: config.dir.display().to_string(),
            proxy: config
                .proxy
                .iter()
                .map(|route| (route.prefix.clone(), route.target.to_string()))
                .collect(),
            config: config.server.config_file_shown(),
        }
    }
}

impl Message for Banner {
    fn text(&self, styles: Styles) -> String {
        let mut lines = vec![self.quiet_text(styles)];
        lines.push(styles.dim(&format!(
            "serving {} and watching for changes; press Ctrl-C to stop",
            self.dir
        )));
        for (prefix, target) in &self.proxy {
            let line = format!("passing {prefix} to {}", printable(target));
            lines.push(styles.dim(&line));
        }
        if let Some(file) = &self.config {
            lines.push(styles.dim(&format!("settings from {}", printable(file))));
        }
        lines.extend(self.addresses.trust());
        let allows = format!(
            "read every file in {}, except hidden files and keys",
            self.dir
        );
        lines.extend(self.addresses.exposure(&allows));
        lines.extend(self.addresses.qr_code(styles));
        lines.join("\n")
    }

    fn quiet_text(&self, styles: Styles) -> String {
        self.addresses.lines(styles)
    }
}
