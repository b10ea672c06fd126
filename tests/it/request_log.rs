//! The log of requests: one by one with what was asked, filtered, followed, through every door; and what operators asked.

use crate::support::{
    Home,
    server::{ROUTES, Served},
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// A vault that a gateway, a service, a stranger and operators asked; the server is stopped.
fn asked() -> (Home, String) {
    let home = Home::new();
    home.write("routes.toml", ROUTES);
    let key = home.ok(&["create", "sync", "--env", "production", "--rate-limit", "1/h", "--scope", "invoices:read"]);
    let other = home.ok(&["create", "other", "--env", "production", "--rate-limit", "none"]);
    let service = format!("Bearer {}", home.ok(&["operators", "create", "service", "--role", "verifier"]));
    let admin = format!("Bearer {}", home.ok(&["operators", "create", "root", "--role", "platform-admin"]));
    let server =
        Served::start(&home, &["--routes", "routes.toml", "--trust-proxy", "127.0.0.1/32", "--usage-interval", "1h"]);
    let through = |key: &str, path: &str, id: &str, address: &str| {
        let headers = [
            ("X-API-Key", key),
            ("X-Original-Method", "GET"),
            ("X-Original-URI", path),
            ("X-Request-Id", id),
            ("X-Forwarded-For", address),
        ];
        server.get("/v1/authz", &headers).status
    };
    assert_eq!(through(&key, "/limited?key=hidden", "req-1", "192.0.2.1"), 204);
    assert_eq!(through(&key, "/limited", "req-2", "192.0.2.1"), 429);
    assert_eq!(through(&other, &format!("/open/../{other}"), "req-3", "192.0.2.2"), 400);
    assert_eq!(through(&other, "/open", "bad id!", "192.0.2.2"), 204);
    let body = json!({ "key": other, "environment": "production", "ip": "198.51.100.1" }).to_string();
    let verify = [("Authorization", service.as_str()), ("X-Request-Id", "svc-1")];
    assert_eq!(server.send("POST", "/v1/verify", &verify, &body).json()["code"], "VALID");
    for (method, path, status) in
        [("GET", "/v1/keys?limit=1", 200), ("GET", "/v1/keys/nothing", 404), ("POST", "/v1/keys/sync/deactivate", 200)]
    {
        assert_eq!(server.send(method, path, &[("Authorization", &admin)], "").status, status);
    }
    assert_eq!(server.get("/v1/operators", &[("Authorization", &service)]).status, 403);
    assert_eq!(server.get("/v1/keys", &[("Authorization", "Bearer kwop_wrong")]).status, 401);
    assert_eq!(server.send("POST", "/v1/verify", &[("Authorization", "Bearer kwop_wrong")], "{}").status, 401);
    assert!(server.stop(Signal::SIGTERM).0.success());
    (home, other)
}

fn items(home: &Home, line: &str) -> Vec<Value> {
    let logged = home.json(&line.split(' ').collect::<Vec<_>>());
    logged["items"].as_array().unwrap().clone()
}

/// Some fields of entries, in order.
fn told(items: &[Value], fields: &[&str]) -> Value {
    items.iter().map(|item| fields.iter().map(|field| item[*field].clone()).collect::<Value>()).collect()
}

#[test]
fn requests_with_keys_are_kept_one_by_one_with_what_was_asked() {
    let (home, other) = asked();
    let all = items(&home, "logs");
    let sync: Vec<Value> = all.iter().filter(|one| one["name"] == "sync").cloned().collect();
    assert_eq!(
        told(&sync, &["code", "method", "path", "status", "request_id", "address", "count"]),
        json!([
            ["VALID", "GET", "/limited", 200, "req-1", "192.0.2.1", 1],
            ["RATE_LIMITED", "GET", "/limited", 429, "req-2", "192.0.2.1", 1],
        ])
    );
    assert!(sync.iter().all(|one| one["duration_us"].is_u64()), "{sync:?}");
    let verified: Vec<Value> = all.iter().filter(|one| one["operator"] == "service").cloned().collect();
    assert_eq!(
        told(&verified, &["code", "method", "path", "status", "request_id", "address"]),
        json!([["VALID", "POST", "/v1/verify", 200, "svc-1", "198.51.100.1"]])
    );
    // Neither a query nor a secret in a path, nor an id that could break a line.
    let text = home.ok(&["logs", "-o", "jsonl"]);
    assert!(!text.contains("hidden") && !text.contains(&other) && !text.contains("bad id"), "{text}");
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{text}");

    for (filter, count) in [
        ("--code VALID", 3),
        ("--code rate_limited", 1),
        ("--status 429", 1),
        ("--status 4xx --path /limited", 1),
        ("--status 5xx", 0),
        ("--path /limited", 2),
        ("--address 192.0.2.1", 2),
        ("--address 192.0.2.0/24 --code VALID", 2),
        ("--key other --path /open", 1),
        ("--address 203.0.113.0/24", 0),
    ] {
        let found = items(&home, &format!("logs {filter}"));
        // A path that could be read in two ways is a matter of the gateway's tests.
        let plain = |one: &&Value| !one["path"].as_str().is_some_and(|path| path.contains(".."));
        let found: Vec<&Value> = found.iter().filter(plain).collect();
        assert_eq!(found.len(), count, "{filter}: {found:?}");
    }
    let ambiguous = items(&home, "logs --code no_route");
    assert_eq!(told(&ambiguous, &["request_id", "status"]), json!([["req-3", 400]]), "the status that was sent");
    let wrong = home.run(&["logs", "--address", "somewhere"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    let header = home.ok(&["logs"]).lines().next().unwrap_or_default().to_owned();
    assert!(["CODE", "NAME", "METHOD", "PATH", "STATUS"].iter().all(|column| header.contains(column)), "{header}");

    // What is kept survives new keys of the vault, and is sealed in the file.
    home.ok(&["vault", "rekey", "--yes"]);
    assert_eq!(items(&home, "logs --path /limited").len(), 2);
    let bytes = std::fs::read(home.keystore()).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(!holds("/limited") && !holds("req-1"), "a path stands in the file");
    home.ok(&["audit", "verify"]);
}

#[test]
fn what_operators_ask_is_kept_too() {
    let (home, _) = asked();
    let all = items(&home, "logs --operators");
    assert_eq!(
        told(&all, &["operator", "code", "method", "path", "status"])
            .as_array()
            .unwrap()
            .iter()
            .cloned()
            .collect::<std::collections::HashSet<_>>(),
        [
            json!(["root", "OK", "GET", "/v1/keys", 200]),
            json!(["root", "NOT_FOUND", "GET", "/v1/keys/nothing", 404]),
            json!(["root", "OK", "POST", "/v1/keys/sync/deactivate", 200]),
            json!(["service", "FORBIDDEN", "GET", "/v1/operators", 403]),
            json!([null, "AUTH", "GET", "/v1/keys", 401]),
            json!([null, "AUTH", "POST", "/v1/verify", 401]),
        ]
        .into_iter()
        .collect()
    );
    assert!(all.iter().all(|one| one["request_id"].is_string() || one["path"] == "/v1/verify"), "{all:?}");
    assert_eq!(items(&home, "logs --operators --denied").len(), 4);
    assert_eq!(items(&home, "logs --operators --status 404").len(), 1);
    assert_eq!(items(&home, "logs --operators --code auth").len(), 2);
    assert_eq!(items(&home, "logs --operator root").len(), 3);
    assert_eq!(items(&home, "logs --operator service").len(), 2, "what it asked for keys, and for itself");
    // They are no use of any key, nor a burst of refusals of one.
    let usage = home.json(&["usage"]);
    assert_eq!(usage["denied"].as_u64().map(|denied| denied <= 2), Some(true), "{usage}");
    let table = home.ok(&["logs", "--operators"]);
    assert!(table.contains("/v1/keys/nothing") && table.contains("root"), "{table}");
}

#[test]
fn the_log_is_the_same_through_a_server_for_who_may_see_it() {
    let (home, _) = asked();
    home.ok(&["workspaces", "create", "acme"]);
    let token = |name: &str, args: &[&str]| home.ok(&[&["operators", "create", name][..], args].concat());
    let auditor = token("auditor", &["--role", "auditor", "--platform"]);
    let bound = token("bound", &["--role", "auditor", "--bind", "acme"]);
    let support = token("desk", &["--role", "support"]);
    let local = items(&home, "logs --operators");
    let server = Served::start(&home, &["--usage-interval", "1h"]);
    let client = Home::new();
    let run = |token: &str, line: &str| {
        let variables = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", token)];
        client.run_in(&["-o", "json"].into_iter().chain(line.split(' ')).collect::<Vec<_>>(), &variables)
    };
    let there = |token: &str, line: &str| -> Value {
        let ran = run(token, line);
        assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
        serde_json::from_str::<Value>(&ran.stdout).unwrap()["items"].clone()
    };
    assert_eq!(there(&auditor, "logs --operators"), json!(local));
    for line in ["logs --path /limited", "logs --status 429", "logs --address 192.0.2.2", "logs --operator service"] {
        assert_eq!(there(&auditor, line), json!(items(&home, line)), "{line}");
    }
    assert_eq!(there(&support, "logs --path /limited").as_array().unwrap().len(), 2);
    assert_eq!(run(&support, "logs --operators").code, Some(5), "what administrators do is for who reads the trail");
    assert_eq!(there(&bound, "logs --operators"), json!([]), "operators of other workspaces are not told");
}

/// What no request is answered with would find nothing, as if all were well.
#[test]
fn a_code_or_status_that_nothing_is_answered_with_is_refused() {
    let doors = crate::support::door::Doors::new();
    for door in [doors.here(), doors.there()] {
        for (line, said) in [
            ("--code FOO", "VALID, MALFORMED"),
            ("--code revokd", "did you mean REVOKED?"),
            ("--code HTTP_099", "a request of an operator: OK, FAILURE"),
            ("--status 99", "100 to 599"),
            ("--status 600", "100 to 599"),
            ("--status 6xx", "or a class: 4xx"),
        ] {
            let ran = door.run(&["logs"].into_iter().chain(line.split(' ')).collect::<Vec<_>>(), "");
            assert!(ran.code == Some(2) && ran.stderr.contains(said), "{line}: {ran:?}");
        }
        for line in
            ["--code HTTP_404", "--code valid", "--code conflict", "--status 404", "--status 4xx", "--status 5XX"]
        {
            let ran = door.run(&["logs"].into_iter().chain(line.split(' ')).collect::<Vec<_>>(), "");
            assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
        }
    }
}

/// Between two writes of the server, too: the log is in the order in which things were asked, whoever they were about.
#[test]
fn the_log_is_in_the_order_of_time() {
    let home = Home::new();
    home.write("routes.toml", ROUTES);
    let keys: Vec<String> = ["a", "b"].iter().map(|name| home.ok(&["create", name, "--env", "production"])).collect();
    let server = Served::start(&home, &["--routes", "routes.toml", "--usage-interval", "1h"]);
    for at in 0..8 {
        let key = if at % 3 == 2 { "kw_prod_nobody" } else { &keys[at % 2] };
        let id = format!("req-{at}");
        let headers =
            [("X-API-Key", key), ("X-Original-Method", "GET"), ("X-Original-URI", "/open"), ("X-Request-Id", &id)];
        server.get("/v1/authz", &headers);
    }
    server.stop(Signal::SIGTERM);
    let ids: Vec<String> =
        items(&home, "logs").iter().map(|one| one["request_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, (0..8).map(|at| format!("req-{at}")).collect::<Vec<_>>());
}
