//! `tidings.toml`: what the file says, with nothing filled in.
//!
//! A file is found ([`find`]), read, and checked as a whole. Every mistake in it is an error with the line
//! and the column, and how to write it right ([`mistake`]); nothing is ignored.

mod find;
mod keys;
mod mistake;
mod rules;
mod values;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tidings::reload::ReloadMode;

pub(crate) use find::Wanted;
pub(crate) use values::{Proxied, SwitchOr};

use crate::backend::Signal;
use crate::config::{Mount, Slow};
use crate::files::Compress;
use crate::listen::Host;
use crate::report::{Console, HintedError};
use values::Backend;

/// The name of the file.
pub(crate) const NAME: &str = "tidings.toml";

/// Far larger than any file that people write.
const MAX_BYTES: u64 = 1024 * 1024;

/// A file that was read.
#[derive(Clone, Debug)]
pub(crate) struct ConfigFile {
    /// As it is printed: `tidings.toml`, or `../tidings.toml`.
    pub(crate) shown: PathBuf,
    /// Paths in the file are relative to this one, which is relative to the working directory or empty.
    base: PathBuf,
    pub(crate) settings: Settings,
}

/// The keys of the file. Those that both commands have are at the top.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default, expecting = "a table")]
pub(crate) struct Settings {
    #[serde(deserialize_with = "values::text")]
    pub(crate) run: Option<Run>,
    #[serde(deserialize_with = "values::port")]
    pub(crate) port: Option<u16>,
    pub(crate) strict_port: Option<bool>,
    /// `true` is every address.
    pub(crate) host: Option<SwitchOr<Host>>,
    #[serde(deserialize_with = "values::list")]
    pub(crate) allow_host: Option<Vec<String>>,
    pub(crate) open: Option<SwitchOr<String>>,
    #[serde(deserialize_with = "values::list")]
    pub(crate) watch: Option<Vec<PathBuf>>,
    #[serde(deserialize_with = "values::list")]
    pub(crate) ignore: Option<Vec<String>>,
    pub(crate) gitignore: Option<bool>,
    #[serde(deserialize_with = "values::interval")]
    pub(crate) poll: Option<SwitchOr<Duration>>,
    #[serde(deserialize_with = "values::text")]
    pub(crate) reload: Option<ReloadMode>,
    pub(crate) restore: Option<bool>,
    pub(crate) badge: Option<bool>,
    pub(crate) forward_console: Option<bool>,
    pub(crate) lan: Option<bool>,
    pub(crate) https: Option<bool>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    #[serde(deserialize_with = "values::text")]
    pub(crate) slow: Option<Slow>,
    pub(crate) stdin_quit: Option<bool>,
    pub(crate) quiet: Option<bool>,
    pub(crate) json: Option<bool>,
    pub(crate) serve: Serve,
    pub(crate) proxy: Proxy,
    #[serde(deserialize_with = "rules::headers")]
    pub(crate) headers: Vec<crate::rules::HeaderRule>,
    #[serde(deserialize_with = "rules::redirects")]
    pub(crate) redirects: Vec<crate::rules::RedirectRule>,
}

/// What `tidings` alone does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Run {
    #[default]
    Serve,
    Proxy,
}

/// `[serve]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default, expecting = "a section, [serve]")]
pub(crate) struct Serve {
    pub(crate) dir: Option<PathBuf>,
    #[serde(deserialize_with = "values::mounts")]
    pub(crate) mounts: Option<Vec<Mount>>,
    #[serde(deserialize_with = "values::routes")]
    pub(crate) proxy: Option<Vec<Proxied>>,
    /// `true` is `index.html`.
    pub(crate) spa: Option<SwitchOr<values::FileBelow>>,
    pub(crate) follow_symlinks: Option<bool>,
    pub(crate) listing: Option<bool>,
    #[serde(deserialize_with = "values::compress")]
    pub(crate) compress: Option<Compress>,
}

/// `[proxy]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default, expecting = "a section, [proxy]")]
pub(crate) struct Proxy {
    #[serde(deserialize_with = "values::text")]
    pub(crate) url: Option<Backend>,
    #[serde(deserialize_with = "values::arguments")]
    pub(crate) command: Option<Vec<String>>,
    #[serde(deserialize_with = "values::list")]
    pub(crate) restart: Option<Vec<PathBuf>>,
    pub(crate) build: Option<String>,
    #[serde(deserialize_with = "values::path_on_server")]
    pub(crate) health: Option<String>,
    #[serde(deserialize_with = "values::seconds")]
    pub(crate) start_timeout: Option<Duration>,
    #[serde(deserialize_with = "values::text")]
    pub(crate) stop_signal: Option<Signal>,
    #[serde(deserialize_with = "values::seconds")]
    pub(crate) stop_timeout: Option<Duration>,
    pub(crate) change_host: Option<bool>,
    pub(crate) insecure: Option<bool>,
}

