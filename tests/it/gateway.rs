//! `/v1/authz`, `/v1/validate` and `/v1/projects`: for gateways and for whoever holds a key.

use crate::support::{
    Home,
    server::{Answer, ROUTES, Served},
};
use std::path::PathBuf;

struct Site {
    home: Home,
    key: String,
    limited: String,
    routes: PathBuf,
}

impl Site {
    fn new() -> Self {
        let home = Home::new();
        home.ok(&["projects", "create", "apollo"]);
        home.ok(&["projects", "create", "gemini"]);
        let key =
            home.ok(&["create", "sync", "--env", "production", "--scope", "invoices:read", "--project", "apollo"]);
        let limited = home.ok(&["create", "limited", "--env", "production", "--rate-limit", "2/h"]);
        let routes = home.path().join("routes.toml");
        std::fs::write(&routes, ROUTES).unwrap();
        Self { home, key, limited, routes }
    }

    fn serve(&self, args: &[&str]) -> Served {
        let mut all = vec!["--routes", self.routes.to_str().unwrap()];
        all.extend(args);
        Served::start(&self.home, &all)
    }
}

fn gate(server: &Served, key: &str, method: &str, path: &str, more: &[(&str, &str)]) -> Answer {
    let mut headers = vec![("X-API-Key", key), ("X-Original-Method", method), ("X-Original-URI", path)];
    headers.extend(more);
    server.get("/v1/authz", &headers)
}

#[test]
fn the_route_table_decides_and_the_upstream_is_told_who_calls() {
    let site = Site::new();
    let server = site.serve(&[]);
    let allowed = gate(&server, &site.key, "GET", "/invoices/7?page=1", &[]);
    assert_eq!((allowed.status, allowed.body.as_str()), (204, ""), "{allowed:?}");
    assert_eq!(allowed.header("x-keyward-workspace"), Some("default"));
    assert_eq!(allowed.header("x-keyward-project"), Some("apollo"));
    assert_eq!(allowed.header("x-keyward-scopes"), Some("invoices:read"));
    assert!(allowed.header("x-keyward-key-id").unwrap().starts_with("key_"));
    let denied = gate(&server, &site.key, "POST", "/invoices/7", &[]);
    assert_eq!((denied.status, denied.json()["code"].as_str()), (403, Some("INSUFFICIENT_SCOPE")));
    assert!(denied.json()["detail"].as_str().unwrap().contains("invoices:write"), "{denied:?}");
    assert_eq!(gate(&server, &site.key, "GET", "/elsewhere", &[]).status, 403);
    assert_eq!(gate(&server, &site.key, "GET", "/invoices/../admin", &[]).status, 400);
    let other = gate(&server, &site.key, "GET", "/invoices/7", &[("X-Project-ID", "gemini")]);
    assert_eq!((other.status, other.json()["code"].as_str()), (403, Some("WRONG_PROJECT")));
    let wide = gate(&server, &site.limited, "GET", "/invoices/7", &[]);
    assert_eq!((wide.status, wide.json()["code"].as_str()), (400, Some("PROJECT_REQUIRED")));
    // Envoy sends the method and the path themselves, and takes 200 alone for a yes.
    assert_eq!(server.send("GET", "/v1/authz/invoices/7", &[("X-API-Key", &site.key)], "").status, 200);
    assert_eq!(server.send("POST", "/v1/authz/invoices/7", &[("X-API-Key", &site.key)], "").status, 403);
}

#[test]
fn a_caller_cannot_choose_the_route_it_is_judged_by() {
    let site = Site::new();
    let server = site.serve(&[]);
    let two = gate(&server, &site.key, "GET", "/invoices/7", &[("X-Forwarded-Uri", "/limited")]);
    assert_eq!(two.status, 400, "{two:?}");
    let twice = gate(&server, &site.key, "GET", "/invoices/7", &[("X-Original-URI", "/limited")]);
    assert_eq!(twice.status, 400, "{twice:?}");
    assert_eq!(server.get("/v1/authz", &[("X-API-Key", &site.key)]).status, 400);
}

