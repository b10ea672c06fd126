//! One call over HTTP: the circumstances as headers, the answer as a value or as the error it tells.

use super::Remote;
use crate::{
    ops::{Context, Error, Kind, Result},
    wire::{Problem, header, problem::SERVER_BUSY},
};
use backon::{BlockingRetryable, ExponentialBuilder};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{
    Method, StatusCode,
    blocking::{RequestBuilder, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use zeroize::Zeroizing;

/// What stands in a path or a header as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const RETRIES: usize = 3;
/// How long an answer may take of what looks at every key or at the whole trail, or makes very many keys.
const LONG_TIME: Duration = Duration::from_secs(300);
const LONG: [&[&str]; 6] = [
    &["v1", "keys", "bulk"],
    &["v1", "keys", "plan"],
    &["v1", "keys", "apply"],
    &["v1", "keys", "export"],
    &["v1", "keys", "check"],
    &["v1", "audit", "verify"],
];
/// How long an answer may be read that comes bit by bit.
const STREAM_TIME: Duration = Duration::from_secs(3600);
/// The reason of a server that was connected to and said nothing in time.
const SILENT: &str = "silent";

pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// An answer that is not a success, before it becomes an error.
pub(super) struct Refused {
    pub(super) error: Box<Error>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error: Box::new(error), body: Zeroizing::default() }
    }
}

