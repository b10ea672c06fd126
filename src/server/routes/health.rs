//! Is the process alive, and can it answer?

use crate::server::{app::App, problem::Failed, problem::unavailable};
use axum::extract::State;
use chrono::Utc;
use std::sync::Arc;

/// The process is alive.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Verdicts can be given: the keystore was seen within the last seconds, and the server is not stopping.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, Failed> {
    if *app.stop.borrow() || app.engine.available(Utc::now()).is_err() {
        return Err(unavailable().into());
    }
    Ok("ready\n")
}
