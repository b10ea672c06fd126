//! Every role against every endpoint of the document of the API: what a credential did is what the trail says it did, and that
//! is never more than its role may.

use crate::support::{Home, server::Served};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What each role may do; reading is no event.
const ROLES: [(&str, &[&str]); 6] = [
    ("support", &[]),
    ("verifier", &[]),
    ("auditor", &["audit.checkpoint", "audit.export", "audit.review"]),
    ("revoker", &["key.deactivate", "key.revoke"]),
    ("rotator", &["key.abort", "key.deliver", "key.rotate", "key.stage"]),
    (
        "workspace-admin",
        &["key.", "scope.", "project.", "customer.", "operator.", "webhook.", "audit.", "usage.retention"],
    ),
];

/// A body with which an endpoint does something for whoever may.
fn body(method: &str, path: &str, number: usize) -> Value {
    match (method, path) {
        ("post", "/v1/keys") => json!({ "name": format!("made-{number}"), "environment": "production" }),
        ("post", "/v1/keys/bulk") => json!({ "keys": [{ "name": format!("bulk-{number}") }] }),
        ("post", "/v1/keys/apply" | "/v1/keys/plan") => json!({ "keys": [] }),
        ("post", "/v1/keys/changes") => json!({ "changes": [{ "revoke": { "key": "nobody" } }] }),
        ("patch", "/v1/keys/{key}") => json!({ "owner": format!("owner-{number}") }),
        ("post", "/v1/keys/carry") => json!({ "to": "elsewhere" }),
        ("post", "/v1/overlaps") => json!({ "only_if_idle": 60 }),
        ("post", "/v1/keys/{key}/rotations") => json!({ "overlap": { "for": 60 } }),
        ("post", "/v1/rotations/{rotation}/commit" | "/v1/rotations/{rotation}/abort") => json!({ "force": true }),
        ("post", "/v1/rotations/{rotation}/steps") => {
            json!({ "secret": "4fJq0Zt1XyLm8sWc", "sink": "file:x", "progress": "intended" })
        }
        ("post", "/v1/scopes") => json!({ "changes": [{ "add": { "scope": format!("s{number}:read") } }] }),
        ("put", "/v1/usage/retention") => json!({
            "counts_seconds": 8_640_000, "verdicts_seconds": 864_000, "verdicts_per_key": 100 + number, "addresses_per_key": 10
        }),
        ("post", "/v1/audit/review") => json!({ "upto": 3, "note": "seen" }),
        ("post", "/v1/operators") => {
            json!({ "name": format!("op-{number}"), "role": "support", "workspace": "default", "expiry": { "in": 3600 } })
        }
        ("post", "/v1/trusts") => json!({
            "name": format!("trust-{number}"), "issuer": "https://idp.example.com", "audience": "https://keys.example.com",
            "claims": { "sub": format!("job-{number}") }, "role": "rotator", "workspace": "default",
        }),
        ("post", "/v1/webhooks") => json!({ "name": format!("hook-{number}"), "url": "https://example.com/" }),
        ("post", "/v1/{kind}" | "/v1/projects") => json!({ "name": format!("object-{number}") }),
        ("patch", "/v1/{kind}/{name}") => json!({ "description": format!("changed {number}") }),
        ("post", "/v1/verify") => json!({ "key": "x" }),
        _ => json!({}),
    }
}

/// The paths that an endpoint stands for.
fn paths(home: &Home, template: &str, number: usize) -> Vec<String> {
    if template.contains("{key}") {
        let name = format!("key-{number}");
        home.ok(&["create", &name, "--env", "production", "--no-expiry"]);
        return vec![format!("{}?environment=production", template.replace("{key}", &name))];
    }
    if template.contains("{rotation}") {
        let name = format!("rotated-{number}");
        home.ok(&["create", &name, "--env", "production", "--no-expiry"]);
        // Its delivery does not end: the rotation stays.
        home.run(&["rotate", &name, "--overlap", "1h", "--deliver", "exec:kill -9 $PPID"]);
        let shown = home.json(&["show", &name]);
        let id = shown["key"]["rotation"]["id"].as_str().unwrap_or("rot_0000000000000000").to_owned();
        return vec![template.replace("{rotation}", &id)];
    }
    let kinds = ["workspaces", "projects", "customers", "plans"];
    let kinds: Vec<&str> = if template.contains("{kind}") { kinds.to_vec() } else { vec![""] };
    let fill = |kind: &str| {
        let name = if template.contains("operators") { "somebody" } else { "there" };
        template.replace("{kind}", kind).replace("{name}", name).replace("{seq}", "3").replace("{scope}", "a:read")
    };
    kinds.into_iter().map(fill).map(|path| path.replace("{path}", "x")).collect()
}

