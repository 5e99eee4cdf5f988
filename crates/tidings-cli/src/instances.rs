//! The servers of this user that run now: how `tidings wait` and other local programs find the one of a
//! folder, and the token that it takes orders with.
//!
//! Each server has a file in a directory that nobody else can read, with mode 0600, and holds a lock on it for
//! as long as it lives. The system gives the lock back however the process ends, so a file without a lock is
//! of a server that is gone.

mod directory;
pub(crate) mod exact_path;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A server, as its file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) pid: u32,
    /// Its address for a browser on this machine.
    pub(crate) url: String,
    pub(crate) port: u16,
    /// The names that it answers requests for, besides those of this machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) names: Vec<String>,
    /// The folder that is served; of a proxy, the one that it was started in. Links resolved.
    #[serde(with = "exact_path")]
    pub(crate) dir: PathBuf,
    /// Where it was started.
    #[serde(with = "exact_path")]
    pub(crate) started_in: PathBuf,
    /// What its control takes orders with.
    pub(crate) token: String,
    /// What it wants to see before it answers at this address: with `--lan`, where it does not listen on loopback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cookie: Option<String>,
}

/// The file of this process. Dropping it removes the file.
#[derive(Debug)]
pub(crate) struct Announced {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
}

impl Drop for Announced {
    fn drop(&mut self) {
        // Whoever looks for it later finds that nobody holds the lock.
        let _ = fs::remove_file(&self.path);
    }
}

