//! Credentials of operators that are no good: limited by address, counted, in the trail, and told to webhooks; and the limit
//! of an address, which holds for every path.

use crate::{
    support::{
        Home,
        server::{Answer, Served},
    },
    webhooks::Hook,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

fn get(server: &Served, path: &str, bearer: &str) -> Answer {
    server.get(path, &[("Authorization", bearer)])
}

fn denials(home: &Home) -> Vec<Value> {
    let trail = home.json(&["audit", "list", "--action", "operator.denied"]);
    trail["items"].as_array().unwrap().clone()
}

fn counted(denials: &[Value]) -> u64 {
    denials.iter().map(|event| event["changes"]["count"].as_u64().unwrap()).sum()
}

#[test]
fn who_tries_many_credentials_is_stopped_and_seen() {
    let home = Home::new();
    let key = home.ok(&["create", "sync", "--rate-limit", "none"]);
    let good = format!("Bearer {}", home.ok(&["operators", "create", "root", "--role", "platform-admin"]));
    let hook = Hook::new(&["204 No Content"]);
    let add = ["webhooks", "add", "chat", &hook.url(), "--allow-private", "--event", "operator.denied_burst"];
    let secret = home.ok(&add);
    let server = Served::start(&home, &[]);
    assert_eq!(get(&server, "/v1/keys", &good).status, 200);
    // Outsiders learn only that it is no good, whatever is wrong with it, and soon nothing at all.
    let wrong = |number: u32| format!("Bearer {}x{number}", &good[7..good.len() - 4]);
    let answers: Vec<Answer> = (0..60).map(|number| get(&server, "/v1/keys", &wrong(number))).collect();
    let refused = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(refused, 30, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    let limited = answers.last().unwrap();
    assert_eq!(limited.status, 429);
    assert!(limited.header("retry-after").unwrap().parse::<u64>().unwrap() <= 60, "{limited:?}");
    assert!(limited.header("ratelimit").unwrap().starts_with("\"address\""), "{limited:?}");
    // Also the right one: else it would be told from the wrong ones by its answer.
    for path in ["/v1/keys", "/v1/whoami", "/v1/operators"] {
        assert_eq!(get(&server, path, &good).status, 429, "{path}");
    }
    let body = json!({ "key": key }).to_string();
    assert_eq!(server.send("POST", "/v1/verify", &[("Authorization", &good)], &body).status, 429);
    // Whoever holds a key is not meant.
    assert_eq!(server.send("POST", "/v1/validate", &[("X-API-Key", &key)], "").status, 200);
    let metrics = server.get("/metrics", &[]).body;
    assert!(metrics.contains("keyward_operator_credentials_refused_total 30"), "{metrics}");

    let told = hook.signed(&secret);
    assert_eq!(told["type"], "operator.denied_burst");
    assert_eq!(told["data"]["addresses"][0]["address"], "127.0.0.1");
    let (_, log) = server.stop(Signal::SIGTERM);
    assert!(log.contains("credentials of operators were refused") && log.contains("127.0.0.1"), "{log}");
    // One event now, and one for the rest: not one for each.
    let denials = denials(&home);
    assert!(denials.len() <= 2, "{denials:?}");
    assert_eq!(counted(&denials), 30);
    assert!(denials.iter().all(|event| event["source"] == "server 127.0.0.1" && event["outcome"] == "refused"));
    assert_eq!(
        home.json(&["audit", "list", "--address", "127.0.0.1", "--action", "operator.denied"])["items"],
        json!(denials)
    );
    home.ok(&["audit", "verify"]);
}

#[test]
fn a_wrong_credential_is_told_once_also_where_nobody_tries_again() {
    let home = Home::new();
    home.ok(&["create", "sync"]);
    let server = Served::start(&home, &[]);
    assert_eq!(get(&server, "/v1/keys", "Bearer nonsense").status, 401);
    // A request without any credential is no try.
    assert_eq!(server.get("/v1/keys", &[]).status, 401);
    while denials(&home).is_empty() {
        std::thread::yield_now();
    }
    server.stop(Signal::SIGTERM);
    assert_eq!(counted(&denials(&home)), 1);
}

#[test]
fn the_limit_of_an_address_holds_for_every_path() {
    let home = Home::new();
    home.ok(&["create", "sync"]);
    let admin = format!("Bearer {}", home.ok(&["operators", "create", "root", "--role", "platform-admin"]));
    let service = format!("Bearer {}", home.ok(&["operators", "create", "service", "--role", "verifier"]));
    let args = ["--address-limit", "5/m", "--trust-proxy", "127.0.0.1/32"];
    let server = Served::start(&home, &args);
    let from = |path: &str, bearer: &str, address: &str| {
        server.get(path, &[("Authorization", bearer), ("X-Forwarded-For", address)])
    };
    for path in ["/v1/keys", "/v1/keys/sync", "/v1/whoami", "/nothing/here", "/v1/audit"] {
        assert_ne!(from(path, &admin, "192.0.2.1").status, 429, "{path}");
    }
    for path in ["/v1/keys", "/nothing/here", "/v1/audit"] {
        let limited = from(path, &admin, "192.0.2.1");
        assert_eq!(limited.status, 429, "{path}: {limited:?}");
        assert!(limited.header("retry-after").is_some(), "{limited:?}");
    }
    assert_eq!(from("/v1/keys", &admin, "192.0.2.2").status, 200, "another address");
    assert_eq!(server.get("/readyz", &[("X-Forwarded-For", "192.0.2.1")]).status, 200);
    // A service asks for everybody; each question counts for the address that it names.
    let ask = |ip: &str| {
        let body = json!({ "key": "nothing", "ip": ip }).to_string();
        let headers = [("Authorization", service.as_str()), ("X-Forwarded-For", "192.0.2.3")];
        server.send("POST", "/v1/verify", &headers, &body).json()["code"].as_str().unwrap().to_owned()
    };
    for number in 0..20 {
        assert_eq!(ask(&format!("198.51.100.{number}")), "MALFORMED");
    }
    let codes: Vec<String> = (0..6).map(|_| ask("203.0.113.1")).collect();
    assert_eq!(codes.last().unwrap(), "RATE_LIMITED", "{codes:?}");
}

/// Who lifts the limit of addresses lifts this one, and is told of every try all the same.
#[test]
fn without_a_limit_of_addresses_tries_are_counted_and_stop_nobody() {
    let home = Home::new();
    home.ok(&["create", "sync"]);
    let good = format!("Bearer {}", home.ok(&["operators", "create", "root", "--role", "platform-admin"]));
    let server = Served::start(&home, &["--address-limit", "none"]);
    for _ in 0..40 {
        assert_eq!(get(&server, "/v1/keys", "Bearer nonsense").status, 401);
    }
    assert_eq!(get(&server, "/v1/keys", &good).status, 200);
    server.stop(Signal::SIGTERM);
    assert_eq!(counted(&denials(&home)), 40);
}
