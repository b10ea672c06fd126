//! What is refused, with which exit code, and that nothing is lost by it.

use crate::support::Home;

#[test]
fn names_are_unique_and_ambiguity_is_a_conflict() {
    let home = Home::new();
    home.ok(&["create", "k", "--env", "production"]);
    assert_eq!(home.run(&["create", "k", "--env", "production"]).code, Some(6));
    home.ok(&["create", "k", "--env", "production", "--if-not-exists"]);
    home.ok(&["create", "k", "--env", "staging"]);
    let ambiguous = home.run(&["show", "k"]);
    assert_eq!(ambiguous.code, Some(6));
    assert!(ambiguous.stderr.contains("--env"), "{}", ambiguous.stderr);
    home.ok(&["show", "k", "--env", "staging"]);
}

#[test]
fn an_unknown_key_gets_a_suggestion() {
    let home = Home::new();
    home.ok(&["create", "billing-sync"]);
    let ran = home.run(&["show", "biling-sync"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("billing-sync"), "{}", ran.stderr);
    let json = home.run(&["-o", "json", "show", "nothing-like-it"]);
    let error: serde_json::Value = serde_json::from_str(&json.stderr).unwrap();
    assert_eq!(
        (error["schema"].as_str(), error["error"]["code"].as_str()),
        (Some("keyward.error/v1"), Some("NOT_FOUND"))
    );
    assert_eq!(error["error"]["exit"], 3);
    assert_eq!(json.stdout, "");
}

#[test]
fn a_token_as_an_operand_is_refused_and_not_repeated() {
    let home = Home::new();
    let token = home.ok(&["create", "k"]);
    let ran = home.run(&["show", &token]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(!ran.stderr.contains(&token) && !ran.stdout.contains(&token));
}

#[test]
fn in_ci_a_secret_is_not_printed_unasked() {
    let home = Home::new();
    let ran = home.command(&["create", "k"]).env("CI", "true").output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    assert!(ran.stdout.is_empty());
    let ran = home.command(&["-q", "create", "k"]).env("CI", "true").output().unwrap();
    assert_eq!(ran.status.code(), Some(0));
}

#[test]
fn read_only_and_dry_run_change_nothing() {
    let home = Home::new();
    home.ok(&["create", "k"]);
    let before = home.ok(&["-o", "json", "audit", "list"]);
    assert_eq!(home.run(&["--read-only", "revoke", "k"]).code, Some(5));
    let dry = home.run(&["--dry-run", "create", "other"]);
    assert_eq!((dry.code, dry.stdout.contains("kw_")), (Some(0), false), "{dry:?}");
    home.run(&["--dry-run", "rotate", "k"]);
    assert_eq!(home.ok(&["-o", "json", "audit", "list"]), before);
}

#[test]
fn a_refused_action_is_an_event() {
    let home = Home::new();
    home.ok(&["create", "k"]);
    home.run(&["revoke", "nobody"]);
    let trail = home.json(&["audit", "list", "--outcome", "refused"]);
    assert_eq!(trail["items"][0]["action"], "key.revoke");
    assert_eq!(trail["items"][0]["outcome"], "refused");
}

#[test]
fn the_free_plan_has_no_api_access() {
    let home = Home::new();
    home.ok(&["workspaces", "create", "acme", "--plan", "free"]);
    let ran = home.run(&["--workspace", "acme", "create", "k"]);
    assert_eq!(ran.code, Some(5));
    assert!(ran.stderr.contains("plan 'free'") && ran.stderr.contains("API access"), "{}", ran.stderr);
}

#[test]
fn a_bulk_file_with_a_bad_line_writes_nothing_and_names_the_line() {
    let home = Home::new();
    home.ok(&["create", "first"]);
    let mut csv = "name,environment,scopes\n".to_owned();
    for number in 0..500 {
        let scope = if number == 399 { "not a scope" } else { "audits:read" };
        csv.push_str(&format!("key-{number},production,{scope}\n"));
    }
    std::fs::write(home.path().join("keys.csv"), &csv).unwrap();
    let ran = home.run(&["create", "--from", "keys.csv", "--out", "secrets.jsonl"]);
    assert_ne!(ran.code, Some(0));
    assert!(ran.stderr.contains("401"), "{}", ran.stderr);
    assert_eq!(home.json(&["list"])["page"]["total"], 1);

    std::fs::write(home.path().join("keys.csv"), csv.replace("not a scope", "audits:read")).unwrap();
    home.ok(&["create", "--from", "keys.csv", "--out", "secrets.jsonl"]);
    assert_eq!(home.json(&["list"])["page"]["total"], 501);
    assert_eq!(std::fs::read_to_string(home.path().join("secrets.jsonl")).unwrap().lines().count(), 500);
}

#[test]
fn a_named_passphrase_is_used_before_the_device_key_that_is_found() {
    let home = Home::new();
    home.ok(&["init"]);
    std::fs::write(home.path().join("right"), "correct horse battery\n").unwrap();
    std::fs::write(home.path().join("wrong"), "incorrect horse\n").unwrap();
    home.ok(&["vault", "slots", "add", "--passphrase", "--new-passphrase-file", "right", "--role", "support"]);
    home.ok(&["--passphrase-file", "right", "list"]);
    let refused = home.run(&["--passphrase-file", "right", "create", "k"]);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    let wrong = home.run(&["--passphrase-file", "wrong", "list"]);
    assert_eq!(wrong.code, Some(7), "{wrong:?}");
    let trail = home.json(&["audit", "list"]);
    let told: Vec<_> = trail["items"].as_array().unwrap().iter().map(|e| (&e["action"], &e["outcome"])).collect();
    assert!(told.contains(&(&"key.create".into(), &"refused".into())), "{told:?}");
    assert!(told.contains(&(&"vault.unlock".into(), &"failed".into())), "{told:?}");
}
