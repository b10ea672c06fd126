//! Where messages may go. A name is resolved here and nowhere else, so that the address that is connected to is the one
//! that was looked at: a name that changes its address between two look-ups gains nothing.

use ipnet::IpNet;
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use std::net::{IpAddr, SocketAddr};

/// What is not the public internet (IANA special-purpose registries), IPv4.
const SPECIAL_V4: [&str; 15] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];
/// Within 2000::/3, which is all of public IPv6: protocol assignments, documentation, and ranges that hold IPv4 addresses.
const SPECIAL_V6: [&str; 4] = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

/// Whether an address is on the public internet.
fn is_public(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let within =
        |ranges: &[&str]| ranges.iter().any(|range| range.parse::<IpNet>().is_ok_and(|range| range.contains(&ip)));
    match ip {
        IpAddr::V4(_) => !within(&SPECIAL_V4),
        IpAddr::V6(_) => within(&["2000::/3"]) && !within(&SPECIAL_V6),
    }
}

/// Whether messages can be sent to a URL.
///
/// # Errors
/// Why not, without repeating the URL.
pub fn usable(url: &str, allow_private: bool) -> Result<(), String> {
    let url = Url::parse(url).map_err(|_| "this is no URL: it begins with https:// and a host".to_owned())?;
    match url.scheme() {
        "https" => {}
        "http" if allow_private => {}
        "http" => return Err("plain HTTP shows every message on the way: use https".to_owned()),
        _ => return Err("a webhook is an https URL".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL with a password in it would stand in lists and in the trail".to_owned());
    }
    let Some(host) = url.host_str() else { return Err("the URL names no host".to_owned()) };
    // An address is connected to without being resolved.
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match literal {
        Ok(ip) if !allow_private && !is_public(ip) => Err(refused(ip)),
        _ => Ok(()),
    }
}

fn refused(ip: IpAddr) -> String {
    format!("{ip} is not an address of the public internet")
}

/// Resolves names to public addresses alone.
pub struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            match found.iter().find(|address| !is_public(address.ip())) {
                // One bad address condemns the name: it is nobody's honest host.
                Some(address) => Err(refused(address.ip()).into()),
                None => Ok(Box::new(found.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12:3456::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "172.32.0.1", "192.169.0.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_url_is_https_to_a_public_place_unless_that_is_allowed() {
        for bad in [
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://2130706433/",
            "https://0x7f.1/",
            "http://example.com/",
            "ftp://example.com/",
            "https://user:pass@example.com/",
            "example.com",
            "",
        ] {
            assert!(usable(bad, false).is_err(), "{bad} was accepted");
        }
        assert_eq!(usable("https://hooks.example.com/a?b=c", false), Ok(()));
        assert_eq!(usable("http://127.0.0.1:8080/", true), Ok(()));
        assert!(usable("https://user:pass@127.0.0.1/", true).is_err());
    }
}
