//! The first lines on the console: where the server can be reached, and what is behind it.

use serde::Serialize;

use super::super::addresses::Addresses;
use crate::config::Proxy;
use crate::report::{Message, Styles, printable};
use crate::upstream::Target;

/// The server's addresses.
#[derive(Debug, Serialize)]
pub(super) struct Banner {
    #[serde(flatten)]
    pub(super) addresses: Addresses,
    /// Its URL, or the command.
    backend: String,
    #[serde(skip)]
    runs: bool,
    watching: Vec<String>,
    /// The file that settings were read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<String>,
}

impl Banner {
    pub(super) fn new(config: &Proxy, addresses: Addresses) -> Banner {
        let watched = config.watched.paths.iter();
        Banner {
            addresses,
            backend: match (&config.command, &config.url) {
                (Some(command), _) => {
                    let words = command.args.iter().map(|word| word.to_string_lossy());
                    words.collect::<Vec<_>>().join(" ")
                }
                (None, target) => target.as_ref().map(Target::to_string).unwrap_or_default(),
            },
            runs: config.command.is_some(),
            watching: watched.map(|path| path.display().to_string()).collect(),
            config: config.server.config_file_shown(),
        }
    }
}

impl Message for Banner {
    fn text(&self, styles: Styles) -> String {
        let mut lines = vec![self.quiet_text(styles)];
        let backend = printable(&self.backend);
        let watching = match &self.watching[..] {
            [] if self.runs => String::new(),
            [] => "; --watch PATH shows changes in the pages".to_owned(),
            paths => format!(" and watching {}", printable(&paths.join(", "))),
        };
        lines.push(styles.dim(&format!(
            "{} {backend}{watching}; press Ctrl-C to stop",
            if self.runs { "running" } else { "proxying" }
        )));
        if let Some(file) = &self.config {
            lines.push(styles.dim(&format!("settings from {}", printable(file))));
        }
        lines.extend(self.addresses.trust());
        lines.extend(self.addresses.exposure(&format!("use {backend}")));
        lines.extend(self.addresses.qr_code(styles));
        lines.join("\n")
    }

    fn quiet_text(&self, styles: Styles) -> String {
        self.addresses.lines(styles)
    }
}
