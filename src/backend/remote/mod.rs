//! The use cases over a server: the same requests and outcomes, through the API of [`crate::wire`].
//!
//! A credential is sent over TLS, to this machine, or over a Unix socket, and nowhere else; no redirect is followed. Only
//! calls that are safe to repeat are repeated.

mod bulk;
mod calls;
mod credential;
mod http;
mod reply;
mod trail;
mod turn;

pub use bulk::{SLICE, had_no_effect};
pub use credential::{Credential, GitHub};
pub use turn::Turn;

use crate::{
    domain::ids::random_base62,
    files,
    ops::{Error, Kind, Result},
    wire::{header, operators::WhoAmI},
};
use reqwest::{
    Certificate, Url,
    blocking::Client,
    header::{HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// What the address of a Unix socket begins with.
const UNIX: &str = "unix:";
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long an answer may take: longer than a server lets a request wait for its turn, and then for other writers.
const TIME: Duration = Duration::from_secs(30);
/// No file of certificates is longer.
const MAX_CA_FILE: u64 = 1024 * 1024;

/// Who watches while a server is waited for.
pub trait Onlooker {
    /// A call is sent.
    fn waits(&self);
    /// It is sent again after a pause, and why.
    fn again(&self, why: &str, pause: Duration);
    /// The pause is over and it is sent again, after it failed so.
    fn waits_again(&self, why: &str);
    /// It was answered, or given up.
    fn ends(&self);
}

/// Which server, and with which credential.
pub struct RemoteOptions {
    /// `https://host`, with a path before `/v1` where a proxy has one, `http://127.0.0.1:8787` or `unix:/path`.
    pub server: String,
    /// The credential of an operator, asked for at each call.
    pub credential: Box<dyn Credential>,
    /// Certificates that are trusted besides those of the system, PEM.
    pub ca_file: Option<PathBuf>,
    /// The workspace to work in; the operator's own when not given.
    pub workspace: Option<String>,
    /// Who watches, where somebody does.
    pub onlooker: Option<Box<dyn Onlooker>>,
}

/// A server.
pub struct Remote {
    onlooker: Option<Box<dyn Onlooker>>,
    credential: Box<dyn Credential>,
    client: Client,
    base: Url,
    address: String,
    workspace: Option<String>,
    /// The credential is a key, and its holder's door has the calls.
    of_holder: bool,
}

impl Remote {
    /// Prepares to talk to a server; nothing is sent yet.
    ///
    /// # Errors
    /// `Usage` for an address that is none and a file without certificates, `Forbidden` for plain HTTP to another
    /// machine.
    pub fn new(options: RemoteOptions) -> Result<Self> {
        Self::prepared(options, None, false)
    }

    /// The same for the holder of a key, whose secret is the credential. By `name` the server knows again whose rotation it is,
    /// also in another process.
    ///
    /// # Errors
    /// As [`Remote::new`].
    pub fn of_holder(options: RemoteOptions, name: Option<&str>) -> Result<Self> {
        Self::prepared(options, name, true)
    }

    fn prepared(options: RemoteOptions, name: Option<&str>, of_holder: bool) -> Result<Self> {
        // Another part of the process may have chosen a provider already: then that one stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .connect_timeout(CONNECT_TIME)
            .timeout(TIME)
            .redirect(Policy::none())
            .user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers(name));
        // What is no credential is told before anything is prepared.
        credential::bearer(&options.credential.current()?)?;
        let base = address(&options.server)?;
        if base.scheme() == "http" {
            // A proxy for plain HTTP would see the credential; and no certificate has to be read.
            builder = builder.no_proxy().tls_certs_only([]);
        } else if let Some(path) = &options.ca_file {
            builder = builder.tls_certs_merge(certificates(path)?);
        }
        if let Some(path) = options.server.strip_prefix(UNIX) {
            builder = builder.unix_socket(PathBuf::from(path));
        }
        let client = builder.build().map_err(|error| {
            let mut told = Error::new(Kind::Failure, "client", "cannot prepare the connection");
            told.causes = reply::causes(&error);
            told
        })?;
        let RemoteOptions { server: address, workspace, onlooker, credential, .. } = options;
        Ok(Self { onlooker, credential, client, base, address, workspace, of_holder })
    }

    /// The address of the server, as it was given.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What the credential is good for.
    ///
    /// # Errors
    /// `Auth` when the server does not know it, `Unavailable` when it is away.
    pub fn whoami(&self) -> Result<WhoAmI> {
        self.get(None, &["v1", "whoami"], &[])
    }
}

/// The address of a server, as it may be used with a credential; the host of a Unix socket is a mere word.
///
/// # Errors
/// `Usage` for an address that is none, `Forbidden` for plain HTTP to another machine.
pub fn address(server: &str) -> Result<Url> {
    let bad = |cause: String| {
        Error::usage(format!("'{server}' is not usable as the address of a server"))
            .cause(cause)
            .hint("--server https://HOST, http://127.0.0.1:8787 or unix:PATH")
    };
    let text = match server.strip_prefix(UNIX) {
        Some("") => return Err(bad("expected a path after unix:".to_owned())),
        Some(_) => "http://localhost",
        None => server,
    };
    let url = Url::parse(text).map_err(|_| bad("it begins with neither https:// nor http:// nor unix:".to_owned()))?;
    check(&url).map_err(|cause| bad(cause.to_owned()))?;
    if url.scheme() == "http" && !is_this_machine(&url) {
        return Err(Error::forbidden("plain_http", "a credential is not sent over plain HTTP to another machine")
            .cause(format!("everybody on the way to {server} could read it"))
            .hint("--server https://HOST"));
    }
    Ok(url)
}

fn certificates(path: &Path) -> Result<Vec<Certificate>> {
    let refused = |cause: String| Error::usage(format!("{} holds no certificates", path.display())).cause(cause);
    let pem = files::read_limited(path, MAX_CA_FILE).map_err(|error| refused(error.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| refused(error.to_string()))?;
    if found.is_empty() { Err(refused("expected PEM".to_owned())) } else { Ok(found) }
}

/// The header of every call that stays: a name of this process, by which the server knows whose rotation it is.
fn headers(name: Option<&str>) -> HeaderMap {
    let own = name.map_or_else(|| random_base62(&mut rand::rng(), 16), str::to_owned);
    let own = HeaderValue::from_str(&own);
    own.ok().map(|own| (HeaderName::from_static(header::CLIENT), own)).into_iter().collect()
}

fn check(url: &Url) -> std::result::Result<(), &'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("expected https, or http on this machine");
    }
    if url.host_str().is_none() || !url.username().is_empty() || url.password().is_some() {
        return Err("expected a host, and no user or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("expected neither a query nor a fragment");
    }
    Ok(())
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_goes_to_this_machine_or_over_tls() {
        let refused = |server: &str| address(server).err().map(|error| error.kind);
        for server in [
            "https://keys.example.com",
            "https://example.com/keys/",
            "http://127.0.0.1:8787",
            "http://[::1]:1",
            "http://localhost",
            "unix:/x",
        ] {
            assert_eq!(refused(server), None, "{server}");
        }
        for server in [
            "http://keys.example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://[2001:db8::1]",
            "http://0.0.0.0:8787",
        ] {
            assert_eq!(refused(server), Some(Kind::Forbidden), "{server}");
        }
        for server in
            ["", "keys.example.com", "ftp://x", "https://u:p@x", "https://x#y", "https://x?y", "file:///etc", "unix:"]
        {
            assert_eq!(refused(server), Some(Kind::Usage), "{server}");
        }
    }
}
