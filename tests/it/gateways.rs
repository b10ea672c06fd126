//! Real gateways, configured by the very snippets of docs/gateways.md: who may pass, what the upstream is told, which paths
//! are refused, and what happens when the server dies.

use crate::{
    gateway_identity, gateway_shapes,
    support::{
        gateway::{self, Gateway, Site},
        server::Served,
    },
};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// Who passes, and on whose account.
fn guards(site: &Site, gateway: &Gateway) {
    fn with<'a>(key: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        [&[("X-API-Key", key)], more].concat()
    }
    let forged = [
        ("X-Keyward-Key-Id", "forged"),
        ("X-Keyward-Workspace", "forged"),
        ("X-Keyward-Environment", "forged"),
        ("X-Keyward-Project", "forged"),
        ("X-Keyward-Scopes", "forged"),
    ];
    let send = |method, path, headers: &[(&str, &str)]| gateway.send(method, path, headers);
    let (status, answer) = send("GET", "/invoices/7?page=1", &with(&site.key, &forged));
    assert_eq!(status, 200, "{answer}");
    let lower = answer.to_ascii_lowercase();
    for told in
        ["project: apollo", "workspace: default", "environment: production", "scopes: invoices:read", "key-id: key_"]
    {
        assert!(lower.contains(&format!("x-keyward-{told}")), "{told}: {answer}");
    }
    assert!(!lower.contains("forged"), "a caller names itself: {answer}");
    assert!(!answer.contains(&site.key), "the upstream needs no key: {answer}");
    assert!(lower.contains("get /invoices/7?page=1 "), "{answer}");
    let bearer = format!("Bearer {}", site.key);
    let (status, answer) = send("GET", "/invoices/7", &[("Authorization", &bearer)]);
    assert_eq!((status, answer.contains(&site.key)), (200, false), "{answer}");

    assert_eq!(send("POST", "/invoices/7", &with(&site.key, &[])).0, 403);
    assert_eq!(send("GET", "/elsewhere", &with(&site.key, &[])).0, 403, "no route fits");
    assert_eq!(send("GET", "/invoices/7", &[]).0, 401);
    // A path that programs read in several ways is told of as that to whoever has a good key alone.
    assert_eq!(send("GET", "/invoices/x;y", &with(&site.key, &[])).0, 400);
    assert_eq!(send("GET", "/invoices/x;y", &[]).0, 401);
    assert_eq!(send("GET", "/invoices/7", &with("kw_prod_nonsense", &[])).0, 401);

    // The address is that of the connection, whatever the caller says.
    let says = [("X-Forwarded-For", "6.6.6.6")];
    assert_eq!(send("GET", "/open", &with(&site.here, &says)).0, 200);
    assert_eq!(send("GET", "/open", &with(&site.elsewhere, &says)).0, 403);
    // Nor does it choose the route it is judged by.
    for (name, value) in [
        ("X-Original-URI", "/open"),
        ("X-Forwarded-Uri", "/open"),
        ("X-Original-Method", "GET"),
        ("X-Forwarded-Method", "GET"),
    ] {
        let (status, answer) = send("POST", "/invoices/7", &with(&site.key, &[(name, value)]));
        assert!(matches!(status, 400 | 403), "{name}: {answer}");
    }

    // A key that is not narrowed must not take a project or customers over from its caller.
    let forged = [&forged[..], &[("X-Keyward-Customers", "forged")]].concat();
    let (status, answer) = send("GET", "/open", &with(&site.here, &forged));
    assert_eq!((status, answer.contains("forged")), (200, false), "{answer}");

    // What the request is about is judged, and what it means is told.
    let about = |project: &str, customer: &str| {
        send("GET", "/invoices/7", &with(&site.of_acme, &[("X-Project-ID", project), ("X-Customer-ID", customer)]))
    };
    let (status, answer) = send("GET", "/invoices/7", &with(&site.of_acme, &[]));
    let lower = answer.to_ascii_lowercase();
    assert_eq!(status, 200, "the only project is meant: {answer}");
    assert!(lower.contains("x-keyward-project: apollo") && lower.contains("x-keyward-customers: acme"), "{answer}");
    assert_eq!([about("apollo", "acme").0, about("apolo", "acme").0, about("apollo", "other").0], [200, 403, 403]);
}

