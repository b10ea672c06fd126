//! What every request has at hand.

use super::engine::Engine;
use std::sync::Arc;
use tokio::sync::watch;

/// The state of the server.
pub(super) struct App {
    pub(super) engine: Arc<Engine>,
    /// Becomes true once, when the server is to stop.
    pub(super) stop: watch::Sender<bool>,
}
