//! What is done with a key.

use super::{As, Mission, names, ok, run, told, verdict, words};
use serde_json::{Value, json};

#[test]
fn row_14_create() {
    let mission = Mission::new();
    mission.each(|door| {
        let ran = run(door, "create k --scope a:read");
        assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 1), "{ran:?}");
        assert!(ran.stdout.starts_with("kw_dev_") && ran.stderr.contains("created k"), "{ran:?}");
        assert!(!ran.stderr.contains(ran.stdout.trim()));
        assert_eq!(verdict(door, ran.stdout.trim(), "--scope a:read"), "VALID");
    });
    let (key, secret) = mission.made(&json!({ "name": "h", "environment": "production", "expires_in": "30d" }));
    assert_eq!((&key["name"], &key["status"]), (&json!("h"), &json!("active")));
    assert_eq!(mission.gate(&secret, "/open", &[]).0, 204);
    mission.each(|door| {
        ok(door, "workspaces update default --require owner,reason");
        let refused = run(door, "create l");
        assert!(refused.code == Some(5) && refused.stderr.contains("needs: owner, reason"), "{refused:?}");
        ok(door, "create l --owner ana --reason asked");
    });
    let refused = mission.http("POST", "/v1/keys", &json!({ "name": "m", "owner": "ana" }));
    assert!(refused.status == 403 && refused.body.contains("reason"), "what a workspace demands: {refused:?}");
}

#[test]
fn row_15_update() {
    let mission = Mission::new();
    mission.each(|door| {
        ok(door, "create k");
        let line =
            "update k --add-scope b:read --rate-limit 7/h --add-ip 10.0.0.0/8 --rotate-every 30d --description d";
        let ran = run(door, line);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        for change in
            ["scopes: +b:read", "rate limit: 100/h -> 7/h", "+10.0.0.0/8", "rotate every: none -> 30d", "description"]
        {
            assert!(ran.stderr.contains(change), "{change}: {ran:?}");
        }
        assert!(run(door, line).stderr.contains("already so"));
    });
    let answer = mission.http("PATCH", "/v1/keys/k", &json!({ "rate_limit": "9/h" }));
    assert!(answer.status == 200 && answer.body.contains("rate_limit"), "{answer:?}");
    assert_eq!(mission.http("PATCH", "/v1/keys/k", &json!({ "status": "revoked" })).status, 400);
}

#[test]
fn row_16_deactivate_and_activate() {
    let mission = Mission::new();
    mission.each(|door| {
        let key = ok(door, "create k");
        ok(door, "deactivate k --reason pause");
        assert_eq!(verdict(door, &key, ""), "INACTIVE");
        ok(door, "activate k");
        assert_eq!(verdict(door, &key, ""), "VALID");
        let told = told(door, "audit list --key k");
        for action in ["key.create", "key.deactivate", "key.activate"] {
            assert!(
                told["items"].as_array().unwrap().iter().any(|event| event["action"] == action),
                "{action}: {told}"
            );
        }
    });
    let (_, key) = mission.made(&json!({ "name": "h" }));
    assert_eq!(mission.http("POST", "/v1/keys/h/deactivate", &Value::Null).status, 200);
    assert_eq!(mission.gate(&key, "/open", &[]).0, 401);
    assert_eq!(mission.http("POST", "/v1/keys/h/activate", &Value::Null).status, 200);
    assert_eq!(mission.gate(&key, "/open", &[]).0, 204);
}

#[test]
fn row_17_rotate() {
    let mission = Mission::new();
    mission.each(|door| {
        let first = ok(door, "create k --scope a:read --owner ana");
        let before = told(door, "show k")["key"].clone();
        let second = ok(door, "rotate k --overlap 1h");
        assert_eq!((verdict(door, &first, ""), verdict(door, &second, "")), ("VALID".into(), "VALID".into()));
        let third = ok(door, "rotate k --now");
        assert_eq!((verdict(door, &second, ""), verdict(door, &third, "")), ("SUPERSEDED".into(), "VALID".into()));
        let after = told(door, "show k")["key"].clone();
        for field in ["id", "name", "scopes", "owner", "rate_limit", "environment", "expires_at"] {
            assert_eq!(before[field], after[field], "{field}");
        }
    });
    let (_, first) = mission.made(&json!({ "name": "h" }));
    let unreadable = mission.http("POST", "/v1/keys/h/rotate", &json!({ "overlap": "soon" }));
    assert!(unreadable.status == 400 && unreadable.body.contains("such as 30m, 1h"), "{unreadable:?}");
    assert_eq!(mission.http("POST", "/v1/keys/h/rotate", &json!({ "overlap": "2h" })).status / 100, 2);
    let answer = mission.http("POST", "/v1/keys/h/rotate", &json!({ "overlap": "now" }));
    assert!((200..300).contains(&answer.status), "{answer:?}");
    let second = answer.json()["secret"].as_str().unwrap().to_owned();
    assert_eq!((mission.gate(&first, "/open", &[]).0, mission.gate(&second, "/open", &[]).0), (401, 204));
}

