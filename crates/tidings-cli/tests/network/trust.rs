//! `tidings trust --remove`. Only in the databases of a home directory: nothing here touches the system's store.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::Home;
use crate::support::program::finished;

const REMOVE: [&str; 4] = ["trust", "--remove", "--store", "nss"];

#[test]
fn to_take_trust_back_needs_no_authority_and_makes_none() {
    let home = Home::new();
    let removed = home.run(&REMOVE);
    assert_eq!(
        (removed.code, &*removed.out),
        (Some(0), "no store has it\n")
    );
    assert!(!home.data("").exists());
    // One whose key others can read is one that should be trusted no more.
    fs::create_dir_all(home.data("")).unwrap();
    fs::write(home.data("authority.json"), "{}").unwrap();
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(home.data("authority.json"), open).unwrap();
    assert_eq!(home.run(&REMOVE).code, Some(0));
}

/// With a program in the place of `certutil`, which takes it out of one database only.
#[test]
fn a_store_that_may_still_have_the_authority_makes_it_fail() {
    let home = Home::new();
    for database in [".pki/nssdb", ".local/share/pki/nssdb"] {
        fs::create_dir_all(home.path(database)).unwrap();
        fs::write(home.path(database).join("cert9.db"), "").unwrap();
    }
    let certutil = "#!/bin/sh\ncase \"$*\" in\n\
         -L*) echo 'tidings local CA 00000001   C,,';;\n\
         *.pki*) printf 'no \\033[2Jentry\\n' >&2; exit 1;;\nesac\n";
    fs::create_dir_all(home.data("")).unwrap();
    fs::write(home.data("trusted"), "00000001").unwrap();
    fs::write(home.path("certutil"), certutil).unwrap();
    let runs = fs::Permissions::from_mode(0o755);
    fs::set_permissions(home.path("certutil"), runs).unwrap();
    let path = format!("{}:/usr/bin:/bin", home.path("").display());
    let removed = finished(home.tidings().args(REMOVE).env("PATH", path));
    assert_eq!(removed.code, Some(1), "{removed:?}");
    assert!(removed.out.contains("removed from "), "{removed:?}");
    assert!(removed.out.contains("not changed: "), "{removed:?}");
    assert!(removed.out.contains(r"no \u{1b}[2Jentry"), "{removed:?}");
    assert!(removed.err.contains("may still have"), "{removed:?}");
    assert!(home.data("trusted").exists());
}
