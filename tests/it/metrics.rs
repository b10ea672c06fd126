//! `/metrics`: who may read it, in which format, and how much of it there is.

use crate::support::{Home, Ran, server::Served, tool};
use std::{collections::BTreeMap, process::Command};

fn operator(home: &Home, name: &str, role: &str, args: &[&str]) -> String {
    let all = [&["operators", "create", name, "--role", role], args].concat();
    format!("Bearer {}", home.ok(&all))
}

#[test]
fn metrics_are_for_this_machine_and_for_operators_of_the_platform() {
    let home = Home::new();
    let key = home.ok(&["create", "sync"]);
    let platform = operator(&home, "prometheus", "support", &["--platform"]);
    let bound = operator(&home, "acme", "support", &["--bind", "default"]);
    let server = Served::start(&home, &["--trust-proxy", "127.0.0.1/32"]);
    for _ in 0..3 {
        server.send("POST", "/v1/validate", &[("X-API-Key", &key)], "");
    }
    server.send("POST", "/v1/validate", &[("X-API-Key", "kw_dev_nonsense")], "");
    server.send("FOO", &format!("/v1/keys/{key}"), &[("Authorization", &platform)], "");
    let told = server.get("/metrics", &[]);
    assert_eq!(told.status, 200);
    assert!(told.header("content-type").unwrap().starts_with("application/openmetrics-text; version=1.0.0"));
    for line in [
        "keyward_verdicts_total{code=\"VALID\"} 3",
        "keyward_verdicts_total{code=\"MALFORMED\"} 1",
        "keyward_secrets 1",
        "keyward_keystore_up 1",
        "# EOF",
    ] {
        assert!(told.body.lines().any(|told| told == line), "{line}: {}", told.body);
    }
    let id = home.json(&["show", "sync"])["key"]["id"].as_str().unwrap().to_owned();
    for secret in [key.as_str(), &id, "sync", "prometheus", &platform[7..], "FOO"] {
        assert!(!told.body.contains(secret), "{secret} is told: {}", told.body);
    }
    let through = |headers: &[(&str, &str)]| {
        let mut all = vec![("X-Forwarded-For", "203.0.113.9")];
        all.extend(headers);
        server.get("/metrics", &all).status
    };
    assert_eq!(through(&[]), 401);
    assert_eq!(through(&[("Authorization", &bound)]), 403);
    assert_eq!(through(&[("Authorization", &platform)]), 200);
    assert_eq!(server.get("/metrics", &[("Via", "1.1 proxy")]).status, 401);
    // A page in a browser here may ask a name that its owner lets point here.
    assert_eq!(server.get("/metrics", &[("Host", "rebound.example")]).status, 401);
    assert_eq!(server.get("/metrics", &[("Host", "localhost:1")]).status, 200);
    assert_eq!(server.get("/metrics", &[("Host", "rebound.example"), ("Authorization", &platform)]).status, 200);
}

#[test]
fn metrics_come_in_the_format_that_is_asked_for_and_in_few_series() {
    let home = Home::with_vault();
    let root = operator(&home, "root", "platform-admin", &[]);
    let server = Served::start(&home, &[]);
    for path in
        ["keys", "scopes", "projects", "customers", "plans", "operators", "webhooks", "rotations", "audit", "usage"]
    {
        for method in ["GET", "PUT", "FOO"] {
            server.send(method, &format!("/v1/{path}"), &[("Authorization", &root)], "");
        }
    }
    let plain = server.get("/metrics", &[("Accept", "text/plain")]);
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let open = server.get("/metrics", &[("Accept", prometheus)]);
    assert!(open.header("content-type").unwrap().starts_with("application/openmetrics-text"), "{open:?}");
    assert!(open.body.ends_with("# EOF\n"));
    // Every sample belongs to a family that was announced, with help and a type that the format knows.
    let mut kinds = BTreeMap::new();
    let mut samples = 0;
    for line in plain.body.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", ..] => {}
            ["#", "TYPE", family, kind] => {
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(family.ends_with("_total"), kind == "counter", "{line}");
                assert!(plain.body.contains(&format!("# HELP {family} ")), "{line}");
                assert_eq!(kinds.insert(family, kind), None, "{line} comes twice");
            }
            _ => {
                let name = line.split(['{', ' ']).next().unwrap();
                let family =
                    ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
                assert!(kinds.contains_key(family) || kinds.contains_key(name), "{line}");
                assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
                samples += usize::from(name.ends_with("_bucket"));
            }
        }
    }
    assert!(plain.body.contains("keyward_requests_total{"), "{}", plain.body);
    assert!((1..100).contains(&samples), "{samples} buckets");
    let Some(promtool) = tool("promtool", "prometheus (apt-get)") else { return };
    home.write("metrics", &plain.body);
    let told = std::fs::File::open(home.path().join("metrics")).unwrap();
    let checked = Ran::of(Command::new(promtool).args(["check", "metrics"]).stdin(told).output().unwrap());
    assert_eq!(checked.code, Some(0), "{checked:?}");
}
