//! `serve` as its clients see it: real processes, ports of their own.

use crate::support::{
    Home,
    server::{Answer, Served, socket},
};
use nix::sys::signal::Signal;
use serde_json::json;
use std::time::{Duration, Instant};

fn create(home: &Home, name: &str, args: &[&str]) -> String {
    let mut all = vec!["create", name];
    all.extend(args);
    home.ok(&all)
}

/// The header of a new operator.
fn operator(home: &Home, name: &str, role: &str, args: &[&str]) -> String {
    let mut all = vec!["operators", "create", name, "--role", role];
    all.extend(args);
    format!("Bearer {}", home.ok(&all))
}

/// A server with a gateway that may ask for verdicts.
struct Gateway {
    server: Served,
    bearer: String,
}

impl Gateway {
    fn start(home: &Home, args: &[&str]) -> Self {
        let bearer = operator(home, "gateway", "verifier", &[]);
        Self { server: Served::start(home, args), bearer }
    }

    fn ask(&self, body: &serde_json::Value) -> Answer {
        self.server.send("POST", "/v1/verify", &[("Authorization", &self.bearer)], &body.to_string())
    }
}

fn code(server: &Gateway, body: serde_json::Value) -> String {
    let answer = server.ask(&body);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["code"].as_str().unwrap().to_owned()
}

/// Asks until the verdict is as expected; answers with how long that took.
fn until(server: &Gateway, key: &str, expected: &str) -> Duration {
    let began = Instant::now();
    while code(server, json!({ "key": key, "cost": 0 })) != expected {
        assert!(began.elapsed() < Duration::from_secs(20), "still not {expected}");
        std::thread::yield_now();
    }
    began.elapsed()
}

#[test]
fn verdicts_have_the_codes_of_the_command_line() {
    let home = Home::with_vault();
    let key = create(&home, "sync", &["--env", "production", "--scope", "invoices:read", "--allow-ip", "192.0.2.0/24"]);
    let server = Gateway::start(&home, &[]);
    assert_eq!((server.server.get("/healthz", &[]).status, server.server.get("/readyz", &[]).status), (200, 200));
    for (asked, expected) in [
        (json!({}), "VALID"),
        (json!({ "environment": "production", "scopes": ["invoices:read"], "ip": "192.0.2.7" }), "VALID"),
        (json!({ "environment": "staging" }), "WRONG_ENVIRONMENT"),
        (json!({ "scopes": ["invoices:write"] }), "INSUFFICIENT_SCOPE"),
        (json!({ "ip": "198.51.100.1" }), "IP_NOT_ALLOWED"),
    ] {
        let mut body = asked;
        body["key"] = json!(key);
        assert_eq!(code(&server, body), expected);
    }
    let damaged = key.replace("kw_prod_", "kw_stg_");
    assert_eq!(code(&server, json!({ "key": damaged })), "MALFORMED");
    let explained = server.ask(&json!({ "key": key, "explain": true })).json();
    assert_eq!(explained["schema"], "keyward.verdict/v1");
    assert!(explained["checks"].as_array().unwrap().len() > 5);
}

#[test]
fn what_another_process_changes_is_heeded() {
    let home = Home::with_vault();
    let key = create(&home, "sync", &[]);
    let server = Gateway::start(&home, &[]);
    assert_eq!(code(&server, json!({ "key": key })), "VALID");
    home.ok(&["deactivate", "sync"]);
    until(&server, &key, "INACTIVE");
    home.ok(&["activate", "sync"]);
    until(&server, &key, "VALID");
    let second = create(&home, "late", &[]);
    until(&server, &second, "VALID");
    home.ok(&["revoke", "sync", "--yes"]);
    until(&server, &key, "REVOKED");
    home.ok(&["delete", "sync", "--confirm", "sync", "--yes"]);
    until(&server, &key, "UNKNOWN");
}

