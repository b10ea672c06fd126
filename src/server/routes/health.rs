//! Is the process alive, and can it answer?

use crate::server::{app::App, problem::Failed, problem::unavailable};
#[cfg(test)]
use crate::wire::{Problem, problem::MEDIA_TYPE};
use axum::extract::State;
use chrono::Utc;
use std::sync::Arc;

/// The process is alive
#[cfg_attr(test, utoipa::path(
    get, path = "/healthz", operation_id = "healthz", tag = "server",
    responses((status = 200, description = "It is.", body = str, content_type = "text/plain")),
    security(),
))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Verdicts can be given
///
/// The keystore was seen within the last seconds, and the server is not stopping.
#[cfg_attr(test, utoipa::path(
    get, path = "/readyz", operation_id = "readyz", tag = "server",
    responses((status = 200, description = "They can.", body = str, content_type = "text/plain"),
        (status = 503, description = "Not now.", body = Problem, content_type = MEDIA_TYPE)),
    security(),
))]
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, Failed> {
    if *app.stop.borrow() || app.engine.available(Utc::now()).is_err() {
        return Err(unavailable().into());
    }
    Ok("ready\n")
}
