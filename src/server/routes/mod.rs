//! The routes. The hot ones carry no layer at all; what they need they do themselves. The routes of operators are logged.
//!
//! # Adding a route
//!
//! A route is its entry in the OpenAPI document: `#[utoipa::path]` on the handler has the method, the path, a unique
//! `operation_id`, a `tag` of [`super::openapi`], the bodies, and who may call (`security(("operator" = []))`); the
//! comment of the handler is its summary, and `routes!` below registers both at once. What every operator's call has (its
//! headers, its problems, its request id) is added by [`super::openapi`] and need not be said. Bodies derive `ToSchema`
//! and queries `IntoParams`, in [`crate::wire`]; types of `ops` do so under the feature `server`. `Path` and `Query` are
//! those of [`super::body`], which refuse with a problem. Then `KEYWARD_BLESS=1 cargo test --test it openapi` renews
//! `openapi.json`, and the tests there want a real answer of the new route.

mod audit;
mod declared;
mod health;
mod holder;
mod keys;
mod metrics;
mod rotations;
mod signed;
mod usage;
mod verdict;
mod webhooks;
mod whoami;
mod workspace;

use super::{app::App, body::put, door, extras, log, openapi};
use crate::{
    domain::Environment,
    ops::{Error, ObjectKind, Result},
    server::{
        caller::{self, Caller},
        listen::Peer,
        problem::{Failed, no_such_method},
        rest::Sending,
    },
    wire::workspace::ObjectList,
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{FromRequestParts, State},
    http::{Method, header::CONTENT_TYPE, request::Parts},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::any,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};
use tower::ServiceExt;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What decides between keys of one name.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Which {
    /// The environment, where keys of several have the name.
    #[param(value_type = Option<Environment>)]
    #[serde(alias = "env")]
    environment: Option<String>,
}

impl Which {
    fn environment(&self) -> Result<Option<Environment>> {
        self.environment.as_ref().map(|name| name.parse().map_err(Error::usage)).transpose()
    }
}

/// The routes without a layer, and what they say of themselves.
fn hot() -> OpenApiRouter<Arc<App>> {
    // A gateway sends whatever method its caller chose.
    let (schemas, paths, _) = routes!(holder::authz);
    let (path_schemas, path_paths, _) = routes!(holder::authz_path);
    OpenApiRouter::new()
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(document))
        .routes(routes!(holder::assertion_keys))
        .routes(routes!(verdict::verify))
        .routes(routes!(holder::validate, holder::validate_by_get))
        .routes((schemas, paths, any(holder::authz)))
        .routes((path_schemas, path_paths, any(holder::authz_path)))
}

/// The routes of operators.
fn managing() -> OpenApiRouter<Arc<App>> {
    door::routed(OpenApiRouter::new())
        .routes(routes!(metrics::metrics))
        .routes(routes!(whoami::whoami))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::create_many))
        .routes(routes!(declared::plan))
        .routes(routes!(declared::apply))
        .routes(routes!(keys::show, keys::update, keys::delete))
        .routes(routes!(keys::activate))
        .routes(routes!(keys::deactivate))
        .routes(routes!(keys::revoke))
        .routes(routes!(rotations::stage))
        .routes(routes!(rotations::rotate))
        .routes(routes!(rotations::step))
        .routes(routes!(audit::list))
        .routes(routes!(audit::show))
        .routes(routes!(audit::verify))
        .routes(routes!(audit::export))
        .routes(routes!(signed::checkpoint))
        .routes(routes!(signed::prove))
        .routes(routes!(signed::review, signed::record_review))
        .routes(routes!(usage::usage))
        .routes(routes!(usage::retention, usage::retain))
        .routes(routes!(usage::logs))
        .routes(routes!(webhooks::add))
        .routes(routes!(webhooks::test))
        .routes(routes!(projects, workspace::create_project))
        .routes(routes!(workspace::list, workspace::create))
        .routes(routes!(workspace::show, workspace::update, workspace::delete))
}

/// What all routes say of themselves.
pub(super) fn described() -> Value {
    let mut document = json!(hot().merge(managing()).into_openapi());
    door::described(&mut document);
    document
}

/// The routes over the state of the server.
pub(super) fn router(app: &Arc<App>) -> Router {
    let strict = managing().layer(from_fn(extras::refuse));
    let logged = strict.layer(from_fn_with_state(Arc::clone(app), log::request));
    let (router, _) = hot().merge(logged).split_for_parts();
    let nothing = |State(app): State<Arc<App>>, parts: Parts| async move {
        caller::count(&app, caller::peer_of(&parts.extensions), &parts.headers)?;
        Err::<Response, Failed>(Error::not_found("there is nothing at this path").into())
    };
    router.fallback(nothing).method_not_allowed_fallback(no_such_method).with_state(Arc::clone(app))
}

/// Answers a request. What gateways and services ask for every request of theirs goes straight to its handler: a router and
/// extractors would cost more than the verdict. They are routes of the router all the same, for every other way to ask.
pub(super) async fn answer(app: &Arc<App>, router: &Router, peer: Peer, request: hyper::Request<Sending>) -> Response {
    let (path, is_post) = (request.uri().path(), request.method() == Method::POST);
    let is_get = request.method() == Method::GET;
    let answered = match path {
        "/v1/authz" => holder::authz_of(app, peer, &request.into_parts().0).map_err(Failed::from),
        "/v1/validate" if is_post || is_get => {
            holder::validate_of(app, peer, &request.into_parts().0).map_err(Failed::from)
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

/// This document
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "openapi", tag = "server",
    responses((status = 200, description = "OpenAPI 3.1.", body = serde_json::Value)),
    security(),
)]
async fn document() -> Response {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(openapi::finish(described()).to_string()));
    let mut response = DOCUMENT.clone().into_response();
    put(response.headers_mut(), CONTENT_TYPE.as_str(), "application/json");
    response
}

/// Projects: those that a key reaches, or all
///
/// The holder of a key asks which projects it reaches, an operator which projects there are: the credential says who.
#[utoipa::path(
    get, path = "/v1/projects", operation_id = "list_projects", tag = "workspace",
    responses((status = 200, description = "The projects, by name.", body = ObjectList)),
    security(("operator" = []), ("key" = []), ("key_as_bearer" = [])),
)]
async fn projects(State(app): State<Arc<App>>, mut parts: Parts) -> Result<Response, Failed> {
    if holder::is_operator(&parts) {
        let caller = Caller::from_request_parts(&mut parts, &app).await?;
        return workspace::objects(&app, &caller, ObjectKind::Project).await;
    }
    holder::projects(State(app), parts).await
}
