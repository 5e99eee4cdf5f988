//! The store of the system: a folder of certificates and a program that collects them on Linux, `security` on
//! macOS, `certutil` on Windows.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::program::{Failed, run};
use super::{Outcome, Step, names_in};
use crate::certificates::Authority;
use crate::report::shell_quoted;

/// A folder for certificates, and what has to be run after a change of it.
struct Anchors {
    folder: PathBuf,
    update: &'static [&'static str],
}

/// The ways of the distributions: Debian and Ubuntu, Fedora, Arch, openSUSE.
const LINUX: [(&str, &[&str]); 4] = [
    (
        "usr/local/share/ca-certificates",
        &["update-ca-certificates"],
    ),
    (
        "etc/pki/ca-trust/source/anchors",
        &["update-ca-trust", "extract"],
    ),
    (
        "etc/ca-certificates/trust-source/anchors",
        &["trust", "extract-compat"],
    ),
    ("usr/share/pki/trust/anchors", &["update-ca-certificates"]),
];

pub(super) fn add(authority: &Authority) -> Option<Step> {
    let file = authority.root_file();
    if cfg!(target_os = "macos") {
        let arguments = ["add-trusted-cert", "-r", "trustRoot"].map(Into::into);
        let added = run(
            "security",
            arguments.into_iter().chain([file.as_os_str().to_owned()]),
        );
        return Some(step(
            "the login keychain",
            "security",
            added,
            Outcome::Added,
        ));
    }
    if cfg!(windows) {
        let arguments = ["-user", "-addstore", "Root"].map(Into::into);
        let added = run(
            "certutil",
            arguments.into_iter().chain([file.as_os_str().to_owned()]),
        );
        return Some(step("the Windows store", "certutil", added, Outcome::Added));
    }
    match Anchors::below(Path::new("/")) {
        Some(anchors) => Some(anchors.add(authority.id(), file)),
        None => Some(Step::failed(
            "the system",
            "it has no store of a known kind",
            Some(format!("add {} to it by hand", file.display())),
        )),
    }
}

pub(super) fn remove() -> Vec<Step> {
    // All are listed: where there is none of ours, a search for them would count as failed.
    if cfg!(target_os = "macos") {
        return remove_listed(
            "the login keychain",
            "security",
            &["find-certificate", "-a"],
            &["delete-certificate", "-t", "-c"],
        );
    }
    if cfg!(windows) {
        return remove_listed(
            "the Windows store",
            "certutil",
            &["-user", "-store", "Root"],
            &["-user", "-delstore", "Root"],
        );
    }
    let anchors = Anchors::below(Path::new("/"));
    anchors
        .and_then(|anchors| anchors.remove())
        .into_iter()
        .collect()
}

/// Removes each authority of ours that is listed, by its name.
fn remove_listed(place: &str, program: &str, list: &[&str], delete: &[&str]) -> Vec<Step> {
    let listed = match run(program, list) {
        Ok(listed) => listed,
        Err(failed) => return vec![step(place, program, Err(failed), Outcome::Removed)],
    };
    let names = names_in(&listed).into_iter();
    let removed = names.map(|name| run(program, delete.iter().copied().chain([name])));
    removed
        .map(|removed| step(place, program, removed, Outcome::Removed))
        .collect()
}

fn step(place: &str, program: &str, done: Result<String, Failed>, outcome: Outcome) -> Step {
    match done {
        Ok(_) => Step::done(place, outcome),
        Err(failed) => Step::failed(place, failed.why(program), None),
    }
}

impl Anchors {
    fn below(root: &Path) -> Option<Anchors> {
        let mut all = LINUX.into_iter().map(|(folder, update)| Anchors {
            folder: root.join(folder),
            update,
        });
        all.find(|anchors| anchors.folder.is_dir())
    }

    fn add(&self, id: &str, certificate: &Path) -> Step {
        let target = self.folder.join(format!("tidings-{id}.crt"));
        let place = self.folder.display().to_string();
        let by_hand = format!(
            "run `sudo cp {} {} && sudo {}`",
            shell_quoted(&certificate.display().to_string()),
            shell_quoted(&target.display().to_string()),
            self.update.join(" ")
        );
        match fs::copy(certificate, &target) {
            Ok(_) => {
                readable(&target);
                self.updated(place, Outcome::Added)
            }
            Err(error) => Step::failed(place, why(&error), Some(by_hand)),
        }
    }