#[test]
fn outsiders_get_one_answer_whatever_is_wrong() {
    let site = Site::new();
    for (name, action) in [("off", "deactivate"), ("cut", "revoke")] {
        site.home.ok(&["create", name, "--env", "production"]);
        site.home.ok(&[action, name, "--yes"]);
    }
    let off = site.home.ok(&["create", "off2", "--env", "production"]);
    site.home.ok(&["deactivate", "off2"]);
    let cut = site.home.ok(&["create", "cut2", "--env", "production"]);
    site.home.ok(&["revoke", "cut2", "--yes"]);
    let elsewhere = site.home.ok(&["create", "stg", "--env", "staging", "--scope", "invoices:read"]);
    let server = site.serve(&[]);
    let answers: Vec<_> = ["", "nonsense", &off, &cut, &elsewhere]
        .map(|key| gate(&server, key, "GET", "/invoices/7", &[("X-Project-ID", "apollo")]))
        .into_iter()
        .map(|answer| {
            let headers: Vec<_> = answer.headers.into_iter().filter(|(name, _)| name != "date").collect();
            (answer.status, answer.body, headers)
        })
        .collect();
    assert_eq!(answers[0].0, 401);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[test]
fn a_holder_asks_about_its_own_key() {
    let site = Site::new();
    let server = site.serve(&["--env", "production", "--key-parameter", "api_key"]);
    let bearer = format!("Bearer {}", site.key);
    let valid = server.send("POST", "/v1/validate", &[("Authorization", &bearer)], "");
    assert_eq!((valid.status, valid.json()["project"].as_str()), (200, Some("apollo")), "{valid:?}");
    let both = [("Authorization", bearer.as_str()), ("X-API-Key", site.limited.as_str())];
    assert_eq!(server.send("POST", "/v1/validate", &both, "").status, 401, "two different keys are none");
    let names = |key: &str| -> Vec<String> {
        let answer = server.get("/v1/projects", &[("X-API-Key", key)]).json();
        answer["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&site.key), ["apollo"]);
    assert_eq!(names(&site.limited), ["apollo", "gemini"]);
    let in_query = server.send("POST", &format!("/v1/validate?api_key={}", site.key), &[], "");
    assert_eq!(in_query.status, 200);
    let strict = Served::start(&site.home, &["--env", "staging"]);
    assert_eq!(strict.send("POST", "/v1/validate", &[("X-API-Key", &site.key)], "").status, 401);
    assert_eq!(strict.send("POST", &format!("/v1/validate?api_key={}", site.key), &[], "").status, 401);
}

#[test]
fn an_address_has_a_limit_of_its_own() {
    let site = Site::new();
    let server = site.serve(&["--address-limit", "3/m", "--trust-proxy", "127.0.0.1/32"]);
    let from = |ip: &str, key: &str| gate(&server, key, "GET", "/invoices/7", &[("X-Forwarded-For", ip)]).status;
    for _ in 0..3 {
        assert_eq!(from("192.0.2.1", "kw_guess"), 401);
    }
    let refused = gate(&server, &site.key, "GET", "/invoices/7", &[("X-Forwarded-For", "192.0.2.1")]);
    let policy = refused.headers.iter().find(|(name, _)| name == "ratelimit-policy").map(|(_, value)| value.as_str());
    assert_eq!((refused.status, policy), (429, Some("\"address\";q=3;w=60")));
    assert_eq!(from("192.0.2.2", &site.key), 204);
    assert_eq!(from("10.0.0.1, nonsense", &site.key), 400, "fails closed");
    assert_eq!(["2001:db8::1", "2001:db8::2", "2001:db8::3"].map(|ip| from(ip, &site.key)), [204; 3]);
    assert_eq!(from("2001:db8::4", &site.key), 429);
}
