//! The keys that a file may have, each with an example for error messages.

/// A key. Tests compare the list with what is read, and with the flags of the command line.
#[derive(Debug)]
pub(super) struct Key {
    /// Empty for a key at the top.
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    pub(super) example: &'static str,
}

const fn key(section: &'static str, name: &'static str, example: &'static str) -> Key {
    Key {
        section,
        name,
        example,
    }
}

pub(super) const KEYS: &[Key] = &[
    key("", "run", "run = \"proxy\""),
    key("", "port", "port = 8080"),
    key("", "strict-port", "strict-port = true"),
    key(
        "",
        "host",
        "host = \"192.168.1.10\", or host = true for all addresses",
    ),
    key("", "allow-host", "allow-host = [\"dev.example.com\"]"),
    key("", "open", "open = true, or open = \"/docs/\""),
    key("", "watch", "watch = [\"templates\", \"static\"]"),
    key("", "ignore", "ignore = [\"*.log\"]"),
    key("", "gitignore", "gitignore = false"),
    key("", "poll", "poll = true, or poll = 500"),
    key("", "reload", "reload = \"patch\""),
    key("", "restore", "restore = false"),
    key("", "badge", "badge = true"),
    key("", "forward-console", "forward-console = true"),
    key("", "lan", "lan = true"),
    key("", "https", "https = true"),
    key("", "cert", "cert = \"localhost.pem\""),
    key("", "key", "key = \"localhost-key.pem\""),
    key("", "slow", "slow = \"3g\", or slow = \"1600,150\""),
    key("", "stdin-quit", "stdin-quit = true"),
    key("", "quiet", "quiet = true"),
    key("", "json", "json = true"),
    key("serve", "dir", "dir = \"public\""),
    key(
        "serve",
        "mounts",
        "mounts = { \"/docs\" = \"docs/_build/html\" }",
    ),
    key(
        "serve",
        "proxy",
        "proxy = { \"/api\" = \"http://localhost:3000\" }",
    ),
    key("serve", "spa", "spa = true, or spa = \"app.html\""),
    key("serve", "follow-symlinks", "follow-symlinks = true"),
    key("serve", "listing", "listing = false"),
    key("serve", "compress", "compress = \"always\""),
    key("proxy", "url", "url = \"http://localhost:8000\""),
    key(
        "proxy",
        "command",
        "command = [\"python\", \"app.py\", \"{port}\"]",
    ),
    key("proxy", "restart", "restart = [\"app\", \"config\"]"),
    key("proxy", "build", "build = \"npm run css\""),
    key("proxy", "health", "health = \"/healthz\""),
    key("proxy", "start-timeout", "start-timeout = 30"),
    key("proxy", "stop-signal", "stop-signal = \"INT\""),
    key("proxy", "stop-timeout", "stop-timeout = 5"),
    key("proxy", "change-host", "change-host = true"),
    key("proxy", "insecure", "insecure = true"),
    key("headers", "path", "path = \"/**\""),
    key("headers", "set", "set = { \"X-Robots-Tag\" = \"noindex\" }"),
    key("headers", "preset", "preset = \"cross-origin-isolated\""),
    key("redirects", "from", "from = \"/old/*\""),
    key("redirects", "to", "to = \"/new/:splat\""),
    key("redirects", "status", "status = 302"),
];

/// The sections, as they are written.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("serve", "[serve]"),
    ("proxy", "[proxy]"),
    ("headers", "[[headers]]"),
    ("redirects", "[[redirects]]"),
];

pub(super) fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter()
        .find(|key| key.section == section && key.name == name)
}

/// Names in a section; at the top, the sections are names as well.
pub(super) fn names(section: &str) -> impl Iterator<Item = &'static str> {
    let keys = KEYS.iter().filter(move |key| key.section == section);
    let sections = SECTIONS.iter().filter(move |_| section.is_empty());
    keys.map(|key| key.name)
        .chain(sections.map(|(name, _)| *name))
}

/// How a section is written.
pub(super) fn header_of(section: &str) -> Option<&'static str> {
    SECTIONS
        .iter()
        .find(|(name, _)| *name == section)
        .map(|(_, header)| *header)
}