    /// Removes all certificates that this program may have added; `None` if there are none.
    fn remove(&self) -> Option<Step> {
        let is_ours = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with("tidings-") && name.ends_with(".crt"))
        };
        let entries = fs::read_dir(&self.folder).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let ours: Vec<_> = paths.filter(is_ours).collect();
        let place = self.folder.display().to_string();
        let by_hand = format!(
            "run `sudo rm {}/tidings-*.crt && sudo {}`",
            self.folder.display(),
            self.update.join(" ")
        );
        if ours.is_empty() {
            return None;
        }
        for path in ours {
            if let Err(error) = fs::remove_file(path) {
                return Some(Step::failed(place, why(&error), Some(by_hand)));
            }
        }
        Some(self.updated(place, Outcome::Removed))
    }

    fn updated(&self, place: String, outcome: Outcome) -> Step {
        let (program, arguments) = (self.update[0], &self.update[1..]);
        match run(program, arguments) {
            Ok(_) => Step::done(place, outcome),
            Err(failed) => {
                let hint = format!("run `sudo {}`", self.update.join(" "));
                Step::failed(place, failed.why(program), Some(hint))
            }
        }
    }
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "only an administrator may write there".to_owned(),
        _ => error.to_string(),
    }
}

/// Programs of all users read it.
fn readable(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o644));
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchors(update: &'static [&'static str]) -> (tempfile::TempDir, Anchors, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        assert!(Anchors::below(root.path()).is_none());
        fs::create_dir_all(root.path().join("etc/pki/ca-trust/source/anchors")).unwrap();
        let mut anchors = Anchors::below(root.path()).unwrap();
        assert_eq!(anchors.update, ["update-ca-trust", "extract"]);
        anchors.update = update;
        let certificate = root.path().join("ca.pem");
        fs::write(&certificate, "PEM").unwrap();
        (root, anchors, certificate)
    }

    #[test]
    fn the_certificate_is_copied_to_where_the_distribution_collects_them_and_taken_back() {
        let (_root, anchors, certificate) = anchors(&["true"]);
        assert_eq!(anchors.add("one", &certificate).outcome, Outcome::Added);
        assert_eq!(anchors.add("two", &certificate).outcome, Outcome::Added);
        let added = anchors.folder.join("tidings-one.crt");
        assert_eq!(fs::read_to_string(&added).unwrap(), "PEM");
        fs::write(anchors.folder.join("other.crt"), "").unwrap();
        assert_eq!(anchors.remove().unwrap().outcome, Outcome::Removed);
        assert!(!added.exists());
        let left = fs::read_dir(&anchors.folder).unwrap();
        assert_eq!(left.count(), 1, "what others have added stays");
        assert!(anchors.remove().is_none());
    }

    #[test]
    fn who_may_not_write_there_is_told_what_to_run() {
        let (root, mut anchors, certificate) = anchors(&["false"]);
        let step = anchors.add("one", &certificate);
        assert_eq!(step.hint.as_deref(), Some("run `sudo false`"));
        anchors.folder = anchors.folder.join("missing");
        let step = anchors.add("one", &certificate);
        assert_eq!(step.outcome, Outcome::Failed);
        assert!(step.hint.unwrap().starts_with("run `sudo cp "));
        let hint = anchors.add("one", &root.path().join("a b")).hint.unwrap();
        assert!(hint.contains("/a b' "), "{hint}");
    }

    #[cfg(unix)]
    #[test]
    fn whatever_is_listed_of_ours_is_removed_and_what_fails_is_told() {
        let list = |text| remove_listed("here", "echo", &[text], &["-n"]);
        assert!(list("Other CA").is_empty());
        let removed = list("CN=tidings local CA 00000001, CN=tidings local CA 00000002");
        assert_eq!(removed.len(), 2);
        assert!(removed.iter().all(|step| step.outcome == Outcome::Removed));
        let failed = remove_listed("here", "false", &[], &[]);
        assert_eq!(failed[0].outcome, Outcome::Failed);
    }
}
