//! What a protected service asks, and what it is told.

use super::{Mission, ok, run, told, verdict};
use serde_json::{Value, json};

#[test]
fn row_22_how_a_key_is_sent() {
    let mission = Mission::new();
    let (_, key) = mission.made(&json!({ "name": "k" }));
    let server = &mission.doors.server;
    let path = [("X-Original-Method", "GET"), ("X-Original-URI", "/open")];
    let bearer = format!("Bearer {key}");
    for header in [("X-API-Key", key.as_str()), ("Authorization", bearer.as_str())] {
        assert_eq!(server.get("/v1/authz", &[&path[..], &[header]].concat()).status, 204, "{}", header.0);
        assert_eq!(server.get("/v1/validate", &[header]).status, 200, "{}", header.0);
    }
    let asked = format!("/open?api_key={key}");
    let of_query = |server: &crate::support::server::Served| {
        server.get("/v1/authz", &[("X-Original-Method", "GET"), ("X-Original-URI", &asked)]).status
    };
    assert_eq!(of_query(server), 204, "where the deployment allows it");
    let plain = crate::support::door::Doors::new();
    assert_eq!(of_query(&plain.server), 401, "and nowhere else");
    let page = server.get("/docs", &[]);
    assert!(page.status == 200 && page.body.contains("X-API-Key"), "and a page of the server says so");
    mission.each(|door| {
        let key = ok(door, "create sent");
        assert_eq!(verdict(door, &key, ""), "VALID");
        assert_eq!(run(door, &format!("verify {key}")).code, Some(2), "a secret is no argument");
    });
}

#[test]
fn row_23_the_credential_itself_is_no_good() {
    let mission = Mission::new();
    mission.each(|door| {
        let [gone, off, cut] = ["gone", "off", "cut"].map(|name| ok(door, &format!("create {name}")));
        let staging = ok(door, "create staging --env staging");
        let over = ok(door, "create over --expires-in 1s");
        ok(door, "delete gone --confirm gone");
        ok(door, "deactivate off");
        ok(door, "revoke cut --yes");
        mission.until("the key expires", || told(door, "show over")["key"]["status"] == "expired");
        for (key, code) in [
            ("nonsense", "MALFORMED"),
            (&gone, "UNKNOWN"),
            (&off, "INACTIVE"),
            (&over, "EXPIRED"),
            (&cut, "REVOKED"),
            (&staging, "WRONG_ENVIRONMENT"),
        ] {
            let env = if code == "WRONG_ENVIRONMENT" { "--env production" } else { "" };
            assert_eq!(verdict(door, key, env), code);
        }
    });
    let (_, key) = mission.made(&json!({ "name": "h" }));
    assert_eq!(mission.http("POST", "/v1/keys/h/revoke", &Value::Null).status, 200);
    let (revoked, unknown) = (mission.authz(&key, "/open", &[]), mission.authz("kw_dev_nonsense", "/open", &[]));
    assert_eq!((revoked.status, unknown.status), (401, 401));
    assert!(revoked.header("www-authenticate").is_some(), "{revoked:?}");
    let without_id = |answer: &crate::support::server::Answer| {
        let mut body = answer.json();
        body.as_object_mut().unwrap().retain(|name, _| !name.contains("request") && name != "instance");
        body
    };
    assert_eq!(without_id(&revoked), without_id(&unknown), "outsiders see only that it is invalid");
    assert_eq!(mission.asked(&key, &json!({}))["code"], "REVOKED", "operators see why");
}

#[test]
fn row_24_a_project_has_to_be_named() {
    let mission = Mission::after(&["projects create p1", "projects create p2"]);
    mission.each(|door| {
        let key = ok(door, "create wide");
        let ran = door.run(&["-o", "json", "verify", "-", "--explain"], &key);
        assert!(ran.stdout.contains("PROJECT_REQUIRED") || ran.stdout.contains("project"), "{ran:?}");
        assert_eq!(verdict(door, &key, "--project p1"), "VALID");
    });
    let (_, key) = mission.made(&json!({ "name": "h", "environment": "production" }));
    assert_eq!(mission.gate(&key, "/elsewhere", &[]).1, "NO_ROUTE", "a path without a route asks for none");
    assert_eq!(mission.gate(&key, "/production", &[]), (400, "PROJECT_REQUIRED".to_owned()));
    let server = &mission.doors.server;
    assert_eq!(server.get("/v1/validate", &[("X-API-Key", &key)]).status, 200, "not needed there");
    assert_eq!(server.get("/v1/projects", &[("X-API-Key", &key)]).status, 200, "nor there");
}

