//! What the verdicts of a server leave behind: counted, shown by the command line, and kept over a stop and a kill.

use crate::support::{Home, server::Served};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// Longer than any test: only a stop writes.
const NEVER: [&str; 2] = ["--usage-interval", "1h"];

struct Vault {
    home: Home,
    bearer: String,
}

impl Vault {
    fn new() -> Self {
        let home = Home::with_vault();
        let bearer = format!("Bearer {}", home.ok(&["operators", "create", "gateway", "--role", "verifier"]));
        Self { home, bearer }
    }

    fn verify(&self, server: &Served, body: &Value) -> Value {
        server.send("POST", "/v1/verify", &[("Authorization", &self.bearer)], &body.to_string()).json()
    }

    fn key(&self, name: &str) -> Value {
        self.home.json(&["show", name])["key"].clone()
    }
}

#[test]
fn a_stop_writes_all_that_verdicts_left_behind() {
    let vault = Vault::new();
    let home = &vault.home;
    let token = home.ok(&["create", "sync", "--allow-ip", "192.0.2.0/24", "--rate-limit", "none"]);
    let server = Served::start(home, &[&NEVER[..], &["--trust-proxy", "127.0.0.1/32"]].concat());
    for ip in ["192.0.2.1", "192.0.2.1", "192.0.2.2", "198.51.100.1"] {
        vault.verify(&server, &json!({ "key": token, "ip": ip, "user_agent": "sync/1" }));
    }
    let headers = [("X-API-Key", token.as_str()), ("User-Agent", "curl/8"), ("X-Forwarded-For", "192.0.2.3")];
    assert_eq!(server.send("POST", "/v1/validate", &headers, "").status, 200);
    let stranger = token.replace("kw_", "kx_");
    assert_eq!(vault.verify(&server, &json!({ "key": stranger, "ip": "203.0.113.5" }))["valid"], false);
    let explained = vault.verify(&server, &json!({ "key": token, "ip": "192.0.2.1", "explain": true }));
    assert_eq!(explained["valid"], true, "an explanation is no use");
    assert_eq!(vault.key("sync")["never_used"], true, "nothing is written before its time");
    let (status, said) = server.stop(Signal::SIGTERM);
    assert!(status.success(), "{said}");

    let key = vault.key("sync");
    assert_eq!((key["uses"].as_u64(), key["denied"].as_u64()), (Some(4), Some(1)));
    assert_eq!((key["last_used_ip"].as_str(), key["last_user_agent"].as_str()), (Some("192.0.2.3"), Some("curl/8")));
    assert_eq!(home.json(&["list", "--used-since", "1h"])["page"]["total"], 1);
    let report = home.json(&["usage", "sync", "--by", "address"]);
    assert_eq!(report["items"].as_array().unwrap().len(), 4);
    assert_eq!(report["secrets"][0]["uses"], 4);
    let denied = home.json(&["logs", "--denied"]);
    let mut told: Vec<_> = denied["items"].as_array().unwrap().iter().map(|entry| entry["detail"].clone()).collect();
    told.sort_by_key(ToString::to_string);
    assert_eq!(told, ["198.51.100.1; allowed: 192.0.2.0/24", "no token, or a damaged one"]);
    assert!(!denied.to_string().contains(&stranger[..12]), "nothing of a stranger's credential is kept: {denied}");
    home.ok(&["audit", "verify"]);
}

#[test]
fn a_limit_that_is_used_up_stays_so_over_a_stop_and_over_a_kill() {
    let vault = Vault::new();
    let home = &vault.home;
    let token = home.ok(&["create", "sync", "--rate-limit", "2/d"]);
    let ask = |server: &Served| vault.verify(server, &json!({ "key": token }))["code"].clone();
    let server = Served::start(home, &NEVER);
    assert_eq!(ask(&server), "VALID");
    server.stop(Signal::SIGTERM);

    let server = Served::start(home, &["--usage-interval", "1s"]);
    assert_eq!([ask(&server), ask(&server)], ["VALID", "RATE_LIMITED"]);
    while vault.key("sync")["uses"] != 2 {
        std::thread::yield_now();
    }
    server.stop(Signal::SIGKILL);
    let server = Served::start(home, &NEVER);
    assert_eq!(ask(&server), "RATE_LIMITED", "the kill came after a flush");
    home.ok(&["delete", "sync", "--confirm", "sync", "--yes"]);
}

#[test]
fn a_kill_loses_what_was_not_written_and_nothing_else() {
    let vault = Vault::new();
    let home = &vault.home;
    let token = home.ok(&["create", "sync", "--rate-limit", "none"]);
    let server = Served::start(home, &NEVER);
    vault.verify(&server, &json!({ "key": token }));
    home.ok(&["deactivate", "sync"]);
    server.stop(Signal::SIGKILL);
    let key = vault.key("sync");
    assert_eq!((key["uses"].as_u64(), key["status"].as_str()), (Some(0), Some("inactive")));
    home.ok(&["audit", "verify"]);
    let server = Served::start(home, &NEVER);
    assert_eq!(vault.verify(&server, &json!({ "key": token }))["code"], "INACTIVE");
}
