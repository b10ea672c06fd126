//! Messages to webhooks over HTTP: signed by the scheme of Standard Webhooks, and to no address that is not public unless
//! that is allowed.

mod guard;
mod sign;

pub use guard::{PublicOnly, usable};

use crate::ops::{Error, Kind, Result};
use reqwest::{blocking::Client, header::CONTENT_TYPE, redirect::Policy};
use std::{sync::Arc, time::Duration};

/// How long a receiver may take, as Standard Webhooks advises.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Sends messages.
pub struct Sender {
    public: Client,
    any: Client,
}

/// One attempt.
pub struct Outgoing<'m> {
    /// Where to.
    pub url: &'m str,
    /// What it is signed with.
    pub secret: &'m [u8],
    /// Its id, the same at every attempt.
    pub id: &'m str,
    /// When it is sent, in seconds since 1970.
    pub timestamp: i64,
    /// The body.
    pub payload: &'m str,
    /// Whether it may go to an address that is not public.
    pub allow_private: bool,
}

impl Sender {
    /// A sender, with no connection yet. Neither proxies of the environment nor redirects are followed: both would lead
    /// elsewhere than where the owner of the webhook said.
    ///
    /// # Errors
    /// `Unavailable` when TLS cannot be set up.
    pub fn new() -> Result<Self> {
        // Another part of the program may have chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = |public: bool| {
            let mut builder = Client::builder().timeout(TIMEOUT).redirect(Policy::none()).no_proxy();
            builder = builder.user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")));
            if public {
                builder = builder.dns_resolver(Arc::new(PublicOnly));
            }
            builder.build().map_err(|error| {
                Error::new(Kind::Unavailable, "http", "cannot set up a client").cause(error.to_string())
            })
        };
        Ok(Self { public: client(true)?, any: client(false)? })
    }

    /// Sends a message once.
    ///
    /// # Errors
    /// Why it did not arrive, in words without the URL.
    pub fn send(&self, message: &Outgoing<'_>) -> std::result::Result<(), String> {
        guard::usable(message.url, message.allow_private)?;
        let client = if message.allow_private { &self.any } else { &self.public };
        let signature = sign::signature(message.secret, message.id, message.timestamp, message.payload);
        let answer = client
            .post(message.url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", message.timestamp)
            .header("webhook-signature", signature)
            .body(message.payload.to_owned())
            .send();
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) if answer.status().is_redirection() => {
                Err(format!("status {}: redirects are not followed", answer.status().as_u16()))
            }
            Ok(answer) => Err(format!("status {}", answer.status().as_u16())),
            Err(error) => Err(innermost(&error)),
        }
    }
}

/// The cause that says most; the outer ones repeat the URL.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
