//! A key that a request shows, and what is answered to it: for the handlers of those who hold one, and of gateways that ask
//! for them. Outsiders get one 401, whatever is wrong with a credential.

use super::{
    app::App,
    caller::client_ip,
    engine::{Asked, Judged},
    limits,
    listen::Peer,
    log,
};
use crate::{
    domain::{Code, Request, RequestFacts, Time, key_from_headers},
    ops::{Error, Result},
    wire::{header, problem::MEDIA_TYPE},
};
use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
        header::{AUTHORIZATION, USER_AGENT},
        request::Parts,
    },
};
use chrono::Utc;
use serde_json::json;

pub(super) type Answer = Response<Body>;

pub(super) const API_KEY: HeaderName = HeaderName::from_static(header::API_KEY);
/// Where gateways say what they were asked: nginx, and the others.
pub(super) const METHODS: [HeaderName; 2] =
    [HeaderName::from_static("x-original-method"), HeaderName::from_static("x-forwarded-method")];
pub(super) const URIS: [HeaderName; 2] =
    [HeaderName::from_static("x-original-uri"), HeaderName::from_static("x-forwarded-uri")];
pub(super) const NO_ROUTE: &str = "no route of the table fits this method and path";
pub(super) const AMBIGUOUS: &str = "the path is not an absolute path in its simplest form";
pub(super) const FORGED: &str = "the request brings headers that tell an upstream who calls: X-Keyward-*";

/// The one answer to a credential that is no good, and to none at all.
pub(super) const OUTSIDER: &str = r#"{"type":"urn:keyward:problem:auth","title":"AUTH","status":401,"detail":"the key is missing or not valid here","code":"AUTH","reason":"key","retryable":false}"#;

pub(super) fn peer_of(parts: &Parts) -> Peer {
    parts.extensions.get::<Peer>().copied().unwrap_or(Peer::Local)
}

/// What is asked of every key, wherever a request comes from.
pub(super) fn asked_by(app: &App, peer: Peer, parts: &Parts) -> Result<Request> {
    let ip = client_ip(peer, &parts.headers, &app.doors.trusted)?;
    Ok(Request { environment: app.doors.serves.assumed(), ip, needs_address: true, ..Request::default() })
}

/// Asks the engine about a request, with what is kept of it.
pub(super) fn asking<T>(parts: &Parts, request: &Request, token: &str, ask: impl FnOnce(&Asked<'_>) -> T) -> T {
    let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let now = Utc::now();
    let facts = |code| requested(parts, answered(code, request), now);
    ask(&Asked { token, request, cost: 1, within: None, user_agent, operator: None, facts: &facts, now })
}

/// What was asked: of a gateway its own request, of everybody else this one.
pub(super) fn requested(parts: &Parts, status: u16, began: Time) -> RequestFacts {
    let said = |names: &[HeaderName; 2]| names.iter().find_map(|name| one(&parts.headers, name).ok().flatten());
    let path = parts.uri.path();
    let (method, path) = match path.strip_prefix("/v1/authz") {
        Some("") => (said(&METHODS).unwrap_or(parts.method.as_str()), said(&URIS).unwrap_or(path)),
        Some(own) => (parts.method.as_str(), own),
        None => (parts.method.as_str(), path),
    };
    log::facts(method, path, &parts.headers, status, Utc::now() - began)
}

/// The key of a request: from its headers, or from a query parameter where that is switched on. Several are none.
pub(super) fn presented<'a>(app: &App, parts: &'a Parts) -> Option<&'a str> {
    let authorization = parts.headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let api_key = parts.headers.get_all(API_KEY).iter().map(HeaderValue::as_bytes);
    if let Some(name) = &app.doors.query_parameter {
        // Gateways put the query of the request into a header of theirs.
        let original = URIS.iter().find_map(|name| parts.headers.get(name));
        let query =
            original.and_then(|uri| uri.to_str().ok()).and_then(|uri| uri.split_once('?')).map(|(_, query)| query);
        let query = query.or(parts.uri.query()).unwrap_or_default();
        let mut values = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(held, _)| held == name);
        if let Some((_, only)) = values.next() {
            let none_beside = values.next().is_none()
                && !parts.headers.contains_key(AUTHORIZATION)
                && !parts.headers.contains_key(API_KEY);
            return none_beside.then_some(only);
        }
    }
    key_from_headers(authorization, api_key).ok()
}

