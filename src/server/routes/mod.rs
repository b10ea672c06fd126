//! The routes. The hot ones carry no layer at all; what they need they do themselves. The routes of operators are logged.
//!
//! # Adding a route
//!
//! A use case that is declared ([`crate::ops::case`]) has its line in [`super::door`], and nothing here. What is of another
//! kind (pages, streams, verdicts) has a handler: `#[utoipa::path]` on it says its entry in the OpenAPI document, in tests
//! alone, and it is named twice below, in the router and in the document. What every operator's call has (its headers, its
//! problems, its request id) need not be said. `Path` and `Query` are those of [`super::body`], which refuse with a problem.
//! Then `KEYWARD_BLESS=1 cargo test --lib openapi` renews `openapi.json`, and `tests/it/openapi.rs` wants a real answer.

mod audit;
mod health;
mod held;
mod holder;
mod keys;
mod metrics;
mod verdict;
mod whoami;

use super::{app::App, door, extras, log, openapi, reference};
#[cfg(test)]
use crate::wire::workspace::ObjectList;
use crate::{
    ops::{Error, ListObjects, ObjectKind, Result},
    server::{
        caller::{self, Caller},
        listen::Peer,
        problem::{Failed, no_such_method},
        rest::Sending,
    },
};
use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts, State},
    http::{Method, request::Parts},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use std::sync::Arc;
use tower::ServiceExt;

/// The routes without a layer.
fn hot() -> Router<Arc<App>> {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/openapi.json", get(openapi::served))
        .route("/docs", get(reference::served))
        // As people type it.
        .route("/docs/", get(reference::served))
        .route("/.well-known/jwks.json", get(holder::assertion_keys))
        .route("/v1/verify", post(verdict::verify))
        .route("/v1/validate", post(holder::validate).get(holder::validate_by_get))
        // A gateway sends whatever method its caller chose.
        .route("/v1/authz", any(holder::authz))
        .route("/v1/authz/{*path}", any(holder::authz_path))
}

/// The routes of operators: those of declared use cases, and those that are of their own kind.
fn managing() -> Router<Arc<App>> {
    door::routed(Router::new())
        .route("/metrics", get(metrics::metrics))
        .route("/v1/whoami", get(whoami::whoami))
        .route("/v1/keys", get(keys::list))
        .route("/v1/keys/bulk", post(keys::create_many))
        .route("/v1/self/rotations", post(held::stage))
        .route("/v1/self/rotations/{rotation}/commit", post(held::commit))
        .route("/v1/audit", get(audit::list))
        .route("/v1/audit/verify", post(audit::verify))
        .route("/v1/audit/export", post(audit::export))
        .route("/v1/projects", get(projects))
}

/// What the annotated handlers say of themselves in the OpenAPI document.
#[cfg(test)]
#[cfg_attr(test, derive(utoipa::OpenApi))]
#[openapi(paths(
    health::healthz,
    health::readyz,
    openapi::served,
    reference::served,
    holder::assertion_keys,
    holder::validate,
    holder::validate_by_get,
    holder::authz,
    holder::authz_path,
    verdict::verify,
    metrics::metrics,
    whoami::whoami,
    keys::list,
    keys::create_many,
    held::stage,
    held::commit,
    audit::list,
    audit::verify,
    audit::export,
    projects,
))]
struct Annotated;

/// What all routes say of themselves.
#[cfg(test)]
pub(super) fn described() -> serde_json::Value {
    let mut document = serde_json::json!(<Annotated as utoipa::OpenApi>::openapi());
    door::described(&mut document);
    document
}

/// The routes over the state of the server.
pub(super) fn router(app: &Arc<App>) -> Router {
    let strict = managing().layer(from_fn(extras::refuse));
    let logged = strict.layer(from_fn_with_state(Arc::clone(app), log::request));
    let nothing = |State(app): State<Arc<App>>, parts: Parts| async move {
        caller::count(&app, caller::peer_of(&parts.extensions), &parts.headers)?;
        Err::<Response, Failed>(Error::not_found("there is nothing at this path").into())
    };
    hot().merge(logged).fallback(nothing).method_not_allowed_fallback(no_such_method).with_state(Arc::clone(app))
}

/// Answers a request. What gateways and services ask for every request of theirs goes straight to its handler: a router and
/// extractors would cost more than the verdict. They are routes of the router all the same, for every other way to ask.
pub(super) async fn answer(app: &Arc<App>, router: &Router, peer: Peer, request: hyper::Request<Sending>) -> Response {
    let (path, is_post) = (request.uri().path(), request.method() == Method::POST);
    let is_get = request.method() == Method::GET;
    let answered = match path {
        "/v1/authz" => holder::authz_of(app, peer, &request.into_parts().0).map_err(Failed::from),
        "/v1/validate" if is_post || is_get => {
            let (parts, body) = request.into_parts();
            Box::pin(holder::validate_of(app, peer, &parts, body)).await
        }
        // In boxes: what is to be waited for is large, and would be moved about with every short answer.
        "/v1/verify" if is_post => {
            let (parts, body) = request.into_parts();
            Box::pin(verdict::verify_of(app, peer, parts.headers, Body::new(body))).await
        }
        _ => {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            let Ok(answered) = Box::pin(router.clone().oneshot(request)).await;
            return answered;
        }
    };
    answered.unwrap_or_else(IntoResponse::into_response)
}

/// Projects: those that a key reaches, or all
///
/// The holder of a key asks which projects it reaches, an operator which projects there are: the credential says who.
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/projects", operation_id = "list_projects", tag = "workspace",
    responses((status = 200, description = "The projects, by name.", body = ObjectList)),
    security(("operator" = []), ("key" = []), ("key_as_bearer" = [])),
))]
async fn projects(State(app): State<Arc<App>>, mut parts: Parts) -> Result<Response, Failed> {
    if holder::is_operator(&parts) {
        let caller = Caller::from_request_parts(&mut parts, &app).await?;
        return door::asks(&app, &caller, ListObjects { kind: ObjectKind::Project }).await;
    }
    holder::projects(State(app), parts).await
}
