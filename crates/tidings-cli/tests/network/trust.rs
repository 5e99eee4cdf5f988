//! `tidings trust --remove`. Only in the databases of a home directory: nothing here touches the system's store.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::Home;

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

#[test]
fn a_store_that_may_still_have_the_authority_makes_it_fail() {
    let home = Home::new();
    fs::create_dir_all(home.path(".pki/nssdb")).unwrap();
    fs::write(home.path(".pki/nssdb/cert9.db"), "no database").unwrap();
    fs::create_dir_all(home.data("")).unwrap();
    fs::write(home.data("trusted"), "id").unwrap();
    let removed = home.run(&REMOVE);
    assert_eq!(removed.code, Some(1), "{removed:?}");
    assert!(removed.out.starts_with("not changed: "), "{removed:?}");
    assert!(removed.err.contains("may still have"), "{removed:?}");
    assert!(home.data("trusted").exists());
}
