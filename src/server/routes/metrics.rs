//! `/metrics`: for this machine, and for operators of the platform.

use crate::{
    ops::{Error, Kind},
    server::{app::App, caller::Caller, exposition, listen::Peer, metrics::MEDIA_TYPE, problem::Failed},
    wire::header::FORWARDED_FOR,
};
use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, HeaderValue, header, request::Parts, uri::Authority},
    response::{IntoResponse, Response},
};
use std::{net::IpAddr, sync::Arc};

/// The headers by which a request shows that it came through a proxy.
const PROXIED: [&str; 4] = [FORWARDED_FOR, "forwarded", "x-real-ip", "via"];

/// What the server tells of itself
///
/// In the text format of Prometheus, or in that of OpenMetrics for whoever would rather have it (`Accept`). Without a
/// credential for requests of its own machine that came through no proxy and name this machine as their host, else for
/// operators that are bound to no workspace.
#[cfg_attr(test, utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "server",
    responses((status = 200, description = "The metrics.", content((str = "text/plain"), (str = MEDIA_TYPE)))),
    security((), ("operator" = [])),
))]
pub(super) async fn metrics(State(app): State<Arc<App>>, mut parts: Parts) -> Result<Response, Failed> {
    if !is_of_this_machine(&parts) {
        let caller = Caller::from_request_parts(&mut parts, &app).await?;
        caller.is_of_the_platform(&app, "metrics").await?;
    }
    let told = app.metrics.text();
    let told = told.map_err(|error| Error::new(Kind::Internal, "metrics", "no metrics").cause(error.to_string()))?;
    let accept = parts.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (kind, told) = match exposition::prefers_openmetrics(accept) {
        true => (MEDIA_TYPE, told),
        false => (exposition::MEDIA_TYPE, exposition::of_openmetrics(&told)),
    };
    Ok(([(header::CONTENT_TYPE, kind)], told).into_response())
}

/// Asked directly, without a proxy in between that would lend its own address to anybody.
fn is_of_this_machine(parts: &Parts) -> bool {
    let direct = match parts.extensions.get::<Peer>() {
        Some(Peer::Ip(ip)) => ip.is_loopback() && names_this_machine(parts.headers.get(header::HOST)),
        Some(Peer::Local) => true,
        None => false,
    };
    direct && !is_proxied(&parts.headers)
}

/// Whether a request was meant for this machine. A page in a browser here can ask any name that its owner lets point here
/// (DNS rebinding), and says that name.
fn names_this_machine(host: Option<&HeaderValue>) -> bool {
    let Some(host) = host.and_then(|host| Authority::try_from(host.as_bytes()).ok()) else { return false };
    let name = host.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn is_proxied(headers: &HeaderMap) -> bool {
    PROXIED.iter().any(|name| headers.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_points_here_is_not_this_machine() {
        let is = |host: &'static str| names_this_machine(Some(&HeaderValue::from_static(host)));
        for host in ["localhost", "LOCALHOST:8787", "127.0.0.1:8787", "127.9.9.9", "[::1]:8787", "[::1]"] {
            assert!(is(host), "{host}");
        }
        for host in [
            "",
            "keyward.test",
            "localhost.attacker.example",
            "attacker.example:8787",
            "127.0.0.1.attacker.example",
            "192.0.2.1",
            "a b",
        ] {
            assert!(!is(host), "{host}");
        }
        assert!(!names_this_machine(None));
    }
}
