//! Through hyper, as bytes on a connection.

use super::*;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// A connection to a server for the site.
fn connect(site: Arc<Site>) -> DuplexStream {
    let (client, server) = tokio::io::duplex(16 * 1024);
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let site = site.clone();
        async move {
            Ok::<_, std::convert::Infallible>(
                site.files.respond(&request, site.peer, &site.pages).await,
            )
        }
    });
    let io = hyper_util::rt::TokioIo::new(server);
    tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service));
    client
}

/// The response until the server closes the connection.
async fn exchange(site: &Arc<Site>, request: &str) -> String {
    let mut connection = connect(site.clone());
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn head_has_the_content_length_of_get() {
    let site = Arc::new(Site::new(&[("a.txt", "0123456789")]));
    let answer = exchange(
        &site,
        "HEAD /a.txt HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("content-length: 10\r\n") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn responses_without_content_have_no_body() {
    let site = Arc::new(Site::new(&[("a.txt", "0123456789"), ("d/x", "")]));
    let known = "GET /a.txt HTTP/1.1\r\nhost: a\r\nif-none-match: *\r\n\r\n\
                 GET /d HTTP/1.1\r\nhost: a\r\n\r\n\
                 OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n\
                 GET /a.txt HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = exchange(&site, known).await;
    let statuses: Vec<_> = answer
        .match_indices("HTTP/1.1 ")
        .map(|(at, _)| &answer[at + 9..at + 12])
        .collect();
    assert_eq!(statuses, ["304", "307", "204", "200"], "{answer}");
    assert!(!answer.contains("transfer-encoding"), "{answer}");
    assert!(answer.ends_with("0123456789"), "{answer}");
}

#[tokio::test]
async fn a_file_truncated_while_it_is_sent_aborts_the_connection() {
    let site = Arc::new(Site::new(&[]));
    site.write("large.bin", vec![b'x'; 4 << 20]);
    let mut connection = connect(site.clone());
    connection
        .write_all(b"GET /large.bin HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut answer = vec![0; 1024];
    connection.read_exact(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("content-length: 4194304\r\n"));
    std::fs::File::options()
        .write(true)
        .open(site.path("large.bin"))
        .unwrap()
        .set_len(1 << 20)
        .unwrap();
    // The connection is kept alive, so this ends only because the server aborts it.
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), connection.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert!(rest.len() < 4 << 20);
}
