//! What is mounted where: of which type, and what appears later.
//!
//! inotify says nothing when something is mounted over a directory that is watched: the watch stays
//! on what is covered. So the table of mounts is compared once in a while.

use super::file_systems::{Reports, kind_of, reports_of};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The table, as it was when it was read. Empty where the system has none to read.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    text: String,
    /// Mount point -> the id of what is on top there.
    points: HashMap<PathBuf, u32>,
    /// Device -> what is reported of it, and the type of its file system.
    devices: HashMap<u64, (Reports, String)>,
}

impl Mounts {
    pub(super) fn read() -> Mounts {
        // Names need not be UTF-8; those that are not are compared as the same wrong ones.
        match std::fs::read("/proc/self/mountinfo") {
            Ok(text) => Mounts::parse(String::from_utf8_lossy(&text).into_owned()),
            Err(_) => Mounts::default(),
        }
    }

    /// proc_pid_mountinfo(5): `36 35 98:0 /in/it /mnt rw,noatime master:1 - ext3 /dev/root rw`.
    fn parse(text: String) -> Mounts {
        let mut mounts = Mounts::default();
        for line in text.lines() {
            let mut fields = line.split(' ');
            let (id, device) = (fields.next(), fields.nth(1));
            let point = fields.nth(1);
            let kind = fields.skip_while(|field| *field != "-").nth(1);
            if let (Some(id), Some(device), Some(point), Some(kind)) = (
                id.and_then(|id| id.parse().ok()),
                device.and_then(device_number),
                point,
                kind,
            ) {
                // A later line lies on top of an earlier one.
                mounts.points.insert(unescaped(point), id);
                let reports = reports_of(kind);
                mounts.devices.insert(device, (reports, kind.to_owned()));
            }
        }
        mounts.text = text;
        mounts
    }

    /// What the system reports of a file system, and its type. `directory` is in it.
    pub(super) fn reports(&mut self, device: u64, directory: &Path) -> (Reports, &str) {
        let (reports, kind) = self.devices.entry(device).or_insert_with(|| {
            let kind = kind_of(directory).unwrap_or("unknown");
            (reports_of(kind), kind.to_owned())
        });
        (*reports, kind)
    }

    /// Reads the table again. Returns the directories over which something was mounted since
    /// (true), and those where it was unmounted.
    pub(super) fn refresh(&mut self) -> Vec<(PathBuf, bool)> {
        let now = Mounts::read();
        if now.text == self.text {
            return Vec::new();
        }
        let before = std::mem::replace(self, now);
        self.since(&before)
    }

    fn since(&self, before: &Mounts) -> Vec<(PathBuf, bool)> {
        let new = self.points.iter();
        let new = new.filter(|(point, id)| before.points.get(*point) != Some(id));
        let old = before.points.keys();
        let old = old.filter(|point| !self.points.contains_key(*point));
        new.map(|(point, _)| (point.clone(), true))
            .chain(old.map(|point| (point.clone(), false)))
            .collect()
    }
}

/// `98:0` as `stat` tells it (makedev(3) of glibc and musl).
fn device_number(text: &str) -> Option<u64> {
    let (major, minor) = text.split_once(':')?;
    let (major, minor): (u64, u64) = (major.parse().ok()?, minor.parse().ok()?);
    Some(
        (major & 0xffff_f000) << 32
            | (major & 0xfff) << 8
            | (minor & 0xffff_ff00) << 12
            | (minor & 0xff),
    )
}

/// Space, tab, line feed and backslash are written as `\040` and so on.
fn unescaped(point: &str) -> PathBuf {
    let mut out = String::with_capacity(point.len());
    let mut rest = point;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let code = after
            .get(..3)
            .and_then(|code| u8::from_str_radix(code, 8).ok());
        match code {
            Some(code) => {
                out.push(char::from(code));
                rest = &after[3..];
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Path::new(&out).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 28 0:21 / /proc rw,relatime shared:5 - proc proc rw
28 1 254:1 / / rw,relatime - ext4 /dev/root rw
30 28 0:26 / /tmp/a\\040b rw - tmpfs none rw
";

    #[test]
    fn the_kind_of_a_file_system_is_known_by_its_device() {
        let mut mounts = Mounts::parse(TABLE.to_owned());
        let nowhere = Path::new("/nowhere/at/all");
        assert_eq!(mounts.reports(21, nowhere), (Reports::NoFiles, "proc"));
        let disk = mounts.reports(254 << 8 | 1, nowhere);
        assert_eq!(disk, (Reports::All, "ext4"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn proc_is_told_from_the_directory_it_is_in() {
        use std::os::unix::fs::MetadataExt;
        let device = |path: &str| std::fs::metadata(path).unwrap().dev();
        let mut tables = [Mounts::read(), Mounts::default()];
        for mounts in &mut tables {
            let mut reports = |path| mounts.reports(device(path), Path::new(path)).0;
            assert_eq!(reports("/proc"), Reports::NoFiles);
            assert_ne!(reports("/"), Reports::NoFiles);
        }
    }

    #[test]
    fn what_was_mounted_and_unmounted_is_told() {
        let before = Mounts::parse(TABLE.to_owned());
        let text = TABLE.replace("30 28 0:26 / /tmp/a\\040b", "31 28 0:27 / /srv");
        let since = Mounts::parse(text).since(&before);
        assert!(since.contains(&("/srv".into(), true)));
        assert!(since.contains(&("/tmp/a b".into(), false)));
        assert_eq!(since.len(), 2);
        // The same place, covered once more.
        let text = format!("{TABLE}40 28 0:30 / /tmp/a\\040b rw - tmpfs none rw\n");
        let since = Mounts::parse(text).since(&before);
        assert_eq!(since, [("/tmp/a b".into(), true)]);
    }
}
