//! What the local authority may certify: names and addresses that are nobody's in the internet. The
//! authority's certificates say so (RFC 5280 4.2.1.10), so that a stolen key is of no use elsewhere.

use std::net::IpAddr;

use rcgen::{CidrSubnet, GeneralSubtree, NameConstraints};

/// Domains that no registry gives away, with everything below them.
const NAMES: [&str; 8] = [
    // RFC 6761 6.2 and 6.3.
    "localhost",
    "test",
    // RFC 6762 3: multicast DNS.
    "local",
    // RFC 8375: home networks.
    "home.arpa",
    // ICANN Board resolution 2024.07.29.06.
    "internal",
    // ICANN Board resolution 2018.02.04.12: not delegated, because they are used in networks like these.
    "home",
    "corp",
    // Used by routers. Nobody has reserved it, and nobody has got it so far.
    "lan",
];

/// Networks that are not reached from the internet (RFC 6890).
const NETWORKS: [(&str, u8); 12] = [
    ("127.0.0.0", 8),
    ("10.0.0.0", 8),
    ("172.16.0.0", 12),
    ("192.168.0.0", 16),
    ("169.254.0.0", 16),
    // Shared by the customers of a provider, and used by overlay networks.
    ("100.64.0.0", 10),
    // Used by benchmarks and in documentation, and so in virtual networks.
    ("198.18.0.0", 15),
    ("192.0.2.0", 24),
    ("::1", 128),
    ("fc00::", 7),
    ("fe80::", 10),
    ("2001:db8::", 32),
];

fn networks() -> impl Iterator<Item = (IpAddr, u8)> {
    let networks = NETWORKS.into_iter();
    networks.filter_map(|(address, prefix)| Some((address.parse().ok()?, prefix)))
}

/// Whether a certificate for this host name counts.
pub(super) fn has_name(name: &str) -> bool {
    let is_below = |domain: &str| match name.strip_suffix(domain) {
        Some(rest) => rest.is_empty() || rest.ends_with('.'),
        None => false,
    };
    NAMES.into_iter().any(is_below)
}

/// Whether a certificate for this address counts.
pub(super) fn has_address(address: IpAddr) -> bool {
    networks().any(|(network, prefix)| match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let shift = 32 - u32::from(prefix);
            u32::from(address) >> shift == u32::from(network) >> shift
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let shift = 128 - u32::from(prefix);
            u128::from(address) >> shift == u128::from(network) >> shift
        }
        _ => false,
    })
}

/// The extension of the authority's certificates.
pub(super) fn constraints() -> NameConstraints {
    let names = NAMES.map(|name| GeneralSubtree::DnsName(name.to_owned()));
    let subnet = |(address, prefix)| {
        GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, prefix))
    };
    NameConstraints {
        permitted_subtrees: names.into_iter().chain(networks().map(subnet)).collect(),
        excluded_subtrees: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_of_the_internet_are_not_in_it() {
        for (name, expected) in [
            ("localhost", true),
            ("a.b.localhost", true),
            ("notlocalhost", false),
            ("laptop.local", true),
            ("laptop", false),
            ("example.com", false),
            ("localhost.example.com", false),
            ("", false),
        ] {
            assert_eq!(has_name(name), expected, "{name}");
        }
        for (address, expected) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.31.0.1", true),
            ("172.32.0.1", false),
            ("192.168.1.5", true),
            ("192.169.1.5", false),
            ("8.8.8.8", false),
            ("::1", true),
            ("::2", false),
            ("fd00::2", true),
            ("fe80::1", true),
            ("2a00::1", false),
        ] {
            assert_eq!(has_address(address.parse().unwrap()), expected, "{address}");
        }
        assert_eq!(
            constraints().permitted_subtrees.len(),
            NAMES.len() + NETWORKS.len(),
            "each network can be parsed"
        );
    }
}