#[test]
fn a_limit_is_told_in_headers_and_holds() {
    let home = Home::with_vault();
    let key = create(&home, "sync", &["--rate-limit", "2/h"]);
    let server = Gateway::start(&home, &[]);
    let ask = || server.ask(&json!({ "key": key }));
    let first = ask();
    assert_eq!(first.header("ratelimit-policy"), Some("\"key\";q=2;w=3600"));
    assert_eq!(first.header("ratelimit"), Some("\"key\";r=1;t=3600"));
    assert_eq!(ask().json()["code"], "VALID");
    let denied = ask();
    assert_eq!(denied.json()["code"], "RATE_LIMITED");
    assert_eq!(denied.json()["http_status"], 429);
    let wait: u32 = denied.header("retry-after").unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&wait), "{wait}");
}

#[test]
fn a_stop_ends_well_and_frees_the_socket() {
    let home = Home::with_vault();
    create(&home, "sync", &[]);
    let path = socket(&home);
    let listen = format!("unix:{}", path.display());
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let server = Served::start_with(&home, &["serve", "--listen", &listen]);
        assert_eq!(server.get("/healthz", &[]).body, "ok\n");
        let (status, said) = server.stop(signal);
        assert!(status.success(), "{status:?}: {said}");
        assert!(!path.exists());
    }
}

#[test]
fn who_may_open_a_socket_is_said() {
    let home = Home::new();
    create(&home, "sync", &[]);
    let path = socket(&home);
    let listen = format!("unix:{}", path.display());
    for (args, mode) in [(&[][..], 0o660), (&["--socket-mode", "666"], 0o666), (&["--socket-mode", "0600"], 0o600)] {
        let server = Served::start_with(&home, &[&["serve", "--listen", &listen], args].concat());
        let found = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
        assert_eq!(found & 0o777, mode);
        assert_eq!(server.get("/healthz", &[]).status, 200);
    }
    for wrong in ["777", "066", "8", "rw", "1666"] {
        assert_eq!(home.run(&["serve", "--listen", &listen, "--socket-mode", wrong]).code, Some(2), "{wrong}");
    }
}

#[test]
fn plain_http_beyond_this_machine_is_refused() {
    let home = Home::with_vault();
    create(&home, "sync", &[]);
    let refused = home.run(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.stderr.contains("--insecure-http"), "{refused:?}");
    let server = Served::start_with(&home, &["serve", "--listen", "0.0.0.0:0", "--insecure-http"]);
    assert!(server.url.starts_with("http://0.0.0.0:"));
}

#[test]
fn what_is_not_http_gets_an_answer_or_is_cut_off() {
    let home = Home::with_vault();
    create(&home, "sync", &[]);
    let gateway = Gateway::start(&home, &[]);
    let server = &gateway.server;
    let status = |answer: &str| answer.split(' ').nth(1).map(str::to_owned);
    assert_eq!(status(&server.raw(b"GARBAGE\r\n\r\n")).as_deref(), Some("400"));
    let huge = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "a".repeat(200_000));
    assert_eq!(status(&server.raw(huge.as_bytes())).as_deref(), Some("431"));
    let many: String = (0..500).map(|number| format!("X-{number}: 1\r\n")).collect();
    let many = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    assert_eq!(status(&server.raw(many.as_bytes())).as_deref(), Some("431"));
    let both = b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let answers = server.raw(both);
    assert!(!answers.contains("200 OK"), "a request was smuggled: {answers}");
    let bearer = [("Authorization", gateway.bearer.as_str())];
    assert_eq!(server.send("POST", "/v1/verify", &bearer, &"x".repeat(3_000_000)).status, 413);
    let secret = format!("{{\"key\": \"{}\", \"nonsense\": 1}}", create(&home, "other", &[]));
    let answer = server.send("POST", "/v1/verify", &bearer, &secret);
    assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/problem+json")));
    assert!(!answer.body.contains("kw_dev"), "{answer:?}");
    assert_eq!(server.get("/healthz", &[]).status, 200);
}

