//! `/metrics`: for this machine, and for operators of the platform.

use crate::{
    ops::{Error, Kind},
    server::{app::App, caller::Caller, listen::Peer, metrics::MEDIA_TYPE, problem::Failed},
    wire::header::FORWARDED_FOR,
};
use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, header, request::Parts},
    response::{IntoResponse, Response},
};
use std::sync::Arc;

/// The headers by which a request shows that it came through a proxy.
const PROXIED: [&str; 4] = [FORWARDED_FOR, "forwarded", "x-real-ip", "via"];

/// What the server tells of itself
///
/// In the text format of OpenMetrics. Without a credential for requests of its own machine that came through no proxy, else
/// for operators that are bound to no workspace.
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "server",
    responses((status = 200, description = "The metrics.", body = str, content_type = MEDIA_TYPE)),
    security((), ("operator" = [])),
)]
pub(super) async fn metrics(State(app): State<Arc<App>>, mut parts: Parts) -> Result<Response, Failed> {
    if !is_of_this_machine(&parts) {
        let caller = Caller::from_request_parts(&mut parts, &app).await?;
        caller.is_of_the_platform(&app, "metrics").await?;
    }
    let told = app.metrics.text();
    let told = told.map_err(|error| Error::new(Kind::Internal, "metrics", "no metrics").cause(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], told).into_response())
}

/// Asked directly, without a proxy in between that would lend its own address to anybody.
fn is_of_this_machine(parts: &Parts) -> bool {
    let direct = match parts.extensions.get::<Peer>() {
        Some(Peer::Ip(ip)) => ip.is_loopback(),
        Some(Peer::Local) => true,
        None => false,
    };
    direct && !is_proxied(&parts.headers)
}

fn is_proxied(headers: &HeaderMap) -> bool {
    PROXIED.iter().any(|name| headers.contains_key(*name))
}
