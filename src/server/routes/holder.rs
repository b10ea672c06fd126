//! For whoever holds a key, and for gateways that ask on behalf of a request: `/v1/validate`, `/v1/projects`, `/v1/authz`.
//!
//! These routes answer with the verdict's own status. Outsiders get one 401, whatever is wrong with a credential.

#[cfg(test)]
use crate::wire::{header::Forwarded, verdict::ValidationReply};
use crate::{
    domain::{Code, OPERATOR_BRAND, RateLimit, Request, Scope, key_from_headers},
    ops::{Error, Result},
    server::{
        app::App,
        assertion::{ASSERTION, assertion, key_set},
        body::short_reply,
        caller::count,
        engine::{Judged, encoded},
        extras::no_body,
        listen::Peer,
        path::segments,
        problem::{Failed, unavailable},
        shown::{
            AMBIGUOUS, Answer, FORGED, METHODS, NO_ROUTE, URIS, asked_by, asking, malformed, one, peer_of, presented,
            refused, with_limit,
        },
        table::{self, Needs},
    },
    wire::header,
};
use axum::{
    BoxError, Json,
    body::{Body, Bytes, HttpBody},
    extract::State,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, header::AUTHORIZATION, request::Parts,
    },
    response::IntoResponse,
};
use chrono::Utc;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

const PROJECT: HeaderName = HeaderName::from_static(header::PROJECT);
const CUSTOMER: HeaderName = HeaderName::from_static(header::CUSTOMER);
const KEY_ID: HeaderName = HeaderName::from_static("x-keyward-key-id");
/// What a browser asks leave for, in a request without a key.
const ANNOUNCED: HeaderName = HeaderName::from_static("access-control-request-method");
/// How the names of the headers begin that tell an upstream who calls, with any mark between the words: CGI, WSGI and PHP
/// make the same variable of `X-Keyward-` and of `X_Keyward_`.
const TOLD: [&[u8]; 2] = [b"x", b"keyward"];
static PROJECT_MEANT: HeaderName = HeaderName::from_static("x-keyward-project");

/// Is my key valid, and what is it for?
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/validate", operation_id = "validate", tag = "verdicts",
    responses((status = 200, description = "It is valid, for this.", body = ValidationReply)),
    security(("key" = []), ("key_as_bearer" = [])),
))]
pub(super) async fn validate(State(app): State<Arc<App>>, request: axum::extract::Request) -> Result<Answer, Failed> {
    let (parts, body) = request.into_parts();
    validate_of(&app, peer_of(&parts), &parts, body).await
}

/// Is my key valid, and what is it for? As with POST
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/validate", operation_id = "validate_by_get", tag = "verdicts",
    responses((status = 200, description = "It is valid, for this.", body = ValidationReply)),
    security(("key" = []), ("key_as_bearer" = [])),
))]
pub(super) async fn validate_by_get(
    State(app): State<Arc<App>>,
    request: axum::extract::Request,
) -> Result<Answer, Failed> {
    let (parts, body) = request.into_parts();
    validate_of(&app, peer_of(&parts), &parts, body).await
}

/// [`validate`], without extractors.
pub(super) async fn validate_of<B>(app: &App, peer: Peer, parts: &Parts, body: B) -> Result<Answer, Failed>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    if let Err(error) = no_body("/v1/validate", body).await {
        count(app, peer, &parts.headers)?;
        return Err(error.into());
    }
    Ok(validated(app, peer, parts)?)
}

fn validated(app: &App, peer: Peer, parts: &Parts) -> Result<Answer> {
    let judged = judge(app, parts, &asked_by(app, peer, parts)?)?;
    let Some(key) = judged.key.as_ref().filter(|_| judged.code == Code::Valid) else {
        return Ok(refused(&judged, &Request::default()));
    };
    let shape = &key.rules.shape;
    let reply = short_reply(&Validation {
        schema: "keyward.validation/v1",
        valid: true,
        key_id: key.id.as_str(),
        name: &key.name,
        workspace: &shape.workspace,
        environment: shape.environment.as_str(),
        level: if shape.project.is_some() { "project" } else { "workspace" },
        project: shape.project.as_deref(),
        customers: &shape.customers,
        scopes: &shape.scopes,
        rate_limit: shape.rate_limit,
        expires_at: key.expires_at.map(crate::domain::time::format_time),
    })?;
    Ok(with_limit(reply, &judged))
}

/// What the holder of a key is told; [`crate::wire::verdict::ValidationReply`] without a copy of it.
#[derive(Serialize)]
struct Validation<'a> {
    schema: &'static str,
    valid: bool,
    key_id: &'a str,
    name: &'a str,
    workspace: &'a str,
    environment: &'static str,
    level: &'static str,
    project: Option<&'a str>,
    customers: &'a [String],
    scopes: &'a [Scope],
    rate_limit: Option<RateLimit>,
    expires_at: Option<String>,
}

