//! Asking an issuer for its keys (OpenID Connect Discovery 1.0): over HTTPS, or on this machine; bounded in time and in size, and
//! along no redirect, which would lead elsewhere than where the owner of the server said.

use crate::{
    domain::{KeySet, unique_json},
    notify,
    ops::{Error, Kind, Result},
};
use reqwest::{Client, Url, redirect::Policy};
use std::{sync::Arc, time::Duration};

/// How long both questions may take together.
const TIME: Duration = Duration::from_secs(5);
/// What an issuer says of itself is no longer.
const MAX_DOCUMENT: usize = 64 * 1024;
const DOCUMENT: &str = "/.well-known/openid-configuration";

/// Asks issuers.
pub(super) struct Fetcher {
    public: Client,
    any: Client,
}

impl Fetcher {
    /// A fetcher, with no connection yet. No proxy of the environment is asked: it could answer in the name of any issuer.
    ///
    /// # Errors
    /// `Unavailable` when TLS cannot be set up.
    pub(super) fn new() -> Result<Self> {
        // Another part of the program may have chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = |public: bool| {
            let mut builder = Client::builder().timeout(TIME).redirect(Policy::none()).no_proxy();
            builder = builder.user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")));
            if public {
                builder = builder.dns_resolver(Arc::new(notify::PublicOnly));
            }
            builder.build().map_err(|error| {
                Error::new(Kind::Unavailable, "http", "cannot set up a client").cause(error.to_string())
            })
        };
        Ok(Self { public: client(true)?, any: client(false)? })
    }

    /// The keys of an issuer, as it publishes them now.
    ///
    /// # Errors
    /// Why there are none, in words.
    pub(super) async fn keys(&self, issuer: &str, public_only: bool) -> Result<KeySet, String> {
        let asked = tokio::time::timeout(TIME, self.ask(issuer, public_only)).await;
        asked.unwrap_or_else(|_| Err("it did not answer in time".to_owned()))
    }

    async fn ask(&self, issuer: &str, public_only: bool) -> Result<KeySet, String> {
        let document = format!("{}{DOCUMENT}", issuer.trim_end_matches('/'));
        let text = self.get(&document, public_only, MAX_DOCUMENT).await?;
        let said = unique_json::parse(&text).map_err(|error| format!("{DOCUMENT} is no JSON: {error}"))?;
        if said["issuer"] != issuer {
            return Err(format!("{DOCUMENT} is that of another issuer"));
        }
        let place = said["jwks_uri"].as_str().ok_or_else(|| format!("{DOCUMENT} names no `jwks_uri`"))?;
        // An issuer on the internet must not send the server to what is on its own machine.
        if issuer.starts_with("https://") && !place.starts_with("https://") {
            return Err("its `jwks_uri` is not over HTTPS".to_owned());
        }
        KeySet::parse(&self.get(place, public_only, crate::domain::jwks::MAX_JWKS).await?)
    }

    async fn get(&self, url: &str, public_only: bool, most: usize) -> Result<String, String> {
        let parsed = Url::parse(url).map_err(|_| "its address is none".to_owned())?;
        notify::usable(url, !public_only)?;
        if parsed.scheme() == "http" && !is_this_machine(&parsed) {
            return Err("it is asked over HTTPS alone".to_owned());
        }
        let client = if public_only { &self.public } else { &self.any };
        let mut answer = client.get(parsed).send().await.map_err(|error| innermost(&error))?;
        if !answer.status().is_success() {
            let status = answer.status().as_u16();
            return Err(match answer.status().is_redirection() {
                true => format!("status {status}: redirects are not followed"),
                false => format!("status {status}"),
            });
        }
        let mut bytes = Vec::new();
        while let Some(more) = answer.chunk().await.map_err(|error| innermost(&error))? {
            if bytes.len() + more.len() > most {
                return Err(format!("its answer is longer than {} KiB", most / 1024));
            }
            bytes.extend_from_slice(&more);
        }
        String::from_utf8(bytes).map_err(|_| "its answer is no text".to_owned())
    }
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The cause that says most.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { "it did not answer in time".to_owned() } else { cause.to_string() }
}
