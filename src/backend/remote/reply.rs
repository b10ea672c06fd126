//! What comes back of a call: a value, or the error that it tells; never more than there can be to say.

use crate::{
    ops::{Error, Kind, Result},
    wire::Problem,
};
use reqwest::{
    StatusCode,
    blocking::Response,
    header::{HeaderMap, RETRY_AFTER},
};
use serde::de::DeserializeOwned;
use std::{
    io::{self, Read},
    time::Duration,
};
use zeroize::Zeroizing;

/// The longest answer that is read: an export of very many keys. And of one that is an error.
const LONGEST: u64 = 512 * 1024 * 1024;
const LONGEST_PROBLEM: u64 = 16 * 1024 * 1024;
/// A server that asks to be left alone for longer is not waited for.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The reason of a server that was connected to and said nothing in time.
pub(super) const SILENT: &str = "silent";

/// An answer that is not a success, before it becomes an error.
pub(super) struct Refused {
    pub(super) error: Box<Error>,
    pub(super) body: Zeroizing<Vec<u8>>,
    /// How long the server asks to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error: Box::new(error), body: Zeroizing::default(), retry_after: None }
    }
}

/// The server cannot be reached, or the connection broke. The address is in the error, the credential never.
pub(super) fn away(error: &reqwest::Error) -> Error {
    if let Some(fault) = fault(error) {
        return distrusted(fault);
    }
    let told = if error.is_connect() {
        Error::new(Kind::Unavailable, "connect", "the server cannot be reached")
            .hint("is it running, and is --server its address?  keyward whoami --explain")
    } else if error.is_timeout() {
        Error::new(Kind::Unavailable, SILENT, "the server did not answer in time")
            .hint("a change may have been made all the same: look before you repeat it")
    } else {
        Error::new(Kind::Unavailable, "network", "the server did not answer to the end")
            .hint("a change may have been made all the same: look before you repeat it")
    };
    match innermost(error) {
        Some(cause) => told.cause(cause),
        None => told,
    }
}

/// What TLS has against the server. An error of I/O may hold its cause inside.
fn fault<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    if let Some(fault) = error.downcast_ref::<rustls::Error>() {
        return Some(fault);
    }
    let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    inside.and_then(|inside| fault(inside)).or_else(|| error.source().and_then(fault))
}

/// The same in words that say what to do about it.
fn distrusted(fault: &rustls::Error) -> Error {
    use rustls::CertificateError as C;
    let believed = |cause: &str, hint: &str| {
        Error::new(Kind::Unavailable, "certificate", "the server's certificate is not to be believed")
            .cause(cause)
            .hint(hint)
    };
    let rustls::Error::InvalidCertificate(why) = fault else {
        return match fault {
            rustls::Error::InvalidMessage(_) => {
                Error::new(Kind::Unavailable, "tls", "what answers there speaks no TLS")
                    .cause("its first bytes are none of a TLS server")
                    .hint("--server http://HOST:PORT, if it is on this machine; or the port that serves https")
            }
            other => Error::new(Kind::Unavailable, "tls", "no connection over TLS came about").cause(other.to_string()),
        };
    };
    match why {
        C::UnknownIssuer => believed(
            "nobody whom this machine trusts has signed it",
            "--ca-file FILE, with the certificate of who signed it, if it is yours",
        ),
        C::Expired | C::ExpiredContext { .. } => believed("it has expired", "renew it where the server runs"),
        C::NotValidYet | C::NotValidYetContext { .. } => {
            believed("it is not valid yet", "compare the clocks of both machines")
        }
        C::NotValidForName | C::NotValidForNameContext { .. } => {
            believed("it is for another name than the one in the address", "--server https://NAME, with a name in it")
        }
        // The one that `openssl req -x509` makes, which cannot be told apart by its kind.
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => believed(
            "it is one of an authority, and stands for no server",
            "openssl req -x509 … -addext basicConstraints=critical,CA:FALSE   makes one that --ca-file believes",
        ),
        other => believed(&other.to_string(), "--ca-file FILE, with the certificate of who signed it, if it is yours"),
    }
}

/// What the system said: what wraps it only says that something failed.
fn innermost(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut source = error.source()?;
    while let Some(inner) = source.source() {
        source = inner;
    }
    Some(source.to_string())
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

/// The body of a success, or the error that the answer tells.
pub(super) fn answer(mut response: Response) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let body = whole(&mut response, if status.is_success() { LONGEST } else { LONGEST_PROBLEM })?;
    if status.is_success() {
        return Ok(body);
    }
    let mut error: Error = match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => problem.into(),
        Err(_) => stranger(status),
    };
    if let Some(wait) = retry_after.filter(|wait| *wait > LONGEST_PAUSE) {
        error = error.hint(format!("again in {} seconds: the server asks for so much patience", wait.as_secs()));
    }
    Err(Refused { error: Box::new(error), body, retry_after })
}

/// How long the server asks to be left alone: in seconds, as keyward and everything in front of it says it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// A whole body, if it is no longer than anything that a server has to say: memory is not taken for what never ends.
fn whole(response: &mut Response, longest: u64) -> Result<Zeroizing<Vec<u8>>> {
    let too_long = || {
        Error::new(
            Kind::Failure,
            "reply",
            format!("the answer has more than {longest} bytes, and was not read to the end"),
        )
        .hint("is --server its address?  keyward whoami --explain")
    };
    let told = response.content_length().unwrap_or_default();
    if told > longest {
        return Err(too_long());
    }
    let mut body = Zeroizing::new(Vec::with_capacity(usize::try_from(told).unwrap_or_default()));
    let read = response.by_ref().take(longest + 1).read_to_end(&mut body).map_err(|error| broken(&error))?;
    if read as u64 > longest { Err(too_long()) } else { Ok(body) }
}

/// A body that broke off. The client's own error is inside the one of reading.
fn broken(error: &io::Error) -> Error {
    match error.get_ref().and_then(|inside| inside.downcast_ref::<reqwest::Error>()) {
        Some(inside) => away(inside),
        None => {
            Error::new(Kind::Unavailable, "network", "the server did not answer to the end").cause(error.to_string())
        }
    }
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

pub(super) fn understood<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        // Not the words of the error: they could repeat a part of a secret.
        Error::new(Kind::Failure, "reply", "the server's reply is not understood")
            .cause(format!("line {}, column {}", error.line(), error.column()))
            .hint("is the server of another version?  keyward --version")
    })
}
