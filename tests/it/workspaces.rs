//! Workspaces, projects and customers: what goes with one that is deleted, and what an update says.

use crate::support::Home;

#[test]
fn a_workspace_takes_its_catalogue_and_its_idempotency_keys_with_it() {
    let home = Home::with_vault();
    let within = |args: &[&str]| home.ok(&[&["--workspace", "t1"], args].concat());
    home.ok(&["workspaces", "create", "t1"]);
    within(&["scopes", "add", "a:read", "--implies", "*"]);
    within(&["scopes", "close"]);
    within(&["create", "first", "--scope", "a:read", "--idempotency-key", "K"]);
    within(&["delete", "first", "--confirm", "first"]);
    home.ok(&["workspaces", "delete", "t1", "--yes"]);
    let told = home.json(&["audit", "list", "--action", "workspace.delete"]);
    assert_eq!(told["items"][0]["changes"]["scopes"][0], "a:read");
    home.ok(&["audit", "verify"]);

    home.ok(&["workspaces", "create", "t1"]);
    // An open catalogue, an implication that nobody declared, and an idempotency key that names nothing.
    let token = within(&["create", "second", "--scope", "a:read", "--idempotency-key", "K"]);
    assert!(token.starts_with("kw_"), "{token}");
    assert_eq!(home.verdict(&token, &["--scope", "a:read"]).1, Some(0));
    let (verdict, code) = home.verdict(&token, &["--scope", "payments:write"]);
    assert_eq!((verdict["code"].as_str(), code), (Some("INSUFFICIENT_SCOPE"), Some(13)));
    home.ok(&["audit", "verify"]);
}

#[test]
fn what_belongs_to_a_workspace_and_works_keeps_it_from_being_deleted() {
    let home = Home::with_vault();
    home.ok(&["workspaces", "create", "t1"]);
    home.ok(&["--workspace", "t1", "projects", "create", "shop"]);
    home.ok(&["--workspace", "t1", "webhooks", "add", "pager", "https://hooks.example.com/x"]);
    home.ok(&["operators", "create", "ci", "--role", "rotator", "--bind", "t1"]);
    let refused = home.run(&["workspaces", "delete", "t1", "--yes"]);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(refused.stderr.contains("in use by 1 project, 1 webhook, 1 operator"), "{}", refused.stderr);
    home.ok(&["--workspace", "t1", "projects", "delete", "shop", "--yes"]);
    home.ok(&["--workspace", "t1", "webhooks", "remove", "pager", "--yes"]);
    home.ok(&["operators", "revoke", "ci", "--yes"]);
    home.ok(&["workspaces", "delete", "t1", "--yes"]);
}

/// A refusal names the keys that are in the way, and its hint lists them.
#[test]
fn keys_keep_their_project_and_customer_and_are_named() {
    let home = Home::new();
    home.ok(&["projects", "create", "moon shot"]);
    home.ok(&["customers", "create", "acme"]);
    for number in 1..=7 {
        home.ok(&["create", &format!("k{number}"), "--project", "moon shot"]);
    }
    home.ok(&["create", "narrow", "--customer", "acme"]);
    home.ok(&["revoke", "narrow", "--yes"]);
    let refused = home.run(&["projects", "delete", "moon shot", "--yes"]);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(refused.stderr.contains("in use by 7 keys: k1, k2, k3, k4, k5 and 2 more"), "{}", refused.stderr);
    let refused = home.run(&["customers", "delete", "acme", "--yes"]);
    assert!(refused.stderr.contains("in use by 1 key: narrow"), "{}", refused.stderr);
    for (line, found) in [("list --project 'moon shot' --status any", 7), ("list --customer acme --status any", 1)] {
        assert_eq!(home.shell(&format!("keyward {line} -q")).stdout.lines().count(), found, "{line}");
    }
    let hint = home.run(&["projects", "delete", "moon shot", "--yes"]).stderr;
    assert!(hint.contains("keyward list --project 'moon shot' --status any"), "{hint}");
}

/// Whoever owned a key may still have its secret: a handover says how to replace it.
#[test]
fn a_handover_offers_the_rotation() {
    let home = Home::new();
    home.ok(&["create", "mailer", "--env", "production", "--owner", "ana@example.com"]);
    let told = home.run(&["update", "mailer", "--owner", "ben@example.com"]).stderr;
    assert!(told.contains("ana@example.com may still have the secret"), "{told}");
    assert!(told.contains("`keyward rotate mailer --env production`"), "{told}");
    home.ok(&["rotate", "mailer", "--env", "production", "-q"]);
    let told = home.run(&["update", "mailer", "--description", "sends mail"]).stderr;
    assert!(!told.contains("may still have"), "{told}");
}

#[test]
fn an_empty_description_is_none_and_an_update_of_nothing_is_no_update() {
    let home = Home::with_vault();
    for kind in ["workspaces", "projects", "customers"] {
        home.ok(&[kind, "create", "x", "--description", "words"]);
        let described = || home.json(&[kind, "show", "x"])[kind.trim_end_matches('s')]["description"].clone();
        assert_eq!(described(), "words", "{kind}");
        let nothing = home.run(&[kind, "update", "x"]);
        assert_eq!(nothing.code, Some(2), "{nothing:?}");
        assert!(nothing.stderr.contains(&format!("keyward {kind} update --help")), "{}", nothing.stderr);
        home.ok(&[kind, "update", "x", "--description", ""]);
        assert!(described().is_null(), "{kind}: {}", described());
        home.ok(&[kind, "create", "y", "--description", ""]);
        assert!(home.json(&[kind, "show", "y"])[kind.trim_end_matches('s')]["description"].is_null(), "{kind}");
    }
}
