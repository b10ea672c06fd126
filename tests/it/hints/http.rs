//! What programs are told over HTTP, where no command line comes to it: each is done as it was told.

use crate::support::{Home, server::Served};
use serde_json::{Value, json};

/// What is sent: as whom, the method, the path, headers, and the body.
type Request<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)], Value);

/// Sends what is refused with each hint, and what the hint says; answers with the hints, and with what is wrong.
pub(super) fn said() -> (Vec<String>, Vec<String>) {
    let home = Home::with_vault();
    let operator = |name: &str, more: &[&str]| {
        let line = [&["operators", "create", name, "--role"], more].concat();
        format!("Bearer {}", home.ok(&line))
    };
    let root = operator("root", &["platform-admin"]);
    let bound = operator("bound", &["auditor", "--bind", "default"]);
    let key = home.ok(&["create", "k"]);
    home.ok(&["create", "l"]);
    home.ok(&["rotate", "l", "--stage", "--deliver", "file:x"]);
    let id = home.json(&["show", "k"])["key"]["id"].as_str().unwrap().to_owned();
    let rotation = home.json(&["rotation", "show", "l"])["rotation"]["id"].as_str().unwrap().to_owned();
    home.write("routes.toml", "[[route]]\npath = '/open'\nneeds_project = false\n");
    let server = Served::start(&home, &["--routes", "routes.toml"]);
    let etag = server.get("/v1/keys/k", &[("Authorization", &root)]).header("etag").unwrap().to_owned();
    let next = server.get("/v1/keys?limit=1", &[("Authorization", &root)]).json()["page"]["next"].clone();
    let (pages, others) = ("/v1/keys?limit=1&cursor=", "/v1/keys?limit=1&owner=x&cursor=");
    let [page, other] = [pages, others].map(|path| format!("{path}{}", next.as_str().unwrap()));
    let abort = format!("/v1/rotations/{rotation}/abort");
    let asks = [("X-API-Key", key.as_str()), ("X-Original-Method", "GET"), ("X-Original-URI", "/open")];
    let forged = [asks[0], asks[1], asks[2], ("X-Keyward-Key-Id", "forged")];
    let none = Value::Null;
    let cases: [(&str, Request<'_>, Request<'_>); 7] = [
        (
            "leave the id out",
            (&root, "POST", "/v1/keys", &[], json!({ "name": "new", "id": id })),
            (&root, "POST", "/v1/keys", &[], json!({ "name": "new" })),
        ),
        (
            "the ETag of a GET of the key",
            (&root, "PATCH", "/v1/keys/k", &[("If-Match", "nonsense")], json!({ "owner": "x" })),
            (&root, "PATCH", "/v1/keys/k", &[("If-Match", &etag)], json!({ "owner": "x" })),
        ),
        (
            "a page is asked for with the filters of the page before, and by whom it was told",
            (&root, "GET", &other, &[], none.clone()),
            (&root, "GET", &page, &[], none.clone()),
        ),
        (
            "an operator that is bound to none",
            (&bound, "GET", "/metrics", &[("Host", "keys.example.com")], none.clone()),
            (&root, "GET", "/metrics", &[("Host", "keys.example.com")], none.clone()),
        ),
        (
            "the gateway must remove them: see docs/gateways.md",
            ("", "GET", "/v1/authz", &forged, none.clone()),
            ("", "GET", "/v1/authz", &asks, none.clone()),
        ),
        (
            "the gateway must name the method and the path: see docs/gateways.md",
            ("", "GET", "/v1/authz", &asks[..1], none.clone()),
            ("", "GET", "/v1/authz", &asks, none),
        ),
        (
            "--force  (keep the old secret)",
            (&root, "POST", &abort, &[], json!({})),
            (&root, "POST", &abort, &[], json!({ "force": true })),
        ),
    ];
    let send = |(bearer, method, path, headers, body): Request<'_>| {
        let authorization = [("Authorization", bearer)];
        let own = if bearer.is_empty() { &[][..] } else { &authorization };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        server.send(method, path, &[own, headers].concat(), &body)
    };
    let (mut said, mut wrong) = (Vec::new(), Vec::new());
    for (hint, refused, right) in cases {
        let refused = send(refused);
        let hints: Vec<String> = serde_json::from_value(refused.json()["hints"].clone()).unwrap_or_default();
        if refused.status < 400 || !hints.iter().any(|said| said.contains(hint)) {
            wrong.push(format!("over HTTP: '{hint}' is not said: {refused:?}"));
        }
        let done = send(right);
        if done.status >= 300 {
            wrong.push(format!("over HTTP: '{hint}' does not lead out: {done:?}"));
        }
        said.extend(hints);
    }
    (said, wrong)
}
