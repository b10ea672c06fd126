//! `/v1/authz`, `/v1/validate` and `/v1/projects`: for gateways and for whoever holds a key.

use crate::support::{
    Home, outsider,
    server::{Answer, ROUTES, Served},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use std::path::PathBuf;

struct Site {
    home: Home,
    key: String,
    limited: String,
    routes: PathBuf,
}

impl Site {
    fn new() -> Self {
        let home = Home::with_vault();
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
    for method in ["POST", "GET"] {
        let sent = |body: &str| server.send(method, "/v1/validate", &[("Authorization", &bearer)], body);
        let refused = sent(r#"{"project":"gemini"}"#);
        assert_eq!((refused.status, refused.json()["code"].as_str()), (400, Some("USAGE")), "{refused:?}");
        assert!(refused.body.contains("takes no body"), "a body that would be ignored: {refused:?}");
        assert_eq!(sent("{}").status, 200, "what clients send who have nothing to say");
    }
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

#[test]
fn a_path_that_programs_read_differently_is_refused() {
    let site = Site::new();
    let server = site.serve(&[]);
    for path in [
        "/invoices/x#/../../admin",
        "/invoices/x?a#b",
        "/invoices/x /../../admin",
        "/invoices/x;y",
        "/invoices/%00",
        "/invoices/..%c0%afadmin",
        "/invoices/..%ef%bc%8fadmin",
        "/invoices/x.",
        "//invoices/x",
        "http://api.example.com/invoices/x",
    ] {
        let answer = gate(&server, &site.key, "GET", path, &[]);
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("path"), "{answer:?}");
    }
    assert_eq!(gate(&server, "nonsense", "GET", "/invoices/x#", &[]).status, 401, "no business of outsiders");
    assert_eq!(gate(&server, "", "GET", "/invoices/x#", &[]).status, 401, "nor of who brings none");
}

#[test]
fn a_caller_brings_no_word_of_its_own_about_who_it_is() {
    let site = Site::new();
    let server = site.serve(&[]);
    for name in ["X-Keyward-Key-Id", "x_keyward_project", "X-Keyward-Other", "X.Keyward.Scopes", "X-Keyward"] {
        let answer = gate(&server, &site.key, "GET", "/invoices/7", &[(name, "forged")]);
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
        assert_eq!(server.get("/v1/authz/invoices/7", &[("X-API-Key", &site.key), (name, "forged")]).status, 400);
        assert_eq!(gate(&server, "nonsense", "GET", "/invoices/7", &[(name, "forged")]).status, 401);
    }
    for name in ["X-Keywarden", "Keyward-Workspace", "XX-Keyward-Id"] {
        assert_eq!(gate(&server, &site.key, "GET", "/invoices/7", &[(name, "x")]).status, 204, "{name}");
    }
}

#[test]
fn an_address_is_taken_as_proxies_write_it() {
    let site = Site::new();
    let key = site.home.ok(&["create", "here", "--allow-ip", "203.0.113.0/24", "--allow-ip", "2001:db8::/32"]);
    let server = site.serve(&["--trust-proxy", "127.0.0.1/32"]);
    let from =
        |ip: &str| server.send("POST", "/v1/validate", &[("X-API-Key", &key), ("X-Forwarded-For", ip)], "").status;
    for ip in ["203.0.113.9", "203.0.113.9:51234", "[2001:db8::1]:51234", "[2001:db8::1]", "unknown, 203.0.113.9"] {
        assert_eq!(from(ip), 200, "{ip}");
    }
    assert_eq!(from("198.51.100.1:51234"), 403);
    assert_eq!(from("203.0.113.9, 198.51.100.1"), 403, "what a caller says of itself");
    for ip in ["unknown", "_hidden", "203.0.113.9, unknown", "203.0.113.9:http", "203.0.113.9:99999"] {
        assert_eq!(from(ip), 400, "{ip} fails closed");
    }
}

#[test]
fn what_is_public_and_a_preflight_need_no_key() {
    let site = Site::new();
    let table = "[[route]]\nmethods = ['GET']\npath = '/public/**'\npublic = true\n\n\
                 [[route]]\npath = '/orders/**'\nmethods = ['GET', 'POST']\nscopes = ['orders:read']\npreflight = true\n";
    std::fs::write(&site.routes, table).unwrap();
    let server = site.serve(&["--address-limit", "5/m", "--trust-proxy", "127.0.0.1/32"]);
    let from = |ip: &str, method: &str, path: &str, more: &[(&str, &str)]| {
        let headers = [("X-Forwarded-For", ip), ("X-Original-Method", method), ("X-Original-URI", path)];
        server.get("/v1/authz", &[&headers, more].concat())
    };
    let ask = |path, method| from("192.0.2.1", "OPTIONS", path, &[("Access-Control-Request-Method", method)]).status;
    assert_eq!(ask("/orders/7", "POST"), 204);
    assert_eq!(ask("/orders/7", "DELETE"), 401);
    let open = from("192.0.2.2", "GET", "/public/7", &[]);
    assert_eq!(open.status, 204);
    assert!(!open.headers.iter().any(|(name, _)| name.starts_with("x-keyward")), "nobody was asked: {open:?}");
    assert_eq!(from("192.0.2.2", "GET", "/public/../orders/7", &[]).status, 401);
    assert_eq!(server.get("/v1/authz/public/7", &[]).status, 200, "as Envoy asks");
    let options = [("Access-Control-Request-Method", "POST")];
    assert_eq!(server.send("OPTIONS", "/v1/authz/orders/7", &options, "").status, 200);
    // The limit of an address is asked all the same.
    let last: Vec<u16> = (0..6).map(|_| from("192.0.2.3", "GET", "/public/7", &[]).status).collect();
    assert_eq!(last, [204, 204, 204, 204, 204, 429]);
}

#[test]
fn upstreams_tell_names_apart_and_get_no_more_than_fits() {
    let site = Site::new();
    let scopes: Vec<String> = (0..1_000).map(|at| format!("resource-number-{at}-of-many:read")).collect();
    let project_of = |project: &str, name: &str| {
        site.home.ok(&["projects", "create", project]);
        site.home.ok(&["create", name, "--project", project, "--env", "production", "--scope", "invoices:read"])
    };
    let (encoded, plain) = (project_of("%C3%9Cx", "a"), project_of("\u{dc}x", "b"));
    let many = ["create", "many", "--project", "apollo", "--env", "production", "--scope", "invoices:read"];
    let many: Vec<&str> = many.into_iter().chain(scopes.iter().flat_map(|scope| ["--scope", scope])).collect();
    let many = site.home.ok(&many);
    let server = site.serve(&[]);
    let told = |key: &str, header: &str| {
        let answer = gate(&server, key, "GET", "/invoices/7", &[]);
        assert_eq!(answer.status, 204, "{answer:?}");
        answer.header(header).map(str::to_owned)
    };
    assert_eq!(told(&plain, "x-keyward-project").as_deref(), Some("%C3%9Cx"));
    assert_eq!(told(&encoded, "x-keyward-project").as_deref(), Some("%25C3%259Cx"));
    let listed = told(&many, "x-keyward-scopes").unwrap();
    assert!(listed.len() <= 2_048 && listed.split(' ').all(|scope| scope.ends_with(":read")), "{listed}");
    assert_eq!(told(&many, "x-keyward-cut-short").as_deref(), Some("x-keyward-scopes"));
    assert_eq!(told(&plain, "x-keyward-cut-short"), None);
}

#[test]
fn an_upstream_checks_who_calls_with_the_public_key_alone() {
    let site = Site::new();
    let server = site.serve(&["--assert"]);
    let keys = server.get("/.well-known/jwks.json", &[]).json();
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    let json = |text: &str| -> Value { serde_json::from_slice(&decode(text)).unwrap() };
    let public = decode(keys["keys"][0]["x"].as_str().unwrap());
    let answer = gate(&server, &site.key, "GET", "/invoices/7?page=1", &[]);
    let assertion = answer.header("x-keyward-assertion").unwrap();
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    assert!(outsider::signature_holds(signed.as_bytes(), &decode(signature), &public));
    assert!(!outsider::signature_holds(format!("{signed}x").as_bytes(), &decode(signature), &public));
    let (head, claims) = signed.split_once('.').map(|(head, claims)| (json(head), json(claims))).unwrap();
    assert_eq!(head["alg"], "EdDSA");
    assert_eq!(head["kid"], keys["keys"][0]["kid"]);
    for (claim, header) in [
        ("key_id", "x-keyward-key-id"),
        ("sub", "x-keyward-key-id"),
        ("workspace", "x-keyward-workspace"),
        ("environment", "x-keyward-environment"),
        ("project", "x-keyward-project"),
        ("scopes", "x-keyward-scopes"),
    ] {
        assert_eq!(claims[claim].as_str(), answer.header(header), "{claim}");
    }
    assert_eq!((claims["iss"].as_str(), claims["method"].as_str()), (Some("keyward"), Some("GET")));
    assert_eq!(claims["path"], "/invoices/7");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    // Another server of the vault signs with the same key, and none without being told to.
    let other = site.serve(&[]);
    assert_eq!(other.get("/.well-known/jwks.json", &[]).json(), keys);
    assert_eq!(gate(&other, &site.key, "GET", "/invoices/7", &[]).header("x-keyward-assertion"), None);
}
