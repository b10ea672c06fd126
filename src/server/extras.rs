//! What a request brings along that its operation does not take: a body with a question, a parameter that narrows nothing.
//! It is refused, for whoever sends it takes it for heeded.

use super::{body::read, openapi, problem::Failed, routes};
use crate::ops::Error;
use axum::{
    body::{Body, HttpBody},
    extract::{MatchedPath, Request},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::Value;
use std::{collections::HashSet, sync::LazyLock};

/// A body that says nothing is no longer than this.
const LONGEST_NOTHING: usize = 1024;

/// The operations that take parameters in the query, by method and path, as the document of the API has them.
static TAKE_A_QUERY: LazyLock<HashSet<(String, String)>> = LazyLock::new(|| {
    let document = openapi::finish(routes::described());
    let paths = document["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(path, methods)| {
        methods.as_object().into_iter().flatten().map(move |(method, operation)| (method, path, operation))
    });
    let takes = |operation: &Value| {
        operation["parameters"].as_array().is_some_and(|all| all.iter().any(|one| one["in"] == "query"))
    };
    operations
        .filter(|(_, _, operation)| takes(operation))
        .map(|(method, path, _)| (method.to_ascii_uppercase(), path.clone()))
        .collect()
});

/// Refuses it.
pub(super) async fn refuse(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let asks = matches!(method, Method::GET | Method::HEAD | Method::DELETE);
    let request = match request {
        request if asks && !request.body().is_end_stream() => {
            let (parts, body) = request.into_parts();
            match read(body, LONGEST_NOTHING).await {
                // Clients send an empty object where they have nothing to say.
                Ok(bytes) if matches!(bytes.trim_ascii(), b"" | b"{}") => Request::from_parts(parts, Body::empty()),
                Ok(_) => {
                    let what = format!("{method} takes no body, and what stands in this one would be ignored");
                    return refused(Error::usage(what));
                }
                Err(error) => return refused(error),
            }
        }
        request => request,
    };
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let queried = request.uri().query().is_some_and(|query| !query.is_empty());
    // A key may come in a parameter of its own to where its holder asks.
    let takes = || path == "/v1/projects" || TAKE_A_QUERY.contains(&(method.to_string(), path.clone()));
    if queried && !takes() {
        return refused(Error::usage(format!("{method} {path} takes no parameters, and these would be ignored")));
    }
    next.run(request).await
}

fn refused(error: Error) -> Response {
    Failed::from(error).into_response()
}
