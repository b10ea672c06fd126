//! The log of requests by operators: one line each, without a query, a header or a body, and so without a secret. What is
//! kept in the keystore is noted here too.

use super::{
    app::App,
    body::put,
    caller::{Asker, client_ip, peer_of},
    listen::Peer,
    problem::{Failed, ProblemCode},
};
use crate::{
    domain::{OperatorRequest, RequestFacts},
    wire::header::{FORWARDED_FOR, REQUEST_ID},
};
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header::USER_AGENT},
    middleware::Next,
    response::Response,
};
use chrono::{SubsecRound, TimeDelta, Utc};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The longest id that is taken over from a caller.
const MAX_ID: usize = 64;

/// Runs a request, logs it, and gives the answer the id of the request.
pub(super) async fn request(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = match given_id(request.headers()) {
        Some(id) => id.to_owned(),
        None => crate::domain::ids::random_base62(&mut rand::rng(), 20),
    };
    let method = request.method().clone();
    // The pattern, not the path: a path may hold what somebody pasted.
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let (uri, peer, asker) = (request.uri().clone(), peer_of(request.extensions()), Asker::default());
    let headers = kept(request.headers());
    request.extensions_mut().insert(asker.clone());
    let mut response = next.run(request).await;
    put(response.headers_mut(), REQUEST_ID, &id);
    let took = began.elapsed();
    app.metrics.answered(&method, &path, response.status(), took);
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(request_id = id, %method, path, status = response.status().as_u16(), micros, "request");
    let operator = asker.get();
    // Whoever reads the metrics of its own machine is no operator, and would fill the log.
    if operator.is_some() || !response.status().is_success() {
        let status = response.status();
        let code = response.extensions().get::<ProblemCode>().map_or_else(|| code_of(status), |code| code.0.clone());
        let request = RequestFacts {
            method: method.to_string(),
            path: uri.path().to_owned(),
            status: status.as_u16(),
            request_id: Some(id),
            micros: Some(micros),
        };
        note(&app, peer, &headers, operator.as_deref().map(|one| (one.id.clone(), one.name.clone())), code, request);
    }
    response
}

/// The headers that say where a request came from, and of whom: the others go with the request.
fn kept(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in [USER_AGENT, HeaderName::from_static(FORWARDED_FOR)] {
        for value in headers.get_all(&name) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

/// Notes a request whose credential was refused, on a path without a layer.
pub(super) fn note_refused(
    app: &App,
    peer: Peer,
    headers: &HeaderMap,
    (method, path): (&str, &str),
    refused: &Failed,
    took: Duration,
) {
    let (status, code) = refused.told();
    note(
        app,
        peer,
        headers,
        None,
        code,
        facts(method, path, headers, status, TimeDelta::from_std(took).unwrap_or_default()),
    );
}

fn note(
    app: &App,
    peer: Peer,
    headers: &HeaderMap,
    operator: Option<(String, String)>,
    code: String,
    request: RequestFacts,
) {
    let (operator, name) = operator.unzip();
    app.engine.note_request(OperatorRequest {
        at: Utc::now().trunc_subsecs(0),
        operator,
        name,
        code,
        address: client_ip(peer, headers, &app.doors.trusted).ok().flatten(),
        user_agent: headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).map(str::to_owned),
        request,
    });
}

/// What was asked, with the id that the client or a gateway gave the request.
pub(super) fn facts(method: &str, path: &str, headers: &HeaderMap, status: u16, took: TimeDelta) -> RequestFacts {
    RequestFacts {
        method: method.to_owned(),
        path: path.to_owned(),
        status,
        request_id: given_id(headers).map(str::to_owned),
        micros: took.num_microseconds().and_then(|micros| u64::try_from(micros).ok()),
    }
}

/// The id that a request came with, if it is one.
fn given_id(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    given.filter(|id| (1..=MAX_ID).contains(&id.len()) && id.bytes().all(plain))
}

/// The code of an answer that tells no problem.
fn code_of(status: StatusCode) -> String {
    if status.is_client_error() || status.is_server_error() {
        return format!("HTTP_{}", status.as_u16());
    }
    OperatorRequest::OK.to_owned()
}
