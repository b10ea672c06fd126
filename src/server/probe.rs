//! `serve --probe`: is a server ready where one was told to listen? For health checks of containers, which have no other
//! program to ask with.

use super::{Address, DEFAULT_ADDRESS};
use crate::ops::{Error, Kind, Result};
use reqwest::blocking::Client;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

/// How long an answer may take.
const TIME: Duration = Duration::from_secs(5);

/// Asks at every address, or at the default one where none is named.
///
/// # Errors
/// `Unavailable`, naming the first address where nobody is ready.
pub fn probe(addresses: &[Address], tls: bool) -> Result<()> {
    // Another part of the process may have chosen a provider already: then that one stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let default = [Address::Tcp(DEFAULT_ADDRESS)];
    let asked = if addresses.is_empty() { &default } else { addresses };
    asked.iter().try_for_each(|address| {
        let refused = |cause: String| {
            Error::new(Kind::Unavailable, "not_ready", format!("no server is ready at {address}")).cause(cause)
        };
        let status = ask(address, tls).map_err(|error| refused(error.to_string()))?;
        if status.is_success() { Ok(()) } else { Err(refused(format!("it answers {status}"))) }
    })
}

fn ask(address: &Address, tls: bool) -> reqwest::Result<reqwest::StatusCode> {
    // Nothing secret is sent, and the certificate is for another name than the one it is asked by here.
    let mut client = Client::builder().timeout(TIME).no_proxy().tls_danger_accept_invalid_certs(true);
    client = client.tls_certs_only([]);
    let (scheme, host) = match address {
        Address::Tcp(address) => {
            let mut address = *address;
            if address.ip().is_unspecified() {
                address.set_ip(match address.ip() {
                    IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                    IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                });
            }
            (if tls { "https" } else { "http" }, address.to_string())
        }
        Address::Unix(path) => {
            client = client.unix_socket(path.clone());
            ("http", "localhost".to_owned())
        }
    };
    Ok(client.build()?.get(format!("{scheme}://{host}/readyz")).send()?.status())
}