/// Lets local programs of this user find this server.
///
/// # Errors
/// There is no place for the file that is this user's alone.
pub(crate) fn announce(instance: &Instance) -> io::Result<Announced> {
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for directory in directory::candidates() {
        let announced =
            directory::make_private(&directory).and_then(|()| announce_in(&directory, instance));
        match announced {
            Ok(announced) => return Ok(announced),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn announce_in(directory: &Path, instance: &Instance) -> io::Result<Announced> {
    // What crashed servers have left there.
    let _ = read(directory);
    let name = format!("{}-{}", instance.pid, instance.port);
    let path = directory.join(format!("{name}.json"));
    // Locked before it gets its name: nobody finds it without a lock.
    let beside = directory.join(format!("{name}.new"));
    let _ = fs::remove_file(&beside);
    let mut file = directory::create_private(&beside)?;
    directory::lock(&file)?;
    let text = serde_json::to_string(instance).map_err(io::Error::other)?;
    let named = file.write_all(text.as_bytes());
    if let Err(error) = named.and_then(|()| fs::rename(&beside, &path)) {
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    Ok(Announced { path, _file: file })
}

/// All servers of this user.
pub(crate) fn running() -> Vec<Instance> {
    let mut found = Vec::new();
    for directory in directory::candidates() {
        // A directory that is not this user's alone may hold anything.
        if directory::is_private(&directory) {
            found.extend(read(&directory));
        }
    }
    found.sort_by_key(|instance| instance.port);
    found.dedup();
    found
}

/// The servers of a directory. Removes the files of those that are gone.
fn read(directory: &Path) -> Vec<Instance> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let paths = paths.filter(|path| path.extension().is_some_and(|end| end == "json"));
    paths
        .filter_map(|path| {
            let file = File::open(&path).ok()?;
            if !directory::is_locked(&file) {
                let _ = fs::remove_file(&path);
                return None;
            }
            serde_json::from_reader(&file).ok()
        })
        .collect()
}

/// Which server is meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    One(Box<Instance>),
    None,
    /// One of these, and it cannot be told which.
    Several(Vec<Instance>),
}

/// The server of a folder: the one that serves it, or the nearest folder above it, or that was started there.
/// Otherwise the one that serves a folder below it.
pub(crate) fn of_folder(instances: Vec<Instance>, here: &Path) -> Choice {
    let depth_above = |instance: &Instance| {
        let folders = [&instance.dir, &instance.started_in];
        let above = folders.into_iter().filter(|dir| here.starts_with(dir));
        above.map(|dir| dir.components().count()).max()
    };
    let nearest = instances.iter().filter_map(depth_above).max();
    let is_meant = |instance: &Instance| match nearest {
        Some(_) => depth_above(instance) == nearest,
        None => instance.dir.starts_with(here),
    };
    choice(instances.into_iter().filter(is_meant).collect())
}

/// The server at an address: on this port, and this says that it has the host.
pub(crate) fn at_address(
    instances: Vec<Instance>,
    port: u16,
    has_host: impl Fn(&Instance) -> bool,
) -> Choice {
    let is_meant = |instance: &Instance| instance.port == port && has_host(instance);
    choice(instances.into_iter().filter(is_meant).collect())
}

fn choice(mut found: Vec<Instance>) -> Choice {
    match found.len() {
        0 => Choice::None,
        1 => Choice::One(Box::new(found.remove(0))),
        _ => Choice::Several(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(port: u16, dir: &str, started_in: &str) -> Instance {
        Instance {
            pid: 1,
            url: format!("http://localhost:{port}/"),
            port,
            dir: dir.into(),
            started_in: started_in.into(),
            token: "t".to_owned(),
            cookie: None,
            names: Vec::new(),
        }
    }

    #[track_caller]
    fn check(instances: &[Instance], here: &str, expected: &[u16]) {
        let ports: Vec<_> = match of_folder(instances.to_vec(), Path::new(here)) {
            Choice::One(one) => vec![one.port],
            Choice::None => Vec::new(),
            Choice::Several(several) => several.iter().map(|one| one.port).collect(),
        };
        assert_eq!(ports, expected, "{here}");
    }

    #[test]
    fn the_server_of_the_nearest_folder_is_meant() {
        let all = [
            instance(1, "/home/a/site/public", "/home/a/site"),
            instance(2, "/home/a/site/public/docs", "/"),
            instance(3, "/srv/x", "/home/b"),
        ];
        check(&all, "/home/a/site/public", &[1]);
        check(&all, "/home/a/site/src", &[1]);
        check(&all, "/home/a/site/public/docs/deep", &[2]);
        check(&all, "/srv/x/y", &[3]);
        check(&all, "/home/b", &[3]);
        check(&all[2..], "/srv", &[3]);
        check(&all[2..], "/opt", &[]);
        check(&all[..1], "/home/a", &[1]);
        // A name that only begins alike.
        check(&all[..1], "/home/a/site2", &[]);
    }

    #[test]
    fn two_servers_of_one_folder_are_not_told_apart() {
        let all = [
            instance(1, "/site", "/site"),
            instance(2, "/site", "/other"),
        ];
        check(&all, "/site/sub", &[1, 2]);
    }

    #[test]
    #[cfg(unix)]
    fn a_server_is_found_while_it_lives_and_its_file_is_this_users_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let private = dir.path().join("tidings");
        directory::make_private(&private).unwrap();
        let one = instance(8080, "/site", "/site");
        let announced = announce_in(&private, &one).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&announced.path), 0o600);
        assert_eq!(mode(&private), 0o700);
        assert_eq!(read(&private), std::slice::from_ref(&one));
        drop(announced);
        assert_eq!(read(&private), []);
        // A server that crashed: nobody holds the lock.
        let left = private.join("1-8080.json");
        fs::write(&left, serde_json::to_string(&one).unwrap()).unwrap();
        assert_eq!(read(&private), []);
        assert!(!left.exists());
    }

    #[test]
    #[cfg(unix)]
    fn a_server_of_a_folder_whose_name_is_not_utf_8_is_found() {
        use std::os::unix::ffi::OsStringExt;
        let dir = tempfile::tempdir().unwrap();
        let folder = std::ffi::OsString::from_vec(b"/caf\xe9".to_vec());
        let mut one = instance(8080, "/site", "/site");
        one.dir = folder.into();
        let _announced = announce_in(dir.path(), &one).unwrap();
        assert_eq!(read(dir.path()), [one]);
    }

    #[test]
    #[cfg(unix)]
    fn a_directory_that_others_can_reach_is_not_used() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let open = dir.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        let linked = dir.path().join("linked");
        let private = dir.path().join("private");
        directory::make_private(&private).unwrap();
        symlink(&private, &linked).unwrap();
        for path in [&open, &linked, &dir.path().join("nowhere")] {
            assert!(!directory::is_private(path), "{}", path.display());
        }
        assert!(directory::make_private(&open).is_err());
        assert!(directory::make_private(&linked).is_err());
        assert!(directory::is_private(&private));
    }
}