/// Whether a request carries the credential of an operator rather than a key.
pub(super) fn is_operator(parts: &Parts) -> bool {
    let bearer = parts.headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    key_from_headers(bearer, []).is_ok_and(|token| token.split('_').next() == Some(OPERATOR_BRAND))
}

/// Which projects does my key reach?
pub(super) async fn projects(State(app): State<Arc<App>>, parts: Parts) -> Result<Answer, Failed> {
    let judged = judge(&app, &parts, &asked_by(&app, peer_of(&parts), &parts)?)?;
    let Some(key) = judged.key.as_ref().filter(|_| judged.code == Code::Valid) else {
        return Ok(refused(&judged, &Request::default()));
    };
    let workspace = key.workspace();
    let reached =
        workspace.projects.iter().filter(|name| key.rules.shape.project.as_ref().is_none_or(|own| own == *name));
    let items: Vec<_> = reached.map(|name| json!({ "name": name, "workspace": workspace.name })).collect();
    let total = items.len();
    let reply = Json(json!({
        "schema": "keyward.project-list/v1", "items": items,
        "page": { "returned": total, "total": total, "truncated": false },
    }));
    Ok(with_limit(reply.into_response(), &judged))
}

/// May this request pass? For gateways that send its method and path in headers
///
/// The headers of nginx (`X-Original-*`), or of Caddy, Traefik and HAProxy (`X-Forwarded-*`), are needed where the server has a
/// route table. Several that differ are refused. What the table calls public needs no key.
#[cfg_attr(test, utoipa::path(
    method(get, head, post, put, patch, delete, options, trace), path = "/v1/authz", operation_id = "authz", tag = "verdicts",
    params(Forwarded),
    responses((status = 204, description = "It may pass.", headers(
        ("X-Keyward-Key-Id" = String, description = "The key."),
        ("X-Keyward-Workspace" = String, description = "Its workspace."),
        ("X-Keyward-Environment" = String, description = "Where it works."),
        ("X-Keyward-Scopes" = String, description = "What it may do, parted by blanks; cut short where there is much of it."),
        ("X-Keyward-Cut-Short" = String, description = "The headers of these whose lists are cut short."),
        ("X-Keyward-Assertion" = String, description = "All of it, signed, where the server was told to: a JSON Web Token."),
        ("X-Keyward-Project" = String, description = "The project that is meant: the key's own, the one that was named, or the only one there is."),
        ("X-Keyward-Customers" = String, description = "The customers that the key is narrowed to, parted by blanks; absent for a key that reaches all."),
    ))),
    security((), ("key" = []), ("key_as_bearer" = [])),
))]
pub(super) async fn authz(State(app): State<Arc<App>>, parts: Parts) -> Result<Answer, Failed> {
    Ok(authz_of(&app, peer_of(&parts), &parts)?)
}

/// [`authz`], without extractors.
pub(super) fn authz_of(app: &App, peer: Peer, parts: &Parts) -> Result<Answer> {
    let asked = match &app.doors.routes {
        None => None,
        Some(_) => Some((one_of(&parts.headers, &METHODS)?, one_of(&parts.headers, &URIS)?)),
    };
    gate(app, peer, parts, asked, StatusCode::NO_CONTENT)
}

/// May this request pass? For gateways that send its method and path as their own
///
/// As Envoy does, with `/v1/authz` as its prefix; it takes 200 alone for a yes.
#[cfg_attr(test, utoipa::path(
    method(get, head, post, put, patch, delete, options, trace), path = "/v1/authz/{*path}", operation_id = "authz_path", tag = "verdicts",
    params(("path" = String, Path, description = "The path of the request.")),
    responses((status = 200, description = "It may pass; the headers are those of `/v1/authz`.")),
    security((), ("key" = []), ("key_as_bearer" = [])),
))]
pub(super) async fn authz_path(
    State(app): State<Arc<App>>,
    method: Method,
    uri: Uri,
    parts: Parts,
) -> Result<Answer, Failed> {
    // A fragment is no part of what arrives here any more: Envoy refuses a request that has one, as it must.
    let path = uri.path().strip_prefix("/v1/authz").unwrap_or_default();
    Ok(gate(&app, peer_of(&parts), &parts, Some((method.as_str(), path)), StatusCode::OK)?)
}

/// The public key of assertions, as a set of JSON Web Keys (RFC 7517)
///
/// With it an upstream checks `X-Keyward-Assertion`. Every server of a vault has the same.
#[cfg_attr(test, utoipa::path(
    get, path = "/.well-known/jwks.json", operation_id = "assertion_keys", tag = "verdicts",
    responses((status = 200, description = "The keys.", body = serde_json::Value)),
    security(),
))]
pub(super) async fn assertion_keys(State(app): State<Arc<App>>) -> Result<Json<Value>, Failed> {
    Ok(Json(key_set(&app.assertions)?))
}