/// The value of a header that may be sent once.
pub(super) fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>> {
    let refused = || Error::usage(format!("the header {name} is not usable"));
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(refused());
    }
    let value = value.to_str().map_err(|_| refused())?;
    Ok((!value.is_empty()).then_some(value))
}

/// What is wrong with a request that no table of routes could take, whoever's key it brings.
pub(super) fn malformed(code: Code, request: &Request) -> Option<&'static str> {
    request.no_route.filter(|why| code == Code::NoRoute && [AMBIGUOUS, FORGED].contains(why))
}

/// The status that a verdict on a request is answered with.
pub(super) fn answered(code: Code, request: &Request) -> u16 {
    if malformed(code, request).is_some() { StatusCode::BAD_REQUEST.as_u16() } else { code.http_status() }
}

pub(super) fn with_limit(mut response: Answer, judged: &Judged) -> Answer {
    limits::tell(response.headers_mut(), judged);
    response
}

/// What a caller is told of a refusal: outsiders nothing, the holder of a good key what is missing.
pub(super) fn refused(judged: &Judged, request: &Request) -> Answer {
    let status = StatusCode::from_u16(judged.code.http_status()).unwrap_or(StatusCode::FORBIDDEN);
    if status == StatusCode::UNAUTHORIZED {
        return with_limit(outsider(), judged);
    }
    let body = {
        let code = judged.code.as_str();
        json!({
            "type": format!("urn:keyward:problem:{}", code.to_ascii_lowercase()), "title": code, "status": status.as_u16(),
            "detail": told(judged, request), "code": code, "reason": code.to_ascii_lowercase(),
            "retryable": judged.code == Code::RateLimited,
        })
        .to_string()
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static(MEDIA_TYPE));
    with_limit(response, judged)
}

/// The one answer to whoever shows no key that is good here.
pub(super) fn outsider() -> Answer {
    let mut response = Response::new(Body::from(OUTSIDER));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(MEDIA_TYPE));
    headers.insert("www-authenticate", HeaderValue::from_static("Bearer realm=\"keyward\""));
    response
}

pub(super) fn told(judged: &Judged, request: &Request) -> String {
    match judged.code {
        Code::ProjectRequired => {
            "this key reaches every project of its workspace, which has several: name one in X-Project-ID".to_owned()
        }
        Code::InsufficientScope => {
            let workspace = judged.key.as_ref().map(|key| key.workspace());
            let missing = request.scopes.iter().filter(|wanted| {
                judged
                    .key
                    .as_ref()
                    .zip(workspace.as_ref())
                    .is_none_or(|(key, workspace)| !workspace.catalogue.grants(&key.rules.shape.scopes, wanted))
            });
            let missing: Vec<String> = missing.map(ToString::to_string).collect();
            format!("the key lacks: {}", missing.join(", "))
        }
        Code::IpNotAllowed => "the key may not be used from this address".to_owned(),
        Code::WrongProject => "the key does not reach this project".to_owned(),
        Code::WrongCustomer => match &judged.key {
            Some(key) if key.rules.shape.customers.is_empty() => {
                "the workspace of the key has no such customer".to_owned()
            }
            _ => "the key is for other customers".to_owned(),
        },
        Code::PlanForbidden => "the plan of the workspace has no API access".to_owned(),
        Code::NoRoute => NO_ROUTE.to_owned(),
        Code::NotAsked => "the request must name a customer in X-Customer-ID".to_owned(),
        Code::RateLimited => "the limit is used up; see Retry-After".to_owned(),
        _ => "the key is missing or not valid here".to_owned(),
    }
}
