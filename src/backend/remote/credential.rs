//! What is shown to a server with each call: a credential that stays as it is, or a token that its host renews.

use super::reply::causes;
use crate::{
    domain::Jwt,
    ops::{Error, Kind, Result},
};
use reqwest::{
    Url,
    blocking::Client,
    header::{AUTHORIZATION, HeaderValue},
    redirect::Policy,
};
use serde::Deserialize;
use std::{
    cell::RefCell,
    io::Read,
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

/// Where the credential of each call comes from.
pub trait Credential {
    /// The credential, as it is now.
    ///
    /// # Errors
    /// When it cannot be had.
    fn current(&self) -> Result<Zeroizing<String>>;
}

impl Credential for Zeroizing<String> {
    fn current(&self) -> Result<Zeroizing<String>> {
        Ok(self.clone())
    }
}

/// The header that carries a credential, marked so that it is never shown.
///
/// # Errors
/// `Auth` for what is no credential.
pub(super) fn bearer(credential: &str) -> Result<HeaderValue> {
    let text = Zeroizing::new(format!("Bearer {credential}"));
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        Error::new(Kind::Auth, "credential", "the credential is not one line of letters, digits and _")
            .cause("a blank line or another character stands beside it")
            .hint("keep the credential alone in the file of --token-file or KEYWARD_TOKEN_FILE, or in KEYWARD_TOKEN")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// How long the host of a job may take to answer.
const TIME: Duration = Duration::from_secs(10);
/// Its answer is no longer.
const LONGEST: u64 = 64 * 1024;
/// So long before its end a token is not used any more: a call may take as long.
const BEFORE_THE_END: Duration = Duration::from_secs(60);

/// A job of GitHub Actions, which asks its host for a token whenever the one at hand is about to end.
pub struct GitHub {
    client: Client,
    url: Url,
    asks_with: HeaderValue,
    held: RefCell<Option<Held>>,
}

struct Held {
    token: Zeroizing<String>,
    until: Instant,
}

#[derive(Deserialize)]
struct Told {
    value: Zeroizing<String>,
}

impl GitHub {
    /// A job, by what its host put into its environment; nothing is asked yet.
    ///
    /// # Errors
    /// `Usage` for an address that is none, or over plain HTTP to another machine.
    pub fn new(url: &str, request_token: &str, audience: &str) -> Result<Self> {
        let refused = || {
            Error::usage("ACTIONS_ID_TOKEN_REQUEST_URL is no address that a token can be asked for at")
                .hint("leave the variable as GitHub sets it")
        };
        let mut url = Url::parse(url).map_err(|_| refused())?;
        if url.scheme() != "https" && !(url.scheme() == "http" && super::is_this_machine(&url)) {
            return Err(refused());
        }
        url.query_pairs_mut().append_pair("audience", audience);
        // Another part of the process may have chosen a provider already: then that one stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder().timeout(TIME).redirect(Policy::none());
        builder = builder.user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")));
        if url.scheme() == "http" {
            builder = builder.no_proxy().tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| {
            let mut told = Error::new(Kind::Failure, "client", "cannot prepare the connection");
            told.causes = causes(&error);
            told
        })?;
        Ok(Self { client, url, asks_with: bearer(request_token)?, held: RefCell::new(None) })
    }

    fn ask(&self) -> Result<Zeroizing<String>> {
        // The reason says that nothing was sent to the server yet: the call may be tried again, whatever it is.
        let away =
            |cause: String| Error::new(Kind::Unavailable, "connect", "GitHub gave no token for this job").cause(cause);
        let asked = self.client.get(self.url.clone()).header(AUTHORIZATION, self.asks_with.clone()).send();
        let answer = asked.map_err(|error| away(causes(&error.without_url()).join(": ")))?;
        let status = answer.status();
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(away(format!("status {}", status.as_u16())));
        }
        let refused = |cause: String| {
            Error::new(Kind::Auth, "no_token", "GitHub gave no token for this job")
                .cause(cause)
                .hint("permissions: { id-token: write }  (in the job of the workflow)")
        };
        if !status.is_success() {
            return Err(refused(format!("status {}", status.as_u16())));
        }
        let mut body = Zeroizing::new(Vec::new());
        answer.take(LONGEST).read_to_end(&mut body).map_err(|error| away(error.to_string()))?;
        let told: Told = serde_json::from_slice(&body).map_err(|_| refused("its answer holds no token".to_owned()))?;
        Ok(told.value)
    }
}

impl Credential for GitHub {
    fn current(&self) -> Result<Zeroizing<String>> {
        if let Some(held) = &*self.held.borrow()
            && Instant::now() < held.until
        {
            return Ok(held.token.clone());
        }
        let token = self.ask()?;
        // By its life, not by its end: the clock of this machine may be another one than the issuer's.
        let life = Jwt::parse(&token).ok().and_then(|token| token.claims.life()?.to_std().ok()).unwrap_or_default();
        let until = Instant::now() + life.saturating_sub(BEFORE_THE_END);
        *self.held.borrow_mut() = Some(Held { token: token.clone(), until });
        Ok(token)
    }
}