#[test]
fn row_25_the_credential_is_good_and_this_is_not_allowed() {
    let mission = Mission::after(&["projects create p1", "customers create c1", "customers create c2"]);
    mission.each(|door| {
        let key = ok(door, "create k --scope a:read --allow-ip 10.0.0.0/8 --project p1 --customer c1");
        for (asked, code) in [
            ("--scope a:write --ip 10.0.0.1", "INSUFFICIENT_SCOPE"),
            ("--ip 192.0.2.1", "IP_NOT_ALLOWED"),
            ("--project p9 --ip 10.0.0.1", "WRONG_PROJECT"),
            ("--customer c2 --ip 10.0.0.1", "WRONG_CUSTOMER"),
            ("--scope a:read --ip 10.0.0.1 --project p1 --customer c1", "VALID"),
        ] {
            assert_eq!(verdict(door, &key, asked), code, "{asked}");
        }
    });
    let (_, key) = mission.made(&json!({ "name": "h", "scopes": ["a:read"], "customers": ["c1"] }));
    for (path, header, code) in [
        ("/write", None, "INSUFFICIENT_SCOPE"),
        ("/elsewhere", None, "NO_ROUTE"),
        ("/customer", None, "NOT_ASKED"),
        ("/customer", Some(("X-Customer-ID", "c2")), "WRONG_CUSTOMER"),
        ("/open", Some(("X-Project-ID", "p9")), "WRONG_PROJECT"),
    ] {
        let header: Vec<(&str, &str)> = header.into_iter().collect();
        assert_eq!(mission.gate(&key, path, &header), (403, code.to_owned()), "{path}");
    }
    assert_eq!(mission.asked(&key, &json!({ "scopes": ["a:write"] }))["http_status"], 403);
}

#[test]
fn row_26_over_a_limit() {
    let mission = Mission::new();
    mission.each(|door| {
        let key = ok(door, "create k --rate-limit 1/d");
        let shown = door.run(&["verify", "-", "--explain"], &key);
        assert!(shown.stdout.contains("1/d"), "{shown:?}");
    });
    let (_, key) = mission.made(&json!({ "name": "h", "rate_limit": "2/d" }));
    assert_eq!([0; 3].map(|_| mission.gate(&key, "/open", &[]).0), [204, 204, 429]);
    let over = mission.authz(&key, "/open", &[]);
    assert_eq!(over.json()["code"], "RATE_LIMITED");
    for header in ["retry-after", "ratelimit", "ratelimit-policy"] {
        assert!(over.header(header).is_some(), "{header}: {over:?}");
    }
    assert_eq!(mission.asked(&key, &json!({}))["code"], "RATE_LIMITED");
}

#[test]
fn row_27_the_store_cannot_be_asked() {
    let mission = Mission::new();
    let (_, key) = mission.made(&json!({ "name": "h" }));
    assert_eq!(mission.gate(&key, "/open", &[]).0, 204);
    let keystore = mission.doors.behind.keystore();
    let moved = keystore.with_extension("moved");
    std::fs::rename(&keystore, &moved).unwrap();
    mission.until("the server notices", || mission.gate(&key, "/open", &[]).0 == 503);
    assert_eq!(mission.gate(&key, "/open", &[]).1, "UNAVAILABLE", "never answered as invalid");
    assert_eq!(mission.doors.server.get("/readyz", &[]).status, 503);
    let there = mission.doors.there();
    assert_ne!(there.run(&["verify", "-"], &key).code, Some(13), "nor to the command line");
    std::fs::rename(&moved, &keystore).unwrap();
    let here = mission.doors.here();
    let local = ok(&here, "create k");
    let keystore = mission.doors.local.keystore();
    std::fs::rename(&keystore, keystore.with_extension("moved")).unwrap();
    assert_eq!(here.run(&["verify", "-"], &local).code, Some(9));
}

#[test]
fn row_28_what_is_denied_costs_nothing() {
    let mission = Mission::new();
    let (_, key) = mission.made(&json!({ "name": "h", "scopes": ["a:read"], "rate_limit": "1/d" }));
    for path in ["/write", "/elsewhere", "/customer"] {
        assert_eq!(mission.gate(&key, path, &[]).0, 403, "{path}");
    }
    assert_eq!(mission.gate(&key, "/read", &[]).0, 204, "the one that it may is left");
    let there = mission.doors.there();
    mission.until("what was used is written", || told(&there, "show h")["key"]["denied"] == 3);
    assert_eq!(told(&there, "show h")["key"]["uses"], 1, "a denied one is no use");
    mission.each(|door| {
        let key = ok(door, "create k --scope a:read");
        let ran = door.run(&["verify", "-", "--scope", "a:write", "--record"], &key);
        assert_eq!(ran.code, Some(13), "{ran:?}");
        mission.until("it is written", || told(door, "show k")["key"]["denied"] == 1);
        assert_eq!(told(door, "show k")["key"]["uses"], 0);
    });
}

#[test]
fn row_29_a_verdict_names_what_it_was_not_asked() {
    let mission = Mission::after(&["customers create c1"]);
    let wanted = ["environment", "ip", "customer"];
    mission.each(|door| {
        let key = ok(door, "create k --env production --allow-ip 10.0.0.0/8 --customer c1");
        let ran = door.run(&["-o", "json", "verify", "-"], &key);
        let told: Value = serde_json::from_str(&ran.stdout).unwrap();
        for what in wanted {
            assert!(told["not_asked"].to_string().contains(what), "{what}: {told}");
        }
    });
    let (_, key) = mission.made(&json!({ "name": "h", "customers": ["c1"], "allow_ips": ["10.0.0.0/8"] }));
    let told = mission.asked(&key, &json!({}));
    assert!(told["not_asked"].to_string().contains("customer"), "{told}");
}
