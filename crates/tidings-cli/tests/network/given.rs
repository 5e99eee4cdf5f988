//! `--cert` and `--key`.

use std::path::Path;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};

use crate::curl::{Stream, trusting};
use crate::{Folder, Home};

/// A certificate for localhost that trusts itself.
fn own() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

fn save(files: &Folder, own: &CertifiedKey<KeyPair>) {
    files.save("cert.pem", own.cert.pem());
    files.save("key.pem", own.signing_key.serialize_pem());
}

fn flags(files: &Folder) -> [String; 4] {
    let path = |name| files.path(name).to_str().unwrap().to_owned();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    ["--cert".to_owned(), cert, "--key".to_owned(), key]
}

#[test]
fn a_renewed_certificate_counts_from_the_next_connection_on_and_open_ones_go_on() {
    let (home, folder, files) = (Home::new(), Folder::new(&[("a.css", "")]), Folder::new(&[]));
    let first = own();
    save(&files, &first);
    files.save("first.pem", first.cert.pem());
    let server = home.serve(&folder, &flags(&files).each_ref().map(|flag| &**flag));
    let url = format!("https://localhost:{}/a.css", server.port);
    let first = files.path("first.pem");
    let is_served = |authority: &Path| match trusting(authority, &url, &[]).exit {
        0 => true,
        60 => false,
        other => panic!("curl: {other}"),
    };
    assert!(is_served(&first));
    let stream = url.replace("a.css", "server-sent-events");
    let stream = Stream::open(&stream, &["--cacert", first.to_str().unwrap()]);
    stream.until("timestamp");

    let second = own();
    files.save("second.pem", second.cert.pem());
    let second_file = files.path("second.pem");
    // In the middle of a renewal the files do not belong together.
    files.save("cert.pem", second.cert.pem());
    assert!(is_served(&first));
    let warning = server.err.next().unwrap();
    let expected = "warning: the last certificate is still used: cannot use ";
    assert!(warning.starts_with(expected), "{warning}");
    save(&files, &second);
    assert!(is_served(&second_file) && !is_served(&first));
    folder.save("a.css", "b {}");
    stream.until("/a.css");
    assert!(!home.authority().exists(), "no authority is needed");
}

#[test]
fn files_that_are_no_certificate_or_key_are_named() {
    let (home, folder, files) = (Home::new(), Folder::new(&[]), Folder::new(&[]));
    let check = |expected: &str| {
        let flags = flags(&files);
        let flags = flags.iter().map(|flag| &**flag);
        let root = folder.root().to_str().unwrap();
        let arguments: Vec<_> = [root, "--port", "0"].into_iter().chain(flags).collect();
        let ended = home.run(&arguments);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains(expected), "{expected}: {ended:?}");
        assert!(ended.err.contains("\nhint: "), "{ended:?}");
    };
    check("cert.pem: No such file");
    let own = own();
    save(&files, &own);
    files.save("cert.pem", "not PEM");
    check("cert.pem: there is no certificate in it");
    files.save("cert.pem", own.cert.pem());
    files.save(
        "key.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    check("without a passphrase");
    files.save("key.pem", KeyPair::generate().unwrap().serialize_pem());
    check("key.pem: it is not the key of ");
}
