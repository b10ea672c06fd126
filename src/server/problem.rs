//! Errors as HTTP answers.

use super::{body::reply, engine::Standing, limits};
use crate::{
    domain::scan,
    ops::{EntryError, EntryErrors, Error, Kind, Result},
    wire::{
        Problem,
        keys::{RefusedEntries, RefusedEntry},
        problem::{MEDIA_TYPE, TOO_MANY},
    },
};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use std::borrow::Cow;

/// An error on its way out.
pub(super) struct Failed {
    error: Error,
    /// Where a limit stands that was used up.
    standing: Option<Box<Standing>>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, standing: None }
    }
}

/// The code of a problem, for the log of requests.
#[derive(Clone)]
pub(super) struct ProblemCode(pub(super) String);

impl Failed {
    /// The status and the code that are answered.
    pub(super) fn told(&self) -> (u16, String) {
        let problem = Problem::from(&self.error);
        (problem.status, problem.code)
    }
}

/// An address that asks too often.
pub(super) fn too_many(standing: Standing, what: &str) -> Failed {
    let error = Error::new(Kind::Busy, TOO_MANY, format!("too many {what} from this address; see Retry-After"));
    Failed { error, standing: Some(Box::new(standing)) }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let Self { error, standing } = self;
        let problem = without_secrets(Problem::from(&error));
        // What a client sent and was no good is the client's failure.
        if problem.status == StatusCode::INTERNAL_SERVER_ERROR.as_u16() {
            tracing::error!(%error, causes = ?error.causes, "a request failed");
        }
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let code = ProblemCode(problem.code.clone());
        let mut response = (status, Json(problem)).into_response();
        response.extensions_mut().insert(code);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"keyward\""));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        if let Some(standing) = &standing {
            limits::tell_standing(headers, "address", standing);
        }
        response
    }
}

/// A problem without a secret that the request had in the wrong place, such as a field's name: answers are logged.
fn without_secrets(mut problem: Problem) -> Problem {
    let texts = problem.causes.iter_mut().chain(&mut problem.hints).chain([&mut problem.detail]);
    for text in texts {
        if let Cow::Owned(masked) = scan::masked(text) {
            *text = masked;
        }
    }
    problem
}

/// The path exists, for other methods; axum says which.
pub(super) async fn no_such_method() -> Response {
    let mut problem = Problem::from(&Error::usage("this path takes other methods: see Allow"));
    problem.status = StatusCode::METHOD_NOT_ALLOWED.as_u16();
    let mut response = (StatusCode::METHOD_NOT_ALLOWED, Json(problem)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}

/// The store cannot be asked.
pub(super) fn unavailable() -> Error {
    Error::new(Kind::Unavailable, "store", "the keystore cannot be read at the moment")
}

/// A bulk request with entries that are wrong: each is told.
pub(super) fn refused_entries(entries: EntryErrors) -> Result<Response> {
    let count = entries.told.len() + entries.others.len();
    let error = Error::new(Kind::Partial, "entries", format!("{count} of the entries are wrong; nothing was created"));
    let told =
        |entry: &EntryError| RefusedEntry { index: entry.index, problem: without_secrets(Problem::from(&entry.error)) };
    let told = entries.told.iter().map(told).collect();
    let body = RefusedEntries { problem: Problem::from(&error), entries: told, others: entries.others };
    let mut response = reply(StatusCode::UNPROCESSABLE_ENTITY, &body)?;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    Ok(response)
}