/// Without a verdict nothing passes, and at once; `away` is the answer.
fn fails_closed(site: &Site, server: Served, gateway: &Gateway, away: u16) {
    let (ended, _) = server.stop(Signal::SIGKILL);
    assert!(!ended.success());
    let began = Instant::now();
    assert_eq!(gateway.send("GET", "/invoices/7", &[("X-API-Key", &site.key)]).0, away, "no key is called invalid");
    assert_eq!(gateway.send("GET", "/invoices/7", &[]).0, away);
    assert_eq!(gateway.send("GET", "/public/7", &[]).0, away);
    // HAProxy's own client would try again for three seconds with each of them.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

/// What is refused says how it could be done: a limit when to come again, a missing key how to bring one.
fn refusals(site: &Site, gateway: &Gateway) {
    let limited = [("X-API-Key", site.wide.as_str())];
    let last = [(); 4].map(|()| gateway.send("GET", "/open", &limited));
    assert_eq!(last.each_ref().map(|(status, _)| *status), [200, 200, 200, 429]);
    let told = last[3].1.to_ascii_lowercase();
    for header in ["\r\nretry-after: ", "\r\nratelimit: \"key\";r=0;t=", "\r\nratelimit-policy: \"key\";q=3;w=3600"] {
        assert!(told.contains(header), "{header}: {told}");
    }
    let (status, answer) = gateway.send("GET", "/invoices/7", &[]);
    assert_eq!(status, 401);
    assert!(answer.to_ascii_lowercase().contains("\r\nwww-authenticate: bearer"), "{answer}");
}

/// A browser asks before it sends a key, and some paths are for everybody.
fn without_a_key(site: &Site, gateway: &Gateway) {
    let ask = |path, method| {
        gateway.send("OPTIONS", path, &[("Origin", "https://app.example"), ("Access-Control-Request-Method", method)]).0
    };
    assert_eq!(ask("/orders/7", "GET"), 200);
    assert_eq!(ask("/orders/7", "DELETE"), 401, "no route takes it");
    assert_eq!(ask("/invoices/7", "GET"), 401, "the route has no rule for preflights");
    assert_eq!(gateway.send("OPTIONS", "/orders/7", &[]).0, 401, "no preflight");
    assert_eq!(gateway.send("GET", "/orders/7", &[("Access-Control-Request-Method", "GET")]).0, 401);
    assert_eq!(gateway.send("GET", "/orders/7", &[("X-API-Key", &site.key)]).0, 200);
    let (status, answer) =
        gateway.send("GET", "/public/7", &[("X-API-Key", "nonsense"), ("X-Keyward-Key-Id", "forged")]);
    assert_eq!((status, answer.contains("forged")), (200, false), "{answer}");
    assert_eq!(gateway.send("POST", "/public/7", &[]).0, 401);
}

/// WebSockets pass with a key. An upgrade to h2c would carry requests that nobody judges.
fn upgrades(site: &Site, gateway: &Gateway) {
    let key = [("X-API-Key", site.key.as_str())];
    let (status, answer) = gateway.upgrade("websocket", &key);
    assert_eq!(status, 101, "{answer}");
    assert_eq!(gateway.upgrade("websocket", &[]).0, 401);
    for other in ["h2c", "h2c, websocket", "websocket, h2c"] {
        let (status, answer) = gateway.upgrade(other, &key);
        assert_ne!(status, 101, "{other}: {answer}");
        assert!(!answer.to_ascii_lowercase().contains("\r\nupgrade:"), "{other}: {answer}");
    }
}

fn all(start: fn(&Site, &Served) -> Option<Gateway>, away: u16) {
    let (site, server) = Site::new();
    let Some(gateway) = start(&site, &server) else { return };
    gateway_shapes::agree(&site, &gateway);
    gateway_identity::is_not_forged(&site, &gateway);
    without_a_key(&site, &gateway);
    upgrades(&site, &gateway);
    guards(&site, &gateway);
    refusals(&site, &gateway);
    fails_closed(&site, server, &gateway, away);
}

#[test]
fn nginx_lets_through_what_may_pass() {
    all(gateway::nginx, 503);
}

#[test]
fn caddy_lets_through_what_may_pass() {
    all(gateway::caddy, 503);
}

#[test]
fn traefik_lets_through_what_may_pass() {
    all(gateway::traefik, 500);
}

#[test]
fn envoy_lets_through_what_may_pass() {
    all(gateway::envoy, 503);
}

#[test]
fn haproxy_lets_through_what_may_pass() {
    all(gateway::haproxy, 503);
}
