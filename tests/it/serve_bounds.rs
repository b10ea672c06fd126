//! What the bounds of keys, operators and servers hold against: odd paths, unknown addresses, other environments, scopes that
//! come to mean more, and fields that nobody reads.

use crate::support::{
    Home,
    server::{Answer, Served, socket},
};
use serde_json::{Value, json};

fn operator(home: &Home, name: &str, args: &[&str]) -> String {
    format!("Bearer {}", home.ok(&[&["operators", "create", name][..], args].concat()))
}

fn send(server: &Served, bearer: &str, method: &str, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    server.send(method, path, &[("Authorization", bearer)], &body)
}

/// What was refused, newest last: the action and the actor.
fn refusals(home: &Home) -> Vec<(String, String)> {
    let trail = home.json(&["audit", "list", "--outcome", "refused"]);
    let word = |event: &Value, field: &str| event[field].as_str().unwrap().to_owned();
    trail["items"].as_array().unwrap().iter().map(|event| (word(event, "action"), word(event, "actor"))).collect()
}

const TABLE: &str = "
[[route]]
path = '/admin/**'
scopes = ['admin:all']
needs_project = false

[[route]]
path = '/**'
scopes = ['inv:read']
needs_project = false
";

#[test]
fn a_route_holds_however_its_path_is_written_and_is_no_business_of_outsiders() {
    let home = Home::with_vault();
    let key = home.ok(&["create", "k", "--scope", "inv:read"]);
    home.ok(&["scopes", "add", "admin:all"]);
    let routes = home.path().join("routes.toml");
    let status = |server: &Served, headers: &[(&str, &str)], path: &str| {
        let asked = [&[("X-Original-Method", "GET"), ("X-Original-URI", path)][..], headers].concat();
        server.get("/v1/authz", &asked).status
    };
    std::fs::write(&routes, TABLE).unwrap();
    let server = Served::start(&home, &["--routes", routes.to_str().unwrap()]);
    let mine = [("X-API-Key", key.as_str())];
    assert_eq!(status(&server, &mine, "/invoices/7"), 204);
    for path in ["/admin/users", "/%61dmin/users", "/adm%69n", "/admin", "/admin/", "/%61%64%6d%69%6e/x"] {
        assert_eq!(status(&server, &mine, path), 403, "{path}");
    }
    for path in ["/admin%20", "/admin%23", "/admin%3f/x", "/admin%3bx/y", "/x/%2e%2e/admin", "/admin%2Fx"] {
        assert_eq!(status(&server, &mine, path), 400, "{path}");
    }
    drop(server);

    std::fs::write(&routes, "[[route]]\npath = '/known'\nneeds_project = false\n").unwrap();
    let server = Served::start(&home, &["--routes", routes.to_str().unwrap()]);
    let paths = ["/known", "/unknown", "//odd"];
    assert_eq!(paths.map(|path| status(&server, &mine, path)), [204, 403, 400]);
    assert_eq!(paths.map(|path| status(&server, &[], path)), [401; 3]);
    assert_eq!(paths.map(|path| status(&server, &[("X-API-Key", "kw_no")], path)), [401; 3]);
}

#[test]
fn a_key_with_an_allowlist_needs_an_address() {
    let home = Home::with_vault();
    let key = home.ok(&["create", "k", "--env", "production", "--allow-ip", "10.0.0.0/8"]);
    let listen = format!("unix:{}", socket(&home).display());
    let server = Served::start_with(&home, &["serve", "--listen", &listen]);
    let asked = |path: &str, from: &[(&str, &str)]| {
        let headers = [&[("X-API-Key", key.as_str())][..], from].concat();
        server.send(if path == "/v1/validate" { "POST" } else { "GET" }, path, &headers, "").status
    };
    for path in ["/v1/authz", "/v1/validate", "/v1/projects"] {
        assert_eq!(asked(path, &[]), 403, "{path}: nobody said where it comes from");
        assert_eq!(asked(path, &[("X-Forwarded-For", "192.0.2.1")]), 403, "{path}");
        assert!(asked(path, &[("X-Forwarded-For", "10.1.2.3")]) < 300, "{path}");
    }
}

