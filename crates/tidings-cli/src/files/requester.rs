//! Who requests a file, as far as the response depends on it.

use std::net::IpAddr;

use http::header::HeaderMap;

/// Whether this document is loaded into a frame of another page of ours.
pub(super) fn is_framed_by_us(headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|found| found == value);
    is("sec-fetch-site", "same-origin")
        && (is("sec-fetch-dest", "iframe") || is("sec-fetch-dest", "frame"))
}

/// Whether the request comes from this machine, and from a page of ours or the address bar. Only then error
/// pages name links.
pub(super) fn is_by_local_user(peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    peer.is_some_and(|peer| peer.to_canonical().is_loopback())
        && sites.all(|site| site == "same-origin" || site == "none")
}
