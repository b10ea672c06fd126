//! The routes. The hot ones carry no layer at all; what they need they do themselves.

mod health;
mod holder;
mod keys;
mod verdict;
mod whoami;

use super::app::App;
use axum::{
    Router,
    routing::{any, get, post},
};
use std::sync::Arc;

/// All routes.
pub(super) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/v1/verify", post(verdict::verify))
        .route("/v1/validate", post(holder::validate))
        .route("/v1/projects", get(holder::projects))
        .route("/v1/authz", any(holder::authz))
        .route("/v1/authz/{*path}", any(holder::authz_path))
        .route("/v1/whoami", get(whoami::whoami))
        .route("/v1/keys/{key}/activate", post(keys::activate))
        .route("/v1/keys/{key}/deactivate", post(keys::deactivate))
        .route("/v1/keys/{key}/revoke", post(keys::revoke))
        .with_state(Arc::clone(app))
}
