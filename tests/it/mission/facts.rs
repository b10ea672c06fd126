//! The facts of a key.

use super::{Mission, names, ok, run, told, verdict};
use serde_json::{Value, json};

#[test]
fn row_01_name() {
    let mission = Mission::new();
    mission.each(|door| {
        ok(door, "create billing-sync-prod --env production");
        let taken = run(door, "create billing-sync-prod --env production");
        assert!(taken.code == Some(6) && taken.stderr.contains("exists in production"), "{taken:?}");
        ok(door, "create billing-sync-prod --env staging");
        ok(door, "workspaces create acme");
        ok(door, "--workspace acme create billing-sync-prod --env production");
        assert_eq!(run(door, "-n -o json create").code, Some(2), "a name is required");
    });
    let again = json!({ "name": "billing-sync-prod", "environment": "production" });
    assert_eq!(mission.http("POST", "/v1/keys", &again).status, 409);
    assert_eq!(mission.http("POST", "/v1/keys", &json!({ "environment": "production" })).status, 400);
}

#[test]
fn row_02_description_owner_and_labels() {
    let mission = Mission::new();
    mission.each(|door| {
        ok(door, "create k --owner ana --description nightly --label team=billing");
        ok(door, "create other --owner ben");
        assert_eq!(names(&told(door, "list --owner ana")), ["k"]);
        assert_eq!(names(&told(door, "list --label team=billing")), ["k"]);
        ok(door, "update k --owner eve --label team=export");
        let key = told(door, "show k")["key"].clone();
        assert_eq!(
            (&key["owner"], &key["labels"]["team"], &key["description"]),
            (&json!("eve"), &json!("export"), &json!("nightly"))
        );
    });
    assert_eq!(names(&mission.http("GET", "/v1/keys?owner=eve", &Value::Null).json()), ["k"]);
    assert_eq!(mission.http("PATCH", "/v1/keys/k", &json!({ "owner": "zoe" })).status, 200);
    assert_eq!(mission.http("GET", "/v1/keys/k", &Value::Null).json()["key"]["owner"], "zoe");
}

#[test]
fn row_03_environment() {
    let mission = Mission::new();
    mission.each(|door| {
        let key = ok(door, "create k --env staging");
        assert_eq!(verdict(door, &key, "--env staging"), "VALID");
        for other in ["production", "development"] {
            assert_eq!(verdict(door, &key, &format!("--env {other}")), "WRONG_ENVIRONMENT");
        }
    });
    let (_, staging) = mission.made(&json!({ "name": "s", "environment": "staging" }));
    let (_, production) = mission.made(&json!({ "name": "p", "environment": "production" }));
    assert_eq!(mission.asked(&staging, &json!({ "environment": "production" }))["code"], "WRONG_ENVIRONMENT");
    assert_eq!(mission.gate(&staging, "/production", &[]).0, 401);
    assert_eq!(mission.gate(&production, "/production", &[]).0, 204);
}

#[test]
fn row_04_level() {
    let mission = Mission::after(&["projects create shop", "projects create desk"]);
    mission.each(|door| {
        let wide = ok(door, "create wide");
        let narrow = ok(door, "create narrow --project shop");
        assert_eq!(told(door, "show wide")["key"]["level"], "workspace");
        assert_eq!(told(door, "show narrow")["key"]["level"], "project");
        for (key, project, code) in [
            (&wide, "shop", "VALID"),
            (&wide, "nowhere", "WRONG_PROJECT"),
            (&narrow, "shop", "VALID"),
            (&narrow, "desk", "WRONG_PROJECT"),
        ] {
            assert_eq!(verdict(door, key, &format!("--project {project}")), code, "{project}");
        }
    });
    let (_, wide) = mission.made(&json!({ "name": "w", "environment": "production" }));
    assert_eq!(mission.gate(&wide, "/production", &[]).1, "PROJECT_REQUIRED");
    assert_eq!(mission.gate(&wide, "/open", &[]).0, 204);
    assert_eq!(mission.gate(&wide, "/open", &[("X-Project-ID", "nowhere")]).1, "WRONG_PROJECT");
    let answer = mission.authz(&wide, "/open", &[("X-Project-ID", "desk")]);
    assert_eq!((answer.status, answer.header("x-keyward-project")), (204, Some("desk")));
    let validated = mission.doors.server.get("/v1/validate", &[("X-API-Key", &wide)]).json();
    assert_eq!(validated["level"], "workspace", "{validated}");
}