impl Remote {
    /// Reads; repeated while the server is away or busy.
    pub(super) fn get<T: DeserializeOwned>(
        &self,
        cx: Option<&Context>,
        path: &[&str],
        query: &[(&'static str, String)],
    ) -> Result<T> {
        let bytes = self.call(true, || Ok(self.request(cx, Method::GET, path).query(query)));
        understood(&bytes.map_err(|refused| *refused.error)?)
    }

    /// Changes; repeated only where that can have no second effect.
    pub(super) fn change<T: DeserializeOwned>(
        &self,
        cx: &Context,
        method: Method,
        path: &[&str],
        query: &[(&'static str, String)],
        body: &impl Serialize,
    ) -> Result<T> {
        self.change_or_refused(cx, method, path, query, body).map_err(|refused| *refused.error)
    }

    pub(super) fn change_or_refused<T: DeserializeOwned>(
        &self,
        cx: &Context,
        method: Method,
        path: &[&str],
        query: &[(&'static str, String)],
        body: &impl Serialize,
    ) -> Result<T, Refused> {
        cx.writable()?;
        self.post(Some(cx), method, path, query, body, None)
    }

    /// A creation with an idempotency key, which may be repeated.
    pub(super) fn once<T: DeserializeOwned>(
        &self,
        cx: &Context,
        path: &[&str],
        query: &[(&'static str, String)],
        body: &impl Serialize,
        idempotency_key: Option<&str>,
    ) -> Result<T> {
        cx.writable()?;
        self.post(Some(cx), Method::POST, path, query, body, idempotency_key).map_err(|refused| *refused.error)
    }

    /// Asks with a body, and changes nothing.
    pub(super) fn ask<T: DeserializeOwned>(&self, cx: &Context, path: &[&str], body: &impl Serialize) -> Result<T> {
        self.post(Some(cx), Method::POST, path, &[], body, None).map_err(|refused| *refused.error)
    }

    /// The same, with a query.
    pub(super) fn asking<T: DeserializeOwned>(
        &self,
        cx: &Context,
        path: &[&str],
        query: &[(&'static str, String)],
        body: &impl Serialize,
    ) -> Result<T> {
        self.post(Some(cx), Method::POST, path, query, body, None).map_err(|refused| *refused.error)
    }

    fn post<T: DeserializeOwned>(
        &self,
        cx: Option<&Context>,
        method: Method,
        path: &[&str],
        query: &[(&'static str, String)],
        body: &impl Serialize,
        idempotency_key: Option<&str>,
    ) -> Result<T, Refused> {
        let body = serde_json::to_vec(body).map(Zeroizing::new).map_err(|error| {
            Error::new(Kind::Internal, "request", "the request cannot be written").cause(error.to_string())
        })?;
        let bytes = self.call(idempotency_key.is_some(), || {
            let mut request = self.request(cx, method.clone(), path).query(query);
            request = request.header("content-type", "application/json").body(body.to_vec());
            if LONG.contains(&path) {
                request = request.timeout(LONG_TIME);
            }
            if let Some(key) = idempotency_key {
                request = request.header(header::IDEMPOTENCY_KEY, encoded(key));
            }
            Ok(request)
        })?;
        Ok(understood(&bytes)?)
    }

    /// Asks once for an answer that is read as it comes.
    pub(super) fn stream(&self, cx: &Context, path: &[&str], query: &[(&'static str, String)]) -> Result<Response> {
        let request = self.request(Some(cx), Method::POST, path).query(query).timeout(STREAM_TIME);
        let response = request.send().map_err(|error| away(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let refused = answer(response).err().map(|refused| *refused.error);
        Err(refused.unwrap_or_else(|| Error::new(Kind::Internal, "reply", "an answer without a status")))
    }

    fn request(&self, cx: Option<&Context>, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        let path: Vec<String> = path.iter().map(|segment| encoded(segment)).collect();
        url.set_path(&path.join("/"));
        let mut request = self.client.request(method, url);
        if let Some(workspace) = &self.workspace {
            request = request.header(header::WORKSPACE, encoded(workspace));
        }
        let Some(cx) = cx else { return request };
        for (name, value) in [(header::REASON, &cx.reason), (header::TICKET, &cx.ticket)] {
            if let Some(value) = value {
                request = request.header(name, encoded(value));
            }
        }
        if cx.dry_run {
            request = request.header(header::DRY_RUN, "true");
        }
        if let Some(version) = cx.expected_version {
            request = request.header("if-match", format!("\"v{version}\""));
        }
        request
    }

    fn call(&self, repeatable: bool, make: impl Fn() -> Result<RequestBuilder>) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(2))
            .with_max_times(RETRIES)
            .with_jitter();
        let once = || {
            let sent = make()?.send().map_err(|error| away(&error))?;
            answer(sent)
        };
        once.retry(backoff)
            .sleep(std::thread::sleep)
            .when(|refused| is_worth_another_try(&refused.error, repeatable))
            .call()
    }
}

/// Whether a call may and should be repeated. What never reached the server, or found it too busy to begin, can have had no
/// effect. One that let us wait for as long as we do would do so again.
fn is_worth_another_try(error: &Error, repeatable: bool) -> bool {
    match &*error.reason {
        "connect" | SERVER_BUSY => true,
        SILENT => false,
        _ => repeatable && matches!(error.kind, Kind::Unavailable | Kind::Busy),
    }
}

/// The server cannot be reached, or the connection broke. The address is in the error, the credential never.
fn away(error: &reqwest::Error) -> Error {
    let mut told = if distrusted(error) {
        Error::new(Kind::Unavailable, "certificate", "the server's certificate is not to be believed")
            .hint("--ca-file FILE, with the certificate of who signed it, if it is yours")
    } else if error.is_connect() {
        Error::new(Kind::Unavailable, "connect", "the server cannot be reached")
            .hint("is it running, and is --server its address?  keyward whoami --explain")
    } else if error.is_timeout() {
        Error::new(Kind::Unavailable, SILENT, "the server did not answer in time")
            .hint("a change may have been made all the same: look before you repeat it")
    } else {
        Error::new(Kind::Unavailable, "network", "the server did not answer to the end")
            .hint("a change may have been made all the same: look before you repeat it")
    };
    told.causes = causes(error);
    told
}

/// Whether the server could not show a certificate that is believed. An error of I/O may hold its cause inside.
fn distrusted(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref::<rustls::Error>() {
        return true;
    }
    let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    inside.is_some_and(|inside| distrusted(inside)) || error.source().is_some_and(distrusted)
}

/// Why a call failed, outermost first.
pub(super) fn causes(error: &reqwest::Error) -> Vec<String> {
    let mut causes = vec![error.to_string()];
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    causes
}

fn answer(response: Response) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let status = response.status();
    let body = Zeroizing::new(response.bytes().map_err(|error| away(&error))?.to_vec());
    if status.is_success() {
        return Ok(body);
    }
    let error = match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => problem.into(),
        Err(_) => stranger(status),
    };
    Err(Refused { error: Box::new(error), body })
}

/// An answer that is none of a keyward server: a proxy's, or another program's.
fn stranger(status: StatusCode) -> Error {
    let kind = match status.as_u16() {
        401 => Kind::Auth,
        403 => Kind::Forbidden,
        408 | 425 | 429 | 500..=599 => Kind::Unavailable,
        _ => Kind::Failure,
    };
    let error = Error::new(kind, "stranger", format!("something answered {status} that is no keyward server"));
    if status.is_redirection() {
        return error.cause("a redirect is not followed: it could carry the credential somewhere else");
    }
    error
}

fn understood<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        // Not the words of the error: they could repeat a part of a secret.
        Error::new(Kind::Failure, "reply", "the server's reply is not understood")
            .cause(format!("line {}, column {}", error.line(), error.column()))
            .hint("is the server of another version?  keyward --version")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_have_had_no_effect_is_tried_again_and_what_let_us_wait_is_not() {
        let tried = |kind, reason: &'static str| {
            let error = Error::new(kind, reason, "what");
            [true, false].map(|repeatable| is_worth_another_try(&error, repeatable))
        };
        assert_eq!(tried(Kind::Unavailable, "connect"), [true, true]);
        assert_eq!(tried(Kind::Busy, SERVER_BUSY), [true, true]);
        assert_eq!(tried(Kind::Busy, "busy"), [true, false]);
        assert_eq!(tried(Kind::Unavailable, "network"), [true, false]);
        assert_eq!(tried(Kind::Unavailable, SILENT), [false, false]);
        assert_eq!(tried(Kind::Conflict, "exists"), [false, false]);
    }
}
