//! The management of keys over HTTP: roles, bounds, versions, pages, and problems with the codes of the command line.

use crate::support::{
    Home,
    server::{Answer, Served},
};
use serde_json::{Value, json};

struct Api {
    home: Home,
    server: Served,
}

impl Api {
    fn new() -> Self {
        let home = Home::with_vault();
        home.ok(&["operators", "create", "first", "--role", "platform-admin"]);
        let server = Served::start(&home, &[]);
        Self { home, server }
    }

    fn operator(&self, name: &str, args: &[&str]) -> String {
        let mut all = vec!["operators", "create", name, "--role"];
        all.extend(args);
        let bearer = format!("Bearer {}", self.home.ok(&all));
        // Made by another process: it works at once.
        assert_eq!(self.server.get("/v1/whoami", &[("Authorization", &bearer)]).status, 200);
        bearer
    }

    fn call(&self, bearer: &str, method: &str, path: &str, more: &[(&str, &str)], body: &Value) -> Answer {
        let mut headers = vec![("Authorization", bearer)];
        headers.extend(more);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.server.send(method, path, &headers, &body)
    }
}

fn code(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    answer.json()["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_key_lives_its_whole_life_over_http() {
    let api = Api::new();
    let root = api.operator("root", &["platform-admin"]);
    let call = |method, path: &str, body| api.call(&root, method, path, &[], &body);
    let made = call("POST", "/v1/keys", json!({ "name": "sync", "environment": "production", "scopes": ["a:read"] }));
    assert_eq!((made.status, made.header("cache-control")), (201, Some("no-store")), "{made:?}");
    let (id, secret) = (made.json()["key"]["id"].as_str().unwrap().to_owned(), made.json()["secret"].clone());
    assert_eq!(made.header("location"), Some(format!("/v1/keys/{id}").as_str()));
    assert_eq!(made.json()["key"]["created_by"], "root");
    assert_eq!(api.home.verdict(secret.as_str().unwrap(), &[]).0["code"], "VALID");
    let again = call("POST", "/v1/keys", json!({ "name": "sync", "environment": "production" }));
    assert_eq!((again.status, code(&again).as_str()), (409, "CONFLICT"));

    let shown = call("GET", &format!("/v1/keys/{id}"), Value::Null);
    let etag = shown.header("etag").unwrap().to_owned();
    let patch = json!({ "owner": "ops@example.com", "add_scopes": ["b:read"], "rate_limit": null });
    let updated = api.call(&root, "PATCH", "/v1/keys/sync", &[("If-Match", &etag)], &patch);
    assert_eq!(updated.status, 200, "{updated:?}");
    assert_eq!(
        (updated.json()["key"]["rate_limit"].clone(), updated.json()["key"]["owner"].clone()),
        (Value::Null, json!("ops@example.com"))
    );
    for (method, path) in [("PATCH", "/v1/keys/sync"), ("POST", "/v1/keys/sync/revoke"), ("DELETE", "/v1/keys/sync")] {
        let stale = api.call(&root, method, path, &[("If-Match", &etag)], &json!({}));
        assert_eq!((stale.status, stale.json()["reason"].as_str()), (412, Some("version_changed")), "{method} {path}");
        assert_eq!(code(&stale), "CONFLICT");
    }
    let dry = api.call(&root, "DELETE", "/v1/keys/sync", &[("Keyward-Dry-Run", "true")], &Value::Null);
    assert_eq!(dry.status, 200);
    let unclear = api.call(&root, "DELETE", "/v1/keys/sync", &[("Keyward-Dry-Run", "yes")], &Value::Null);
    assert_eq!((unclear.status, code(&unclear).as_str()), (400, "USAGE"), "no leave to delete");
    assert_eq!(call("POST", "/v1/keys/sync/revoke", Value::Null).json()["changed"], true);
    assert_eq!(call("DELETE", "/v1/keys/sync?environment=production", Value::Null).status, 200);
    assert_eq!(code(&call("GET", "/v1/keys/sync", Value::Null)), "NOT_FOUND");
    api.home.ok(&["audit", "verify"]);
}

#[test]
fn what_is_wrong_in_a_request_is_refused_as_everywhere() {
    let api = Api::new();
    let root = api.operator("root", &["platform-admin"]);
    for body in [
        json!({}),
        json!({ "name": "key_x" }),
        json!({ "name": "a", "expires_at": "2030-01-01" }),
        json!({ "name": "a", "scopes": ["everything"] }),
        json!({ "name": "a", "rate_limit": { "limit": 0, "window_seconds": 1 } }),
        json!({ "name": "a", "rotate_every": -5 }),
        json!({ "name": "a", "allow_ips": ["10.1.2.3/8"] }),
        json!({ "name": "a", "environment": "nowhere" }),
        json!({ "name": "a\u{7}" }),
        json!([]),
    ] {
        let answer = api.call(&root, "POST", "/v1/keys", &[], &body);
        assert_eq!((answer.status, code(&answer).as_str()), (400, "USAGE"), "{body}");
    }
    for path in
        ["/v1/keys?limit=0", "/v1/keys?nonsense=1", "/v1/keys?status=odd", "/v1/keys?cursor=x", "/v1/keys/key_1"]
    {
        assert_eq!(code(&api.call(&root, "GET", path, &[], &Value::Null)), "USAGE", "{path}");
    }
    let many = json!({ "keys": [{ "name": "one" }, { "name": "two", "project": "nowhere" }] });
    let refused = api.call(&root, "POST", "/v1/keys/bulk", &[], &many);
    assert_eq!((refused.status, refused.json()["entries"][0]["index"].clone()), (422, json!(1)), "{refused:?}");
    assert_eq!(api.home.json(&["list"])["page"]["total"], 0, "all or nothing");
}

#[test]
fn a_list_comes_in_pages() {
    let api = Api::new();
    let root = api.operator("root", &["platform-admin"]);
    let keys: Vec<Value> =
        (0..25).map(|number| json!({ "name": format!("key {number:02}"), "labels": { "team": "a b" } })).collect();
    let made = api.call(&root, "POST", "/v1/keys/bulk", &[], &json!({ "keys": keys }));
    assert_eq!(made.status, 201, "{made:?}");
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/keys?sort=name&limit=10&label=team%3Da+b{cursor}");
        let page = api.call(&root, "GET", &path, &[], &Value::Null).json();
        names.extend(page["items"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()));
        assert_eq!(page["page"]["total"], 25);
        match page["page"]["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let expected: Vec<String> = (0..25).map(|number| format!("key {number:02}")).collect();
    assert_eq!(names, expected);
}

#[test]
fn pages_show_keys_as_they_are_and_a_cursor_outlives_its_server() {
    let api = Api::new();
    let root = api.operator("root", &["platform-admin"]);
    let keys: Vec<Value> = (0..9).map(|number| json!({ "name": format!("key-{number}") })).collect();
    assert_eq!(api.call(&root, "POST", "/v1/keys/bulk", &[], &json!({ "keys": keys })).status, 201);
    let page = |server: &Served, cursor: &str| {
        let cursor = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
        let answer = server.get(&format!("/v1/keys?sort=name&limit=3{cursor}"), &[("Authorization", &root)]);
        assert_eq!(answer.status, 200, "{answer:?}");
        let page = answer.json();
        let names: Vec<String> =
            page["items"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect();
        (names, page["page"]["next"].as_str().unwrap_or_default().to_owned(), page)
    };
    let (names, second, _) = page(&api.server, "");
    assert_eq!(names, ["key-0", "key-1", "key-2"]);
    // By the time of the next page one is gone, one is revoked and so not listed any more, and one is renamed.
    api.home.ok(&["delete", "key-3", "--confirm", "key-3"]);
    api.home.ok(&["revoke", "key-4"]);
    api.home.ok(&["update", "key-5", "--owner", "somebody"]);
    let (names, third, told) = page(&api.server, &second);
    assert_eq!(names, ["key-5"]);
    assert_eq!(told["items"][0]["owner"], "somebody");
    // A server that knows nothing of the list goes on after the same key.
    let again = Served::start(&api.home, &[]);
    assert_eq!(page(&again, &third).0, ["key-6", "key-7", "key-8"]);
    assert_eq!(page(&api.server, &third).0, ["key-6", "key-7", "key-8"]);
    // A cursor is of the list that it was given for.
    let other = api.server.get(&format!("/v1/keys?sort=-name&limit=9&cursor={second}"), &[("Authorization", &root)]);
    assert_eq!(other.status, 400, "{other:?}");
}

#[test]
fn nobody_mints_beyond_the_own_ceiling() {
    let api = Api::new();
    api.home.ok(&["create", "wide", "--scope", "invoices:write"]);
    let issuer = api.operator("issuer", &["issuer", "--ceiling", "invoices:read", "--bind", "default"]);
    let create =
        |scopes: Value| api.call(&issuer, "POST", "/v1/keys", &[], &json!({ "name": "mine", "scopes": scopes }));
    let beyond = create(json!(["invoices:read", "invoices:write"]));
    assert_eq!((beyond.status, beyond.json()["reason"].as_str()), (403, Some("ceiling")));
    assert!(beyond.json()["detail"].as_str().unwrap().contains("invoices:write"));
    assert_eq!(create(json!(["invoices:*"])).status, 403);
    assert_eq!(create(json!(["invoices:read"])).status, 201);
    assert_eq!(code(&api.call(&issuer, "GET", "/v1/keys", &[], &Value::Null)), "FORBIDDEN");
    assert_eq!(
        code(&api.call(&issuer, "POST", "/v1/operators", &[], &json!({ "name": "x", "role": "issuer" }))),
        "FORBIDDEN"
    );

    let admin = api.operator("admin", &["workspace-admin", "--bind", "default", "--ceiling", "invoices:*"]);
    let appoint = |body: Value| api.call(&admin, "POST", "/v1/operators", &[], &body);
    for wider in [
        json!({ "name": "a", "role": "platform-admin" }),
        json!({ "name": "b", "role": "issuer", "workspace": null, "ceiling": ["invoices:read"] }),
        json!({ "name": "c", "role": "issuer", "workspace": "default" }),
        json!({ "name": "d", "role": "issuer", "workspace": "default", "ceiling": ["*"] }),
    ] {
        assert_eq!(appoint(wider.clone()).status, 403, "{wider}");
    }
    let narrower = json!({ "name": "e", "role": "issuer", "workspace": "default", "ceiling": ["invoices:read"] });
    assert_eq!(appoint(narrower).status, 201);
    assert_eq!(api.call(&admin, "POST", "/v1/operators/first/rotate", &[], &Value::Null).status, 404, "unknown to it");
    assert_eq!(api.call(&admin, "POST", "/v1/workspaces", &[], &json!({ "name": "more" })).status, 403);
}

#[test]
fn a_request_has_an_id_and_the_log_has_no_secret() {
    let api = Api::new();
    let root = api.operator("root", &["platform-admin"]);
    let given = api.call(&root, "GET", "/v1/keys", &[("X-Request-Id", "deploy-7")], &Value::Null);
    assert_eq!(given.header("x-request-id"), Some("deploy-7"));
    let odd = api.call(&root, "GET", "/v1/keys?name=pasted-secret", &[("X-Request-Id", "a b")], &Value::Null);
    assert_eq!(odd.header("x-request-id").unwrap().len(), 20);
    let made = api.call(&root, "POST", "/v1/keys", &[], &json!({ "name": "sync" }));
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    let (_, log) = api.server.stop(nix::sys::signal::Signal::SIGTERM);
    assert!(log.contains("\"request_id\":\"deploy-7\""), "{log}");
    assert!(!log.contains("pasted-secret") && !log.contains(&secret) && !log.contains("kwop_"), "{log}");
}