#[test]
fn row_18_revoke() {
    let mission = Mission::new();
    mission.each(|door| {
        let first = ok(door, "create k");
        ok(door, "revoke k --yes --reason leaked");
        assert_eq!(verdict(door, &first, ""), "REVOKED");
        assert_eq!(run(door, "rotate k").code, Some(6), "never by a mere rotation");
        let second = door.run(&words("rotate k --reinstate --reason found"), "");
        assert_eq!(second.code, Some(0), "{second:?}");
        assert_eq!(verdict(door, second.stdout.trim(), ""), "VALID");
        assert_ne!(verdict(door, &first, ""), "VALID", "a revoked secret never works again");
    });
    let (_, key) = mission.made(&json!({ "name": "h" }));
    assert_eq!(mission.http("POST", "/v1/keys/h/revoke", &Value::Null).status, 200);
    assert_eq!(mission.gate(&key, "/open", &[]).0, 401);
    assert_eq!(mission.http("POST", "/v1/keys/h/rotate", &json!({})).status, 409);
}

#[test]
fn row_19_delete() {
    let mission = Mission::new();
    mission.each(|door| {
        let key = ok(door, "create k");
        let id = told(door, "show k")["key"]["id"].as_str().unwrap().to_owned();
        assert_eq!(run(door, "delete k --yes").code, Some(2), "a confirmation names it");
        assert_eq!(run(door, "delete k --confirm other").code, Some(2));
        ok(door, "delete k --confirm k");
        assert_eq!(verdict(door, &key, ""), "UNKNOWN");
        assert_eq!(run(door, "show k").code, Some(3));
        let trail = told(door, &format!("audit list --key {id}"));
        assert!(trail["items"].as_array().unwrap().iter().any(|event| event["action"] == "key.delete"), "{trail}");
    });
    mission.made(&json!({ "name": "h" }));
    assert_eq!(mission.http("DELETE", "/v1/keys/h", &Value::Null).status, 200);
    assert_eq!(mission.http("GET", "/v1/keys/h", &Value::Null).status, 404);
}

#[test]
fn row_20_list() {
    let lines = ["projects create shop", "customers create acme"];
    let mission = Mission::after(&lines);
    mission.each(|door| {
        ok(door, "create a --env production --owner ana --scope a:read --project shop --customer acme --label team=x");
        ok(door, "create b --expires-in 3d --rotate-every 1d --overlap 1h");
        ok(door, "create c --no-expiry");
        ok(door, "deactivate c");
        for (filter, found) in [
            ("--status inactive", "c"),
            ("--env production", "a"),
            ("--owner ana", "a"),
            ("--scope a:read", "a"),
            ("--project shop", "a"),
            ("--customer acme", "a"),
            ("--label team=x", "a"),
            ("--expires-within 7d", "b"),
            ("--no-expiry --status any", "c"),
            ("--due-within 2d", "b"),
            ("--never-used --owner ana", "a"),
            ("--unused-for 90d --owner ana", ""),
            ("team=x", "a"),
            ("ana", "a"),
        ] {
            assert_eq!(names(&told(door, &format!("list {filter}"))).join(","), found, "{filter}");
        }
        assert!(names(&told(door, "list --expired")).is_empty());
    });
    for (query, found) in [
        ("status=inactive", "c"),
        ("environment=production", "a"),
        ("scope=a:read", "a"),
        ("customer=acme", "a"),
        ("label=team%3Dx", "a"),
        ("q=ana", "a"),
    ] {
        assert_eq!(names(&mission.http("GET", &format!("/v1/keys?{query}"), &Value::Null).json()), [found], "{query}");
    }
    let desk = As::role(&mission, "workspace-admin");
    desk.may("create own");
    assert_eq!(desk.may("list --mine -o name"), "own", "those that it made");
    let own = mission.doors.server.get("/v1/keys?mine=true", &[("Authorization", &desk.bearer)]).json();
    assert_eq!(names(&own), ["own"]);
    ok(&mission.doors.here(), "list --mine");
}

#[test]
fn row_21_handover() {
    let mission = Mission::new();
    mission.each(|door| {
        ok(door, "create k --owner ana");
        let ran = run(door, "update k --owner ben --reason moved");
        assert!(ran.code == Some(0) && ran.stderr.contains("ana may still have the secret"), "{ran:?}");
        let told = told(door, "audit list --action key.handover");
        assert_eq!(
            (told["items"].as_array().unwrap().len(), &told["items"][0]["reason"]),
            (1, &json!("moved")),
            "{told}"
        );
    });
    assert_eq!(mission.http("PATCH", "/v1/keys/k", &json!({ "owner": "eve" })).status, 200);
    let told = mission.http("GET", "/v1/audit?action=key.handover", &Value::Null).json();
    assert_eq!(told["items"].as_array().unwrap().len(), 2, "{told}");
}
