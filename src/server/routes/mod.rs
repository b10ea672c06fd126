//! The routes. The hot ones carry no layer at all; what they need they do themselves.

mod health;
mod verdict;

use super::app::App;
use axum::{
    Router,
    routing::{get, post},
};
use std::sync::Arc;

/// All routes.
pub(super) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/v1/verify", post(verdict::verify))
        .with_state(Arc::clone(app))
}
