//! What goes wrong, and what the tool points at: `verify --explain`, with every check's own verdict.

use super::{Mission, ok, told};
use crate::support::door::Door;
use serde_json::{Value, json};

fn explained(door: &Door<'_>, key: &str, line: &str) -> String {
    let mut args = vec!["verify", "-", "--explain"];
    args.extend(line.split_whitespace());
    let ran = door.run(&args, key);
    assert!(matches!(ran.code, Some(0 | 13)), "{ran:?}");
    ran.stdout + &ran.stderr
}

fn points_at(door: &Door<'_>, key: &str, line: &str, at: &[&str]) {
    let told = explained(door, key, line);
    for what in at {
        assert!(told.contains(what), "{line}: {what}: {told}");
    }
}

#[test]
fn row_41_it_does_not_authenticate() {
    let mission = Mission::new();
    mission.each(|door| {
        let key = ok(door, "create k --env staging");
        let other = if key.ends_with('x') { 'y' } else { 'x' };
        let mistyped = format!("{}{other}", &key[..key.len() - 1]);
        points_at(door, &mistyped, "", &["MALFORMED", "checksum"]);
        points_at(door, &key, "--env production", &["WRONG_ENVIRONMENT", "staging"]);
        ok(door, "deactivate k");
        points_at(door, &key, "", &["INACTIVE", "switched off"]);
    });
    let (_, key) = mission.made(&json!({ "name": "h" }));
    let told = mission.asked(&key, &json!({ "environment": "production", "explain": true }));
    assert!(told["checks"].as_array().is_some_and(|checks| checks.len() > 3), "{told}");
}

#[test]
fn row_42_access_is_denied() {
    let mission = Mission::new();
    mission.each(|door| {
        let key = ok(door, "create k --scope a:read");
        points_at(door, &key, "--scope a:write", &["INSUFFICIENT_SCOPE", "a:write"]);
    });
    let (_, key) = mission.made(&json!({ "name": "h", "scopes": ["a:read"] }));
    assert!(mission.authz(&key, "/write", &[]).body.contains("a:write"), "the missing scope");
    let there = super::As::role(&mission, "auditor");
    let refused = there.run("create x", "");
    assert!(refused.code == Some(5) && refused.stderr.contains("its role is auditor"), "the role: {refused:?}");
}

#[test]
fn row_43_it_works_here_and_fails_in_production() {
    let mission = Mission::new();
    mission.each(|door| {
        let key = ok(door, "create k --allow-ip 10.0.0.0/8");
        points_at(door, &key, "--ip 192.0.2.9", &["IP_NOT_ALLOWED", "192.0.2.9", "10.0.0.0/8"]);
    });
    let (_, key) = mission.made(&json!({ "name": "h", "allow_ips": ["10.0.0.0/8"] }));
    assert_eq!(mission.gate(&key, "/open", &[]).1, "IP_NOT_ALLOWED");
    let there = mission.doors.there();
    mission.until("the refusal is written", || ok(&there, "logs --key h").contains("127.0.0.1"));
}

#[test]
fn row_44_the_key_is_lost() {
    let mission = Mission::new();
    mission.each(|door| {
        ok(door, "create k");
        let again = door.run(&["create", "k"], "");
        assert!(again.code == Some(6) && again.stderr.contains("keyward rotate"), "{again:?}");
        ok(door, "rotate k --now");
    });
    assert_eq!(mission.http("POST", "/v1/keys/k/rotate", &json!({ "overlap": { "for": 3600 } })).status / 100, 2);
}

#[test]
fn row_45_it_stopped_after_a_rotation() {
    let mission = Mission::new();
    mission.each(|door| {
        let old = ok(door, "create k");
        let new = ok(door, "rotate k --overlap 1h");
        let ran = door.run(&["verify", "-", "--record", "--ip", "192.0.2.8"], &old);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        mission.until("the use is written", || ok(door, "usage k").contains("192.0.2.8"));
        points_at(door, &old, "", &["until"]);
        ok(door, "rotate k --now");
        points_at(door, &old, "", &["SUPERSEDED"]);
        points_at(door, &new, "", &["SUPERSEDED"]);
    });
    let usage = mission.http("GET", "/v1/usage?key=k", &Value::Null);
    assert!(usage.status == 200 && usage.body.contains("192.0.2.8"), "which old secret, from where: {usage:?}");
}

#[test]
fn row_46_too_many_requests() {
    let mission = Mission::new();
    let (_, key) = mission.made(&json!({ "name": "h", "rate_limit": "1/d" }));
    assert_eq!(mission.gate(&key, "/open", &[]).0, 204);
    let over = mission.authz(&key, "/open", &[]);
    assert!(over.status == 429 && over.header("retry-after").is_some(), "when it resets: {over:?}");
    let there = mission.doors.there();
    points_at(&there, &key, "", &["1/d"]);
    mission.until("the refusal is written", || told(&there, "show h")["key"]["denied"] == 1);
    let here = mission.doors.here();
    let key = ok(&here, "create k --rate-limit 5/30m");
    points_at(&here, &key, "", &["5/30m"]);
}