#[test]
fn no_credential_does_more_than_its_role_may() {
    let document = Served::start(&Home::with_vault(), &[]).get("/openapi.json", &[]).json();
    let mut endpoints = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|method| *method != "get" && *method != "parameters") {
            endpoints.push((method.clone(), path.clone()));
        }
    }
    assert!(endpoints.len() > 30, "{endpoints:?}");
    for (role, allowed) in ROLES {
        let home = Home::new();
        home.ok(&["init"]);
        home.ok(&["scopes", "add", "a:read"]);
        for kind in ["projects", "customers"] {
            home.ok(&[kind, "create", "there"]);
        }
        home.ok(&["operators", "create", "somebody", "--role", "support", "--bind", "default", "--expires-in", "1h"]);
        let token = home.ok(&["operators", "create", "prober", "--role", role, "--bind", "default"]);
        let server = Served::start(&home, &["--address-limit", "none"]);
        let (bearer, mut number, mut done) = (format!("Bearer {token}"), 0, 0);
        for (method, template) in &endpoints {
            number += 1;
            for path in paths(&home, template, number) {
                let sent = body(method, template, number).to_string();
                let answer = server.send(&method.to_uppercase(), &path, &[("Authorization", &bearer)], &sent);
                assert!(answer.status < 500, "{role}: {method} {path}: {answer:?}");
                done += usize::from(answer.status < 300);
            }
        }
        let trail = home.json(&["audit", "list", "--outcome", "ok", "--limit", "100000"]);
        let events = trail["items"].as_array().unwrap().iter();
        let by_prober = events.filter(|event| event["actor"].as_str().is_some_and(|actor| actor.contains("prober")));
        let did: BTreeSet<&str> = by_prober.map(|event| event["action"].as_str().unwrap()).collect();
        // That keys were declared to another keystore is recorded, and changes none of them.
        let reads = |did: &str| did == "key.export";
        let beyond: Vec<_> =
            did.iter().filter(|did| !reads(did) && !allowed.iter().any(|may| did.starts_with(may))).collect();
        assert!(beyond.is_empty(), "{role} did {beyond:?}");
        let least = if role == "workspace-admin" { 12 } else { usize::from(!allowed.is_empty()) };
        assert!(did.len() >= least, "{role} did {did:?} only, with {done} answers of success");
    }
}

/// The document says which roles may; the server is asked with each of them. Nothing is found at the paths that are asked for:
/// whoever may not is told so before anything is looked for.
#[test]
fn the_document_names_the_roles_that_may() {
    let home = Home::with_vault();
    let roles = ["platform-admin", "workspace-admin", "issuer", "rotator", "revoker", "auditor", "support", "verifier"];
    let bearers = roles.map(|role| {
        // A bound operator is refused what is about the whole trail: that is no matter of its role.
        let bound: &[&str] = match role {
            "platform-admin" => &[],
            // There is none without a workspace.
            "workspace-admin" => &["--bind", "default"],
            _ => &["--platform"],
        };
        format!("Bearer {}", home.ok(&[&["operators", "create", role, "--role", role], bound].concat()))
    });
    let server = Served::start(&home, &["--address-limit", "none"]);
    let document = server.get("/openapi.json", &[]).json();
    let (mut number, mut told) = (0, 0);
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let ways = operation["security"].as_array().unwrap();
            let named = operation["x-keyward-roles"].as_array();
            let asks = ways.iter().any(|way| way.get("operator").is_some());
            assert_eq!(named.is_some(), asks, "{method} {template}");
            if ways.iter().any(|way| way == &json!({})) || !asks {
                continue;
            }
            told += 1;
            let query = match (method.as_str(), template.as_str()) {
                // Parts of these are for whoever may do nothing else there.
                ("get", "/v1/keys" | "/v1/usage" | "/v1/logs") | ("post", "/v1/keys/check") => "?mine=true",
                ("get", "/v1/audit/events" | "/v1/audit") => "?key=nobody",
                _ => "",
            };
            for (role, bearer) in roles.iter().zip(&bearers) {
                number += 1;
                let kinds: &[&str] =
                    if template.contains("{kind}") { &["workspaces", "customers", "plans"] } else { &[""] };
                let sent = match template.as_str() {
                    "/v1/verify" => json!({ "key": "x", "explain": true }),
                    _ => body(method, template, number),
                };
                let sent = if method == "get" || method == "delete" { String::new() } else { sent.to_string() };
                let may = kinds.iter().any(|kind| {
                    let path = template.replace("{kind}", kind).replace("{key}", "nobody").replace("{name}", "nobody");
                    let path = path.replace("{rotation}", "rot_0000000000000000").replace("{scope}", "no:such");
                    let path = path.replace("{seq}", "1");
                    let answer = server.send(
                        &method.to_uppercase(),
                        &format!("{path}{query}"),
                        &[("Authorization", bearer)],
                        &sent,
                    );
                    assert!(answer.status != 401 && answer.status < 500, "{role}: {method} {path}: {answer:?}");
                    let asked_well = answer.status != 400 && answer.status != 422;
                    assert!(asked_well, "{role}: {method} {path}: the request says nothing of the role: {answer:?}");
                    answer.status != 403
                });
                // What is about the whole trail is refused to a bound operator, whatever its role.
                let bound =
                    *role == "workspace-admin" && (method.as_str(), template.as_str()) == ("post", "/v1/audit/review");
                assert_eq!(named.unwrap().contains(&json!(role)), may || bound, "{role}: {method} {template}");
            }
        }
    }
    assert!(told > 50, "{told}");
}