#[test]
fn row_05_customers() {
    let mission = Mission::after(&["customers create c1", "customers create c2"]);
    mission.each(|door| {
        let key = ok(door, "create k --customer c1");
        assert_eq!(verdict(door, &key, "--customer c1"), "VALID");
        assert_eq!(verdict(door, &key, "--customer c2"), "WRONG_CUSTOMER");
        ok(door, "update k --add-customer c2 --remove-customer c1");
        assert_eq!(told(door, "show k")["key"]["customers"], json!(["c2"]));
    });
    let (_, key) = mission.made(&json!({ "name": "h", "customers": ["c1"] }));
    assert_eq!(mission.asked(&key, &json!({ "customer": "c2" }))["code"], "WRONG_CUSTOMER");
    assert_eq!(mission.gate(&key, "/customer", &[]).1, "NOT_ASKED");
    assert_eq!(mission.gate(&key, "/customer", &[("X-Customer-ID", "c2")]).1, "WRONG_CUSTOMER");
    let answer = mission.authz(&key, "/customer", &[("X-Customer-ID", "c1")]);
    assert_eq!((answer.status, answer.header("x-keyward-customers")), (204, Some("c1")));
}

#[test]
fn row_06_scopes() {
    let mission = Mission::new();
    mission.each(|door| {
        ok(door, "scopes add jobs:read");
        ok(door, "scopes add jobs:operate --implies jobs:read");
        let key = ok(door, "create k --scope jobs:operate");
        assert_eq!(verdict(door, &key, "--scope jobs:read"), "VALID", "implied");
        assert_eq!(verdict(door, &key, "--scope jobs:write"), "INSUFFICIENT_SCOPE");
        assert!(ok(door, "list --columns name,scopes").contains("jobs:operate"));
    });
    let (_, key) = mission.made(&json!({ "name": "h", "scopes": ["a:read"] }));
    assert_eq!(mission.asked(&key, &json!({ "scopes": ["a:write"] }))["code"], "INSUFFICIENT_SCOPE");
    assert_eq!(mission.gate(&key, "/read", &[]).0, 204);
    let refused = mission.authz(&key, "/write", &[]);
    assert!(refused.status == 403 && refused.body.contains("a:write"), "it names the missing one: {refused:?}");
    let listed = mission.http("GET", "/v1/scopes", &Value::Null);
    assert!(listed.status == 200 && listed.body.contains("jobs:operate"), "{listed:?}");
}

#[test]
fn row_07_rate_limit() {
    let mission = Mission::new();
    mission.each(|door| {
        ok(door, "create usual");
        ok(door, "create other --rate-limit 5/30m");
        ok(door, "create none --rate-limit none");
        let limit = |name: &str| told(door, &format!("show {name}"))["key"]["rate_limit"].to_string();
        assert!(limit("usual").contains("100"), "{}", limit("usual"));
        assert_ne!(limit("none"), limit("usual"));
        assert!(ok(door, "list --columns name,rate_limit").contains("5/30m"));
    });
    let (_, key) = mission.made(&json!({ "name": "one", "rate_limit": "1/d" }));
    assert_eq!(mission.gate(&key, "/open", &[]).0, 204);
    let over = mission.authz(&key, "/open", &[]);
    assert_eq!(over.status, 429, "{over:?}");
    assert!(over.header("retry-after").is_some() && over.header("ratelimit").is_some(), "{over:?}");
}

#[test]
fn row_08_ip_allowlist() {
    let mission = Mission::new();
    mission.each(|door| {
        let key = ok(door, "create k --allow-ip 10.0.0.0/8 --allow-ip 2001:db8::/32");
        for (address, code) in [
            ("10.1.2.3", "VALID"),
            ("2001:db8::1", "VALID"),
            ("192.0.2.1", "IP_NOT_ALLOWED"),
            ("::1", "IP_NOT_ALLOWED"),
        ] {
            assert_eq!(verdict(door, &key, &format!("--ip {address}")), code, "{address}");
        }
        for bad in ["10.0.0.0/33", "10.0.0", "nowhere"] {
            assert_eq!(run(door, &format!("create bad --allow-ip {bad}")).code, Some(2), "{bad}");
        }
    });
    let (_, here) = mission.made(&json!({ "name": "here", "allow_ips": ["127.0.0.1"] }));
    let (_, there) = mission.made(&json!({ "name": "there", "allow_ips": ["192.0.2.0/24"] }));
    assert_eq!(mission.gate(&here, "/open", &[]).0, 204);
    assert_eq!(mission.gate(&there, "/open", &[]), (403, "IP_NOT_ALLOWED".to_owned()));
    assert_eq!(mission.asked(&there, &json!({ "ip": "127.0.0.1" }))["code"], "IP_NOT_ALLOWED");
    assert_eq!(mission.http("POST", "/v1/keys", &json!({ "name": "bad", "allow_ips": ["10.0.0.0/33"] })).status, 400);
}

