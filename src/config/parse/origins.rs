//! Origins, proxies and the name of a header.

use std::net::IpAddr;
use std::str::FromStr as _;

use http::header::HeaderName;
use ipnet::{IpNet, Ipv4Net};

use super::list::parse_items;
use super::scalar::Parsed;
use crate::values::{Origin, TrustedProxies};

const MAX_ORIGINS: usize = 100;
const MAX_PROXIES: usize = 100;
const MAX_HEADER_NAME_BYTES: usize = 64;

/// Parses a header's name; an empty text is `None`.
pub(crate) fn header_name(text: &str) -> Parsed<Option<HeaderName>> {
    if text.is_empty() {
        return Ok(None);
    }
    let name = HeaderName::from_str(text).ok().filter(|_| text.len() <= MAX_HEADER_NAME_BYTES);
    name.map(Some).ok_or_else(|| "is not the name of a header".into())
}

/// Parses origins such as `https://app.example.com`.
pub(crate) fn origins(text: &str) -> Parsed<Vec<Origin>> {
    parse_items(text, MAX_ORIGINS, "origin", |item| {
        Origin::parse(item).ok_or_else(|| "it is not an origin such as https://app.example.com".into())
    })
}

/// Parses networks, addresses and the word `unix`.
pub(crate) fn trusted_proxies(text: &str) -> Parsed<TrustedProxies> {
    let items = parse_items(text, MAX_PROXIES, "network", |item| match item {
        "unix" => Ok(None),
        _ => network(item).map(Some).map_err(Into::into),
    })?;
    let unix = items.contains(&None);
    Ok(TrustedProxies { networks: items.into_iter().flatten().collect(), unix })
}

/// Parses a network or an address. A network of mapped addresses (`::ffff:10.0.0.0/104`) becomes its IPv4 network,
/// because a client's address is compared in its IPv4 form. No client would match a prefix as short as the
/// prefix of `::ffff:10.0.0.0/8`.
fn network(item: &str) -> Result<IpNet, &'static str> {
    const NO_NETWORK: &str = "it is neither a network such as 10.0.0.0/8, nor an address, nor the word unix";
    const TOO_SHORT: &str = "it maps IPv4 with a prefix below 96: write the IPv4 network instead";
    let network = item.parse().or_else(|_| item.parse().map(|address: IpAddr| address.into()));
    let network: IpNet = network.map_err(|_| NO_NETWORK)?;
    let (IpNet::V6(_), IpAddr::V4(address)) = (network, network.addr().to_canonical()) else {
        return Ok(network);
    };
    let prefix = network.prefix_len().checked_sub(96).ok_or(TOO_SHORT)?;
    Ipv4Net::new(address, prefix).map(IpNet::V4).map_err(|_| TOO_SHORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_send_them() {
        let read =
            "https://App.Example.com:443, http://a:8080,http://[::1]:80,HTTP://b:443,app-x://localhost";
        let sent =
            ["https://app.example.com", "http://a:8080", "http://[::1]", "http://b:443", "app-x://localhost"];
        let shown: Vec<_> = origins(read).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(shown, sent);
        assert_eq!(origins(" "), Ok(vec![]));
        for text in [
            "null",
            "*",
            "example.com",
            "https://",
            "https://a/",
            "https://a/b",
            "https://u@a",
            "https://a:",
            "https://a:0",
            "https://a:65536",
            "https://a?b",
            "https://a,",
            "https://é",
            "://a",
            "https://:1",
        ] {
            assert!(origins(text).is_err(), "{text}");
        }
        assert!(origins("https://a,b").unwrap_err().contains("origin 2"));
        assert!(origins(&["http://a"; MAX_ORIGINS + 1].join(",")).is_err());
    }

    #[test]
    fn a_header_name_is_short_and_lower_case() {
        assert_eq!(header_name(""), Ok(None));
        assert_eq!(header_name("X-A").unwrap().unwrap().as_str(), "x-a");
        for text in ["a b", "a:", "é", "\0", &"x".repeat(65)] {
            assert!(header_name(text).is_err(), "{text}");
        }
    }
}