#[test]
fn a_server_of_one_environment_judges_for_no_other() {
    let home = Home::with_vault();
    let [staging, production] = ["staging", "production"].map(|env| home.ok(&["create", "k", "--env", env]));
    let service = operator(&home, "service", &["--role", "verifier"]);
    let server = Served::start(&home, &["--env", "production"]);
    let code = |body: Value| {
        let answer = send(&server, &service, "POST", "/v1/verify", &body);
        serde_json::from_str::<Value>(&answer.body).unwrap()["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(code(json!({ "key": production })), "VALID");
    assert_eq!(code(json!({ "key": staging })), "WRONG_ENVIRONMENT");
    assert_eq!(code(json!({ "key": staging, "environment": "staging" })), "USAGE");
    let routes = home.path().join("routes.toml");
    std::fs::write(&routes, "[[route]]\npath = '/a'\nenvironment = 'staging'\n").unwrap();
    let refused = home.run(&["serve", "--env", "production", "--routes", "routes.toml", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("staging"), "{refused:?}");
}

#[test]
fn a_ceiling_holds_for_the_ends_of_rotations_and_for_what_scopes_imply() {
    let home = Home::with_vault();
    home.ok(&["create", "wide", "--scope", "a:read", "--scope", "b:write"]);
    home.ok(&["rotate", "wide", "--deliver", "file:wide.key", "--stage"]);
    let issuer = operator(&home, "issuer", &["--role", "issuer", "--ceiling", "a:read"]);
    let admin = ["--role", "workspace-admin", "--bind", "default", "--ceiling", "a:read"];
    let admin = operator(&home, "admin", &admin);
    let server = Served::start(&home, &[]);
    for end in ["commit", "abort"] {
        let path = format!("/v1/rotations/wide/{end}");
        let refused = send(&server, &issuer, "POST", &path, &json!({ "force": true }));
        assert_eq!(refused.status, 403, "{end}: {refused:?}");
        assert!(refused.body.contains("ceiling"), "{refused:?}");
    }
    assert_eq!(home.json(&["rotation", "list"])["items"].as_array().unwrap().len(), 1, "it still runs");
    let add = |scope: &str, implies: Value| {
        let body = json!({ "changes": [{ "add": { "scope": scope, "implies": implies } }] });
        send(&server, &admin, "POST", "/v1/scopes", &body).status
    };
    assert_eq!(add("a:read", json!(["q:admin"])), 403);
    assert_eq!(add("c:read", json!([])), 200);
    let minted = send(&server, &admin, "POST", "/v1/keys", &json!({ "name": "up", "scopes": ["q:admin"] }));
    assert_eq!(minted.status, 403, "{minted:?}");
    let told = refusals(&home);
    assert_eq!(told.iter().filter(|(_, actor)| actor == "issuer").count(), 2, "{told:?}");
    assert_eq!(told.iter().filter(|(_, actor)| actor == "admin").count(), 2, "{told:?}");
}

#[test]
fn a_credential_that_is_no_good_any_more_or_here_is_recorded_once_in_a_while() {
    let home = Home::with_vault();
    let elsewhere = operator(&home, "elsewhere", &["--role", "auditor", "--allow-ip", "192.0.2.0/24"]);
    let gone = operator(&home, "gone", &["--role", "auditor"]);
    home.ok(&["operators", "revoke", "gone", "--yes"]);
    let server = Served::start(&home, &[]);
    for bearer in [&elsewhere, &gone, &elsewhere, &gone] {
        assert_eq!(send(&server, bearer, "GET", "/v1/keys", &Value::Null).status, 401);
    }
    let told: Vec<(String, String)> = ["elsewhere", "gone"].map(|who| ("operator.denied".into(), who.into())).into();
    assert_eq!(refusals(&home), told);
}

#[test]
fn what_a_plan_or_a_binding_forbids_is_recorded() {
    let home = Home::with_vault();
    home.ok(&["plans", "create", "blind", "--api-access", "true", "--audit-view", "false"]);
    home.ok(&["workspaces", "create", "dark", "--plan", "blind"]);
    let auditor = operator(&home, "auditor", &["--role", "auditor", "--bind", "dark"]);
    let server = Served::start(&home, &[]);
    assert_eq!(send(&server, &auditor, "GET", "/v1/audit", &Value::Null).status, 403);
    let review = json!({ "upto": 1, "note": "seen" });
    assert_eq!(send(&server, &auditor, "POST", "/v1/audit/review", &review).status, 403);
    let metrics = server.get("/metrics", &[("Authorization", auditor.as_str()), ("X-Forwarded-For", "192.0.2.1")]);
    assert_eq!(metrics.status, 403, "{metrics:?}");
    assert_eq!(refusals(&home), vec![("operator.denied".to_owned(), "auditor".to_owned()); 3]);
}

#[test]
fn things_beyond_a_binding_are_not_told() {
    let home = Home::with_vault();
    home.ok(&["workspaces", "create", "wa"]);
    let theirs = home.json(&["operators", "create", "theirs", "--role", "auditor"])["operator"]["id"].clone();
    let admin = operator(&home, "admin", &["--role", "workspace-admin", "--bind", "wa"]);
    let root = operator(&home, "root", &["--role", "platform-admin"]);
    home.ok(&["webhooks", "add", "hook", "https://hooks.example.com/x"]);
    let server = Served::start(&home, &[]);
    let body = json!({ "name": "theirs", "role": "auditor", "workspace": "wa" });
    let taken = send(&server, &admin, "POST", "/v1/operators", &body);
    assert_eq!(taken.status, 409, "{taken:?}");
    assert!(!taken.body.contains(theirs.as_str().unwrap()) && !taken.body.contains("rotate"), "{taken:?}");
    let own = json!({ "name": "hook", "url": "https://hooks.example.com/y" });
    assert_eq!(send(&server, &admin, "POST", "/v1/webhooks", &own).status, 201, "names are a workspace's own");
    let nowhere = [("Authorization", root.as_str()), ("Keyward-Workspace", "nope")];
    assert_eq!(server.send("POST", "/v1/webhooks", &nowhere, &own.to_string()).status, 404);
    assert_eq!(server.get("/v1/webhooks", &nowhere).status, 404);
    assert_eq!(home.run(&["--workspace", "nope", "webhooks", "add", "h", "https://hooks.example.com/z"]).code, Some(3));
}

#[test]
fn what_is_not_read_is_refused() {
    let home = Home::with_vault();
    home.ok(&["create", "k"]);
    let root = operator(&home, "root", &["--role", "platform-admin"]);
    let server = Served::start(&home, &[]);
    let status = |method: &str, path: &str, body: Value| send(&server, &root, method, path, &body).status;
    assert_eq!(status("POST", "/v1/plans", json!({ "name": "p", "api_acess": false })), 400);
    assert_eq!(status("POST", "/v1/plans", json!({ "name": "p", "api_access": false })), 201);
    assert_eq!(status("PATCH", "/v1/plans/p", json!({ "bogus": 1 })), 400);
    assert_eq!(status("PATCH", "/v1/plans/p", json!({ "name": "q" })), 400);
    for path in ["activate", "deactivate", "revoke"] {
        assert_eq!(status("POST", &format!("/v1/keys/k/{path}"), json!({ "reason": "leaked" })), 400, "{path}");
    }
    assert_eq!(home.json(&["show", "k"])["key"]["status"], "active");
    for name in [".", ".."] {
        assert_eq!(home.run(&["create", name]).code, Some(2), "{name}");
    }
}

#[test]
fn a_cursor_goes_on_in_its_own_list_alone() {
    let home = Home::with_vault();
    for name in ["a", "b", "c"] {
        home.ok(&["create", name, "--owner", "o"]);
    }
    let root = operator(&home, "root", &["--role", "platform-admin"]);
    let server = Served::start(&home, &[]);
    let page = send(&server, &root, "GET", "/v1/keys?limit=1", &Value::Null);
    let page: Value = serde_json::from_str(&page.body).unwrap();
    let next = page["page"]["next"].as_str().unwrap();
    let status = |query: &str| {
        send(&server, &root, "GET", &format!("/v1/keys?limit=1&cursor={next}{query}"), &Value::Null).status
    };
    assert_eq!((status(""), status("&owner=o"), status("&sort=name")), (200, 400, 400));
}