#[test]
fn row_09_expiry() {
    let mission = Mission::new();
    mission.each(|door| {
        for period in ["1h", "1d", "7d", "30d", "90d", "180d", "360d", "45d"] {
            ok(door, &format!("create k{period} --expires-in {period}"));
        }
        ok(door, "create never --no-expiry");
        assert!(told(door, "show never")["key"]["expires_at"].is_null());
        let refused = run(door, "update k7d --expires-in 30d");
        assert!(refused.code == Some(2) && refused.stderr.contains("set at creation"), "{refused:?}");
    });
    let before = mission.http("GET", "/v1/keys/k7d", &Value::Null).json()["key"]["expires_at"].clone();
    for field in ["expires_in", "expires_at", "expiry"] {
        let answer = mission.http("PATCH", "/v1/keys/k7d", &json!({ field: "30d" }));
        assert_eq!(answer.status, 400, "{field}: {answer:?}");
    }
    assert_eq!(mission.http("GET", "/v1/keys/k7d", &Value::Null).json()["key"]["expires_at"], before);
}

#[test]
fn row_10_status() {
    let mission = Mission::new();
    mission.each(|door| {
        for name in ["active", "inactive", "revoked"] {
            ok(door, &format!("create {name}"));
        }
        ok(door, "create expired --expires-in 1s");
        ok(door, "deactivate inactive");
        ok(door, "revoke revoked --yes");
        mission.until("the key expires", || told(door, "show expired")["key"]["status"] == "expired");
        for status in ["active", "inactive", "expired", "revoked"] {
            assert_eq!(told(door, &format!("show {status}"))["key"]["status"], status);
            assert_eq!(names(&told(door, &format!("list --status {status}"))), [status], "each in one list");
        }
    });
    let listed = mission.http("GET", "/v1/keys?status=revoked", &Value::Null).json();
    assert_eq!(names(&listed), ["revoked"]);
}

#[test]
fn row_11_last_used() {
    let mission = Mission::new();
    mission.each(|door| {
        let key = ok(door, "create used");
        ok(door, "create unused");
        assert_eq!(names(&told(door, "list --never-used --sort name")), ["unused", "used"]);
        assert_eq!(verdict(door, &key, "--record --ip 192.0.2.7"), "VALID");
        mission.until("the use is written", || names(&told(door, "list --never-used")) == ["unused"]);
        let shown = told(door, "show used")["key"].clone();
        assert_eq!((&shown["uses"], &shown["last_used_ip"]), (&json!(1), &json!("192.0.2.7")), "{shown}");
        assert!(shown["last_used_at"].is_string());
    });
    let (_, key) = mission.made(&json!({ "name": "gated" }));
    assert_eq!(mission.gate(&key, "/open", &[]).0, 204);
    let shown = || mission.http("GET", "/v1/keys/gated", &Value::Null).json()["key"].clone();
    mission.until("the use is written", || shown()["uses"] == 1);
    assert_eq!(shown()["last_used_ip"], "127.0.0.1");
}

#[test]
fn row_12_last_characters() {
    let mission = Mission::new();
    mission.each(|door| {
        let secret = ok(door, "create k");
        let hint = told(door, "show k")["key"]["hint"].as_str().unwrap().to_owned();
        // What follows the end of the random part is a checksum.
        assert!(hint.len() == 4 && secret.contains(&hint), "{hint}");
        assert!(ok(door, "list --columns name,hint").contains(&hint));
    });
    let (key, secret) = mission.made(&json!({ "name": "h" }));
    assert!(secret.contains(key["hint"].as_str().unwrap()));
}

#[test]
fn row_13_the_secret() {
    let mission = Mission::new();
    mission.each(|door| {
        let first = ok(door, "create k");
        let second = ok(door, "rotate k --now");
        for line in ["show k", "list", "export", "audit list", "-o json show k", "-o json audit list"] {
            let shown = ok(door, line);
            for secret in [&first, &second] {
                assert!(!shown.contains(secret.rsplit('_').next().unwrap()), "{line}");
            }
        }
        assert_eq!(verdict(door, &first, ""), "SUPERSEDED");
        assert_eq!(verdict(door, &second, ""), "VALID");
    });
    let (_, secret) = mission.made(&json!({ "name": "h" }));
    let shown = mission.http("GET", "/v1/keys/h", &Value::Null);
    assert!(!shown.body.contains(secret.rsplit('_').next().unwrap()), "{shown:?}");
    let file = std::fs::read(mission.doors.behind.keystore()).unwrap();
    let needle = secret.rsplit('_').next().unwrap().as_bytes();
    assert!(!file.windows(needle.len()).any(|window| window == needle), "it stands in the keystore");
}
