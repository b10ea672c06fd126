//! What a request brings along that its operation does not take: a body with a question, a parameter that narrows nothing.
//! It is refused, for whoever sends it takes it for heeded.

use super::{body::read, openapi, problem::Failed};
use crate::ops::{Error, Result};
use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
    extract::{MatchedPath, Request},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};

/// A body that says nothing is no longer than this.
const LONGEST_NOTHING: usize = 1024;

/// Refuses it.
pub(super) async fn refuse(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let asks = matches!(method, Method::GET | Method::HEAD | Method::DELETE);
    let request = match request {
        request if asks => {
            let (parts, body) = request.into_parts();
            if let Err(error) = no_body(method.as_str(), body).await {
                return refused(error);
            }
            Request::from_parts(parts, Body::empty())
        }
        request => request,
    };
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let queried = request.uri().query().is_some_and(|query| !query.is_empty());
    // A key may come in a parameter of its own to where its holder asks.
    let takes = || path == "/v1/projects" || openapi::takes_a_query(method.as_str(), &path);
    if queried && !takes() {
        return refused(Error::usage(format!("{method} {path} takes no parameters, and these would be ignored")));
    }
    next.run(request).await
}

/// Refuses a body where there is to be none; `what` takes it not.
///
/// # Errors
/// `Usage` for one that says something, or does not arrive.
pub(super) async fn no_body<B>(what: &str, body: B) -> Result<()>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    if body.is_end_stream() {
        return Ok(());
    }
    // Clients send an empty object where they have nothing to say.
    match read(Body::new(body), LONGEST_NOTHING).await?.trim_ascii() {
        b"" | b"{}" => Ok(()),
        _ => Err(Error::usage(format!("{what} takes no body, and what stands in this one would be ignored"))),
    }
}

fn refused(error: Error) -> Response {
    Failed::from(error).into_response()
}
