//! The routes. The hot ones carry no layer at all; what they need they do themselves. The routes of operators are logged.

mod health;
mod holder;
mod keys;
mod operators;
mod rotations;
mod verdict;
mod whoami;
mod workspace;

use super::{app::App, log};
use crate::{
    domain::Environment,
    ops::{Error, ObjectKind, Result},
    server::{caller::Caller, problem::Failed},
};
use axum::{
    Router,
    extract::{FromRequestParts, State},
    http::request::Parts,
    middleware::from_fn,
    response::Response,
    routing::{any, get, post},
};
use serde::Deserialize;
use std::sync::Arc;

/// What decides between keys of one name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    environment: Option<String>,
}

impl Which {
    fn environment(&self) -> Result<Option<Environment>> {
        self.environment.as_ref().map(|name| name.parse().map_err(Error::usage)).transpose()
    }
}

/// All routes.
pub(super) fn router(app: &Arc<App>) -> Router {
    let hot = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/v1/verify", post(verdict::verify))
        .route("/v1/validate", post(holder::validate))
        .route("/v1/authz", any(holder::authz))
        .route("/v1/authz/{*path}", any(holder::authz_path));
    let logged = Router::new()
        .route("/v1/whoami", get(whoami::whoami))
        .route("/v1/keys", get(keys::list).post(keys::create))
        .route("/v1/keys/bulk", post(keys::create_many))
        .route("/v1/keys/{key}", get(keys::show).patch(keys::update).delete(keys::delete))
        .route("/v1/keys/{key}/activate", post(keys::activate))
        .route("/v1/keys/{key}/deactivate", post(keys::deactivate))
        .route("/v1/keys/{key}/revoke", post(keys::revoke))
        .route("/v1/keys/{key}/rotations", post(rotations::stage))
        .route("/v1/rotations", get(rotations::list))
        .route("/v1/rotations/{rotation}", get(rotations::show))
        .route("/v1/rotations/{rotation}/steps", post(rotations::step))
        .route("/v1/rotations/{rotation}/commit", post(rotations::commit))
        .route("/v1/rotations/{rotation}/abort", post(rotations::abort))
        .route("/v1/scopes", get(workspace::scopes).post(workspace::change_scopes))
        .route("/v1/scopes/{scope}", get(workspace::scope))
        .route("/v1/operators", get(operators::list).post(operators::create))
        .route("/v1/operators/{name}/rotate", post(operators::rotate))
        .route("/v1/operators/{name}/revoke", post(operators::revoke))
        .route("/v1/projects", get(projects).post(workspace::create_project))
        .route("/v1/{kind}", get(workspace::list).post(workspace::create))
        .route("/v1/{kind}/{name}", get(workspace::show).patch(workspace::update).delete(workspace::delete))
        .layer(from_fn(log::request));
    hot.merge(logged).with_state(Arc::clone(app))
}

/// The holder of a key asks which projects it reaches, an operator which projects there are: the credential says who.
async fn projects(State(app): State<Arc<App>>, mut parts: Parts) -> Result<Response, Failed> {
    if holder::is_operator(&parts) {
        let caller = Caller::from_request_parts(&mut parts, &app).await?;
        return workspace::objects(&app, &caller, ObjectKind::Project).await;
    }
    holder::projects(State(app), parts).await
}
