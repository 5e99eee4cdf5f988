//! Files that are kept for this user, and that nobody else may read: the key of the local certificate
//! authority, and the secret of `--lan`.
//!
//! What must stay true: what [`make`] makes is complete from the moment it has its name, and the first process that
//! makes it wins, so all processes of a user have the same. What [`read`] returns was written by this user.

use std::ffi::OsStr;
use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::report::{HintedError, shell_quoted};

/// Where they are: `~/.local/share/tidings` on Linux.
pub(crate) fn folder() -> Option<PathBuf> {
    let set = |name: &str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
        Some(PathBuf::from(value)).filter(|path| path.is_absolute())
    };
    let home = || set("HOME");
    // XDG Base Directory Specification: a relative path is invalid, and ignored.
    let data = set("XDG_DATA_HOME").or_else(|| match () {
        () if cfg!(target_os = "macos") => Some(home()?.join("Library/Application Support")),
        () if cfg!(windows) => set("LOCALAPPDATA"),
        () => Some(home()?.join(".local/share")),
    });
    Some(data?.join("tidings"))
}

/// Reads a file; `None` if there is none. One that others can read or have made is an error: what it holds may be
/// known to them.
pub(crate) fn read(path: &Path) -> anyhow::Result<Option<String>> {
    let mut options = OpenOptions::new();
    options.read(true);
    // Neither a link to somewhere else nor a FIFO that nobody writes.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, {
        use rustix::fs::OFlags;
        (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
    });
    let not_yours = || HintedError {
        message: format!("{} is not a file of yours", path.display()),
        hint: "remove it, and a new one is made".to_owned(),
    };
    let mut file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) if cfg!(unix) && path.is_symlink() => return Err(not_yours().into()),
        Err(error) => return Err(failed("read", path, &error)),
    };
    // Of the file that is read, whatever has its name meanwhile.
    let meta = file
        .metadata()
        .map_err(|error| failed("read", path, &error))?;
    if !is_of_this_user(&meta) {
        return Err(not_yours().into());
    }
    if !is_private(&meta) {
        return Err(HintedError {
            message: format!("other users can read {}", path.display()),
            hint: format!(
                "if nobody has, run `chmod 600 {}`; otherwise remove it, and a new one is made",
                shell_quoted(&path.display().to_string())
            ),
        }
        .into());
    }
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) => Ok(Some(text)),
        Err(error) => Err(failed("read", path, &error)),
    }
}

/// Makes a file with this text, unless there is one already: then its text is returned instead.
pub(crate) fn make(path: &Path, text: String) -> anyhow::Result<String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder).map_err(|error| failed("make", folder, &error))?;
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let draft = folder.join(format!(".{name}.{:016x}", fastrand::u64(..)));
    let made = write_new(&draft, &text).and_then(|()| match fs::hard_link(&draft, path) {
        // Another process was first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        linked => linked.map(|()| true),
    });
    let _ = fs::remove_file(&draft);
    match made {
        Ok(true) => Ok(text),
        Ok(false) => Ok(read(path)?.unwrap_or(text)),
        Err(error) => Err(failed("write", path, &error)),
    }
}

/// Holds a lock on the folder until it is dropped, where the file system has locks: so that of the processes
/// of a user one replaces a file at a time. On Windows there is none.
pub(crate) fn lock(folder: &Path) -> Option<fs::File> {
    #[cfg(unix)]
    {
        let folder = fs::File::open(folder).ok()?;
        rustix::fs::flock(&folder, rustix::fs::FlockOperation::LockExclusive).ok()?;
        Some(folder)
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Whether only the owner can read it. On Windows, the folder of the user's data is private.
#[cfg(unix)]
fn is_private(meta: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(meta) & 0o077 == 0
}

#[cfg(not(unix))]
fn is_private(_: &Metadata) -> bool {
    true
}

/// Whether it is a file, and nobody else has made it.
#[cfg(unix)]
fn is_of_this_user(meta: &Metadata) -> bool {
    let owner = std::os::unix::fs::MetadataExt::uid(meta);
    let user = rustix::process::geteuid();
    // With `sudo`, root does what another user asks for, with the files of that user.
    let asked_by = || std::env::var("SUDO_UID").ok()?.parse().ok();
    meta.is_file() && (owner == user.as_raw() || user.is_root() && asked_by() == Some(owner))
}

#[cfg(not(unix))]
fn is_of_this_user(meta: &Metadata) -> bool {
    meta.is_file()
}

fn failed(what: &str, path: &Path, error: &io::Error) -> anyhow::Error {
    HintedError {
        message: format!("cannot {what} {}: {error}", path.display()),
        hint: "set XDG_DATA_HOME to a folder that you may write to".to_owned(),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_that_makes_a_file_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/secret");
        assert_eq!(read(&path).unwrap(), None);
        assert_eq!(make(&path, "one".to_owned()).unwrap(), "one");
        assert_eq!(make(&path, "two".to_owned()).unwrap(), "one");
        assert_eq!(read(&path).unwrap().as_deref(), Some("one"));
        let names = fs::read_dir(path.parent().unwrap()).unwrap();
        assert_eq!(names.count(), 1, "nothing else is left");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        make(&path, "text".to_owned()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.starts_with("other users can read"), "{error}");
    }
    /// What a name leads to may be read by whoever has put it there.
    #[cfg(unix)]
    #[test]
    fn neither_a_link_nor_a_fifo_nor_a_file_of_somebody_else_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        make(&at("secret"), "text".to_owned()).unwrap();
        std::os::unix::fs::symlink(at("secret"), at("link")).unwrap();
        let error = read(&at("link")).unwrap_err().to_string();
        assert!(error.ends_with("is not a file of yours"), "{error}");
        let made = std::process::Command::new("mkfifo")
            .arg("-m600")
            .arg(at("fifo"))
            .status();
        assert!(made.unwrap().success());
        let error = read(&at("fifo")).unwrap_err().to_string();
        assert!(error.ends_with("is not a file of yours"), "{error}");
        // Only root may give a file away.
        if std::os::unix::fs::chown(at("secret"), Some(65_534), None).is_ok() {
            let error = read(&at("secret")).unwrap_err().to_string();
            assert!(error.ends_with("is not a file of yours"), "{error}");
        }
    }
}
