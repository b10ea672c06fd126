//! The whole life of a key through the real program.

use crate::support::Home;

fn is_token(text: &str, environment: &str) -> bool {
    let rest = text.strip_prefix(&format!("kw_{environment}_")).unwrap_or_default();
    rest.len() == 16 + 1 + 49
        && rest.as_bytes()[16] == b'_'
        && rest.replace('_', "").bytes().all(|b| b.is_ascii_alphanumeric())
}

#[test]
fn the_first_command_works_in_an_empty_home() {
    let home = Home::new();
    let ran = home.run(&["create", "billing-sync", "--env", "production", "--scope", "audits:read"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let token = ran.stdout.strip_suffix('\n').unwrap();
    assert!(is_token(token, "prod"), "stdout is not exactly one token");
    assert!(ran.stderr.contains(&home.keystore().display().to_string()), "{}", ran.stderr);
    assert!(!ran.stderr.contains(token));
}

#[test]
fn a_key_lives_from_create_to_delete() {
    let home = Home::new();
    let first = home.ok(&["create", "billing-sync", "--env", "production", "--scope", "audits:read"]);
    assert!(home.ok(&["list"]).contains("billing-sync"));
    assert_eq!(home.verdict(&first, &["--env", "production", "--scope", "audits:read"]).1, Some(0));

    let second = home.ok(&["rotate", "billing-sync", "--now"]);
    assert!(is_token(&second, "prod"));
    let (verdict, code) = home.verdict(&first, &[]);
    assert_eq!((verdict["code"].as_str(), code), (Some("SUPERSEDED"), Some(13)));
    assert_eq!(home.verdict(&second, &[]).1, Some(0));

    home.ok(&["deactivate", "billing-sync"]);
    assert_eq!(home.verdict(&second, &[]).0["code"], "INACTIVE");
    home.ok(&["activate", "billing-sync"]);
    assert_eq!(home.verdict(&second, &[]).1, Some(0));

    home.ok(&["revoke", "billing-sync", "--reason", "leaked"]);
    assert_eq!(home.verdict(&second, &[]).0["code"], "REVOKED");
    assert!(home.ok(&["list", "--status", "any"]).contains("revoked"));

    home.ok(&["delete", "billing-sync", "--confirm", "billing-sync", "--yes"]);
    assert_eq!(home.verdict(&second, &[]).0["code"], "UNKNOWN");
    let trail = home.ok(&["audit", "list"]);
    for action in
        ["vault.init", "key.create", "key.rotate", "key.deactivate", "key.activate", "key.revoke", "key.delete"]
    {
        assert!(trail.contains(action), "{action} is not in the trail:\n{trail}");
    }
    home.ok(&["audit", "verify"]);
}

#[test]
fn the_json_of_a_key_is_the_contract() {
    let home = Home::new();
    let reply = home.json(&[
        "create",
        "billing-sync-prod",
        "--env",
        "production",
        "--owner",
        "billing@example.com",
        "--scope",
        "audits:read",
        "--allow-ip",
        "10.0.0.0/8",
        "--label",
        "team=billing",
        "--no-expiry",
    ]);
    assert_eq!(reply["schema"], "keyward.key/v1");
    assert!(is_token(reply["secret"].as_str().unwrap(), "prod"));
    let key = &reply["key"];
    let fields: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        [
            "id",
            "name",
            "description",
            "owner",
            "workspace",
            "environment",
            "level",
            "project",
            "customers",
            "scopes",
            "rate_limit",
            "allow_ips",
            "labels",
            "status",
            "active",
            "created_at",
            "created_by",
            "expires_at",
            "last_used_at",
            "last_used_ip",
            "uses",
            "never_used",
            "last_user_agent",
            "denied",
            "last_denied_at",
            "hint",
            "rotation",
            "self",
            "secrets",
            "version",
            "imported"
        ]
    );
    assert_eq!(key["owner"], "billing@example.com");
    assert_eq!(key["rate_limit"], serde_json::json!({"limit": 100, "window_seconds": 3600}));
    assert_eq!(key["expires_at"], serde_json::Value::Null);
    assert_eq!(key["allow_ips"], serde_json::json!(["10.0.0.0/8"]));

    let list = home.json(&["list"]);
    assert_eq!(list["schema"], "keyward.key-list/v1");
    assert_eq!(list["page"], serde_json::json!({"returned": 1, "total": 1, "truncated": false}));
    assert!(list["items"][0].get("secret").is_none());
}

#[test]
fn an_overlap_keeps_the_old_secret_and_never_beyond_the_expiry() {
    let home = Home::new();
    let old = home.ok(&["create", "k", "--expires-in", "1h"]);
    let new = home.ok(&["rotate", "k", "--overlap", "7d"]);
    assert_eq!((home.verdict(&old, &[]).1, home.verdict(&new, &[]).1), (Some(0), Some(0)));
    let key = home.json(&["show", "k"]);
    let key = if key.get("key").is_some() { key["key"].clone() } else { key["items"][0].clone() };
    assert_eq!(key["secrets"][0]["state"], "retiring");
    assert_eq!(key["secrets"][0]["valid_until"], key["expires_at"]);
    let again = home.run(&["rotate", "k"]);
    assert_eq!(again.code, Some(6), "{again:?}");
    home.ok(&["rotate", "k", "--supersede"]);
    assert_eq!(home.verdict(&old, &[]).1, Some(13));
}

#[test]
fn update_prints_what_changed_and_refuses_the_expiry() {
    let home = Home::new();
    home.ok(&["create", "k", "--scope", "audits:read"]);
    home.ok(&["update", "k", "--owner", "alice", "--add-scope", "audits:write", "--rate-limit", "5/s"]);
    let shown = home.ok(&["-o", "json", "show", "k"]);
    for text in ["alice", "audits:write"] {
        assert!(shown.contains(text), "{shown}");
    }
    let refused = home.run(&["update", "k", "--expires-in", "7d"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("creation"), "{}", refused.stderr);
}

#[test]
fn a_backup_is_put_back_as_a_new_incarnation() {
    let home = Home::new();
    let kept = home.ok(&["create", "kept"]);
    home.ok(&["vault", "backup", "copy.db"]);
    home.ok(&["create", "later"]);
    let refused = home.run(&["vault", "restore", "copy.db"]);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    home.ok(&["vault", "restore", "copy.db", "--force"]);
    assert_eq!(home.json(&["list"])["page"]["total"], 1);
    assert_eq!(home.verdict(&kept, &[]).1, Some(0));
    home.ok(&["audit", "verify"]);
    assert!(home.ok(&["audit", "list"]).contains("vault.restore"));

    std::fs::write(home.keystore(), b"this is no keystore").unwrap();
    assert_eq!(home.run(&["list"]).code, Some(14));
    home.ok(&["vault", "restore", "copy.db", "--force"]);
    assert_eq!(home.verdict(&kept, &[]).1, Some(0));

    std::fs::remove_file(home.keystore()).unwrap();
    home.ok(&["vault", "restore", "copy.db"]);
    home.ok(&["create", "after"]);
    home.ok(&["audit", "verify"]);
}