fn gate(app: &App, peer: Peer, parts: &Parts, asked: Option<(&str, &str)>, passes: StatusCode) -> Result<Answer> {
    let mut request = Request {
        project: named(&parts.headers, &PROJECT)?,
        customer: named(&parts.headers, &CUSTOMER)?,
        needs_project: true,
        ..asked_by(app, peer, parts)?
    };
    if parts.headers.keys().any(tells_who_calls) {
        request.no_route = Some(FORGED);
    } else if let (Some(table), Some((method, path))) = (&app.doors.routes, asked) {
        let table = table.load();
        let announced = one(&parts.headers, &ANNOUNCED)?;
        match segments(path).map(|path| table.find(table::Asked { method, path: &path, announced })) {
            Some(Some(Needs::Nothing)) => return Ok(let_everybody_pass(app, parts, &request, passes)),
            Some(Some(Needs::Key(route))) => {
                request.scopes.clone_from(&route.scopes);
                request.environment = route.environment.or(request.environment);
                request.needs_project = route.needs_project;
                request.needs_customer = route.needs_customer;
            }
            Some(None) => request.no_route = Some(NO_ROUTE),
            None => request.no_route = Some(AMBIGUOUS),
        }
    }
    // Which project a request must name, a route says: without one nothing is to be named.
    request.needs_project &= request.no_route.is_none();
    let judged = judge(app, parts, &request)?;
    let Some(key) = judged.key.as_ref().filter(|_| judged.code == Code::Valid) else {
        // Which routes there are is no business of those without a good key: theirs is another code.
        return match malformed(judged.code, &request) {
            Some(FORGED) => Err(Error::usage(FORGED).hint("the gateway must remove them: see docs/gateways.md")),
            Some(why) => Err(Error::usage(why)),
            None => Ok(refused(&judged, &request)),
        };
    };
    let mut response = passed(passes);
    let headers = response.headers_mut();
    // The key, its rules, the project that is meant, a signature, and where its limit stands.
    headers.reserve(key.rules.identity.len() + 5);
    let id = (&KEY_ID, key.id.as_bytes().as_slice());
    let workspace = key.rules.shape.project.is_none().then(|| key.workspace());
    let project = workspace.as_ref().and_then(|workspace| key.project_meant(&request, workspace)).map(encoded);
    let meant = project.as_ref().map(|project| (&PROJECT_MEANT, project.as_bytes()));
    let identity = || key.rules.identity.iter().map(|(name, value)| (name, &**value)).chain(meant).chain([id]);
    for (name, value) in identity() {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(name, value);
        }
    }
    if app.doors.asserts {
        headers.insert(ASSERTION, assertion(&app.assertions, identity(), asked, Utc::now())?);
    }
    Ok(with_limit(response, &judged))
}

fn passed(status: StatusCode) -> Answer {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The answer to what needs no key, and is told nothing about one: only the limit of its address is asked.
fn let_everybody_pass(app: &App, parts: &Parts, request: &Request, passes: StatusCode) -> Answer {
    match asking(parts, request, "", |asked| app.engine.without_key(asked)) {
        Some(denied) => refused(&denied, request),
        None => passed(passes),
    }
}

/// Whether a header would be taken for one of ours by whoever stands behind the gateway.
fn tells_who_calls(name: &HeaderName) -> bool {
    let mut words = name.as_str().as_bytes().split(|byte| !byte.is_ascii_alphanumeric());
    TOLD.iter().all(|word| words.next() == Some(*word))
}

fn judge(app: &App, parts: &Parts, request: &Request) -> Result<Judged> {
    let token = presented(app, parts).unwrap_or_default();
    asking(parts, request, token, |asked| app.engine.judge(asked)).map_err(|_| unavailable())
}

/// A name in a header that may be sent once, percent-encoded.
fn named(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>> {
    let Some(value) = one(headers, name)? else { return Ok(None) };
    let decoded = percent_decode_str(value).decode_utf8();
    decoded.map(|text| Some(text.into_owned())).map_err(|_| Error::usage(format!("the header {name} is not usable")))
}

/// The value of either header. A caller could add the one that its gateway does not set: both must then agree.
fn one_of<'a>(headers: &'a HeaderMap, names: &[HeaderName; 2]) -> Result<&'a str> {
    match (one(headers, &names[0])?, one(headers, &names[1])?) {
        (Some(first), Some(second)) if first != second => {
            Err(Error::usage(format!("the headers {} and {} differ", names[0], names[1])))
        }
        (Some(value), _) | (None, Some(value)) => Ok(value),
        (None, None) => Err(Error::usage(format!("neither {} nor {} was sent", names[0], names[1]))
            .hint("the gateway must name the method and the path: see docs/gateways.md")),
    }
}
