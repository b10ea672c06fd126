//! What is around keys: workspaces with plans, and the trail.

use super::{Mission, ok, run, told};
use serde_json::{Value, json};

#[test]
fn row_38_tenancy_and_entitlements() {
    let mission = Mission::new();
    mission.each(|door| {
        assert_eq!(told(door, "workspaces show default")["workspace"]["plan"], "unlimited");
        ok(door, "plans create small --max-keys 1 --max-rate-limit 10/h --audit-view false --audit-export false");
        ok(door, "workspaces create acme --plan small");
        ok(door, "projects create shop");
        assert_eq!(
            run(door, "--workspace acme create first --project shop").code,
            Some(3),
            "it is of another workspace"
        );
        ok(door, "--workspace acme create first");
        for line in ["create second", "audit list", "audit export", "update first --rate-limit 11/h"] {
            let refused = run(door, &format!("--workspace acme {line}"));
            assert!(refused.code == Some(5) && refused.stderr.contains("small"), "{line}: {refused:?}");
        }
    });
    let in_acme = |method: &str, path: &str, body: &Value| {
        let headers = [("Authorization", mission.bearer.as_str()), ("Keyward-Workspace", "acme")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        mission.doors.server.send(method, path, &headers, &body)
    };
    let refused = in_acme("POST", "/v1/keys", &json!({ "name": "second" }));
    assert!(refused.status == 403 && refused.body.contains("small"), "{refused:?}");
    assert_eq!(in_acme("GET", "/v1/audit", &Value::Null).status, 403);
    let there = mission.doors.there();
    ok(&there, "workspaces create shut");
    let key = ok(&there, "--workspace shut create k");
    ok(&there, "workspaces update shut --plan free");
    assert_eq!(mission.gate(&key, "/open", &[]), (403, "PLAN_FORBIDDEN".to_owned()));
}

#[test]
fn row_39_the_trail() {
    let mission = Mission::new();
    mission.each(|door| {
        let key = ok(door, "create k --reason why --ticket OPS-1");
        let id = told(door, "show k")["key"]["id"].as_str().unwrap().to_owned();
        assert_eq!(run(door, "rotate k --reinstate --reason no").code, Some(6));
        ok(door, "update k --owner ana");
        ok(door, "delete k --confirm k");
        let trail = told(door, &format!("audit list --key {id}"));
        let of = |action: &str| {
            let events = trail["items"].as_array().unwrap();
            events.iter().find(|event| event["action"] == action).unwrap_or_else(|| panic!("{action}: {trail}")).clone()
        };
        let created = of("key.create");
        assert_eq!(
            (&created["reason"], &created["ticket"], &created["outcome"]),
            (&json!("why"), &json!("OPS-1"), &json!("ok"))
        );
        for field in ["at", "actor", "source", "target"] {
            assert!(created[field].is_string(), "{field}: {created}");
        }
        of("key.delete");
        assert!(trail["items"].as_array().unwrap().iter().any(|event| event["outcome"] != "ok"), "refused ones too");
        assert!(!trail.to_string().contains(key.rsplit('_').next().unwrap()), "no secret");
        ok(door, "audit verify");
        assert!(ok(door, "audit export").contains(&id));
    });
    let trail = mission.http("GET", "/v1/audit?action=key.create", &Value::Null).json();
    assert!(!trail["items"].as_array().unwrap().is_empty(), "{trail}");
    assert_eq!(mission.http("POST", "/v1/audit/verify", &json!({})).status, 200);
}

#[test]
fn row_40_the_review_of_the_trail() {
    let mission = Mission::new();
    mission.each(|door| {
        ok(door, "create k");
        let unseen = |line: &str| told(door, line)["items"].as_array().unwrap().len();
        assert!(unseen("audit list --unreviewed") > 0);
        let upto = told(door, "audit list")["items"].as_array().unwrap().last().unwrap()["seq"].to_string();
        ok(door, &format!("audit review --upto {upto} --note seen"));
        let review = told(door, "audit list --action audit.review");
        assert_eq!(review["items"].as_array().unwrap().len(), 1, "a review is itself recorded: {review}");
        assert_eq!(unseen("audit list --unreviewed"), 1, "the review itself");
        ok(door, "workspaces update default --review-every 7d --reviewer ann@desk");
        let other = run(door, "audit review --upto 1 --note looked");
        assert!(other.code == Some(0) && other.stderr.contains("does not count"), "by somebody else: {other:?}");
    });
    let state = mission.http("GET", "/v1/audit/review", &Value::Null);
    assert!(state.status == 200 && state.body.contains("upto"), "{state:?}");
}
