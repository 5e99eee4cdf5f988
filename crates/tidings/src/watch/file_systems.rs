//! Which file systems report every change, by the names of their types.
//!
//! inotify hears of what is done through the kernel that it runs in, and through the mount that is watched.
//! What another machine, a host system or the server of a FUSE mount does is not heard of.

use std::path::Path;

/// What the system reports of the files of one file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reports {
    /// Every change.
    All,
    /// What is changed through this mount, and nothing else: the files may be changed elsewhere, too.
    Own,
    /// The same may be so, and mostly is not: nothing needs to be said of it.
    Perhaps,
    /// Its files are questions to the kernel: never walked, whatever leads there.
    NoFiles,
}

const NO_FILES: [&str; 23] = [
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nfsd",
    "nsfs",
    "proc",
    "pstore",
    "resctrl",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "sysfs",
    "tracefs",
];

/// On a disk, or in memory, of this machine alone.
const LOCAL: [&str; 32] = [
    "affs", "apfs", "bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs",
    "fuseblk", "hfs", "hfsplus", "iso9660", "jfs", "local", "minix", "msdos", "nilfs2", "ntfs",
    "ntfs3", "ramfs", "reiserfs", "rootfs", "squashfs", "tmpfs", "ubifs", "udf", "ufs", "vfat",
    "xfs", "zfs",
];

/// Of the network, of the host of a virtual machine or container, or of a program.
const SHARED: [&str; 29] = [
    "9p",
    "acfs",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "drvfs",
    "fakeowner",
    "fuse",
    "gfs2",
    "glusterfs",
    "gpfs",
    "grpcfuse",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "osxfs",
    "prl_fs",
    "pvfs2",
    "smb2",
    "smb3",
    "smbfs",
    "vboxsf",
    "virtiofs",
    "vmhgfs",
];

/// By the name in `/proc/self/mountinfo`: of a type that is not known, all may be true.
pub(super) fn reports_of(kind: &str) -> Reports {
    let (main, _) = kind.split_once('.').unwrap_or((kind, ""));
    if NO_FILES.contains(&kind) {
        Reports::NoFiles
    } else if LOCAL.contains(&kind) {
        Reports::All
    } else if SHARED.contains(&main) {
        Reports::Own
    } else {
        // overlayfs among them: its lower layers can be changed below it.
        Reports::Perhaps
    }
}

/// The type by its number (statfs(2)), where the table of mounts does not have the device: a subvolume of
/// btrfs, a mount of another namespace.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn kind_of(directory: &Path) -> Option<&'static str> {
    let kind = rustix::fs::statfs(directory).ok()?.f_type;
    // The field is signed on some machines; the numbers have 32 bits.
    Some(match kind as u64 & 0xffff_ffff {
        0x0102_1997 => "9p",
        0x5346_414f | 0x6b41_4653 => "afs",
        0xca45_1a4e => "bcachefs",
        0x9123_683e => "btrfs",
        0x00c3_6400 => "ceph",
        0xff53_4d42 => "cifs",
        0x7375_7245 => "coda",
        0x0000_ef53 => "ext4",
        0x2011_bab0 => "exfat",
        0xf2f5_2010 => "f2fs",
        0x6573_5546 => "fuse",
        0x0116_1970 => "gfs2",
        0x0bd0_0bd0 => "lustre",
        0x0000_4d44 => "msdos",
        0x0000_6969 => "nfs",
        0x5346_544e => "ntfs",
        0x7461_636f => "ocfs2",
        0x2030_528b => "orangefs",
        0x794c_7630 => "overlay",
        0x0000_9fa0 => "proc",
        0x8584_58f6 => "ramfs",
        0xfe53_4d42 => "smb2",
        0x0000_517b => "smbfs",
        0x7371_7368 => "squashfs",
        0x6265_6572 => "sysfs",
        0x0102_1994 => "tmpfs",
        0x786f_4256 => "vboxsf",
        0x6a65_6a62 => "virtiofs",
        0xbacb_acbc => "vmhgfs",
        0x5846_5342 => "xfs",
        0x2fc1_2fc1 => "zfs",
        _ => return None,
    })
}

/// Not known here; `Options::poll` is for whoever needs it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn kind_of(_directory: &Path) -> Option<&'static str> {
    Some("local")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_known_by_its_name() {
        for (kind, reports) in [
            ("ext4", Reports::All),
            ("tmpfs", Reports::All),
            ("fuseblk", Reports::All),
            ("nfs4", Reports::Own),
            ("9p", Reports::Own),
            ("fuse", Reports::Own),
            ("fuse.sshfs", Reports::Own),
            ("virtiofs", Reports::Own),
            ("overlay", Reports::Perhaps),
            ("new-next-year", Reports::Perhaps),
            ("proc", Reports::NoFiles),
        ] {
            assert_eq!(reports_of(kind), reports, "{kind}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_number_of_a_type_is_that_of_its_name() {
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        for (path, kind) in [("/proc", "proc"), ("/sys", "sysfs"), ("/dev/shm", "tmpfs")] {
            // mountinfo(5): of several mounts of one place, the last one is seen.
            let mut mounts = table.lines().rev();
            let mount = mounts.find(|mount| mount.split(' ').nth(4) == Some(path));
            if mount.is_some_and(|mount| mount.contains(&format!(" - {kind} "))) {
                assert_eq!(kind_of(Path::new(path)), Some(kind));
            } else {
                eprintln!("SKIPPED: there is no {kind} at {path}");
                // The table was read from there.
                assert_ne!(path, "/proc");
            }
        }
    }
}
