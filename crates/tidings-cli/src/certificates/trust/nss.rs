//! The databases of NSS, below the home directory. `certutil` of NSS writes them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::program::{Failed, run};
use super::{Outcome, Step};
use crate::certificates::{Authority, authority};

const CERTUTIL: &str = "certutil";

/// Where Chromium and Chrome look, unless they are snaps.
const SHARED: &str = ".pki/nssdb";

/// Single databases.
const SINGLE: [&str; 3] = [
    SHARED,
    ".local/share/pki/nssdb",
    "snap/chromium/current/.pki/nssdb",
];

/// Folders in which each folder may be a database: the profiles of Firefox, and flatpaks.
const PROFILES: [(&str, &str); 5] = [
    (".mozilla/firefox", ""),
    (".config/mozilla/firefox", ""),
    ("snap/firefox/common/.mozilla/firefox", ""),
    (".var/app/org.mozilla.firefox/.mozilla/firefox", ""),
    (".var/app", ".pki/nssdb"),
];

pub(super) fn add(authority: &Authority) -> Vec<Step> {
    let Some(home) = home() else {
        return Vec::new();
    };
    let mut databases = databases(&home);
    if !databases.contains(&home.join(SHARED)) && has_chromium() {
        match make(&home.join(SHARED)) {
            Ok(()) => databases.push(home.join(SHARED)),
            Err(failed) => return vec![step(&home.join(SHARED), Err(failed), Outcome::Added)],
        }
    }
    let add = |database: &PathBuf| {
        let mut arguments = arguments(database, "-A", &authority.name());
        // Trusted for servers only.
        arguments.extend(["-t", "C,,", "-i"].map(OsString::from));
        arguments.push(authority.root_file().into());
        step(database, run(CERTUTIL, arguments).map(drop), Outcome::Added)
    };
    databases.iter().map(add).collect()
}

pub(super) fn remove() -> Vec<Step> {
    let mut steps = Vec::new();
    for database in home().iter().flat_map(|home| databases(home)) {
        let names = match names(&database) {
            Ok(names) => names,
            Err(failed) => {
                steps.push(step(&database, Err(failed), Outcome::Removed));
                continue;
            }
        };
        for name in names {
            let removed = run(CERTUTIL, arguments(&database, "-D", &name));
            steps.push(step(&database, removed.map(drop), Outcome::Removed));
        }
    }
    steps
}

fn home() -> Option<PathBuf> {
    // Elsewhere, Firefox uses the store of the system.
    let home = std::env::var_os("HOME").filter(|_| cfg!(target_os = "linux"))?;
    Some(PathBuf::from(home)).filter(|home| home.is_absolute())
}

fn databases(home: &Path) -> Vec<PathBuf> {
    let single = SINGLE.iter().map(|path| home.join(path));
    let profiles = PROFILES.iter().flat_map(|(folder, below)| {
        let entries = fs::read_dir(home.join(folder)).into_iter().flatten();
        entries.filter_map(move |entry| Some(entry.ok()?.path().join(below)))
    });
    let all = single.chain(profiles);
    let mut all: Vec<_> = all.filter(|path| path.join("cert9.db").is_file()).collect();
    all.sort();
    all.dedup();
    all
}

fn has_chromium() -> bool {
    let names = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "chrome",
        "brave-browser",
    ];
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| names.iter().any(|name| folder.join(name).is_file()))
}

/// An empty database, as Chromium makes it at its first start.
fn make(database: &Path) -> Result<(), Failed> {
    fs::create_dir_all(database).map_err(|error| Failed::Said(error.to_string()))?;
    let mut arguments = ["-N", "--empty-password", "-d"]
        .map(OsString::from)
        .to_vec();
    arguments.push(location(database));
    run(CERTUTIL, arguments).map(drop)
}

/// The names of our authorities in it.
fn names(database: &Path) -> Result<Vec<String>, Failed> {
    let listed = run(
        CERTUTIL,
        [OsString::from("-L"), "-d".into(), location(database)],
    )?;
    let ours = listed
        .lines()
        .filter(|line| line.starts_with(authority::NAME));
    // The last column holds the flags.
    let names = ours.filter_map(|line| line.trim_end().rsplit_once(char::is_whitespace));
    Ok(names.map(|(name, _)| name.trim().to_owned()).collect())
}

fn arguments(database: &Path, action: &str, name: &str) -> Vec<OsString> {
    let name = OsString::from(name);
    vec![
        action.into(),
        "-d".into(),
        location(database),
        "-n".into(),
        name,
    ]
}

fn location(database: &Path) -> OsString {
    let mut location = OsString::from("sql:");
    location.push(database);
    location
}

fn step(database: &Path, done: Result<(), Failed>, outcome: Outcome) -> Step {
    let place = database.display().to_string();
    match done {
        Ok(()) => Step::done(place, outcome),
        Err(failed) => {
            let hint = (failed == Failed::Missing).then(|| {
                "install it (Debian: libnss3-tools, Fedora: nss-tools, Arch: nss), and run this again"
                    .to_owned()
            });
            Step::failed(place, failed.why(CERTUTIL), hint)
        }
    }
}