#[test]
fn operators_do_what_their_role_allows_and_refusals_are_recorded() {
    let home = Home::with_vault();
    let key = create(&home, "sync", &[]);
    let (revoker, support) = (operator(&home, "oncall", "revoker", &[]), operator(&home, "desk", "support", &[]));
    let gateway = Gateway::start(&home, &[]);
    let post = |bearer: &str, path: &str| gateway.server.send("POST", path, &[("Authorization", bearer)], "");
    let refused = post(&support, "/v1/keys/sync/revoke");
    assert_eq!((refused.status, refused.json()["code"].as_str()), (403, Some("FORBIDDEN")));
    assert!(refused.json()["detail"].as_str().unwrap().contains("support"));
    assert_eq!(post(&revoker, "/v1/keys/sync/activate").status, 403);
    assert_eq!(
        gateway
            .server
            .send("POST", "/v1/verify", &[("Authorization", &revoker)], &json!({"key": key}).to_string())
            .status,
        403
    );
    assert_eq!(code(&gateway, json!({ "key": key })), "VALID");
    // In force when it is answered, not a poll later.
    assert_eq!(post(&revoker, "/v1/keys/sync/revoke").json()["key"]["status"], "revoked");
    assert_eq!(code(&gateway, json!({ "key": key })), "REVOKED");
    let trail = home.json(&["audit", "list"]);
    let refusals: Vec<_> =
        trail["items"].as_array().unwrap().iter().filter(|event| event["outcome"] == "refused").collect();
    assert_eq!(refusals.len(), 3, "{refusals:?}");
    assert!(refusals.iter().all(|event| event["changes"]["role"].is_string()), "{refusals:?}");
    assert_eq!(refusals[0]["actor"], "desk");
    home.ok(&["audit", "verify"]);
}

#[test]
fn a_credential_that_does_not_work_is_one_answer() {
    let home = Home::with_vault();
    let old = operator(&home, "old", "support", &[]);
    let elsewhere = operator(&home, "elsewhere", "support", &["--allow-ip", "192.0.2.0/24"]);
    let gone = operator(&home, "gone", "support", &[]);
    home.ok(&["operators", "rotate", "old"]);
    home.ok(&["operators", "revoke", "gone", "--yes"]);
    let key = format!("Bearer {}", create(&home, "sync", &[]));
    let server = Served::start(&home, &["--trust-proxy", "127.0.0.0/8"]);
    let answers: Vec<String> = [&old, &elsewhere, &gone, &key]
        .map(|bearer| server.get("/v1/whoami", &[("Authorization", bearer)]))
        .into_iter()
        .map(|answer| {
            assert_eq!(answer.status, 401);
            answer.body
        })
        .collect();
    assert!(answers.iter().all(|body| *body == answers[0]), "{answers:?}");
    let through = [("Authorization", elsewhere.as_str()), ("X-Forwarded-For", "192.0.2.9")];
    assert_eq!(server.get("/v1/whoami", &through).json()["address"], "192.0.2.9");
}

#[test]
fn an_operator_is_bound_to_its_workspace_and_its_ceiling() {
    let home = Home::with_vault();
    home.ok(&["workspaces", "create", "acme"]);
    let theirs = create(&home, "theirs", &["--workspace", "acme"]);
    let bound = operator(&home, "acme-gate", "verifier", &["--bind", "default"]);
    let admin = operator(&home, "acme-admin", "workspace-admin", &["--bind", "acme"]);
    let server = Served::start(&home, &[]);
    let asked = server.send("POST", "/v1/verify", &[("Authorization", &bound)], &json!({ "key": theirs }).to_string());
    assert_eq!(asked.json()["code"], "UNKNOWN", "a key of another workspace is as good as none");
    let there = [("Authorization", admin.as_str()), ("Keyward-Workspace", "default")];
    let beyond = server.send("POST", "/v1/keys/x/revoke", &there, "");
    assert_eq!((beyond.status, beyond.json()["reason"].as_str()), (403, Some("workspace")));
    let own = server.send("POST", "/v1/keys/theirs/deactivate", &[("Authorization", &admin)], "");
    assert_eq!(own.json()["key"]["status"], "inactive", "{own:?}");
    let refused = home.run(&["operators", "create", "lost", "--role", "workspace-admin", "--platform"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}
