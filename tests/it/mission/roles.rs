//! Who may do what: through the server, for there somebody is asked who it is; whoever opens a vault may do all.

use super::{As, Mission, ok, run, verdict};
use serde_json::{Value, json};

/// A workspace beside the one that operators are bound to, a key, and its secret.
fn scene() -> (Mission, String) {
    let mission = Mission::after(&["workspaces create other", "scopes add a:read"]);
    let (_, secret) = mission.made(&json!({ "name": "k", "scopes": ["a:read"], "expires_in": "30d" }));
    (mission, secret)
}

#[test]
fn row_30_platform_admin() {
    let (mission, _) = scene();
    let admin = As::role(&mission, "platform-admin");
    for line in ["create own", "--workspace other create own", "workspaces create third", "audit verify", "plans list"]
    {
        admin.may(line);
    }
    assert_eq!(admin.status("GET", "/v1/audit", &Value::Null), 200);
    ok(&mission.doors.here(), "--workspace other create local");
}

#[test]
fn row_31_workspace_admin() {
    let (mission, _) = scene();
    let admin = As::role(&mission, "workspace-admin");
    for line in ["create own --scope a:read", "rotate own --now", "revoke own --yes", "audit list", "projects create p"]
    {
        admin.may(line);
    }
    admin.may_not("--workspace other list");
    admin.may_not("workspaces create third");
    assert_eq!(admin.status("POST", "/v1/keys", &json!({ "name": "h" })), 201);
    assert_eq!(admin.status("POST", "/v1/workspaces", &json!({ "name": "w" })), 403);
}

#[test]
fn row_32_issuer() {
    let (mission, _) = scene();
    let home = crate::support::Home::new();
    let token = ok(&mission.doors.there(), "operators create mill --role issuer --bind default --ceiling a:read");
    home.private("token", &token);
    let issuer = As { mission: &mission, home, bearer: format!("Bearer {token}") };
    issuer.may("create own --scope a:read");
    issuer.may("rotate own --now");
    issuer.may_not("create beyond --scope a:write");
    issuer.may_not("delete own --confirm own");
    assert_eq!(issuer.status("POST", "/v1/keys", &json!({ "name": "h", "scopes": ["a:read"] })), 201);
    assert_eq!(issuer.status("POST", "/v1/keys", &json!({ "name": "i", "scopes": ["a:write"] })), 403);
}

#[test]
fn row_33_rotator() {
    let (mission, first) = scene();
    let rotator = As::role(&mission, "rotator");
    let second = rotator.may("rotate k --now");
    assert_eq!(verdict(&mission.doors.there(), &first, ""), "SUPERSEDED");
    assert_eq!(verdict(&mission.doors.there(), &second, ""), "VALID");
    for line in ["create own", "revoke k --yes", "update k --owner x", "rotate k --renew"] {
        rotator.may_not(line);
    }
    ok(&mission.doors.there(), "revoke k --yes");
    rotator.may_not("rotate k");
    assert_eq!(rotator.status("POST", "/v1/keys", &json!({ "name": "h" })), 403);
}

#[test]
fn row_34_revoker() {
    let (mission, secret) = scene();
    let revoker = As::role(&mission, "revoker");
    revoker.may("deactivate k");
    revoker.may("revoke k --yes --reason incident");
    assert_eq!(verdict(&mission.doors.there(), &secret, ""), "REVOKED");
    for line in ["create own", "rotate k", "delete k --confirm k"] {
        revoker.may_not(line);
    }
    assert_eq!(revoker.status("DELETE", "/v1/keys/k", &Value::Null), 403);
}

#[test]
fn row_35_auditor() {
    let (mission, _) = scene();
    let auditor = As::role(&mission, "auditor");
    for line in ["list", "show k", "audit list", "audit export", "audit verify"] {
        auditor.may(line);
    }
    for line in ["create own", "revoke k --yes", "update k --owner x"] {
        auditor.may_not(line);
    }
    assert_eq!(auditor.status("GET", "/v1/audit", &Value::Null), 200);
    assert_eq!(auditor.status("POST", "/v1/keys/k/revoke", &Value::Null), 403);
}

#[test]
fn row_36_support() {
    let (mission, secret) = scene();
    let support = As::role(&mission, "support");
    for line in ["list --never-used", "show k", "list --expired"] {
        support.may(line);
    }
    let told = support.run("verify - --explain", &secret);
    assert!(told.code == Some(0) && told.stdout.contains("VALID"), "a verdict with reasons: {told:?}");
    support.may("audit list --key k");
    for line in ["create own", "revoke k --yes", "rotate k", "update k --owner x"] {
        support.may_not(line);
    }
    assert_eq!(support.status("GET", "/v1/keys/k", &Value::Null), 200);
    assert_eq!(support.status("PATCH", "/v1/keys/k", &json!({ "owner": "x" })), 403);
    // The same with a slot of a vault.
    let here = mission.doors.here();
    let secret = ok(&here, "create k");
    ok(&here, "vault slots add --device-file desk --role support");
    let told = here.run(&["--key-file", "desk", "verify", "-", "--explain"], &secret);
    assert!(told.code == Some(0) && told.stdout.contains("VALID"), "{told:?}");
    ok(&here, "--key-file desk audit list --key k");
    for line in ["create own", "revoke k --yes", "rotate k", "update k --owner x"] {
        assert_eq!(run(&here, &format!("--key-file desk {line}")).code, Some(5), "{line}");
    }
}

#[test]
fn row_37_verifier() {
    let (mission, secret) = scene();
    let verifier = As::role(&mission, "verifier");
    let told = verifier.run("verify -", &secret);
    assert!(told.code == Some(0) && told.stdout.contains("VALID"), "{told:?}");
    assert_eq!(verifier.status("POST", "/v1/verify", &json!({ "key": secret })), 200);
    for line in ["list", "show k", "create own", "audit list"] {
        verifier.may_not(line);
    }
    assert_eq!(verifier.status("GET", "/v1/keys", &Value::Null), 403);
}
