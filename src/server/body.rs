//! What a handler takes in, refused with a problem where it is not usable: paths, queries, and JSON bodies of a limited
//! size that must arrive in time. And JSON replies.

use super::problem::Failed;
use crate::{
    ops::{Error, Kind, Result},
    wire::{
        json_objects,
        problem::{BODY_TOO_LARGE, BODY_TOO_SLOW},
    },
};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{borrow::Cow, time::Duration};
use zeroize::Zeroizing;

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(20);

/// A JSON body of at most so many bytes.
pub(super) struct Sent<T, const LIMIT: usize = { 1024 * 1024 }>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned, const LIMIT: usize> FromRequest<S> for Sent<T, LIMIT> {
    type Rejection = Failed;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Failed> {
        let bytes = read(request.into_body(), LIMIT).await?;
        let sent = json_objects::read(&object(&bytes)?);
        Ok(Self(sent.map_err(|error| Error::usage("the body is not usable").cause(error.to_string()))?))
    }
}

/// A body as the JSON object that it is.
///
/// # Errors
/// `Usage` for one that is none.
pub(super) fn object(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
    // An empty body is an empty object: what has defaults for everything need not be sent.
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(Error::usage("the body is no JSON object"));
    }
    Ok(whole_numbers(text))
}

/// The same JSON, where a number such as `454.0` is written `454`: to JSON Schema it is an integer, and some clients write
/// every number so.
pub(super) fn whole_numbers(text: &[u8]) -> Cow<'_, [u8]> {
    let (mut written, mut copied, mut at, mut in_text) = (Zeroizing::new(Vec::new()), 0, 0, false);
    while let Some(byte) = text.get(at) {
        match byte {
            // What is escaped ends no text.
            b'\\' if in_text => at += 1,
            b'"' => in_text = !in_text,
            b'.' if !in_text => {
                let zeros = text[at + 1..].iter().take_while(|digit| **digit == b'0').count();
                let ends = text.get(at + 1 + zeros).is_none_or(|next| !matches!(next, b'0'..=b'9' | b'e' | b'E'));
                if zeros > 0 && ends {
                    written.extend_from_slice(&text[copied..at]);
                    copied = at + 1 + zeros;
                }
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    written.extend_from_slice(&text[copied..]);
    Cow::Owned(std::mem::take(&mut *written))
}

/// A body that says nothing: a reason in it, say, would be taken for recorded.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// The parts of a path that a route names.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let taken = axum::extract::Path::from_request_parts(parts, state).await;
        let axum::extract::Path(taken) =
            taken.map_err(|refused| Error::usage("the path is not usable").cause(refused.body_text()))?;
        Ok(Self(taken))
    }
}

/// The query of a request.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let taken = axum::extract::Query::from_request_parts(parts, state).await;
        let axum::extract::Query(taken) =
            taken.map_err(|refused| Error::usage("the query is not usable").cause(refused.body_text()))?;
        Ok(Self(taken))
    }
}

/// A body of at most so many bytes, as it came.
pub(super) struct Raw<const LIMIT: usize>(pub(super) Bytes);

impl<S: Send + Sync, const LIMIT: usize> FromRequest<S> for Raw<LIMIT> {
    type Rejection = Failed;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Failed> {
        Ok(Self(read(request.into_body(), LIMIT).await?))
    }
}

/// A whole body of at most so many bytes, in time.
///
/// # Errors
/// `Usage` for one that is too large, too slow, or breaks off.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes> {
    match tokio::time::timeout(BODY_TIME, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_too_large(&error) => {
            Err(Error::new(Kind::Usage, BODY_TOO_LARGE, format!("the body has more than {limit} bytes")))
        }
        Ok(Err(error)) => Err(Error::usage("the body did not arrive whole").cause(error.to_string())),
        Err(_) => Err(Error::new(
            Kind::Usage,
            BODY_TOO_SLOW,
            format!("the body took longer than {} seconds", BODY_TIME.as_secs()),
        )),
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}

/// A JSON reply without a secret, as short as verdicts are.
pub(super) fn short_reply<T: Serialize>(value: &T) -> Result<Response> {
    let mut bytes = Vec::with_capacity(256);
    serde_json::to_writer(&mut bytes, value)
        .map_err(|error| Error::new(Kind::Internal, "reply", "the reply cannot be written").cause(error.to_string()))?;
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// A JSON reply that may hold a secret: nothing on its way may keep it.
pub(super) fn reply<T: Serialize>(status: StatusCode, value: &T) -> Result<Response> {
    let bytes = serde_json::to_vec(value).map(Zeroizing::new);
    let bytes = bytes
        .map_err(|error| Error::new(Kind::Internal, "reply", "the reply cannot be written").cause(error.to_string()))?;
    let mut response = (status, bytes.to_vec()).into_response();
    put(response.headers_mut(), header::CONTENT_TYPE.as_str(), "application/json");
    put(response.headers_mut(), header::CACHE_CONTROL.as_str(), "no-store");
    Ok(response)
}

/// Sets a header; a value that is none is left out.
pub(super) fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_may_have_a_fraction_of_zeros() {
        let read = |text: &str| String::from_utf8(whole_numbers(text.as_bytes()).into_owned()).unwrap();
        assert_eq!(read(r#"{"a":454.0,"b":[-1.000 , 2.0]}"#), r#"{"a":454,"b":[-1 , 2]}"#);
        for same in [r#"{"a":"1.0","b\"":"\\","c":1.5}"#, r#"{"a":1.0e2}"#, r#"{"a":1.05}"#, r#"{"a":1.}"#, "", "1"] {
            assert_eq!(read(same), same);
        }
    }
}
