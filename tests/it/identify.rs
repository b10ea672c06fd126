//! Naming the keys behind secrets, and finding secrets in files.

use crate::support::Home;

#[test]
fn a_leaked_secret_is_named_with_what_it_opens_and_how_it_is_stopped() {
    let home = Home::new();
    let old = home.ok(&["create", "billing", "--env", "production", "--scope", "audits:read", "--owner", "alice"]);
    let id = home.json(&["show", "billing"])["key"]["id"].as_str().unwrap().to_owned();
    home.ok(&["rotate", "billing", "--now"]);
    let ran = home.run_with(&["-o", "json", "identify", "-"], &format!("the log says {old} and more\n"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stdout.contains(&old) && !ran.stderr.contains(&old));
    let reply: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(reply["schema"], "keyward.identify/v1");
    let item = &reply["items"][0];
    assert_eq!(
        (item["key_id"].as_str(), item["owner"].as_str(), item["secret_state"].as_str()),
        (Some(id.as_str()), Some("alice"), Some("dead"))
    );
    assert_eq!((&item["genuine"], &item["works"]), (&true.into(), &false.into()));
    assert_eq!(item["revoke"], format!("keyward revoke {id} --reason leaked"));
    assert!(item["file"].is_null());

    let by_hint = home.json(&["identify", "--hint", &old[old.len() - 10..]]);
    assert_eq!(by_hint["items"][0]["name"], "billing");
    let trail = home.ok(&["audit", "list", "--key", &id]);
    assert!(trail.contains("key.identify"), "{trail}");
    home.ok(&["audit", "verify"]);

    let none =
        home.run_with(&["identify", "-"], &old.replace(&old[30..31], if &old[30..31] == "x" { "y" } else { "x" }));
    assert_eq!(none.code, Some(3), "{none:?}");
}

#[test]
fn a_revocation_needs_the_real_secret_and_a_confirmation() {
    let home = Home::new();
    let token = home.ok(&["create", "k"]);
    let asked = home.run_with(&["identify", "-", "--revoke"], &token);
    assert_eq!(asked.code, Some(2), "{asked:?}");
    assert_eq!(home.json(&["show", "k"])["key"]["status"], "active");
    let done = home.run_with(&["identify", "-", "--revoke", "--yes"], &token);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(home.json(&["show", "k"])["key"]["status"], "revoked");
}

#[test]
fn a_support_slot_identifies_and_revokes_nothing() {
    let home = Home::new();
    let token = home.ok(&["create", "k"]);
    home.private("pass", "correct horse battery\n");
    home.ok(&["vault", "slots", "add", "--passphrase", "--new-passphrase-file", "pass", "--role", "support"]);
    let ran = home.run_with(&["--passphrase-file", "pass", "-o", "json", "identify", "-", "--revoke", "--yes"], &token);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("not revoked"), "{}", ran.stderr);
    assert_eq!(home.json(&["show", "k"])["key"]["status"], "active");
    let trail = home.json(&["audit", "list"]);
    let told: Vec<_> = trail["items"].as_array().unwrap().iter().map(|e| (&e["action"], &e["source"])).collect();
    assert!(told.contains(&(&"key.identify".into(), &"journal".into())), "{told:?}");
}