impl ConfigFile {
    /// The file that is wanted, if there is one.
    pub(crate) fn load(wanted: &Wanted, console: &Console) -> anyhow::Result<Option<ConfigFile>> {
        match find::find(wanted, console)? {
            Some(shown) => ConfigFile::read(shown).map(Some),
            None => Ok(None),
        }
    }

    /// Reads it, again or for the first time.
    pub(crate) fn read(shown: PathBuf) -> anyhow::Result<ConfigFile> {
        let text = read(&shown).map_err(|error| HintedError {
            message: format!("cannot read {}: {error}", shown.display()),
            hint: "--no-config does without the file".to_owned(),
        })?;
        let settings = mistake::parse(&text, &shown)?;
        Ok(ConfigFile {
            base: shown.parent().map(Path::to_owned).unwrap_or_default(),
            shown,
            settings,
        })
    }

    /// As if it were in the working directory.
    #[cfg(test)]
    pub(crate) fn of_text(text: &str) -> ConfigFile {
        ConfigFile::of_text_in("", text)
    }

    /// As if it were in this folder.
    #[cfg(test)]
    pub(crate) fn of_text_in(folder: &str, text: &str) -> ConfigFile {
        ConfigFile {
            shown: Path::new(folder).join(NAME),
            base: PathBuf::from(folder),
            settings: mistake::parse(text, Path::new(NAME)).expect("a valid file"),
        }
    }

    /// A path of the file, relative to the working directory.
    pub(crate) fn path(&self, path: &Path) -> PathBuf {
        let joined = self.base.join(path);
        match joined.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => joined,
        }
    }

    /// The folder that paths in the file are relative to.
    pub(crate) fn folder(&self) -> PathBuf {
        self.path(Path::new(""))
    }
}

/// The keys of a section, or those at the top.
#[cfg(test)]
pub(crate) fn keys_of(section: &str) -> impl Iterator<Item = &'static str> {
    keys::names(section)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    match text.len() as u64 > MAX_BYTES {
        false => Ok(text),
        true => Err(io::Error::other("it is larger than 1 MB")),
    }
}

impl std::str::FromStr for Run {
    type Err = String;

    fn from_str(text: &str) -> Result<Run, String> {
        match text {
            "serve" => Ok(Run::Serve),
            "proxy" => Ok(Run::Proxy),
            _ => Err("expected \"serve\" or \"proxy\"".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");

    #[test]
    fn the_reference_has_a_row_for_each_key() {
        let text = std::fs::read_to_string(format!("{DOCS}/configuration.md")).unwrap();
        // What is before the first section is about the top of the file.
        let (top, sections) = text.split_once("\n## `[serve]`").unwrap();
        let sections = format!("\n## `[serve]`{sections}");
        for (section, text) in [("", top)].into_iter().chain(
            sections
                .split("\n## `[")
                .skip(1)
                .map(|part| (part.split(']').next().unwrap().trim_matches('['), part)),
        ) {
            let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
            let mut rows: Vec<_> = rows.filter_map(|row| row.split('`').next()).collect();
            let keys = keys::names(section).filter(|key| keys::find(section, key).is_some());
            let mut keys: Vec<_> = keys.collect();
            rows.sort_unstable();
            keys.sort_unstable();
            assert_eq!(rows, keys, "{section:?}");
        }
    }

    #[test]
    fn every_file_in_the_documentation_is_valid() {
        let mut n_files = 0;
        let docs = std::fs::read_dir(DOCS).unwrap();
        let docs = docs.map(|entry| entry.unwrap().path());
        for path in docs.chain([PathBuf::from(format!("{DOCS}/../README.md"))]) {
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let blocks = text.split("```toml\n").skip(1);
            let blocks = blocks.filter_map(|block| block.split("```").next());
            for block in blocks.filter(|block| !block.contains("dependencies")) {
                if let Err(error) = mistake::parse(block, &path) {
                    panic!("{}: {}\n{block}", error.message, error.hint);
                }
                n_files += 1;
            }
        }
        assert!(n_files > 10, "{n_files}");
    }
}
